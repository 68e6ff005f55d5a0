from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from unmask.batch import pack
from unmask.checkpoint.assemble import assemble, outline, task_of
from unmask.models.config import CONFIGS, BertConfig, FamilyName
from unmask.nn.dropout import Dropout

TINY = BertConfig(
    vocab_size=12,
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=16,
)


ALL_HEADS = [
    (),
    ("mlm",),
    ("mlm", "nsp"),
    ("pooler",),
    ("pooled_classifier",),
    ("classifier",),
    ("span",),
]


@pytest.mark.parametrize("heads", ALL_HEADS, ids=str)
def test_an_outline_has_the_models_names_and_shapes_but_no_memory(heads: tuple[str, ...]) -> None:
    model, drawn = assemble(TINY, heads, 5), outline(TINY, heads, 5)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    assert {name: tensor.shape for name, tensor in drawn.state_dict().items()} == shapes
    assert all(tensor.is_meta for tensor in drawn.state_dict().values())
    assert not any(tensor.is_meta for tensor in model.state_dict().values())
    assert set(model.heads) == set(heads)


def test_an_outline_leaves_torchs_compiler_unloaded() -> None:
    code = (
        "import sys; from unmask.checkpoint.assemble import outline; "
        "from unmask.models.config import BertConfig; outline(BertConfig(), {'mlm', 'nsp'}); "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_weights_of_an_assembled_model_follow_the_generator() -> None:
    weights = []
    for _ in range(2):
        torch.manual_seed(3)
        weights.append(assemble(TINY, {"mlm"}).encoder.get_parameter("embedding.tokens.weight"))
    assert torch.equal(weights[0], weights[1])
    assert weights[0].std() > 0


def test_only_a_masked_language_model_head_makes_a_task() -> None:
    assert task_of({"pooler"}) is None
    assert task_of({"classifier"}) is None
    assert task_of({"mlm"}) is not None


@pytest.mark.parametrize(("given", "rate"), [(None, 0.1), (0.0, 0.0), (0.4, 0.4)])
@pytest.mark.parametrize("head", ["pooled_classifier", "classifier"])
def test_a_classifier_drops_at_its_own_rate_or_else_at_the_encoders(
    head: str, given: float | None, rate: float
) -> None:
    config = TINY.model_copy(update={"classifier_dropout": given})
    dropout = assemble(config, {head}, 3).heads[head].dropout
    assert isinstance(dropout, Dropout)
    assert dropout.rate == rate


@pytest.mark.parametrize(
    ("head", "num_outputs", "shape"),
    [("pooled_classifier", 3, (4, 3)), ("classifier", 5, (4, 5)), ("span", 0, (4, 2))],
)
def test_a_head_gives_as_many_scores_as_it_was_asked_for(
    head: str, num_outputs: int, shape: tuple[int, int]
) -> None:
    model = assemble(TINY, {head}, num_outputs)
    assert model.heads[head](torch.zeros(4, 8)).shape == shape


@pytest.mark.parametrize("family", ["bert", "albert", "electra", "deberta", "deberta-v2"])
def test_one_segment_is_read_by_both_texts_of_a_pair(family: FamilyName) -> None:
    """As by transformers where it is told that all is of segment 0."""
    sizes = {**TINY.model_dump(), "type_vocab_size": 1}
    if family == "deberta-v2":
        sizes["position_buckets"] = 8
    config = CONFIGS[family].model_validate(sizes)
    torch.manual_seed(0)
    encoder = assemble(config, {"mlm"}).encoder.eval()
    batch = pack([[2, 7, 3, 8, 3]], token_type_ids=[[0, 0, 0, 1, 1]])

    with torch.no_grad():
        found, expected = encoder(batch), encoder(pack([[2, 7, 3, 8, 3]]))
    assert torch.equal(found, expected)
    encoder(batch).sum().backward()
    assert encoder.embedding.segments.weight.grad is not None
