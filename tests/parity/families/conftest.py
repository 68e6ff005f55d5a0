"""Every family beside transformers' own, on random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from unmask.batch import Batch, pack
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.huggingface.families import family_of
from unmask.checkpoint.huggingface.folder import load_folder
from unmask.checkpoint.huggingface.keys import to_theirs
from unmask.checkpoint.huggingface.purpose import architecture_of

TASKS = ("SequenceClassification", "TokenClassification", "QuestionAnswering", "MultipleChoice")


@dataclass(frozen=True)
class Case:
    """A family as transformers calls it, with tiny sizes; no sequence is longer than 24 tokens."""

    name: str
    """What its classes begin with."""
    sizes: Mapping[str, Any]
    """Fields of its config, in its spelling."""
    variants: Sequence[Mapping[str, Any]] = ({},)
    """What else is compared: changes to the sizes."""
    tasks: Sequence[str] = TASKS
    """Fine-tuning classes that transformers has."""
    masked_lm: str = "ForMaskedLM"
    """Its class of masked language modelling."""
    has_segments: bool = False
    """Whether its encoder takes `token_type_ids`."""
    computes_in_fp32: bool = False
    """Whether parts of it turn float64 into float32."""
    has_fp64: bool = True
    """Whether theirs gives numbers in float64 beside padding."""
    has_autocast: bool = True
    """Whether theirs runs under autocast to bfloat16."""
    loudness: float = 30.0
    """Times its weights, half precision still gives numbers."""


_SMALL = {
    "vocab_size": 61,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 80,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
}

_BERT = Case("Bert", {**_SMALL, "max_position_embeddings": 24}, has_segments=True)
"""Its other sizes are compared in tests/parity/test_bert.py."""

_ROBERTA = Case(
    "Roberta",
    {**_SMALL, "max_position_embeddings": 26, "type_vocab_size": 1, "pad_token_id": 1},
    variants=(
        {},
        {"hidden_size": 40, "num_attention_heads": 5, "hidden_act": "gelu_new", "vocab_size": 103},
        {"num_attention_heads": 1, "num_hidden_layers": 1, "hidden_act": "relu"},
        {"pad_token_id": 4, "max_position_embeddings": 31, "type_vocab_size": 2},
    ),
)

_ALBERT = Case(
    "Albert",
    {**_SMALL, "embedding_size": 20, "max_position_embeddings": 24},
    variants=(
        {},
        {"num_hidden_groups": 2, "num_hidden_layers": 5, "hidden_act": "gelu"},
        {"inner_group_num": 2, "hidden_size": 40, "num_attention_heads": 5, "embedding_size": 48},
        {"num_attention_heads": 1, "num_hidden_layers": 1, "type_vocab_size": 4},
    ),
    has_segments=True,
)

_ELECTRA = Case(
    "Electra",
    {**_SMALL, "embedding_size": 20, "max_position_embeddings": 24},
    variants=(
        {},
        {"embedding_size": 48, "type_vocab_size": 3},
        {"hidden_size": 40, "num_attention_heads": 5, "hidden_act": "relu"},
    ),
    has_segments=True,
)

_DISTILBERT = Case(
    "DistilBert",
    {
        "vocab_size": 61,
        "dim": 48,
        "n_layers": 3,
        "n_heads": 3,
        "hidden_dim": 80,
        "max_position_embeddings": 24,
    },
    variants=({}, {"dim": 40, "n_heads": 5, "activation": "relu"}, {"n_heads": 1, "n_layers": 1}),
)

_MPNET = Case(
    "MPNet",
    {**_SMALL, "max_position_embeddings": 26, "pad_token_id": 1},
    variants=(
        {},
        {"hidden_size": 40, "num_attention_heads": 5, "hidden_act": "relu", "vocab_size": 103},
        {"num_attention_heads": 1, "num_hidden_layers": 1},
    ),
)
_DEBERTA = {
    **_SMALL,
    "hidden_size": 36,  # of which each head's share times 3 is a square: theirs rounds the scale
    "max_position_embeddings": 26,
    "type_vocab_size": 2,
    "relative_attention": True,
    "pos_att_type": "c2p|p2c",
    "position_biased_input": False,
}
_ONE_TERM = {"hidden_size": 24}  # the same for 2 terms
_SHARED = {"share_att_key": True, "norm_rel_ebd": "layer_norm", "position_buckets": 8}
_MODERNBERT = Case(
    "ModernBert",
    {
        "vocab_size": 61,
        "hidden_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 3,
        "intermediate_size": 64,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "cls_token_id": 1,
        "eos_token_id": 2,
        "sep_token_id": 2,
        "local_attention": 8,
    },
    variants=(
        {},
        {"local_attention": 128, "hidden_size": 40, "num_attention_heads": 5},
        {
            "norm_bias": True,
            "attention_bias": True,
            "mlp_bias": True,
            "classifier_bias": True,
            "decoder_bias": False,
            "hidden_activation": "gelu_new",
            "classifier_activation": "relu",
        },
        {"layer_types": ["sliding_attention"], "num_hidden_layers": 1, "local_attention": 1},
        {"layer_types": ["full_attention"] * 2, "num_hidden_layers": 2, "num_attention_heads": 1},
        {"layer_types": [*["sliding_attention"] * 2, "full_attention", "sliding_attention"]},
    ),
    has_fp64=False,  # their softmax turns the mask's float64 into float32, where it is infinite
    # Nothing normalises what the blocks add up, which at 30 is at times more than float16 holds, in
    # theirs just as in ours.
    loudness=10.0,
)

CASES: dict[str, Case] = {
    "bert": _BERT,
    "albert": _ALBERT,
    "electra": _ELECTRA,
    "distilbert": _DISTILBERT,
    "mpnet": _MPNET,
    "roberta": _ROBERTA,
    "modernbert": _MODERNBERT,
    "xlm-roberta": Case(**{**vars(_ROBERTA), "name": "XLMRoberta", "variants": ({},)}),
    "deberta": Case(
        "Deberta",
        _DEBERTA,
        variants=(
            {},
            {"pos_att_type": ["c2p"], **_ONE_TERM, "legacy": False},
            {"pos_att_type": ["p2c"], **_ONE_TERM, "max_relative_positions": 9},
            {"relative_attention": False, "position_biased_input": True, "type_vocab_size": 0},
            {"position_biased_input": True},
            {"embedding_size": 20, "pooler_hidden_act": "tanh"},
        ),
        tasks=("SequenceClassification", "TokenClassification", "QuestionAnswering"),
        has_segments=True,
        computes_in_fp32=True,
        has_autocast=False,  # its mask is filled with a number that bfloat16 does not have
    ),
    "deberta-v2": Case(
        "DebertaV2",
        _DEBERTA,
        variants=(
            {},
            _SHARED,
            {**_SHARED, "pos_att_type": ["c2p"], **_ONE_TERM, "legacy": False},
            {**_SHARED, "pos_att_type": ["p2c"], **_ONE_TERM, "position_biased_input": True},
            {"pos_att_type": ["p2c"], **_ONE_TERM, "max_relative_positions": 9},
            {"embedding_size": 20},
            {"relative_attention": False, "position_biased_input": True, "type_vocab_size": 0},
            {"conv_kernel_size": 3, "conv_act": "gelu", **_SHARED},
            {"conv_kernel_size": 5, "conv_groups": 4, "num_hidden_layers": 1},
        ),
        has_segments=True,
    ),
}
"""By our name of the family."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`variant` is every case with each of its changed sizes, `task` each of a case's tasks."""
    if "variant" in metafunc.fixturenames:
        both = [
            (case, changed, f"{name}-{','.join(changed) or 'plain'}")
            for name, case in CASES.items()
            for changed in case.variants
        ]
        metafunc.parametrize(
            ("case", "variant"), [(case, v) for case, v, _ in both], ids=[i for *_, i in both]
        )
    elif "task" in metafunc.fixturenames:
        pairs = [(name, case, task) for name, case in CASES.items() for task in case.tasks]
        metafunc.parametrize(
            ("case", "task"), [(c, t) for _, c, t in pairs], ids=[f"{n}-{t}" for n, _, t in pairs]
        )
    elif "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture
