"""One step of the real loop with its gradient caught, every family tiny, examples of every task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from unmask.batch import Batch
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.transfer import with_head
from unmask.data.labelled.examples import (
    Answer,
    ChoiceExample,
    QuestionExample,
    RankedExample,
    TaggedExample,
    TextExample,
)
from unmask.data.labelled.words import joined
from unmask.data.loader import Source, Transform
from unmask.data.windows import WindowSource
from unmask.models.config import CONFIGS, EncoderConfig
from unmask.nn.init import initialise
from unmask.recipe.config import Pretrain
from unmask.recipe.initial import fresh
from unmask.recipe.objectives import objective_of
from unmask.recipe.together import silent
from unmask.tasks.qa_spans import SpanScores
from unmask.tasks.registry import TASKS
from unmask.tasks.task import Model, Task
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece
from unmask.train.state import RunState

TINY: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 66,
    "initializer_range": 0.2,
}
OWN_SIZES: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 8, "num_hidden_layers": 2},
    "electra": {"embedding_size": 8},
    "mpnet": {"pad_token_id": 1, "max_position_embeddings": 68},
    "deberta-v2": {"position_buckets": 8},
    "modernbert": {"local_attention": 8, "initializer_range": 0.2},
}
"""What a family has besides, or otherwise, to be tiny."""


def tiny(family: str) -> EncoderConfig:
    """A family's config so small that a test takes milliseconds; it drops nothing out."""
    kind = next(kind for name, kind in CONFIGS.items() if name == family)
    made: EncoderConfig = kind.model_validate({**TINY, **OWN_SIZES.get(family, {})})
    return made.with_dropout(0.0)


FAMILIES = tuple(name for name in CONFIGS if not tiny(name).is_control)
"""Every one that is there, but for the controls of experiments."""

TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-5}
"""Largest difference, as a share of the model's largest gradient entry."""


@dataclass
class Catcher:
    """Stands where the optimizers stand."""

    model: Model
    gradients: dict[str, Tensor] = field(default_factory=dict)

    def step(self, _share: float) -> None:
        for name, parameter in self.model.named_parameters():
            assert parameter.grad is not None, name
            self.gradients[name] = parameter.grad.clone()

    def zero_grad(self) -> None:
        self.model.zero_grad(set_to_none=True)

    def tensors(self) -> dict[str, Tensor]:
        return {}


@dataclass(frozen=True)
class Step:
    """What one step came to."""

    losses: dict[str, float]
    """Mean of each term, in nats."""
    gradients: dict[str, Tensor]
    """By parameter."""
    num_forwards: int
    """Micro-batches of this process."""


@pytest.fixture
def one_step(rehearse: Callable[..., Any]) -> Callable[..., Step]:
    """The gradient of a step of the loop; takes what `rehearse` takes, and a dtype.

    Half of the budget is used before it, so that what moves over a run is on its way.
    """

    def take(model: Model, dtype: torch.dtype, *, train: dict[str, Any], **parts: Any) -> Step:
        model.to(dtype)
        rehearsal = rehearse(
            model=model, train={"steps": 2, **train}, optim={"clip_norm": 1e9}, **parts
        )
        rehearsal.state = RunState(global_step=1)
        rehearsal.optimizers = rehearsal.keeper.optimizers = catcher = Catcher(model)
        forwards: list[int] = []
        handle = model.register_forward_pre_hook(lambda *_: forwards.append(model.training))
        rehearsal.go()
        handle.remove()
        (numbers,) = [numbers for _, _, numbers in rehearsal.log.steps]
        losses = {name: value for name, value in numbers.items() if name.endswith("_loss")}
        return Step(losses, catcher.gradients, sum(forwards))

    return take


@pytest.fixture
def assert_same_step() -> Callable[[Step, Step, torch.dtype], None]:
    """Losses and gradients agree within the contract's tolerance."""

    def check(found: Step, expected: Step, dtype: torch.dtype) -> None:
        tolerance = TOLERANCES[dtype]
        assert found.losses == pytest.approx(expected.losses, rel=tolerance)
        assert found.gradients.keys() == expected.gradients.keys()
        largest = max(float(g.abs().max()) for g in expected.gradients.values())
        assert largest > 1e-3, "a gradient of nothing proves nothing"
        differences = {
            name: float((found.gradients[name] - gradient).abs().max()) / largest
            for name, gradient in expected.gradients.items()
        }
        assert {n: d for n, d in differences.items() if not d <= tolerance} == {}

    return check


