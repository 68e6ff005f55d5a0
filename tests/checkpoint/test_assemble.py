from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from unmask.checkpoint.assemble import assemble, outline, task_of
from unmask.models.config import BertConfig

TINY = BertConfig(
    vocab_size=12,
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=16,
)


@pytest.mark.parametrize("heads", [(), ("mlm",), ("mlm", "nsp"), ("pooler",)])
def test_an_outline_has_the_models_names_and_shapes_but_no_memory(heads: tuple[str, ...]) -> None:
    model, drawn = assemble(TINY, heads), outline(TINY, heads)
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
    assert task_of({"mlm"}) is not None
