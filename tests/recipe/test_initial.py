"""The weights that pretraining begins with, and models that do not fit what is asked of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from unmask.batch import pack
from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble, task_of
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.history import read_history
from unmask.checkpoint.huggingface.configuration import write_config
from unmask.errors import UsageError
from unmask.models.config import CONFIGS, FamilyName
from unmask.recipe.config import Pretrain
from unmask.recipe.initial import fitted, fresh, going_on
from unmask.recipe.pretrain import pretrain
from unmask.tasks.masked_lm import MaskedLM
from unmask.text.tokenizer import Tokenizer

SIZES: dict[str, Any] = {
    "num_hidden_layers": 1,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
LEARNED_OTHERWISE = {
    "bert": "the model's head for pairs learned next sentence prediction: that for sentence order "
    "prediction starts with fresh weights",
    "albert": "the model's head for pairs learned sentence order prediction: that for next "
    "sentence prediction starts with fresh weights",
}
WORDS = ["[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "whale", "sea", "##s", "."]


def hush(_: str) -> None:
    """Hears the run's lines and says none of them."""


@pytest.fixture
def make_tokenizer(tmp_path: Path) -> Callable[[int], Tokenizer]:
    """A WordPiece vocabulary whose padding has this id."""

    def make(pad: int) -> Tokenizer:
        folder = tmp_path / f"padding-{pad}"
        folder.mkdir()
        words = WORDS + [f"word{i}" for i in range(pad)]
        words.insert(pad, "[PAD]")
        (folder / "vocab.txt").write_text("\n".join(words) + "\n")
        return Tokenizer.load(folder)

    return make


@pytest.fixture
def make_model(tiny_corpus: Path, tmp_path: Path) -> Callable[..., Path]:
    """A folder of random weights over the tiny corpus' vocabulary; takes fields of its config."""

    def make(family: FamilyName = "bert", heads: tuple[str, ...] = ("mlm",), **sizes: Any) -> Path:
        tokenizer = Tokenizer.load(tiny_corpus / "tokenizer")
        config = CONFIGS[family].model_validate(
            {**SIZES, "vocab_size": tokenizer.vocab_size, **sizes}
        )
        model = assemble(config, heads).eval()
        folder = tmp_path / f"{family}-{len(list(tmp_path.iterdir()))}"
        task = task_of(heads, type(config))
        native.save(Bundle(model, task, tokenizer, config, None), folder)
        return folder

    return make


def test_sequences_are_as_long_as_a_model_that_is_gone_on_with_reads(
    make_model: Callable[..., Path], make_recipe: Callable[..., Pretrain], tiny_corpus: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    model = make_model(max_position_embeddings=24)
    recipe = make_recipe({"steps": 1}, model={})
    train = recipe.train.model_copy()
    train.model_fields_set.discard("sequence_length")

    pretrain(
        tiny_corpus,
        tmp_path / "run",
        recipe.model_copy(update={"train": train}),
        model=model,
        say=hush,
    )

    assert read_history(tmp_path / "run" / "model").sequence_length == 24


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({"sequence_length": 128}, r"train\.sequence_length is 128, but .*bert-\d+ reads 64 tok"),
        (
            {"initial_sequence_length": 100, "sequence_warmup_rate": 0.5},
            r"train\.initial_sequence_length is 100, but .* 64 tokens at most: leave it out "
            r"\(--train\.initial-sequence-length\)",
        ),
    ],
)
def test_sequences_longer_than_the_model_reads_are_refused(
    train: dict[str, Any],
    said: str,
    make_model: Callable[..., Path],
    tiny_corpus: Path,
    tmp_path: Path,
) -> None:
    model = make_model(max_position_embeddings=64)

    with pytest.raises(UsageError, match=said):
        pretrain(tiny_corpus, tmp_path / "run", {"train": train}, model=model, say=hush)
    assert not (tmp_path / "run").exists()


def test_a_model_may_read_more_than_the_recipes_family_does(
    make_model: Callable[..., Path],
) -> None:
    recipe = Pretrain.model_validate({"train": {"sequence_length": 1024}})

    assert fitted(recipe, make_model(max_position_embeddings=2048)) == recipe


def test_sequences_longer_than_a_fresh_model_reads_are_refused(
    tiny_corpus: Path, tmp_path: Path
) -> None:
    said = "is 1024, but the model has only 512 positions: set max_position_embeddings to 10"
    with pytest.raises(UsageError, match=said):
        pretrain(tiny_corpus, tmp_path / "run", {"train": {"sequence_length": 1024}}, say=hush)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("asked", ["next_sentence", "sentence_order"])
