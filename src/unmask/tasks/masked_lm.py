"""Masked language modelling (Devlin et al. 2019), alone or with a question about pairs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.batch import IGNORED, Batch
from unmask.nn.linear import Linear
from unmask.tasks.losses import widened
from unmask.tasks.task import Outputs, Term


class NextSentenceHead(nn.Module):
    """How segment B stands to segment A: class 0 follows it, class 1 does not.

    Next sentence prediction takes such a B from elsewhere, sentence order prediction from before.
    """

    def __init__(self, pooler: nn.Module, hidden_size: int) -> None:
        super().__init__()
        self.pooler = pooler
        self.classifier = Linear(hidden_size, 2)

    def forward(self, first_hidden: Tensor) -> Tensor:
        """(B, D) hidden states of `[CLS]` to (B, 2) logits."""
        logits: Tensor = self.classifier(self.pooler(first_hidden))
        return logits


def picked(batch: Batch) -> Tensor:
    """(M,) int64 ascending positions that carry a masked language model label."""
    return (batch.labels["mlm"] != IGNORED).nonzero().squeeze(1)


def loss(logits: Tensor, batch: Batch) -> Tensor:
    """Mean cross-entropy in nats over the picked positions.

    Other names: MLM loss, Cloze loss. Formula: -1/M * sum over picked m of log p(token_m).
    `logits` are (M, V) for the picked positions, or (N, V) for all, of which the picked are read.
    NaN where nothing is picked, as any mean of nothing.
    Neighbour: `MaskedLM.loss`, the same as a sum, which is what training divides by global counts.

    Worked example, two tokens of which one is picked, with probabilities 1/4 and 3/4:

    >>> from unmask.batch import pack
    >>> from dataclasses import replace
    >>> batch = replace(pack([[0, 1]]), labels={"mlm": torch.tensor([IGNORED, 1])})
    >>> round(loss(torch.tensor([[0.25, 0.75]]).log(), batch).exp().item(), 4)
    1.3333
    """
    rows = picked(batch)
    if logits.shape[0] == batch.num_tokens:
        logits = logits[rows]
    return _summed(logits, batch.labels["mlm"][rows]) / rows.shape[0]


class MaskedLM:
    """The pretraining task: one term `mlm`, and `nsp` or `sop` where pairs are trained on."""

    name = "masked_lm"

    def __init__(self, *, next_sentence: bool = False, sentence_order: bool = False) -> None:
        """Of the two kinds of pairs one at most, which have the same head."""
        assert not (next_sentence and sentence_order), "one question about a pair"
        self.next_sentence = next_sentence
        self.sentence_order = sentence_order
        self.pair_term = "nsp" if next_sentence else "sop" if sentence_order else None

    def rows(self, batch: Batch) -> Tensor:
        """The picked positions, with each sequence's first when its segments are judged."""
        rows = picked(batch)
        if self.pair_term is None:
            return rows
        starts = batch.starts()
        assert not torch.isin(starts, rows).any(), "the first token of a pair must not be picked"
        return torch.cat((rows, starts)).sort().values

    def outputs(self, heads: nn.ModuleDict, hidden: Tensor, batch: Batch) -> Outputs:
        """`mlm` (M, V) and, with pairs, `nsp` or `sop` (B, 2)."""
        if self.pair_term is None:
            return {"mlm": heads["mlm"](hidden)}
        is_first = torch.isin(self.rows(batch), batch.starts())
        pairs = heads["nsp"](hidden[is_first])
        return {"mlm": heads["mlm"](hidden[~is_first]), self.pair_term: pairs}

    def counts(self, batch: Batch) -> dict[str, float]:
        """Picked positions, and labelled pairs."""
        names = ["mlm"] if self.pair_term is None else ["mlm", self.pair_term]
        return {name: float((batch.labels[name] != IGNORED).sum()) for name in names}

    def loss(self, outputs: Outputs, batch: Batch) -> list[Term]:
        """Summed cross-entropies in nats, equally weighted as in the paper."""
        terms = [Term("mlm", 1.0, _summed(outputs["mlm"], batch.labels["mlm"][picked(batch)]))]
        if (name := self.pair_term) is not None:
            terms.append(Term(name, 1.0, _summed(outputs[name], batch.labels[name])))
        return terms

    def hits(self, outputs: Outputs, batch: Batch) -> dict[str, int]:
        """How often the highest score is the label's."""
        labels = {"mlm": batch.labels["mlm"][picked(batch)]}
        if self.pair_term is not None:
            labels[self.pair_term] = batch.labels[self.pair_term]
        return {
            name: int((outputs[name].argmax(dim=-1) == label).sum())
            for name, label in labels.items()
        }

    def stored(self) -> dict[str, Any]:
        """The name, and which pairs are trained on."""
        return {
            "name": self.name,
            "next_sentence": self.next_sentence,
            "sentence_order": self.sentence_order,
        }


def _summed(logits: Tensor, labels: Tensor) -> Tensor:
    """() at least fp32."""
    return functional.cross_entropy(widened(logits), labels, reduction="sum", ignore_index=IGNORED)
