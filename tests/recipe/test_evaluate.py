from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from unmask.checkpoint import native
from unmask.data.config import CorpusConfig, ReaderConfig
from unmask.data.prepare import prepare
from unmask.data.shards import Shards
from unmask.errors import DataError, UsageError
from unmask.recipe.config import Evaluate, Pretrain
from unmask.recipe.evaluate import evaluate
from unmask.recipe.material import training_data
from unmask.recipe.pretrain import Result, pretrain
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece

OTHER_TEXT = "The fox saw the river.\n\nThe hen went to the tower and saw 3 of the owls. " * 20


@pytest.fixture
def held_out(tiny_corpus: Path, tmp_path: Path) -> Path:
    """Another text in the tiny corpus' vocabulary."""
    (tmp_path / "other.txt").write_text(OTHER_TEXT, encoding="utf-8")
    tokenizer = Tokenizer.load(Shards.open(tiny_corpus).tokenizer_folder)
    prepare([tmp_path / "other.txt"], tokenizer, tmp_path / "held-out", CorpusConfig())
    return tmp_path / "held-out"


@pytest.fixture
def result(
    tiny_corpus: Path, held_out: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> Result:
    recipe = make_recipe({"validation_sequences": 1000}, validation=held_out)
    return pretrain(tiny_corpus, tmp_path / "run", recipe, say=lambda _: None)


def test_it_gives_what_the_run_measured_of_itself(result: Result, held_out: Path) -> None:
    figures = evaluate(result.folder, held_out, Evaluate(sequence_length=32))

    for name, expected in result.scores.items():
        assert figures[name] == pytest.approx(expected, rel=1e-5), name
    assert figures["positions"] > 50
    assert 0 < figures["unigram_accuracy"] < 1 < figures["unigram_entropy"]


def test_a_run_with_pairs_measures_the_same_text_whatever_its_seed(
    tiny_corpus: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    shards = Shards.open(tiny_corpus)
    tokenizer = Tokenizer.load(shards.tokenizer_folder)

    def sequences(seed: int) -> list[list[int]]:
        recipe = make_recipe({"seed": seed}, next_sentence=True)
        _, held_out = training_data(recipe, shards, tokenizer)
        return [batch.input_ids.tolist() for batch in held_out.batches]

    assert sequences(1) == sequences(2)


def test_text_scores_as_its_corpus(result: Result, held_out: Path, tmp_path: Path) -> None:
    config = Evaluate(sequence_length=32)

    assert evaluate(result.folder, tmp_path / "other.txt", config) == evaluate(
        result.folder, held_out, config
    )


def test_fewer_sequences_ask_for_fewer_positions(result: Result, held_out: Path) -> None:
    every, one = (
        evaluate(result.folder, held_out, Evaluate(sequence_length=32, num_sequences=number))
        for number in (None, 1)
    )

    assert one["positions"] < every["positions"]


def test_unknown_words_are_never_asked_for(result: Result, tmp_path: Path) -> None:
    config = Evaluate(sequence_length=16)
    known, unknown = tmp_path / "known.txt", tmp_path / "unknown.txt"
    known.write_text("the cat saw the dog " * 3)
    unknown.write_text("the cat \u16a0 saw the dog " * 3)

    assert (
        evaluate(result.folder, known, config)["positions"]
        == evaluate(result.folder, unknown, config)["positions"]
    )


def test_a_corpus_of_another_vocabulary_is_refused(result: Result, tmp_path: Path) -> None:
    tokenizer = train_wordpiece([OTHER_TEXT], TokenizerConfig(vocab_size=60))
    reader = ReaderConfig(documents="block")
    prepare([tmp_path / "other.txt"], tokenizer, tmp_path / "else", CorpusConfig(reader=reader))

    with pytest.raises(DataError, match="another tokenizer than the model's"):
        evaluate(result.folder, tmp_path / "else", Evaluate(sequence_length=32))


def test_sequences_longer_than_the_model_are_refused(result: Result, held_out: Path) -> None:
    with pytest.raises(UsageError, match="only 32 positions"):
        evaluate(result.folder, held_out, Evaluate(sequence_length=33))


def test_an_encoder_alone_is_refused(result: Result, held_out: Path, tmp_path: Path) -> None:
    bundle = native.load(result.folder)
    del bundle.model.heads["mlm"]
    native.save(bundle, tmp_path / "encoder")

    with pytest.raises(UsageError, match="without a masked language model head"):
        evaluate(tmp_path / "encoder", held_out, Evaluate(sequence_length=32))


@pytest.fixture
def roomy(tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]) -> Result:
    """A model of 64 positions, of which training used 32."""
    sizes = {**make_recipe().model, "max_position_embeddings": 64}
    recipe = make_recipe({"steps": 1}, model=sizes)
    return pretrain(tiny_corpus, tmp_path / "roomy", recipe, say=lambda _: None)


def test_sequences_are_as_long_as_those_that_the_model_was_trained_on(
    roomy: Result, held_out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert evaluate(roomy.folder, held_out) == evaluate(
        roomy.folder, held_out, Evaluate(sequence_length=32)
    )
    assert caplog.messages == []
    evaluate(roomy.folder, held_out, Evaluate(sequence_length=64))
    (message,) = caplog.messages
    assert "--sequence-length 64: the model was trained on sequences of up to 32" in message


def test_a_model_from_elsewhere_is_measured_within_its_positions(
    roomy: Result, held_out: Path
) -> None:
    (roomy.folder / "unmask.json").unlink()

    assert evaluate(roomy.folder, held_out) == evaluate(
        roomy.folder, held_out, Evaluate(sequence_length=64)
    )


def test_the_corpus_that_a_model_was_trained_on_is_recognised(
    roomy: Result, tiny_corpus: Path, held_out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    evaluate(roomy.folder, held_out)
    assert caplog.messages == []
    evaluate(roomy.folder, tiny_corpus)
    assert "is what the model was trained on" in caplog.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"The cat.", "too few for one sequence of 32; give more text, or a shorter --sequence"),
        (b"", "Give text."),
        (b"caf\xe9", "1 of 1 record cannot be read"),
    ],
    ids=["short", "empty", "latin-1"],
)
def test_too_little_text_names_only_what_evaluate_can_be_told(
    text: bytes, expected: str, result: Result, tmp_path: Path
) -> None:
    (tmp_path / "some.txt").write_bytes(text)

    with pytest.raises(DataError) as caught:
        evaluate(result.folder, tmp_path / "some.txt")

    message = str(caught.value)
    assert expected in message
    elsewhere = ("--filters", "--duplicates", "--train", "--validation", "--reader", "unmask-")
    assert [part for part in elsewhere if part in message] == []
