"""A vocabulary grown or learned anew for a domain, and the model that goes with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from unmask.batch import pack
from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble, task_of
from unmask.checkpoint.bundle import Bundle
from unmask.cli.application import app
from unmask.errors import DataError, UsageError
from unmask.models.config import (
    CONFIGS,
    BertConfig,
    EncoderConfig,
    LeftToRightConfig,
    MpnetConfig,
    RobertaConfig,
)
from unmask.nn.init import initialise
from unmask.recipe.config import Extend
from unmask.recipe.extend import extend_model
from unmask.text.config import TokenizerConfig
from unmask.text.extend import costly_words, extend, words_in
from unmask.text.kinds import word_settings
from unmask.text.learn import train
from unmask.text.special import MPNET
from unmask.text.tokenizer import Tokenizer

GENERAL = ["the cat sat on the mat and the dog ran to the house", "a man has a plan, cardo logy"]
DOMAIN = [
    f"the cardiologist saw angina {i % 7} times, and myocarditis {'twice' * (i % 3)} in patients"
    for i in range(60)
]
SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
         "intermediate_size": 16, "max_position_embeddings": 40}  # fmt: skip


def tokenizer_of(kind: str) -> Tokenizer:
    size = {"wordpiece": 90, "mpnet": 90, "bpe": 290, "unigram": 60}[kind]
    alphabet = " ".join("abcdefghijklmnopqrstuvwxyz0123456789")
    texts = [*GENERAL * 4, alphabet * 2, "".join(alphabet.split()) * 2]
    given = {"special_tokens": kind} if kind == "mpnet" else {"kind": kind}
    return train(texts, TokenizerConfig.model_validate({**given, "vocab_size": size}))


def bundle_of(
    tokenizer: Tokenizer,
    spare: int = 0,
    heads: tuple[str, ...] = ("mlm",),
    family: type[EncoderConfig] | None = None,
) -> Bundle:
    if family is None:
        family = BertConfig if tokenizer.kind == "WordPiece" else RobertaConfig
        if tokenizer.special_tokens == MPNET:
            family = MpnetConfig
    config = family.model_validate(
        {**SIZES, "vocab_size": tokenizer.vocab_size + spare, "pad_token_id": tokenizer.special.pad}
    )
    model = assemble(config, heads, 2)
    initialise(model, 0.5, torch.Generator().manual_seed(3))
    for parameter in model.parameters():
        parameter.data += 0.01 * torch.rand(parameter.shape, generator=torch.Generator())
    return Bundle(model.eval(), task_of(heads), tokenizer, config, None)


@pytest.fixture(params=["wordpiece", "mpnet", "bpe", "unigram"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    file = tmp_path / "domain.txt"
    file.write_text("\n".join(DOMAIN) + "\n")
    return file


def test_the_most_frequent_words_of_several_pieces_are_chosen(kind: str) -> None:
    tokenizer = tokenizer_of(kind)
    words = words_in([*DOMAIN, "rareword 1st don't"], tokenizer)
    assert words["cardiologist"] == 60
    assert "1st" not in words
    chosen = costly_words(words, tokenizer, 4, 2)
    assert set(chosen[:3]) >= {"angina", "cardiologist"}
    assert "the" not in chosen
    assert "rareword" not in costly_words(words, tokenizer, 99, 2)


def test_added_words_are_one_token_and_old_tokens_keep_their_ids(kind: str) -> None:
    tokenizer = tokenizer_of(kind)
    words = ["cardiologist", "angina", "myocarditis", "patients", "times"]
    found = extend(tokenizer, words)
    assert found.words == words
    _, sizes = found.tokenizer.encode_words(words)
    assert sizes.tolist() == [1] * 5
    old, new = tokenizer.vocabulary(), found.tokenizer.vocabulary()
    assert {token: new[token] for token in old} == old
    assert len(found.origins) == found.tokenizer.vocab_size == max(new.values()) + 1
    for token in list(new)[len(old) :]:
        spelled = "".join(tokenizer.id_to_token(i) for i in found.origins[new[token]])
        assert spelled.replace("##", "") == token
    assert found.tokenizer.special == tokenizer.special
    assert not found.tokenizer.is_continuation[new[list(new)[-1]]]


def test_words_that_are_tokens_already_keep_their_ids(kind: str) -> None:
    tokenizer = tokenizer_of(kind)
    words = list(words_in(GENERAL, tokenizer))
    _, sizes = tokenizer.encode_words(words)
    known = [word for word, size in zip(words, sizes.tolist(), strict=True) if size == 1]
    assert known
    found = extend(tokenizer, [*known, tokenizer.mask_token, "angina"])
    assert "angina" in found.words
    assert not set(known) & set(found.words)
    old, new = tokenizer.vocabulary(), found.tokenizer.vocabulary()
    assert {token: new[token] for token in old} == old
    assert list(new.values()) == list(range(len(found.origins)))
    assert found.tokenizer.special == tokenizer.special
    for word in known:
        assert found.tokenizer.encode(f"a {word}")[-1] == tokenizer.encode(f"a {word}")[-1]
    with pytest.raises(UsageError, match="each is one already"):
        extend(tokenizer, known)


@pytest.mark.parametrize("spare", [0, 3, 500])
def test_new_rows_are_the_mean_of_the_old_pieces(
    kind: str, spare: int, tmp_path: Path, text: Path
) -> None:
    tokenizer = tokenizer_of(kind)
    before = bundle_of(tokenizer, spare)
    native.save(before, tmp_path / "model")
    report = extend_model(tmp_path / "model", [text], tmp_path / "new", Extend(num_words=5))
    after = native.load(tmp_path / "new")
    assert after.tokenizer is not None
    rows, old_rows = (
        each.model.encoder.get_parameter("embedding.tokens.weight") for each in (after, before)
    )
    biases, old_biases = (
        each.model.heads["mlm"].get_parameter("decoder.bias") for each in (after, before)
    )
    size = tokenizer.vocab_size
    assert len(rows) == max(after.tokenizer.vocab_size, size + spare) == len(biases)
    assert torch.equal(rows[:size], old_rows[:size])
    assert report.num_words_added == 5
    for word in report.words_added:
        (new,), _ = after.tokenizer.encode_words([word])
        pieces = torch.from_numpy(tokenizer.encode_words([word])[0].astype("int64"))
        torch.testing.assert_close(rows[int(new)], old_rows[pieces].mean(0))
        torch.testing.assert_close(biases[int(new)], old_biases[pieces].mean())
    assert report.tokens_per_word_after < report.tokens_per_word_before
    assert report.unknown_rate_after <= report.unknown_rate_before


def test_transformers_reads_the_result(kind: str, tmp_path: Path, text: Path) -> None:
    native.save(bundle_of(tokenizer_of(kind)), tmp_path / "model")
    extend_model(tmp_path / "model", [text], tmp_path / "new", Extend(num_words=6))
    ours = native.load(tmp_path / "new")
    tokenizer = ours.require_tokenizer()
    theirs = AutoTokenizer.from_pretrained(tmp_path / "new")
    model = AutoModelForMaskedLM.from_pretrained(tmp_path / "new").double()
    ours.model.double()
    for line in DOMAIN[:5]:
        ids = tokenizer.layout.single(tokenizer.encode(line)).tolist()
        assert ids == theirs(line)["input_ids"]
        with torch.no_grad():
            expected = model(input_ids=torch.tensor([ids])).logits[0]
            hidden = ours.model.encoder(pack([ids]))
        torch.testing.assert_close(ours.model.heads["mlm"](hidden), expected, rtol=0, atol=1e-12)


def test_a_new_vocabulary_keeps_what_is_still_there(kind: str, tmp_path: Path, text: Path) -> None:
    tokenizer = tokenizer_of(kind)
    before = bundle_of(tokenizer)
    native.save(before, tmp_path / "model")
    size = {"wordpiece": 120, "mpnet": 120, "bpe": 330, "unigram": 50}[kind]
    settings = Extend(retrain=True, vocab_size=size)
    report = extend_model(tmp_path / "model", [text], tmp_path / "new", settings)
    after = native.load(tmp_path / "new")
    assert after.tokenizer is not None
    assert report.vocab_size == after.config.vocab_size == after.tokenizer.vocab_size <= size
    rows, old_rows = (
        each.model.encoder.get_parameter("embedding.tokens.weight") for each in (after, before)
    )
    kept = tokenizer.vocabulary()
    both = {token: i for token, i in after.tokenizer.vocabulary().items() if token in kept}
    assert len(both) > 15
    for token, i in both.items():
        torch.testing.assert_close(rows[i], old_rows[kept[token]])
    assert report.tokens_per_word_after < report.tokens_per_word_before


def test_a_new_vocabulary_prepares_text_as_the_old_one(tmp_path: Path, text: Path) -> None:
    as_given = {"lowercase": False, "strip_accents": True, "split_chinese_characters": False}
    settings = TokenizerConfig.model_validate({**as_given, "vocab_size": 90})
    before = train([*GENERAL * 4, "abcdefghijklmnopqrstuvwxyz"], settings)
    native.save(bundle_of(before), tmp_path / "model")
    extend_model(tmp_path / "model", [text], tmp_path / "new", Extend(retrain=True))
    after = native.load(tmp_path / "new").require_tokenizer()
    assert {"lowercase": after.lowercase, **word_settings(after.backend)} == as_given


def lines_of_new_words(file: Path, repeats: int) -> list[str]:
    """Each line a word of its own; one in ten of them is chosen to be held out."""
    words = [f"angina{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    file.write_text("".join(f"{word}\n" for word in words * repeats))
    return words


def test_lines_beyond_those_that_are_held_out_are_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unmask.recipe.extend._MOST_HELD_OUT", 1)
    words = lines_of_new_words(tmp_path / "domain.txt", repeats=2)
    native.save(bundle_of(tokenizer_of("wordpiece")), tmp_path / "model")
    report = extend_model(
        tmp_path / "model", [tmp_path / "domain.txt"], tmp_path / "new", Extend(min_frequency=1)
    )
    assert report.held_out_words == 1
    assert len(set(words) - set(report.words_added)) == 1


def test_records_that_cannot_be_read_are_counted_and_told(
    tmp_path: Path, text: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "a cardiologist"}\n{"text": \n')
    native.save(bundle_of(tokenizer_of("wordpiece")), tmp_path / "model")
    report = extend_model(tmp_path / "model", [text, bad], tmp_path / "new")
    assert report.num_rejects == 1
    assert "1 of 3 records cannot be read" in caplog.text
    assert f"the first at {bad}:2" in caplog.text
    caplog.clear()
    bad.write_text('{"text": \n')
    with pytest.raises(DataError, match="holds no word"):
        extend_model(tmp_path / "model", [bad], tmp_path / "none")
    assert "1 of 1 record cannot be read" in caplog.text


def test_too_many_bad_records_stop_it_unless_they_are_allowed(tmp_path: Path, text: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{\n" * 12)
    native.save(bundle_of(tokenizer_of("wordpiece")), tmp_path / "model")
    command = ["extend", str(tmp_path / "model"), str(text), str(bad)]
    command += ["--output", str(tmp_path / "new")]
    with pytest.raises(DataError, match=r"raise --reader\.max-reject-rate"):
        app(command, result_action="return_value")
    assert not (tmp_path / "new").exists()
    app([*command, "--reader.max-reject-rate", "1"], result_action="return_value")
    assert native.load(tmp_path / "new").tokenizer is not None


def test_the_left_to_right_control_is_refused(tmp_path: Path, text: Path) -> None:
    bundle = bundle_of(tokenizer_of("wordpiece"), family=LeftToRightConfig)
    native.save(bundle, tmp_path / "model")
    with pytest.raises(UsageError, match="left-to-right control"):
        extend_model(tmp_path / "model", [text], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_discriminator_is_extended_with_a_word_of_warning(
    tmp_path: Path, text: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = bundle_of(tokenizer_of("wordpiece"), heads=("rtd",), family=CONFIGS["electra"])
    native.save(bundle, tmp_path / "model")

    extend_model(tmp_path / "model", [text], tmp_path / "new", Extend(num_words=6))

    assert "judges tokens and predicts none" in caplog.text


def test_a_fine_tuned_model_is_refused(tmp_path: Path, text: Path) -> None:
    bundle = bundle_of(tokenizer_of("wordpiece"), heads=("pooled_classifier",))
    native.save(bundle, tmp_path / "model")
    with pytest.raises(UsageError, match="is fine-tuned"):
        extend_model(tmp_path / "model", [text], tmp_path / "new")


def test_nothing_to_add_is_refused(tmp_path: Path, text: Path) -> None:
    native.save(bundle_of(tokenizer_of("wordpiece")), tmp_path / "model")
    with pytest.raises(UsageError, match="nothing to add"):
        extend_model(tmp_path / "model", [text], tmp_path / "new", Extend(min_frequency=9999))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("given", [{"retrain": True, "num_words": 5}, {"vocab_size": 100}])
def test_settings_that_exclude_each_other_are_refused(given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="drop"):
        Extend.model_validate(given)


def test_the_verb_prints_the_report(
    tmp_path: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    native.save(bundle_of(tokenizer_of("wordpiece")), tmp_path / "model")
    command = ["extend", str(tmp_path / "model"), str(text), "--output", str(tmp_path / "new")]
    app([*command, "--num-words", "3", "--json"], result_action="return_value")
    found = json.loads(capsys.readouterr().out)
    assert found["num_words_added"] == 3
    assert found["tokens_per_word_after"] < found["tokens_per_word_before"]