def cases() -> Mapping[str, Case]:
    """By our name of the family, for tests of one alone."""
    return CASES


@dataclass(frozen=True)
class Pair:
    """Their model, and ours read from what theirs saved."""

    theirs: Any
    ours: Bundle
    folder: Path

    def gradients(self) -> dict[str, Tensor]:
        """Ours, by their names."""
        family = family_of(self.ours.config)
        keys = family.keys_of(architecture_of(self.ours.task), self.ours.config)
        found = {
            name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for name, parameter in self.ours.model.named_parameters()
        }
        return to_theirs(keys.rules(family.blocks(self.ours.config), found), found)


@pytest.fixture
def make_pair(tmp_path: Path) -> Callable[..., Pair]:
    """A pair of a family's class, "Model" or "ForMaskedLM"; no weight is at its initial value."""

    def make(case: Case, kind: str, dtype: torch.dtype = torch.float32, **sizes: Any) -> Pair:
        config = getattr(transformers, f"{case.name}Config")(
            **{**case.sizes, **sizes}, attn_implementation="eager"
        )
        torch.manual_seed(0)
        theirs = getattr(transformers, f"{case.name}{kind}")(config).to(dtype).eval()
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in theirs.parameters():
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.add_(0.1 * noise)
        theirs.save_pretrained(tmp_path / kind)
        return Pair(theirs, load_folder(tmp_path / kind, dtype), tmp_path / kind)

    return make


