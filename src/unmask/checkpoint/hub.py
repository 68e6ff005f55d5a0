"""Models on the hub, fetched by `huggingface_hub` into its own cache."""

from __future__ import annotations

import re
from pathlib import Path

from unmask.errors import DataError, MachineError, UsageError
from unmask.text.folder import SENTENCEPIECE

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,95})?")
_FILES = [
    "config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    *SENTENCEPIECE,
    "unmask.json",
]


def is_hub_id(name: str) -> bool:
    """Whether a name can be a model's on the hub: `owner/model` or `model`."""
    return _ID.fullmatch(name) is not None and ".." not in name and "--" not in name


def download(name: str) -> Path:
    """The folder of a hub model: safetensors, JSON, plain text and
    SentencePiece models, nothing else.

    HF_HUB_OFFLINE and the cache's variables are respected.

    Raises:
        UsageError: The name is neither a folder nor a possible hub id.
        DataError: The hub has no such model, or the cache does not have it while offline.
        MachineError: The hub cannot be reached.
    """
    if not is_hub_id(name):
        raise UsageError(
            f"{name!r:.200}: no such folder, and not the name of a model on the hub "
            "(`owner/model`)."
        )
    from huggingface_hub import errors, snapshot_download  # half a second that folders need not pay

    try:
        return Path(snapshot_download(name, allow_patterns=_FILES, ignore_patterns=["*/*"]))
    except (errors.RepositoryNotFoundError, errors.GatedRepoError) as error:
        raise DataError(
            f"{name}: no such folder here, and the hub has no such model, or not for you. Check "
            "the spelling; for a private model, log in with `hf auth login`."
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise DataError(
            f"{name}: no such folder here, not in the hub's cache, and the hub is out of reach "
            "or switched off (HF_HUB_OFFLINE). Give a folder, or download it where there is a "
            "network."
        ) from error
    except (errors.HfHubHTTPError, errors.HFValidationError, OSError) as error:
        raise MachineError(
            f"{name}: no such folder here, and fetching it from the hub failed "
            f"({str(error)[:200]})."
        ) from error