@pytest.mark.parametrize(
    "family", [name for name, kind in CONFIGS.items() if not kind().judges_pairs]
)
def test_a_model_without_a_head_for_pairs_refuses_them(
    family: FamilyName, asked: str, tmp_path: Path
) -> None:
    write_config(tmp_path, CONFIGS[family](), {}, "float32")

    said = f"{tmp_path.name}: has no head for pairs, being of family {family}, but {asked} needs"
    with pytest.raises(UsageError, match=said + ".* bert or albert"):
        fitted(Pretrain.model_validate({asked: True}), tmp_path)


def test_a_model_with_one_segment_refuses_pairs(
    make_model: Callable[..., Path], tiny_corpus: Path, tmp_path: Path
) -> None:
    model = make_model(type_vocab_size=1)

    with pytest.raises(UsageError, match="has one segment, but next_sentence needs two"):
        pretrain(tiny_corpus, tmp_path / "run", {"next_sentence": True}, model=model, say=hush)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("family", "heads", "asked", "said"),
    [
        ("bert", ("mlm", "nsp"), "next_sentence", None),
        ("bert", ("mlm", "nsp"), "sentence_order", LEARNED_OTHERWISE["bert"]),
        ("bert", ("nsp",), "next_sentence", None),
        ("bert", ("nsp",), "sentence_order", LEARNED_OTHERWISE["bert"]),
        ("albert", ("mlm", "nsp"), "sentence_order", None),
        ("albert", ("mlm", "nsp"), "next_sentence", LEARNED_OTHERWISE["albert"]),
    ],
)
def test_a_head_for_pairs_is_gone_on_with_where_the_question_is_the_same(
    family: FamilyName,
    heads: tuple[str, ...],
    asked: str,
    said: str | None,
    make_model: Callable[..., Path],
) -> None:
    model = make_model(family, heads)
    base = native.load(model)
    heard: list[str] = []

    started = going_on(
        Pretrain.model_validate({asked: True}), model, base.require_tokenizer(), heard.append
    )

    assert [line for line in heard if "masked language model" not in line] == [said][: bool(said)]
    kept = base.model.heads["nsp"].state_dict()
    found = started.model.heads["nsp"].state_dict()
    assert torch.equal(found["classifier.weight"], kept["classifier.weight"]) == (said is None)
    assert isinstance(started.task, MaskedLM)
    assert started.task.pair_term == ("nsp" if asked == "next_sentence" else "sop")


def test_settings_of_fresh_weights_are_said_to_have_no_effect_on_others(
    make_model: Callable[..., Path],
) -> None:
    model, heard = make_model(), list[str]()
    recipe = Pretrain.model_validate({"family": "albert", "preset": "tiny"})

    going_on(recipe, model, native.load(model).require_tokenizer(), heard.append)

    assert heard == [f"family, preset: for fresh weights, and without effect on those of {model}"]


def test_a_head_that_the_model_lacks_is_called_by_what_is_asked(
    make_model: Callable[..., Path],
) -> None:
    model, heard = make_model(), list[str]()
    recipe = Pretrain(sentence_order=True)

    going_on(recipe, model, native.load(model).require_tokenizer(), heard.append)

    assert heard == [
        "the model has no sentence order prediction head: it starts with fresh weights"
    ]


@pytest.mark.parametrize("pad", [0, 1, 3, 40])
@pytest.mark.parametrize("family", ["roberta", "xlm-roberta"])
def test_as_many_tokens_are_read_whatever_the_paddings_id(
    family: str, pad: int, make_tokenizer: Callable[[int], Tokenizer]
) -> None:
    recipe = Pretrain.model_validate(
        {"family": family, "model": SIZES, "train": {"sequence_length": 512}}
    )
    heard: list[str] = []

    bundle = fresh(recipe, make_tokenizer(pad), heard.append)

    assert bundle.config.max_length >= 512
    with torch.no_grad():
        assert bundle.model.encoder(pack([[1] * 512])).shape == (512, 16)
    told = f"family {family} counts positions from the padding's id, which is {pad}: the table "
    assert [line.startswith(told) for line in heard] == [True] * (pad > 1)


@pytest.mark.parametrize(
    ("positions", "said"),
    [
        (40, r"padding of id 40: max_position_embeddings 40 leaves no position.*--kind bpe"),
        (
            514,
            "train.sequence_length is 512, but the model has only 473 positions: set "
            "max_position_embeddings to 553",
        ),
    ],
)
def test_positions_that_the_padding_leaves_too_few_of_are_refused(
    positions: int, said: str, make_tokenizer: Callable[[int], Tokenizer]
) -> None:
    length = min(positions - 2, 512)
    recipe = Pretrain.model_validate(
        {
            "family": "roberta",
            "model": {**SIZES, "max_position_embeddings": positions},
            "train": {"sequence_length": length},
        }
    )

    with pytest.raises(UsageError, match=said):
        fresh(recipe, make_tokenizer(40), hush)
