from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import BertForMaskedLM, pipeline

from unmask.checkpoint.bundle import Bundle
from unmask.errors import DataError, UsageError
from unmask.infer import batcher
from unmask.infer.engine import Engine, load
from unmask.tasks.task import Model

ONE = "Paris is the [MASK] of France."
SEVERAL = "The [MASK] sat on (the [MASK]), and [MASK] ran!"
TOLERANCE = 1e-5


@pytest.fixture(scope="session")
def pipe(folder: Path) -> Any:
    return pipeline("fill-mask", model=str(folder))


def assert_same(ours: Any, theirs: Any) -> None:
    """Same nesting, tokens and strings; scores within the tolerance."""
    if isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert_same(mine, other)
        return
    assert {**ours, "score": 0} == {**theirs, "score": 0}
    assert ours["score"] == pytest.approx(theirs["score"], abs=TOLERANCE)


@pytest.mark.parametrize(
    "text",
    [
        ONE,
        SEVERAL,
        "[MASK]",
        "[MASK][MASK] cat[MASK]",
        "who is it? It's [MASK] o'clock - (only) 'zebras' Ünïcode ☃ [mask]",
        "  the\told \n [MASK]\n",
    ],
)
@pytest.mark.parametrize("top_k", [1, 5])
def test_answers_equal_those_of_the_transformers_pipeline(
    engine: Engine, pipe: Any, text: str, top_k: int
) -> None:
    assert_same(engine.predict(text, top_k=top_k), pipe(text, top_k=top_k))


def test_a_list_of_texts_gives_a_list_of_answers_as_in_the_pipeline(
    engine: Engine, pipe: Any
) -> None:
    texts = [SEVERAL, ONE, "a [MASK]"]
    assert_same(engine.predict(texts), pipe(texts))


def test_the_whole_vocabulary_can_be_asked_for_even_padding_and_specials(
    engine: Engine, pipe: Any
) -> None:
    everything = engine.bundle.config.vocab_size
    for text in (ONE, SEVERAL):
        assert_same(
            sorted_by_token(engine.predict(text, top_k=everything)),
            sorted_by_token(pipe(text, top_k=everything)),
        )


def test_embedding_rows_without_a_token_are_answers_as_in_the_pipeline(
    folder: Path, tmp_path: Path
) -> None:
    """Vocabularies padded to a round number are common."""
    wider = BertForMaskedLM.from_pretrained(folder)
    wider.resize_token_embeddings(wider.config.vocab_size + 3, mean_resizing=False)
    wider.save_pretrained(tmp_path)
    engine = load(folder)
    assert engine.bundle.tokenizer is not None
    engine.bundle.tokenizer.save(tmp_path)
    theirs = pipeline("fill-mask", model=str(tmp_path))(ONE, top_k=wider.config.vocab_size)
    ours = load(tmp_path).predict(ONE, top_k=wider.config.vocab_size)
    assert_same(sorted_by_token(ours), sorted_by_token(theirs))


def sorted_by_token(answer: Any) -> Any:
    """Far down the list probabilities lie within rounding of each other."""
    if isinstance(answer[0], list):
        return [sorted_by_token(row) for row in answer]
    return sorted(answer, key=lambda prediction: prediction["token"])


@pytest.mark.parametrize("candidates", ["cat", ["Paris", "rome", "paris", "[SEP]"], ("cat", "sat")])
def test_candidates_give_the_same_answers_as_targets_of_the_pipeline(
    engine: Engine, pipe: Any, candidates: Any
) -> None:
    targets = list(candidates) if isinstance(candidates, tuple) else candidates
    for text in (ONE, SEVERAL):
        assert_same(
            engine.predict(text, top_k=3, candidates=candidates),
            pipe(text, top_k=3, targets=targets),
        )


def test_scores_of_candidates_are_probabilities_among_the_whole_vocabulary(
    engine: Engine,
) -> None:
    everything = engine.predict(ONE, top_k=engine.bundle.config.vocab_size)
    assert sum(prediction["score"] for prediction in everything) == pytest.approx(1)
    (chosen,) = engine.predict(ONE, candidates="cat")
    assert chosen["score"] == pytest.approx(
        next(p["score"] for p in everything if p["token_str"] == "cat"), abs=TOLERANCE
    )
    assert chosen["sequence"] == "paris is the cat of france."


def test_candidates_that_are_not_one_token_are_all_named_with_their_pieces(engine: Engine) -> None:
    with pytest.raises(UsageError) as caught:
        engine.predict(ONE, candidates=["cat", "catcat", "☃", " "])
    message = str(caught.value)
    assert "'catcat' is" in message
    assert "tokens (cat ##" in message
    assert "'☃' is not in the vocabulary" in message
    assert "' ' is no token at all" in message
    assert "'cat' is" not in message


def test_no_candidates_at_all_is_an_error(engine: Engine) -> None:
    with pytest.raises(UsageError, match="none given"):
        engine.predict(ONE, candidates=[])


def test_a_text_without_a_mask_explains_itself(engine: Engine) -> None:
    with pytest.raises(UsageError) as caught:
        engine.predict([ONE, "Once upon a time"])
    message = str(caught.value)
    assert "text 2 'Once upon a time': has no [MASK]" in message
    assert '"Paris is the [MASK] of France."' in message
    assert "no text generator" in message


