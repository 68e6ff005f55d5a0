"""Broken files of the other kinds: one message each, with what to do."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from unmask.errors import DataError
from unmask.text import sentencepiece_model
from unmask.text.sentencepiece_model import parse_model, read_model
from unmask.text.tokenizer import Tokenizer

from .families import FAMILIES
from .families import sentencepiece_model as small_model


def fault(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        Tokenizer.load(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def roberta(tmp_path: Path) -> Path:
    FAMILIES["roberta"][1](tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def model() -> bytes:
    return small_model()


TAIL = b"\x12\x00\x1a\x00"
"""The settings of trainer and normaliser, of which none is given."""


def change(file: Path, **entries: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **entries}))


def test_a_vocabulary_without_merges_is_refused(roberta: Path) -> None:
    (roberta / "merges.txt").unlink()
    assert "vocab.json: there is no merges.txt beside it" in fault(roberta)


def test_a_merge_of_unknown_tokens_is_named(roberta: Path) -> None:
    with (roberta / "merges.txt").open("a") as file:
        file.write("zzz a\n")
    message = fault(roberta)
    assert "merges.txt:" in message
    assert "the merge of `zzz` and `a` needs `zzz`" in message


def test_a_merge_that_makes_an_unknown_token_is_named(roberta: Path) -> None:
    with (roberta / "merges.txt").open("a") as file:
        file.write("< >\n")
    assert "needs `<>`" in fault(roberta)


def test_a_line_that_is_no_merge_is_named(roberta: Path) -> None:
    (roberta / "merges.txt").write_text("#version: 0.2\na b c\n")
    assert "merges.txt:2: 'a b c' has 3 part(s)" in fault(roberta)


def test_an_id_that_two_tokens_have_is_named(roberta: Path) -> None:
    change(roberta / "vocab.json", other=5)
    message = fault(roberta)
    assert "and `other` have the same id 5" in message


def test_a_token_that_stands_twice_is_named(roberta: Path) -> None:
    text = (roberta / "vocab.json").read_text()
    (roberta / "vocab.json").write_text(text[:-1] + ', "<s>": 0}')
    assert "token `<s>` stands twice" in fault(roberta)


def test_a_gap_or_an_id_that_is_no_number_is_named(roberta: Path) -> None:
    text = (roberta / "vocab.json").read_text()
    change(roberta / "vocab.json", far=9999)
    assert "has no id" in fault(roberta)
    (roberta / "vocab.json").write_text(text[:-1] + ', "far": "5"}')
    assert "`far` has the id '5'" in fault(roberta)


def test_a_missing_mask_token_is_allowed_until_it_is_needed(roberta: Path) -> None:
    whole = json.loads((roberta / "vocab.json").read_text())
    del whole["<mask>"]
    (roberta / "vocab.json").write_text(json.dumps(whole))
    tokenizer = Tokenizer.load(roberta)
    with pytest.raises(DataError, match="has no mask token"):
        tokenizer.require_mask()


def test_missing_enclosing_tokens_are_named(roberta: Path) -> None:
    text = (roberta / "vocab.json").read_text()
    (roberta / "vocab.json").write_text(text.replace('"</s>"', '"<x>"').replace('"<s>"', '"<y>"'))
    assert "lacks `[CLS]`, `[SEP]`" in fault(roberta)


def test_settings_of_another_type_are_named(roberta: Path) -> None:
    change(roberta / "tokenizer_config.json", add_prefix_space="yes")
    assert "`add_prefix_space` is 'yes'; expected true or false" in fault(roberta)


def test_added_tokens_that_leave_a_gap_are_named(tmp_path: Path) -> None:
    FAMILIES["deberta-v2"][1](tmp_path)
    (tmp_path / "added_tokens.json").write_text('{"[MASK]": 128000}')
    assert "`[MASK]` has the id 128000; expected" in fault(tmp_path)


def test_a_text_enclosed_by_nothing_is_refused(tmp_path: Path) -> None:
    FAMILIES["modernbert"][1](tmp_path)
    template = json.loads((tmp_path / "tokenizer.json").read_text())
    template["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": name, "type_id": 0}} for name in "AB"],
        "special_tokens": {},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(template))
    assert "expected start A between B end" in fault(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_cut_sentencepiece_model_is_refused(tmp_path: Path, model: bytes, share: float) -> None:
    file = tmp_path / "spiece.model"
    file.write_bytes(model[: int(share * len(model))])
    message = fault(tmp_path)
    assert str(file) in message
    assert "cut or damaged" in message or "not a tokenizer" in message or "lacks" in message


def test_a_sentencepiece_model_that_lacks_any_bytes_is_refused() -> None:
    whole = small_model(normalization_rule_name="identity")
    for size in range(len(whole)):
        with pytest.raises(DataError, match="no whole SentencePiece model"):
            parse_model(whole[:size], "spm.model")
    assert len(parse_model(whole, "spm.model").pieces) > 100


def test_a_sentencepiece_model_without_its_normaliser_is_refused(
    tmp_path: Path, model: bytes
) -> None:
    within = model.index(b"nmt_nfkc")
    for size in range(within - 10, within):
        (tmp_path / "spm.model").write_bytes(model[:size])
        assert "cut or damaged" in fault(tmp_path)


def test_a_model_trimmed_by_hand_may_keep_its_old_vocab_size() -> None:
    trainer_of_100 = b"\x12\x02\x20\x64"
    model = parse_model(b"\x0a\x05\x0a\x03abc" + trainer_of_100 + b"\x1a\x00", "spm.model")
    assert [piece.text for piece in model.pieces] == ["abc"]


def test_a_damaged_sentencepiece_model_never_crashes(tmp_path: Path, model: bytes) -> None:
    generator = random.Random(0)
    file = tmp_path / "sentencepiece.bpe.model"
    refused = 0
    for _ in range(300):
        damaged = bytearray(model)
        for _ in range(generator.randrange(1, 8)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        file.write_bytes(bytes(damaged))
        try:
            Tokenizer.load(file)
        except DataError:
            refused += 1
    assert refused > 10


def test_a_pickle_or_a_huge_file_is_no_model(
    tmp_path: Path, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "spm.model"
    file.write_bytes(b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94.")
    assert "cut or damaged" in fault(tmp_path)
    file.write_bytes(model)
    monkeypatch.setattr(sentencepiece_model, "MAX_BYTES", 100)
    assert "expected at most 100" in fault(tmp_path)


def test_a_model_of_another_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "spiece.model").write_bytes(b"\x0a\x05\x0a\x03abc\x12\x02\x18\x02\x1a\x00")
    assert "kind BPE; expected Unigram" in fault(tmp_path)


def test_a_piece_that_stands_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "spiece.model").write_bytes(b"\x0a\x05\x0a\x03abc" * 2 + TAIL)
    assert "piece `abc` has the ids 0 and 1" in fault(tmp_path)


def test_another_order_than_fairseqs_is_refused(tmp_path: Path) -> None:
    FAMILIES["albert"][1](tmp_path)
    (tmp_path / "spiece.model").rename(tmp_path / "sentencepiece.bpe.model")
    assert "XLM-RoBERTa puts its special tokens" in fault(tmp_path)


def test_pieces_and_scores_are_those_of_sentencepiece(tmp_path: Path, model: bytes) -> None:
    import sentencepiece

    (tmp_path / "m.model").write_bytes(model)
    ours = read_model(tmp_path / "m.model")
    theirs = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert len(ours.pieces) == theirs.vocab_size()
    assert ours.unk_id == theirs.unk_id()
    for i, piece in enumerate(ours.pieces):
        assert (piece.text, piece.score) == (theirs.id_to_piece(i), theirs.get_score(i))
        assert (piece.kind == sentencepiece_model.CONTROL) == theirs.is_control(i)
    assert len(ours.charsmap) > 1000
