"""What a corpus folder says about itself: counts, and the size and hash of every file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from unmask.errors import DataError

FILE_NAME = "manifest.json"
_SHA256 = r"^[0-9a-f]{64}$"
_CHUNK_BYTES = 2**20


def _inside(name: str) -> str:
    """A path that stays in the folder, as a corpus may come from anybody."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ValueError(f"expected the path of a file in the folder, found {name!r:.80}")
    return name


class FileEntry(BaseModel):
    """One file of the corpus."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=_SHA256)


class ShardEntry(BaseModel):
    """What one shard holds; its files are `<name>.tokens`, `.documents` and `.sentences`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(pattern=r"^shard-\d{5,}$")
    num_tokens: int = Field(ge=1)
    num_documents: int = Field(ge=1)
    num_sentences: int = Field(ge=1)


class Manifest(BaseModel):
    """A corpus folder's table of contents."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal["unmask corpus"] = "unmask corpus"
    version: Literal[1] = 1
    vocab_size: int = Field(ge=1, le=2**32)
    tokenizer_sha256: str = Field(pattern=_SHA256)
    token_type: Literal["uint16", "uint32"]
    """Little-endian."""
    shards: list[ShardEntry] = Field(min_length=1)
    files: dict[Annotated[str, AfterValidator(_inside)], FileEntry]
    """Paths in the folder, of all files but the manifest and the report."""
    settings: dict[str, Any]
    """The settings that decide the tokens."""

    @property
    def sha256(self) -> str:
        """A hash of the tokens and their boundaries; where the text came from does not matter."""
        kept = self.model_dump(include={"version", "vocab_size", "tokenizer_sha256", "token_type"})
        names = (name for name in self.files if name.startswith("shard-"))
        kept["shards"] = {name: self.files[name].sha256 for name in names}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Writes manifest.json."""
        text = json.dumps(self.model_dump(), indent=2, ensure_ascii=False) + "\n"
        (folder / FILE_NAME).write_text(text, encoding="utf-8", newline="\n")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Reads manifest.json.

        Raises:
            DataError: Not there, or not a manifest.
        """
        path = folder / FILE_NAME
        try:
            return cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DataError(
                f"{folder}: not a corpus ({FILE_NAME} is not there). "
                "Make one with `unmask corpus TEXT --tokenizer DIR --output DIR`."
            ) from error
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise DataError(
                f"{path}: damaged, {where}: {first['msg']}. Prepare the corpus again."
            ) from error


def is_corpus(folder: Path) -> bool:
    """Whether a folder has a manifest of ours, even of a damaged corpus."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            return b'"unmask corpus"' in file.read(2**12)
    except OSError:
        return False


def describe(path: Path) -> FileEntry:
    """Size and hash of a file.

    Raises:
        OSError: It cannot be read.
    """
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return FileEntry(bytes=size, sha256=digest.hexdigest())
