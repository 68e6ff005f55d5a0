"""A tokenizer written in Hugging Face's layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from unmask.errors import writing
from unmask.text.kinds import family_settings, kind_of
from unmask.text.special import SpecialTokens
from unmask.text.wordpiece import CONTINUATION

FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt",
         "vocab.json", "merges.txt")  # fmt: skip
"""What a tokenizer is saved as; the last three as its kind has them."""


def write(
    path: Path,
    backend: Tokenizer,
    special: SpecialTokens,
    model_max_length: int | None,
    has_bert_layout: bool,
    *,
    closes_spaces: bool,
    reads_segments: bool | None,
) -> None:
    """Writes the `FILES`, of the last three those that the kind has.

    Raises:
        MachineError: The folder cannot be written.
    """
    names = {f"{role}_token": text for role, text in vars(special).items() if text is not None}
    is_bert = has_bert_layout and _is_bert(backend)
    # Classes of single families build their own parts from settings; the general one reads ours.
    name = "BertTokenizer" if is_bert else "PreTrainedTokenizerFast"
    settings: dict[str, Any] = {"tokenizer_class": name, **names, **family_settings(backend)}
    normalizer = backend.normalizer
    if isinstance(normalizer, normalizers.BertNormalizer):
        settings["do_lower_case"] = normalizer.lowercase
        settings["strip_accents"] = normalizer.strip_accents
        settings["tokenize_chinese_chars"] = normalizer.handle_chinese_chars
    if model_max_length is not None:
        settings["model_max_length"] = model_max_length
    if closes_spaces:
        settings["clean_up_tokenization_spaces"] = True
    if reads_segments is not None:
        segments = ["token_type_ids"] if reads_segments else []
        settings["model_input_names"] = ["input_ids", *segments, "attention_mask"]
    texts = {
        "tokenizer.json": backend.to_str(pretty=True) + "\n",
        "tokenizer_config.json": json.dumps(settings, indent=2, sort_keys=True) + "\n",
        "special_tokens_map.json": json.dumps(names, indent=2, sort_keys=True) + "\n",
        **_vocabulary_files(backend),
    }
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            (path / file).write_text(text, encoding="utf-8", newline="\n")


def _vocabulary_files(backend: Tokenizer) -> dict[str, str]:
    """The kind's own files, for tools that do not read tokenizer.json."""
    kind = kind_of(backend)
    tokens = sorted(backend.get_vocab().items(), key=lambda item: item[1])
    if kind == "WordPiece":
        return {"vocab.txt": "".join(f"{token}\n" for token, _ in tokens)}
    if kind == "Unigram":
        return {}
    merges = json.loads(backend.to_str())["model"]["merges"]
    lines = [" ".join(merge) if isinstance(merge, list) else merge for merge in merges]
    return {
        "vocab.json": json.dumps(dict(tokens), ensure_ascii=False) + "\n",
        "merges.txt": "#version: 0.2\n" + "".join(f"{line}\n" for line in lines),
    }


def _is_bert(backend: Tokenizer) -> bool:
    """Whether BertTokenizer, told the settings, builds the same."""
    normalizer = backend.normalizer
    return bool(
        isinstance(normalizer, normalizers.BertNormalizer)
        and normalizer.clean_text
        and isinstance(backend.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
        and backend.model.continuing_subword_prefix == CONTINUATION
        and backend.model.max_input_chars_per_word == models.WordPiece().max_input_chars_per_word
    )
