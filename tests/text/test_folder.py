from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models

from unmask.errors import DataError
from unmask.text.files import guarded
from unmask.text.tokenizer import Tokenizer

SPECIALS = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"


def write(folder: Path, name: str, content: str | bytes | dict[str, Any]) -> Path:
    data = json.dumps(content) if isinstance(content, dict) else content
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return folder / name


def fault(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        Tokenizer.load(path)
    message = str(caught.value)
    assert str(path if path.is_file() else path.name) in message
    assert "\n" not in message
    return message


@pytest.fixture
def parts(tokenizer: Tokenizer) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(tokenizer.backend.to_str())
    return whole


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    plain = write(tmp_path, "a.txt", SPECIALS + "the\ncat\u2028x")
    windows = write(
        tmp_path, "b.txt", "\ufeff" + (SPECIALS + "the\ncat\u2028x\n").replace("\n", "\r\n")
    )
    first, second = Tokenizer.load(plain), Tokenizer.load(windows)
    assert first.sha256 == second.sha256
    assert first.vocab_size == 7


def test_a_token_that_stands_twice_is_named_with_both_lines(tmp_path: Path) -> None:
    message = fault(write(tmp_path, "vocab.txt", SPECIALS + "the\ncat\nthe\n"))
    assert "vocab.txt:8: token `the` already stands on line 6" in message


@pytest.mark.parametrize("content", [SPECIALS + "\nthe\n", SPECIALS + "the\n\n", "", "  \n"])
def test_a_blank_line_is_named(tmp_path: Path, content: str) -> None:
    assert "blank line" in fault(write(tmp_path, "vocab.txt", content))


def test_a_missing_unknown_token_is_named(tmp_path: Path) -> None:
    message = fault(write(tmp_path, "vocab.txt", SPECIALS.replace("[UNK]\n", "")))
    assert "[UNK]" in message


def test_a_vocabulary_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    assert "byte 32 is not UTF-8" in fault(
        write(tmp_path, "vocab.txt", SPECIALS.encode() + b"x\xff")
    )


def test_a_missing_mask_token_is_allowed(tmp_path: Path) -> None:
    file = write(tmp_path, "vocab.txt", SPECIALS.replace("[MASK]\n", ""))
    tokenizer = Tokenizer.load(file)
    assert tokenizer.special.mask is None
    tokenizer.save(tmp_path / "saved")
    assert Tokenizer.load(tmp_path / "saved").sha256 == tokenizer.sha256


def test_nothing_there_says_what_was_expected(tmp_path: Path) -> None:
    assert "tokenizer.json or vocab.txt" in fault(tmp_path)
    assert "no such file" in fault(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "broken JSON"),
        ('{"model": ', "broken JSON"),
        ("[1]", "expected an object"),
        ("{}", "the model is `None`"),
        ("[" * 100_000, "nested too deeply"),
        ('{"model":' * 100_000, "nested too deeply"),
        ('{"model": {"type": "BPE", "vocab": {}, "merges": []}}', "without a byte-level"),
        ('{"model": {"type": "WordLevel", "vocab": {"a": 0}}}', "`WordLevel`; expected WordPiece"),
        ('{"model": {"type": "WordPiece"}}', "not a tokenizer"),
        ('{"model": {"type": "WordPiece", "vocab": {"a": -1}}}', "not a tokenizer"),
    ],
)  # fmt: skip
def test_a_broken_tokenizer_json_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    assert reason in fault(write(tmp_path, "tokenizer.json", content))


def test_a_gap_in_the_ids_is_named(tmp_path: Path, parts: dict[str, Any]) -> None:
    parts["model"]["vocab"] |= {"far": 1000}
    assert f"no id {len(parts['model']['vocab']) - 1}" in fault(
        write(tmp_path, "tokenizer.json", parts)
    )


def test_an_unknown_token_outside_the_vocabulary_is_refused(
    tmp_path: Path, parts: dict[str, Any]
) -> None:
    parts["model"]["unk_token"] = "<nothing>"
    assert "<nothing>" in fault(write(tmp_path, "tokenizer.json", parts))


def test_truncation_and_padding_of_the_file_are_dropped(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    backend = Backend.from_str(tokenizer.backend.to_str())
    backend.enable_truncation(2)
    backend.enable_padding(length=9)
    loaded = Tokenizer.load(write(tmp_path, "tokenizer.json", backend.to_str()))
    assert len(loaded.encode("the cat sat")) == 3
    assert loaded.sha256 == tokenizer.sha256


def test_the_settings_beside_a_vocabulary_are_followed(tmp_path: Path) -> None:
    write(tmp_path, "vocab.txt", SPECIALS.replace("[MASK]", "<mask>") + "The\nthe\n")
    settings = {"do_lower_case": False, "mask_token": {"content": "<mask>"}}
    write(tmp_path, "tokenizer_config.json", {**settings, "model_max_length": 64})
    tokenizer = Tokenizer.load(tmp_path)
    assert (tokenizer.lowercase, tokenizer.mask_token, tokenizer.model_max_length) == (
        False, "<mask>", 64,
    )  # fmt: skip
    assert tokenizer.encode_with_mask("The <mask>") == [5, 4]


def test_an_endless_length_means_none(tmp_path: Path) -> None:
    write(tmp_path, "vocab.txt", SPECIALS)
    write(tmp_path, "tokenizer_config.json", {"model_max_length": 10**30})
    assert Tokenizer.load(tmp_path).model_max_length is None


def test_a_setting_of_the_wrong_kind_is_named(tmp_path: Path) -> None:
    write(tmp_path, "vocab.txt", SPECIALS)
    write(tmp_path, "tokenizer_config.json", {"do_lower_case": "yes"})
    with pytest.raises(DataError, match=r"tokenizer_config\.json: `do_lower_case` is 'yes'"):
        Tokenizer.load(tmp_path)


def test_a_panic_inside_the_library_becomes_one_message() -> None:
    class PanicException(BaseException):
        """As pyo3's: not an Exception."""

    def panic() -> None:
        raise PanicException("index out of bounds")

    with pytest.raises(DataError, match="index out of bounds"):
        guarded("tokenizer.json", panic)


def test_an_interrupt_passes_through() -> None:
    def interrupt() -> models.WordPiece:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guarded("tokenizer.json", interrupt)
