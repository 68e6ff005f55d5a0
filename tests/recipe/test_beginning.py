"""What fine-tuning says of the model that it begins with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import unmask
from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import EmbeddingExample
from unmask.errors import UsageError
from unmask.models.config import BertConfig, RobertaConfig
from unmask.recipe.beginning import begin
from unmask.recipe.config import Finetune
from unmask.recipe.finetune import finetune
from unmask.tasks import sentence
from unmask.tasks.embedding import Embedding
from unmask.tasks.sentence import SentenceEmbedding
from unmask.tasks.sentence_config import DenseConfig, SentenceConfig

SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}
ONE_SEGMENT = "the model has one segment: the separator alone tells it where a second text begins"
PAIRS = [("good film", "a fine film", "yes"), ("bad film", "a cat", "no")] * 6
ROWS: dict[str, list[Any]] = {
    "classification": PAIRS,
    "qa": [("was it good", f"film {i} was good",
            [{"text": "film", "answer_start": 0}]) for i in range(12)],
    "multiple-choice": [{"text": one, "choices": [other, "dog"], "label": 0}
                        for one, other, _ in PAIRS],
}  # fmt: skip


@pytest.fixture
def make_folder(tiny_encoder: Path, tmp_path: Path) -> Callable[..., Path]:
    """An encoder of a family's kind over the tiny encoder's vocabulary."""

    def make(kind: type[BertConfig | RobertaConfig], **sizes: Any) -> Path:
        tokenizer = native.load(tiny_encoder).require_tokenizer()
        config = kind.model_validate({**SIZES, "vocab_size": tokenizer.vocab_size, **sizes})
        native.save(
            Bundle(assemble(config, set()).eval(), None, tokenizer, config, None), tmp_path / "made"
        )
        return tmp_path / "made"

    return make


@pytest.mark.parametrize("task", ROWS)
def test_pairs_are_learned_by_a_model_of_one_segment_which_is_said_once(
    task: str,
    make_folder: Callable[..., Path],
    make_finetune: Callable[..., Finetune],
    tmp_path: Path,
) -> None:
    said: list[str] = []
    model = make_folder(BertConfig, type_vocab_size=1)

    outcome = finetune(
        ROWS[task], model, tmp_path / "run", make_finetune(task=task), say=said.append
    )

    assert said.count(ONE_SEGMENT) == 1
    assert outcome.validation
    if task == "classification":
        answer = unmask.load(outcome.folder).predict([("good film", "a fine film")])
        assert answer[0]["label"] in ("yes", "no")


@pytest.mark.parametrize(
    ("kind", "sizes", "rows"),
    [
        (BertConfig, {}, PAIRS),
        (BertConfig, {"type_vocab_size": 1}, [(one, label) for one, _, label in PAIRS]),
        (RobertaConfig, {"pad_token_id": 0}, PAIRS),
    ],
    ids=["two segments", "one text", "a family without segments"],
)
def test_nothing_is_said_of_segments_where_nothing_is_missing(
    kind: Any,
    sizes: dict[str, Any],
    rows: list[Any],
    make_folder: Callable[..., Path],
    make_finetune: Callable[..., Finetune],
    tmp_path: Path,
) -> None:
    said: list[str] = []

    finetune(rows, make_folder(kind, **sizes), tmp_path / "run", make_finetune(), say=said.append)

    assert ONE_SEGMENT not in said


def sentences_of(folder: Path, **config: Any) -> Bundle:
    """The folder's encoder as a sentence encoder."""
    base = native.load(folder)
    settings = SentenceConfig(**config)
    base.model.heads[sentence.HEAD] = sentence.build(settings, base.config.hidden_size)
    return replace(base, task=SentenceEmbedding(settings))


def begun(base: Bundle, *texts: str, dropout: float | None = None, **settings: Any) -> list[str]:
    """What is said where the training of some examples of these texts begins."""
    said: list[str] = []
    recipe = Finetune.model_validate(
        {"task": "embedding", "settings": settings, "dropout": dropout}
    )
    some = [EmbeddingExample(str(i), texts, None, f"x:{i}") for i in range(4)]
    begin(recipe, base, Embedding.begin(recipe.settings, some), said.append)
    return said


def test_a_dense_layer_that_is_left_out_is_said(tiny_encoder: Path) -> None:
    base = sentences_of(tiny_encoder, layers=[DenseConfig(in_features=32, out_features=8)])

    (said,) = begun(base, "one", "other", pooling=["cls"])
    assert said == (
        "the model's own dense layer (32 to 8) is left out, since it read what pooling by mean "
        "gives, and pooling is cls now: leave out --pooling to go on with it"
    )
    (said,) = begun(base, "one", "other", dense=4)
    assert "(32 to 8) is left out, since another one takes its place" in said
    assert begun(base, "one", "other", prompts={"query": "q: "}, normalize=True) == []
    assert begun(base, "one", "other", dense=8) == []


@pytest.mark.parametrize("matryoshka", [{}, {"matryoshka": {"dims": [32, 8]}}])
def test_two_passes_need_dropout(matryoshka: dict[str, Any], tiny_encoder: Path) -> None:
    base, settings = sentences_of(tiny_encoder), {"loss": "simcse", "loss_settings": matryoshka}

    with pytest.raises(UsageError, match=r"simcse: learns from two passes .*--dropout 0\.1"):
        begun(base, "a text", dropout=0.0, **settings)
    assert begun(base, "a text", dropout=0.1, **settings) == []
    assert begun(base, "a text", "another", dropout=0.0) == []  # pairs need none