WORDS = ("good", "bad", "film", "plot", "very", "not", "a", "the", "was", "dull", "great", ".")


@dataclass(frozen=True)
class Case:
    """One task with its settings, examples, and what a perfect model would give."""

    task: str
    settings: dict[str, Any]
    examples: Callable[[], list[Any]]
    perfect: Callable[[Any, Sequence[Any]], list[Any]]
    """The scores of a model that knows the labels."""
    best: float = 1.0
    """What the task's metric is then."""
    bf16_tolerance: float = 1e-2
    """Largest difference of a score in bfloat16, as a share of the largest score, or of 1."""

    def begin(self) -> Any:
        """The task for the examples."""
        kind = TASKS[self.task]
        return kind.begin(kind.config.model_validate(self.settings), self.examples())


def _sentence(i: int) -> str:
    return " ".join(WORDS[(i * 7 + j * (i % 3 + 1)) % len(WORDS)] for j in range(3 + i % 9))


def texts(label: Callable[[int], Any], *, pairs: bool = False) -> Callable[[], list[TextExample]]:
    """Eight different texts."""

    def make() -> list[TextExample]:
        return [
            TextExample(
                str(i), _sentence(i), _sentence(i + 5) if pairs else None, label(i), None, f"x:{i}"
            )
            for i in range(8)
        ]

    return make


def _one_hot(task: Any, examples: Sequence[Any]) -> list[Any]:
    rows = [task.targets.row(example)[0] for example in examples]
    return [20.0 * (np.arange(task.num_outputs) == row) - 10.0 for row in rows]


def _several_hot(task: Any, examples: Sequence[Any]) -> list[Any]:
    return [20.0 * task.targets.row(example)[0] - 10.0 for example in examples]


def _numbers(task: Any, examples: Sequence[Any]) -> list[Any]:
    return [task.targets.row(example) for example in examples]


def _tagged(tags: Callable[[int, int], str]) -> Callable[[], list[TaggedExample]]:
    """Eight texts whose word j of text i has a tag of its own."""

    def make() -> list[TaggedExample]:
        made = []
        for i in range(8):
            text, spans = joined(_sentence(i).split())
            found = tuple(tags(i, j) for j in range(len(spans)))
            made.append(TaggedExample(str(i), text, spans, found, f"x:{i}"))
        return made

    return make


def _entity(i: int, j: int) -> str:
    """Two-word entities of two kinds, told by the first word."""
    tags = ("B-PER", "I-PER", "O", "B-LOC", "O")
    return "O" if j == 0 else tags[(i + j) % 5] if (i + j) % 5 != 1 or j > 1 else "O"


def _questions() -> list[QuestionExample]:
    """The answer is one word of the context; every fourth question has none."""
    made = []
    for i in range(8):
        context = _sentence(i + 3)
        word = context.split()[i % 3]
        answers = () if i % 4 == 3 else (Answer(word, context.index(word)),)
        question = f"the {word} {WORDS[i]}"
        made.append(
            QuestionExample(str(i), question, context, answers, not answers, None, f"x:{i}")
        )
    return made


def _choices() -> list[ChoiceExample]:
    return [
        ChoiceExample(
            str(i), _sentence(i), (WORDS[i], WORDS[i + 1], WORDS[(i + 5) % 12]), i % 3, f"x:{i}"
        )
        for i in range(8)
    ]


def _ranked(grades: tuple[float, ...]) -> Callable[[], list[RankedExample]]:
    """Queries with two to four documents of different lengths, one of each grade."""

    def make() -> list[RankedExample]:
        made = []
        for i in range(8):
            size = min(len(grades), 2 + i % 3)
            documents = tuple(f"{WORDS[i]} {_sentence(i + 5 * j)}" for j in range(size))
            own = tuple(grades[(i + j) % size] for j in range(size))
            made.append(RankedExample(str(i), _sentence(i + 3), documents, own, f"x:{i}"))
        return made

    return make


def _graded(_task: Any, examples: Sequence[Any]) -> list[Any]:
    return [np.asarray(example.grades) for example in examples]


def _log_one_hot(task: Any, examples: Sequence[Any]) -> list[Any]:
    rows = [[task.labels.index(tag) for tag in example.tags] for example in examples]
    return [np.log(np.eye(len(task.labels))[row] + 1e-9) for row in rows]


def _spans(_task: Any, examples: Sequence[Any]) -> list[Any]:
    found = []
    for example in examples:
        spans = [[a.start, a.start + len(a.text)] for a in example.answers] or [[0, 1]]
        no_answer = -10.0 if example.answers else 30.0
        found.append(SpanScores(np.array(spans), np.array([10.0]), no_answer))
    return found