@pytest.mark.parametrize("blank", ["[mask]", "<mask>", "____", "[Mask ]"])
def test_a_blank_written_another_way_is_pointed_out(engine: Engine, blank: str) -> None:
    with pytest.raises(UsageError) as caught:
        engine.predict(f"Paris is the {blank} of France.")
    assert f"It has `{blank}`, but this model's mask is `[MASK]`." in str(caught.value)


def test_a_separator_in_the_text_is_text(engine: Engine) -> None:
    (prediction,) = engine.predict("the [SEP] [MASK]", top_k=1)
    assert "sep" in prediction["sequence"].replace(" ", "")


def test_a_text_of_the_longest_length_is_read_and_a_longer_one_refused(engine: Engine) -> None:
    limit = engine.bundle.config.max_position_embeddings
    longest = "cat " * (limit - 3) + "[MASK]"
    assert len(engine.predict(longest)) == 5
    with pytest.raises(DataError, match=rf"{limit + 1} tokens .* at most {limit}\b"):
        engine.predict("cat " + longest)


@pytest.mark.parametrize("top_k", [0, -1, 10**9])
def test_top_k_outside_the_vocabulary_is_refused(engine: Engine, top_k: int) -> None:
    with pytest.raises(UsageError, match=f"top_k: {top_k}; expected 1 to"):
        engine.predict(ONE, top_k=top_k)


def test_a_model_without_the_head_says_which_it_has(engine: Engine) -> None:
    heads = {"nsp": torch.nn.Identity()}
    with pytest.raises(UsageError, match="this model has only: nsp"):
        without(engine.bundle, heads).predict(ONE)
    with pytest.raises(UsageError, match="no head at all"):
        without(engine.bundle, {}).predict(ONE)


def without(bundle: Bundle, heads: dict[str, torch.nn.Module]) -> Engine:
    return Engine(replace(bundle, model=Model(bundle.model.encoder, heads)))


def test_answers_are_json_and_no_texts_give_no_answers(engine: Engine) -> None:
    assert json.loads(json.dumps(engine.predict(SEVERAL))) == engine.predict(SEVERAL)
    assert engine.predict([]) == []
    assert len(engine.predict([ONE])) == 1


def test_a_model_in_training_answers_without_dropout_and_goes_on_training(engine: Engine) -> None:
    model = engine.bundle.model
    expected = engine.predict(ONE)
    model.train()
    try:
        assert engine.predict(ONE) == expected
        assert all(module.training for module in model.modules())
        assert torch.is_grad_enabled()
    finally:
        model.eval()


ASKED = ["cat", "the", "mat", "paris", "who", ",", ".", "a", "sat", "##s"]
WORDS = st.sampled_from(["cat", "the", "sat", "[MASK]", "paris", "runners", ",", "zebra", "☃"])
TEXTS = st.lists(
    st.lists(WORDS, max_size=6).map(lambda words: " ".join([*words, "[MASK]"])),
    min_size=2,
    max_size=9,
)


@settings(max_examples=15, deadline=None)
@given(texts=TEXTS, tokens=st.integers(1, 60), scores=st.sampled_from([1, 1000, 1 << 24]))
def test_batching_changes_no_answer_by_more_than_1e_5(
    engine: Engine, texts: list[str], tokens: int, scores: int
) -> None:
    alone = [by_token(engine.predict(text, len(ASKED), ASKED)) for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batcher, "BATCH_TOKENS", tokens)
        patch.setattr(batcher, "BATCH_SCORES", scores)
        together = [by_token(answer) for answer in engine.predict(texts, len(ASKED), ASKED)]
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(other, one, atol=TOLERANCE, rtol=0)


def by_token(answer: Any) -> Tensor:
    """(M, k) probabilities of each mask's predictions, ordered by their ids."""
    rows = answer if isinstance(answer[0], list) else [answer]
    return torch.tensor([[p["score"] for p in sorted_by_token(row)] for row in rows])


def test_the_real_bert_tiny_gives_the_answers_of_the_pipeline(bert_tiny: Path) -> None:
    texts = [ONE, SEVERAL, "She opened the [MASK] and went in."]
    assert_same(load(bert_tiny).predict(texts), pipeline("fill-mask", model=str(bert_tiny))(texts))


def test_unknown_tokens_and_untrained_positions_are_warned_of_once(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(folder, tmp_path / "model")
    recipe = {"recipe": {"train": {"sequence_length": 6}}}
    (tmp_path / "model" / "unmask.json").write_text(json.dumps(recipe))
    engine = load(tmp_path / "model")

    engine.predict(["the cat sat [MASK]", "[MASK]"])
    assert caplog.messages == []
    engine.predict(["the ☃ cat sat [MASK] ☃", "☃ [MASK] the cat sat on"])
    length, unknown = caplog.messages
    assert "trained on sequences of up to 6 tokens, and the longest text has 8" in length
    assert "3 of 12 tokens of the text are unknown" in unknown
    caplog.clear()
    engine.score(["the ☃ cat sat on the"])
    assert len(caplog.messages) == 2
