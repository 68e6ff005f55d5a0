"""One table of names a family; reading and writing both follow from it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unmask.errors import DataError

_SHOWN = 10
"""Names listed in a message."""


@dataclass(frozen=True)
class Rule:
    """One of our tensors, and theirs whose concatenation along the first axis it is."""

    ours: str
    theirs: tuple[str, ...]

    def at(self, numbers: Mapping[str, int]) -> Rule:
        """The rule with `{layer}`, or whatever a family counts its blocks by, filled in."""
        return Rule(
            self.ours.format_map(numbers), tuple(name.format_map(numbers) for name in self.theirs)
        )

    def renamed(self, before: str, after: str) -> Rule:
        """The rule of another family, whose names begin otherwise."""
        return Rule(
            self.ours,
            tuple(name.replace(before, after, 1) for name in self.theirs),
        )


def linear(ours: str, *theirs: str) -> tuple[Rule, ...]:
    """The rules of a module with weight and bias."""
    return tuple(
        Rule(f"{ours}.{part}", tuple(f"{name}.{part}" for name in theirs))
        for part in ("weight", "bias")
    )


@dataclass(frozen=True)
class KeyTable:
    """How a family's tensors are named here and at Hugging Face."""

    encoder: tuple[Rule, ...]
    """Of the encoder; rules with `{layer}` hold for every block. Of what a config leaves out there
    may be rules all the same."""
    heads: Mapping[str, tuple[Rule, ...]]
    """Of each head, by our name for it."""
    signs: Mapping[str, tuple[str, ...]]
    """The tensors that together tell of each head, in order; a later head yields to its `unless`.
    """
    unless: Mapping[str, tuple[str, ...]]
    """The heads, earlier in `signs`, beside which a head is none of its own: they hold its tensors,
    or nothing has both."""
    sized: Mapping[str, str]
    """The tensor whose rows are the number of outputs, of heads that do not know it themselves."""
    prefix: str
    """What the encoder's names begin with, unless the file holds an encoder alone."""
    outside: tuple[str, ...]
    """Beginnings of the names that never carry the prefix."""
    endings: Mapping[str, str]
    """Older spellings of the last part of a name."""
    tied: Mapping[str, str]
    """Our names that are the same tensor as another of ours, and so are not stored."""
    copies: Mapping[str, str]
    """Their names that some files hold beside the tensor they must equal."""
    ignored: Mapping[str, str]
    """Their names that carry nothing, and why."""
    unused: Mapping[str, tuple[str, ...]]
    """Their names that older files hold although the model reads none of them, by architecture."""

    def standing_on(self, pooler: str) -> KeyTable:
        """The table where a classifier of sequences stands on another `pooler`, by its name."""
        classifier = "heads.pooled_classifier"
        return replace(
            self,
            heads={
                **self.heads,
                "pooled_classifier": (
                    *linear(f"{classifier}.pooler.dense", pooler),
                    *linear(f"{classifier}.classifier", "classifier"),
                ),
            },
            signs={
                **self.signs,
                "pooled_classifier": ("classifier.weight", f"{pooler}.weight"),
            },
            sized={**self.sized, "pooled_classifier": "classifier.weight"},
        )

    def rules(self, blocks: Iterable[Mapping[str, int]], names: Collection[str]) -> list[Rule]:
        """The rule of each of our `names`, in the order of the table.

        `blocks` gives, for each block, the number `layer` that it has here, and others that their
        names count by. A name without a rule is a tied one, or a fault in the table.
        """
        expanded = [rule for rule in self.encoder if "{layer}" not in rule.ours]
        for numbers in blocks:
            expanded += [rule.at(numbers) for rule in self.encoder if "{layer}" in rule.ours]
        for rules in self.heads.values():
            expanded += rules
        known = [rule for rule in expanded if rule.ours in names]
        lacking = set(names) - {rule.ours for rule in known} - self.tied.keys()
        assert not lacking, f"the key table does not fit the model: {sorted(lacking)}"
        return known

    def canonical(self, stored: Iterable[str], place: str) -> dict[str, str]:
        """Today's full spelling of each name in a file, to the name as stored.

        Raises:
            DataError: Two stored names mean the same tensor.
        """
        stored = list(stored)
        bare = not any(name.startswith(self.prefix) for name in stored)
        names: dict[str, str] = {}
        for name in stored:
            full = name
            if bare and not name.startswith(self.outside):
                full = self.prefix + full
            stem, _, ending = full.rpartition(".")
            full = f"{stem}.{self.endings.get(ending, ending)}" if stem else full
            if full in names:
                raise DataError(
                    f"{place}: `{names[full]}` and `{name}` mean the same tensor; expected one."
                )
            names[full] = name
        return {full: name for full, name in names.items() if full not in self.ignored}

    def found_heads(self, names: Collection[str]) -> frozenset[str]:
        """The heads whose tensors are among the canonical names."""
        found: set[str] = set()
        for head, signs in self.signs.items():
            is_there = all(sign in names for sign in signs)
            if is_there and found.isdisjoint(self.unless.get(head, ())):
                found.add(head)
        return frozenset(found)


def compare(
    expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]], place: str
) -> None:
    """Names and shapes that a config implies against those that are there.

    Raises:
        DataError: They differ; the first of each kind are listed.
    """
    complaints = _listed("missing", (name for name in expected if name not in found))
    complaints += _listed("not expected", (name for name in found if name not in expected))
    complaints += _listed(
        "of another shape than config.json implies",
        (
            f"{name} {found[name]}, implied {shape}"
            for name, shape in expected.items()
            if name in found and found[name] != shape
        ),
    )
    if complaints:
        raise DataError(
            f"{place}: the tensors do not fit config.json: {'; '.join(complaints)}. "
            "Check that both files come from the same model, and that it is an encoder, alone "
            "or with one of transformers' heads for pretraining or fine-tuning."
        )


def _listed(title: str, names: Iterable[str]) -> list[str]:
    everything = list(names)
    if not everything:
        return []
    rest = f", and {len(everything) - _SHOWN} more" if len(everything) > _SHOWN else ""
    return [f"{len(everything)} {title}: {', '.join(everything[:_SHOWN])}{rest}"]


def implied_shapes(
    rules: Iterable[Rule], shapes: Mapping[str, torch.Size]
) -> dict[str, tuple[int, ...]]:
    """Their names and shapes, from the shapes of ours."""
    implied: dict[str, tuple[int, ...]] = {}
    for rule in rules:
        rows, *columns = shapes[rule.ours]
        for name in rule.theirs:
            implied[name] = (rows // len(rule.theirs), *columns)
    return implied


def to_ours(rules: Iterable[Rule], read: Callable[[str], Tensor]) -> dict[str, Tensor]:
    """Our tensors by our names; `read` gives one of theirs by its canonical name."""
    return {
        rule.ours: torch.cat([read(name) for name in rule.theirs])
        if len(rule.theirs) > 1
        else read(rule.theirs[0])
        for rule in rules
    }


def to_theirs(rules: Iterable[Rule], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors by their canonical names; each is a view of ours."""
    return {
        name: part
        for rule in rules
        for name, part in zip(rule.theirs, state[rule.ours].chunk(len(rule.theirs)), strict=True)
    }