@dataclass(frozen=True)
class Both:
    """The same sequences packed for us and padded for them."""

    batch: Batch
    padded: dict[str, Tensor]
    """(B, T) each: input_ids, attention_mask, and token_type_ids where the family has segments."""

    def real(self, theirs: Tensor) -> Tensor:
        """(N, ...) the real tokens of (B, T, ...), in packed order."""
        return theirs[self.padded["attention_mask"].bool()]


@pytest.fixture
def make_both() -> Callable[..., Both]:
    """Random sequences of two segments, for a case and lengths."""

    def make(case: Case, lengths: tuple[int, ...], **changed: Any) -> Both:
        generator = torch.Generator().manual_seed(2)
        sizes = {**case.sizes, **changed}
        padding, high = sizes.get("pad_token_id", 0), sizes["vocab_size"]

        def pad(rows: list[list[int]], filler: int) -> Tensor:
            return torch.tensor([row + [filler] * (max(lengths) - len(row)) for row in rows])

        ids = [
            torch.randint(padding + 1, high, (n,), generator=generator).tolist() for n in lengths
        ]
        segments = [[int(i > n // 2) for i in range(n)] for n in lengths]
        padded = {
            "input_ids": pad(ids, padding),
            "attention_mask": pad([[1] * n for n in lengths], 0),
        }
        if case.has_segments:
            padded["token_type_ids"] = pad(segments, 0)
        return Both(pack(ids, token_type_ids=segments), padded)

    return make


@pytest.fixture
def assert_gradients_are_theirs(assert_close: Callable[..., None]) -> Callable[..., None]:
    """Every parameter's, of a pair of which both went backward."""

    def check(pair: Pair, rate: float = 1e-5) -> None:
        ours = pair.gradients()
        copies = family_of(pair.ours.config).keys.copies  # whichever of two tied ones comes first
        expected = {
            copies.get(name, name): parameter.grad
            for name, parameter in pair.theirs.named_parameters()
        }
        assert expected.keys() <= ours.keys()
        for name, gradient in expected.items():
            assert gradient is not None, name
            assert_close(ours[name], gradient, rate)

    return check