def _chosen(_task: Any, examples: Sequence[Any]) -> list[Any]:
    return [20.0 * (np.arange(len(e.choices)) == e.label) for e in examples]


_OF_TOKENS = 2e-2
"""Of a hundred scores and more the farthest is far off: 0.017 in BERT's parts of speech, of which
rounding the weights alone makes 0.006. It is bfloat16, which has three digits, and not the code:
transformers' class for the same weights is off by the same 0.017, and float16 by 0.002."""
_LEVELS = (0.0, 6.0, 3.0, 1.0)
CASES: dict[str, Case] = {
    "classification": Case("classification", {}, texts(lambda i: "abc"[i % 3]), _one_hot),
    "pairs": Case("classification", {}, texts(lambda i: "ab"[i % 2], pairs=True), _one_hot),
    "mean-pooled": Case(
        "classification", {"pooling": "mean"}, texts(lambda i: "ab"[i % 2]), _one_hot
    ),
    "weighted": Case(
        "classification",
        {"class_weights": "balanced", "focal_gamma": 2.0, "label_smoothing": 0.1},
        texts(lambda i: "ab"[i % 3 == 0]),
        _one_hot,
    ),
    "several-labels": Case(
        "classification",
        {"kind": "multi"},
        texts(lambda i: tuple(name for name in "abc" if i % (ord(name) - 95) == 0) or ("a",)),
        _several_hot,
    ),
    "regression": Case(
        "classification", {"kind": "regression"}, texts(lambda i: i / 2.0), _numbers
    ),
    "entities": Case("tagging", {}, _tagged(_entity), _log_one_hot, bf16_tolerance=_OF_TOKENS),
    "entities-by-viterbi": Case(
        "tagging",
        {"decoding": "viterbi", "subwords": "all"},
        _tagged(_entity),
        _log_one_hot,
        bf16_tolerance=_OF_TOKENS,
    ),
    "parts-of-speech": Case(
        "tagging",
        {},
        _tagged(lambda i, j: ("NOUN", "VERB", "DET")[(i + 2 * j) % 3]),
        _log_one_hot,
        bf16_tolerance=_OF_TOKENS,
    ),
    "questions": Case("qa", {}, _questions, _spans, bf16_tolerance=_OF_TOKENS),
    "choices": Case("multiple-choice", {}, _choices, _chosen),
    "relevant": Case("reranking", {"loss": "binary-cross-entropy"}, _ranked((0.0, 1.0)), _graded),
    "relevant-by-the-mean": Case(
        "reranking",
        {"pooling": "mean", "loss": "binary-cross-entropy", "positive_weight": 3.0},
        _ranked((0.0, 1.0, 0.5)),
        _graded,
    ),
    "graded": Case("reranking", {"loss": "mean-squared-error"}, _ranked((0.0, 2.0, 1.0)), _graded),
    **{
        f"ranked-by-{loss}": Case("reranking", {"loss": loss}, _ranked(_LEVELS), _graded)
        for loss in ("ranknet", "listnet", "listmle", "lambda")
    },
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`family` and `case` are all of both; with `thorough` they are the pairs for dear checks."""
    names = set(metafunc.fixturenames)
    if "thorough" in names:
        pairs = [("bert", case) for case in CASES]
        pairs += [(family, "classification") for family in FAMILIES if family != "bert"]
        values = [(family, CASES[case]) for family, case in pairs]
        metafunc.parametrize(("family", "case"), values, ids=map("-".join, pairs))
        return
    if "case" in names:
        metafunc.parametrize("case", CASES.values(), ids=CASES)
    if "family" in names:
        metafunc.parametrize("family", FAMILIES)


@pytest.fixture
def thorough() -> None:
    """Asked for by a check that is too dear for every pair of a family and a task."""


@pytest.fixture(scope="session")
def families() -> tuple[str, ...]:
    """Every family by its name."""
    return FAMILIES


@pytest.fixture
def make_of() -> Callable[..., tuple[Model, EncoderConfig]]:
    """A tiny encoder of a family with heads; no weight, bias or norm is at its initial value."""

    def make(family: str, heads: set[str], noise: float = 0.05) -> tuple[Model, EncoderConfig]:
        config = tiny(family)
        model = assemble(config, heads)
        generator = torch.Generator().manual_seed(0)
        initialise(model, config.initializer_range, generator)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(noise * torch.randn(parameter.shape, generator=generator))
        return model, config

    return make


@pytest.fixture(scope="session")
def covered() -> set[str]:
    """The tasks that have a case."""
    return {case.task for case in CASES.values()}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """Knows the words of the cases."""
    return train_wordpiece([" ".join(WORDS)] * 4, TokenizerConfig(vocab_size=60, min_frequency=1))


@pytest.fixture
def uneven_lists(make_of: Callable[..., Any], tokenizer: Tokenizer) -> Callable[[], dict[str, Any]]:
    """What `rehearse` takes to learn the order of two to four documents of each query."""

    def make() -> dict[str, Any]:
        case = CASES["ranked-by-lambda"]
        task = case.begin()
        encoder, config = make_of("bert", set())
        base = Bundle(encoder, None, tokenizer, config, None)
        generator = torch.Generator().manual_seed(1)
        windows = task.training_windows(case.examples(), tokenizer, config.max_length)
        return {
            "model": with_head(base, task.head, task.num_outputs, generator).model,
            "task": task,
            "source": WindowSource(windows),
            "transform": lambda batch, *_: batch,
            "measure": lambda _: {},
        }

    return make


_LAST_SPECIAL, _TO_PIECES = 4, 14
"""By which the ids of `make_sentences` become letters that begin a word and some that go on."""
_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
_DETECTION = {"objective": "replaced-token", "family": "electra"}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "mlm-words": {"masking": {"unit": "word"}},
    "mlm-spans": {"masking": {"unit": "span"}},
    "mlm-falling": {"masking": {"rate": 0.5, "final_rate": 0.1}},
    "mlm+sop": {"sentence_order": True},
    "rtd-separate": {
        **_DETECTION,
        "model": {"embedding_size": 32},
        "generator": {
            "embeddings": "separate",
            "model": {"hidden_size": 16, "intermediate_size": 32, "embedding_size": 16},
        },
    },
    "rtd-shared": {**_DETECTION, "generator": {"embeddings": "shared"}},
    "rtd-disentangled": {
        **_DETECTION,
        "model": {"embedding_size": 24},
        "generator": {
            "embeddings": "gradient-disentangled",
            "model": {"hidden_size": 16, "intermediate_size": 32},
        },
    },
    "rtd-deberta": {
        **_DETECTION,
        "family": "deberta-v2",
        "model": {"position_buckets": 8},
    },
    "left-to-right": {"objective": "left-to-right", "family": "left-to-right"},
}
"""What else than masked language modelling of tokens and next sentences a recipe pretrains by."""


@dataclass(frozen=True)
class _InPieces:
    """Sentences in which words have one piece, or several."""

    source: Source

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, sample_ids: np.ndarray, epochs: np.ndarray, /) -> Batch:
        batch = self.source.batch(sample_ids, epochs)
        ids = batch.input_ids
        return replace(batch, input_ids=torch.where(ids > _LAST_SPECIAL, ids + _TO_PIECES, ids))


@dataclass(frozen=True)
class _Ordered:
    """Sentences whose label tells of their order."""

    source: Source

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, sample_ids: np.ndarray, epochs: np.ndarray, /) -> Batch:
        batch = self.source.batch(sample_ids, epochs)
        return replace(batch, labels={"sop": batch.labels["nsp"]})


@dataclass(frozen=True)
class Pretraining:
    """What the loop takes to pretrain by one objective."""

    model: Model
    task: Task
    source: Source
    transform: Transform


@pytest.fixture
def make_pretraining(
    tokenizer: Tokenizer, make_sentences: Callable[..., Source]
) -> Callable[..., Pretraining]:
    """By the name of an objective, as a recipe makes it; no weight is at its initial value."""

    def make(name: str, **sentences: Any) -> Pretraining:
        given = OBJECTIVES[name]
        recipe = Pretrain.model_validate(
            {
                "dropout": 0.0,
                "train": {"sequence_length": 24},
                **given,
                "model": {**_SIZES, **given.get("model", {})},
            }
        )
        bundle, objective = fresh(recipe, tokenizer, silent), objective_of(recipe)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in bundle.model.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
        source = _InPieces(make_sentences(pairs=recipe.sentence_order, **sentences))
        some = source.batch(np.arange(8), np.zeros(8, dtype=np.int64)).input_ids
        assert 0.2 < tokenizer.is_continuation[some.numpy()].mean() < 0.8
        return Pretraining(
            bundle.model,
            objective.task,
            _Ordered(source) if recipe.sentence_order else source,
            objective.transform(tokenizer, recipe.masking, 0),
        )

    return make
