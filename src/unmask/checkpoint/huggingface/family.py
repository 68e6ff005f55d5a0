"""What translates one family between Hugging Face's folders and our modules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from unmask.checkpoint.huggingface.keys import KeyTable
from unmask.models.config import EncoderConfig

MEAN_POOLED = {
    "classification": "SequenceClassification",
    "reranking": "SequenceClassification",
    "multiple-choice": "MultipleChoice",
}
"""By task, what it calls its architecture with its pooling left out of account."""

KINDS = ("SequenceClassification", "TokenClassification", "QuestionAnswering", "MultipleChoice")
"""What tasks call the classes that transformers has for them."""
_PLAIN = {
    frozenset[str](): "Model",
    frozenset({"mlm"}): "ForMaskedLM",
    frozenset({"pooled_classifier"}): "ForSequenceClassification",
    frozenset({"classifier"}): "ForTokenClassification",
    frozenset({"span"}): "ForQuestionAnswering",
}
WITH_POOLER = {
    frozenset({"pooler"}): "Model",
    frozenset({"mlm", "pooler"}): "ForMaskedLM",
    frozenset({"span", "pooler"}): "ForQuestionAnswering",
}
"""Of families whose encoder has a pooler of its own, which may come along unread."""


def architectures(
    family: str, besides: Mapping[frozenset[str], str] | None = None
) -> dict[frozenset[str], str]:
    """transformers' classes of a family, whose names begin with it, by heads.

    `besides` says how the names end of those that not every family has.
    """
    return {heads: f"{family}{end}" for heads, end in {**_PLAIN, **(besides or {})}.items()}


def fine_tuned(family: str, kinds: Iterable[str] = KINDS) -> dict[str, str]:
    """transformers' classes of a family by what tasks call them."""
    return {kind: f"{family}For{kind}" for kind in kinds}


@dataclass(frozen=True)
class Spelling:
    """Settings that are not one of our fields each."""

    names: frozenset[str] = frozenset()
    """Theirs."""
    read: Callable[[Mapping[str, Any], str], dict[str, Any]] = lambda _given, _place: {}
    """Our fields from their config.json, of which the place is told in messages."""
    write: Callable[[Any], dict[str, Any]] = lambda _config: {}
    """Their settings from our config."""


def numbered(config: EncoderConfig) -> Iterable[Mapping[str, int]]:
    """Blocks that their names count as we do."""
    return [{"layer": layer} for layer in range(config.num_blocks)]


def as_configured(config: EncoderConfig, _names: Collection[str]) -> EncoderConfig:
    """A config that says everything itself."""
    return config


def one_spelling(_config: EncoderConfig, keys: KeyTable) -> KeyTable:
    """Names that no config changes."""
    return keys


def all_read(_config: EncoderConfig, _names: Collection[str]) -> Mapping[str, str]:
    """Folders that hold nothing but what is read."""
    return {}


@dataclass(frozen=True)
class Family:
    """Everything that translates one family."""

    config: type[EncoderConfig]
    fields: Mapping[str, str]
    """Their name of each config field by ours."""
    fixed: Mapping[str, object]
    """Their settings of which one value only is built here."""
    keys: KeyTable
    architectures: Mapping[frozenset[str], str]
    """transformers' class by heads; the encoder's own is the one without heads."""
    fine_tuned: Mapping[str, str]
    """transformers' class by what a task calls its architecture, such as "TokenClassification"."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """By our name, what a missing field means there, where our default is another."""
    spelling: Spelling = field(default_factory=Spelling)
    """Of what `fields` does not translate."""
    pooling_field: str | None = None
    """Their setting that says whether a classifier of sequences reads the first token ("cls") or
    all of them ("mean"); None where their classes know the first alone."""
    keys_by_kind: Mapping[str, KeyTable] = field(default_factory=dict)
    """Other tables, for what a task calls its architecture, where it names its head otherwise."""
    blocks: Callable[[Any], Iterable[Mapping[str, int]]] = numbered
    """How their names count the blocks of a config, see `KeyTable.rules`."""
    as_found: Callable[[Any, Collection[str]], EncoderConfig] = as_configured
    """The config with what the weights' canonical names tell besides."""
    as_written: Callable[[Any, KeyTable], KeyTable] = one_spelling
    """The table with the spelling that a config asks for."""
    unread: Callable[[Any, Collection[str]], Mapping[str, str]] = all_read
    """Their names, of those given, that a model of this config does not read, and why."""

    def kind_of(
        self, architecture: str | None, given: Mapping[str, Any] | None = None
    ) -> str | None:
        """What a task calls transformers' class; None for one of pretraining, or none of ours.

        Where config.json, which is `given`, says that sequences are read by their mean, the kind is
        another one, beginning with "Mean".
        """
        found = {theirs: ours for ours, theirs in self.fine_tuned.items()}.get(architecture or "")
        is_mean = (given or {}).get(self.pooling_field or "") == "mean"
        return f"Mean{found}" if is_mean and found in MEAN_POOLED.values() else found

    def spelled(self, before: str, after: str, config: type[EncoderConfig]) -> Family:
        """The same for a family whose classes alone are called otherwise."""
        return replace(
            self,
            config=config,
            architectures={
                heads: name.replace(before, after, 1) for heads, name in self.architectures.items()
            },
            fine_tuned={
                kind: name.replace(before, after, 1) for kind, name in self.fine_tuned.items()
            },
        )

    def keys_of(self, kind: str | None, config: EncoderConfig) -> KeyTable:
        """The table for what a task calls its architecture."""
        return self.as_written(config, self.keys_by_kind.get(kind or "", self.keys))
