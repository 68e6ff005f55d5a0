"""A model under another vocabulary: its embedding's rows moved, averaged or added."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unmask.checkpoint.assemble import FINE_TUNED, assemble, outline
from unmask.checkpoint.bundle import Bundle
from unmask.errors import UsageError
from unmask.text.tokenizer import Tokenizer


def with_vocabulary(
    bundle: Bundle, tokenizer: Tokenizer, origins: Sequence[Sequence[int]]
) -> Bundle:
    """The same model for another tokenizer; `origins` has the old ids of each new token.

    Every tensor with a row a token (the embedding, which the decoder shares, and the decoder's
    bias) gets for each token the mean of the old tokens' rows. Rows beyond the
    old vocabulary, kept for rounding, stay where the new one does not need them.

    Raises:
        UsageError: A fine-tuned model, or a tokenizer that pads otherwise than the model counts.
    """
    heads = frozenset(bundle.model.heads)
    if heads & FINE_TUNED:
        raise UsageError(
            f"{bundle.name}: is fine-tuned, and new tokens know nothing of its task. Change the "
            "vocabulary of the pretrained model, go on pretraining it, then fine-tune."
        )
    if tokenizer.special.pad != bundle.config.pad_token_id:
        raise UsageError(
            f"{bundle.name}: counts with the padding token {bundle.config.pad_token_id}, the new "
            f"vocabulary has {tokenizer.special.pad} ({tokenizer.special_tokens.pad}); expected "
            "the same id. Learn one of the kind that the model comes with."
        )
    rows = len(origins)
    if rows >= bundle.require_tokenizer().vocab_size:  # grown: what is there for rounding is used
        rows = max(rows, bundle.config.vocab_size)
    config = type(bundle.config).model_validate({**bundle.config.model_dump(), "vocab_size": rows})
    model = assemble(config, heads)
    old = bundle.model.state_dict()
    per_token = _per_token(bundle)
    model.load_state_dict(
        {name: _moved(value, origins, rows) if name in per_token else value
         for name, value in old.items()}
    )  # fmt: skip
    model.train(bundle.model.training)
    return Bundle(model, bundle.task, tokenizer, config, bundle.folder)


def _per_token(bundle: Bundle) -> set[str]:
    """Names of the tensors that have a row a token: those that grow with the vocabulary."""
    heads, config = frozenset(bundle.model.heads), bundle.config
    larger = type(config).model_validate(
        {**config.model_dump(), "vocab_size": config.vocab_size + 1}
    )
    shapes = (outline(each, heads).state_dict() for each in (config, larger))
    smaller, grown = ({name: value.shape for name, value in each.items()} for each in shapes)
    return {name for name, shape in smaller.items() if shape != grown[name]}


def _moved(rows: Tensor, origins: Sequence[Sequence[int]], size: int) -> Tensor:
    """(V, ...) to (size, ...)."""
    sizes = torch.tensor([len(each) for each in origins])
    ids = torch.tensor([i for each in origins for i in each])
    owner = torch.repeat_interleave(torch.arange(len(origins)), sizes)
    summed = rows.new_zeros((len(origins), *rows.shape[1:])).index_add_(0, owner, rows[ids])
    mean = summed / sizes.to(rows.dtype).view(-1, *[1] * (rows.dim() - 1))
    return torch.cat([mean, rows[len(origins) : size]]) if size > len(origins) else mean
