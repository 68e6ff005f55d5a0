from __future__ import annotations

from collections.abc import Collection

import pytest
import torch

from unmask.checkpoint.assemble import outline
from unmask.checkpoint.huggingface.bert import KEYS
from unmask.checkpoint.huggingface.keys import (
    Rule,
    compare,
    implied_shapes,
    linear,
    to_ours,
    to_theirs,
)
from unmask.errors import DataError
from unmask.models.config import BertConfig

COUNTS = {"mlm": 5, "nsp": 4, "pooler": 2, "pooled_classifier": 4, "classifier": 2, "span": 2}
"""Tensors of each head."""
FUSED = Rule("fused", ("query", "key", "value"))


def test_a_fused_tensor_is_theirs_in_order() -> None:
    theirs = {name: torch.full((2, 3), float(i)) for i, name in enumerate(FUSED.theirs)}
    ours = to_ours([FUSED], theirs.__getitem__)
    assert ours["fused"][:, 0].tolist() == [0, 0, 1, 1, 2, 2]
    back = to_theirs([FUSED], ours)
    assert back.keys() == theirs.keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in theirs.items())
    assert implied_shapes([FUSED], {"fused": torch.Size((6, 3))})["key"] == (2, 3)


def test_a_linear_layer_is_two_rules() -> None:
    assert linear("a", "b", "c") == (
        Rule("a.weight", ("b.weight", "c.weight")),
        Rule("a.bias", ("b.bias", "c.bias")),
    )


def rules_of(num_layers: int, heads: Collection[str]) -> list[Rule]:
    """The rules of a model of so many blocks, which at least one has."""
    config = BertConfig(num_hidden_layers=max(1, num_layers))
    names = outline(config, heads, 2).state_dict()
    blocks = [{"layer": layer} for layer in range(num_layers)]
    kept = {name for name in names if num_layers or not name.startswith("encoder.blocks.")}
    return KEYS.rules(blocks, kept)


@pytest.mark.parametrize("num_layers", [0, 1, 12])
def test_no_name_appears_twice_on_either_side(num_layers: int) -> None:
    for heads in (
        {"mlm", "nsp"},
        {"mlm", "pooler"},
        {"pooled_classifier"},
        {"classifier"},
        {"span", "pooler"},
        set[str](),
    ):
        rules = rules_of(num_layers, heads)
        ours = [rule.ours for rule in rules]
        theirs = [name for rule in rules for name in rule.theirs]
        assert len(set(ours)) == len(ours)
        assert len(set(theirs)) == len(theirs)
        assert not any("{" in name for name in ours + theirs)
        assert len(theirs) == 5 + 16 * num_layers + sum(COUNTS[head] for head in heads)


@pytest.mark.parametrize(
    ("stored", "full"),
    [
        (["embeddings.LayerNorm.gamma"], ["bert.embeddings.LayerNorm.weight"]),
        (["bert.embeddings.LayerNorm.beta"], ["bert.embeddings.LayerNorm.bias"]),
        (["bert.a.weight", "cls.b.weight"], ["bert.a.weight", "cls.b.weight"]),
        (["a.weight", "cls.b.weight"], ["bert.a.weight", "cls.b.weight"]),
        (["embeddings.position_ids", "a.bias"], ["bert.a.bias"]),
        (["a.weight", "classifier.bias"], ["bert.a.weight", "classifier.bias"]),
        (["a.weight", "qa_outputs.bias"], ["bert.a.weight", "qa_outputs.bias"]),
    ],
)
def test_older_and_bare_names_become_todays(stored: list[str], full: list[str]) -> None:
    assert list(KEYS.canonical(stored, "file")) == full


POOLER, NSP, MLM = (
    "bert.pooler.dense.weight",
    "cls.seq_relationship.weight",
    "cls.predictions.transform.dense.weight",
)
CLASSIFIER, SPAN = "classifier.weight", "qa_outputs.weight"


@pytest.mark.parametrize(
    ("names", "heads"),
    [
        ([], set[str]()),
        ([POOLER], {"pooler"}),
        ([POOLER, NSP], {"nsp"}),
        ([POOLER, MLM], {"mlm", "pooler"}),
        ([CLASSIFIER], {"classifier"}),
        ([CLASSIFIER, POOLER], {"pooled_classifier"}),
        ([SPAN], {"span"}),
        ([SPAN, POOLER], {"span", "pooler"}),
        ([SPAN, CLASSIFIER], {"span"}),
        ([MLM, NSP, POOLER, CLASSIFIER, SPAN], {"mlm", "nsp"}),
    ],
)
def test_heads_are_found_by_their_tensors(names: list[str], heads: set[str]) -> None:
    assert KEYS.found_heads(names) == heads


def test_differences_are_counted_and_listed() -> None:
    expected = {"a": (1,), "b": (2,), "c": (3, 4)}
    with pytest.raises(DataError) as caught:
        compare(expected, {"b": (5,), "c": (3, 4), "d": (1,)}, "place")
    message = str(caught.value)
    assert "place: " in message
    assert "1 missing: a" in message
    assert "1 not expected: d" in message
    assert "b (5,), implied (2,)" in message
    compare(expected, dict(expected), "place")
