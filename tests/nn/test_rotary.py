from __future__ import annotations

import pytest
import torch

from unmask.batch import pack
from unmask.models.config import ModernBertConfig
from unmask.models.modernbert import build
from unmask.nn.encoder import Encoder
from unmask.nn.rotary import RotarySelfAttention


@pytest.fixture
def encoder() -> Encoder:
    """Two blocks, of which the second sees two tokens to either side."""
    torch.manual_seed(0)
    config = ModernBertConfig(
        vocab_size=50,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        local_attention=4,
    )
    return build(config).double().eval()


LENGTHS = [(23,), (9, 9), (4, 17, 30, 2, 26)]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_blocks_of_a_long_sequence_give_what_a_mask_over_all_of_it_gives(
    encoder: Encoder, lengths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = pack([list(range(1, n + 1)) for n in lengths])
    in_blocks = encoder(batch)
    calls: list[int] = []
    plain = RotarySelfAttention._attend

    def masked(self, q, k, v, group):  # type: ignore[no-untyped-def]
        calls.append(1)
        whole = group.masked() if hasattr(group, "masked") else group
        return plain(self, q, k, v, whole)

    monkeypatch.setattr(RotarySelfAttention, "_attend", masked)

    torch.testing.assert_close(encoder(batch), in_blocks, rtol=1e-10, atol=1e-10)
    assert calls


def test_a_token_out_of_reach_changes_nothing_where_all_attention_is_local() -> None:
    torch.manual_seed(0)
    config = ModernBertConfig(
        vocab_size=50,
        hidden_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        local_attention=4,
        layer_types=("sliding_attention",),
    )
    encoder = build(config).eval()
    ids = list(range(1, 31))
    before = encoder(pack([ids]))
    after = encoder(pack([[*ids[:20], 40, *ids[21:]]]))
    changed = (before != after).any(dim=1).nonzero().flatten().tolist()

    assert changed == [18, 19, 20, 21, 22]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_gradients_are_numbers_whatever_rows_are_read(
    encoder: Encoder, lengths: tuple[int, ...]
) -> None:
    batch = pack([list(range(1, n + 1)) for n in lengths])
    rows = torch.tensor([0, 3, batch.num_tokens - 1])

    encoder(batch, rows).sum().backward()

    for name, parameter in encoder.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name
