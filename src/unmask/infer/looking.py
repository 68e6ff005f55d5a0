"""What goes on inside the encoder while it reads one text."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from unmask.batch import pack
from unmask.checkpoint.bundle import Bundle
from unmask.infer.inputs import enclose, place_of
from unmask.nn.trace import record
from unmask.tasks.predicting import answering


@dataclass(frozen=True)
class Inspection:
    """One text of T tokens, `[CLS]` and `[SEP]` counted, on its way through L layers."""

    tokens: list[str]
    """(T,)"""
    input_ids: list[int]
    """(T,)"""
    hidden_states: list[Tensor]
    """The embedding's output, then each layer's: L + 1 tensors (T, D)."""
    attentions: list[Tensor]
    """Per layer (H, T, T): entry [h, i, j] is how much head h of token i looks at token j."""


def inspect(bundle: Bundle, text: str) -> Inspection:
    """Reads a text as `fill` would, and keeps every layer's hidden states and attention weights.

    While it runs, no other thread may use the same model: its passes would be recorded too.

    Raises:
        DataError: A text longer than the model reads, or no tokenizer.
    """
    tokenizer = bundle.require_tokenizer()
    has_mask = tokenizer.special.mask is not None
    ids = tokenizer.encode_with_mask(text) if has_mask else tokenizer.encode(text)
    whole = enclose(bundle, ids, place_of(0, text))
    batch = pack([whole]).to(next(bundle.model.parameters()).device)
    with answering(bundle.model), record(bundle.model.encoder) as trace:
        bundle.model.encoder(batch)
    return Inspection(
        tokens=[tokenizer.id_to_token(i) for i in whole],
        input_ids=whole,
        hidden_states=trace.hidden_states,
        attentions=[weights for (weights,) in trace.attentions],
    )
