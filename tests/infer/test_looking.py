from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import BertForMaskedLM

from unmask.errors import DataError
from unmask.infer.engine import Engine

TEXT = "The [MASK] sat on the mat."


def test_hidden_states_and_attentions_equal_those_of_transformers(
    engine: Engine, theirs: BertForMaskedLM
) -> None:
    seen = engine.inspect(TEXT)
    with torch.no_grad():
        expected = theirs(
            torch.tensor([seen.input_ids]), output_hidden_states=True, output_attentions=True
        )
    assert len(seen.hidden_states) == engine.bundle.config.num_hidden_layers + 1
    for ours, other in zip(seen.hidden_states, expected.hidden_states, strict=True):
        torch.testing.assert_close(ours, other[0], atol=1e-5, rtol=1e-5)
    for ours, other in zip(seen.attentions, expected.attentions, strict=True):
        torch.testing.assert_close(ours, other[0], atol=1e-5, rtol=1e-5)


def test_tokens_are_named_with_specials_and_the_mask(engine: Engine) -> None:
    seen = engine.inspect(TEXT)
    assert seen.tokens == ["[CLS]", "the", "[MASK]", "sat", "on", "the", "mat", ".", "[SEP]"]
    assert all(len(hidden) == len(seen.tokens) for hidden in seen.hidden_states)


def test_looking_leaves_no_hook_behind(engine: Engine) -> None:
    first = engine.inspect(TEXT)
    engine.predict(TEXT)
    assert len(first.hidden_states) == engine.bundle.config.num_hidden_layers + 1
    assert not any(module._forward_hooks for module in engine.bundle.model.modules())


def test_an_encoder_without_heads_can_be_looked_into(engine: Engine) -> None:
    model = type(engine.bundle.model)(engine.bundle.model.encoder, {})
    seen = Engine(replace(engine.bundle, model=model)).inspect(TEXT)
    torch.testing.assert_close(seen.hidden_states[-1], engine.inspect(TEXT).hidden_states[-1])


def test_a_text_longer_than_the_model_is_refused(engine: Engine) -> None:
    with pytest.raises(DataError, match="at most"):
        engine.inspect("cat " * 100)
