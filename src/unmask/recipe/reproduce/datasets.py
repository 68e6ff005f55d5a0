"""The published data sets by name: where their files lie, and what is trained and tested on."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import Example, QuestionExample, TextExample
from unmask.data.labelled.reading import read_questions, read_tagged, read_texts
from unmask.data.labelled.splitting import split
from unmask.data.rejects import Rejects
from unmask.errors import DataError
from unmask.recipe.examples import SPLIT_SEED

HELD_OUT_RATE = 0.1
"""Share of the training examples to choose by, where a data set has no part of its own for that."""
MRPC_HELD_OUT = 408
"""As many as GLUE holds out; which ones was not published, so they are the last ones here."""
SQUAD_TRAIN, SQUAD_TEST = 12, 4
"""Articles of the file, from its beginning and from its end."""

_E = TypeVar("_E", bound=Example)


@dataclass(frozen=True)
class Parts:
    """What is learned from, what is chosen by, and what is scored once."""

    train: Sequence[Example]
    validation: Sequence[Example]
    test: Sequence[Example]


@dataclass(frozen=True)
class DataSet:
    """A data set, its task, and the figures that are told of it."""

    title: str
    task: Literal["classification", "tagging", "qa"]
    files: tuple[str, ...]
    """Below the folder of data."""
    parts: Callable[[Sequence[Path]], Parts]
    """Out of these files, in their order."""
    shown: tuple[str, ...] = ("accuracy",)
    """The test scores of the tables; the best weights are chosen by the first."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The task's own settings."""
    rule: str = "as published"
    """What the parts are, for people."""


def missing(dataset: DataSet, data: Path) -> list[str]:
    """The files that are not there."""
    return [name for name in dataset.files if not (data / name).is_file()]


def divided(dataset: DataSet, data: Path) -> Parts:
    """The examples of each part.

    Raises:
        DataError: A file that cannot be read, or that is not the published one.
    """
    return dataset.parts([data / name for name in dataset.files])


_PLAIN: Mapping[str, Any] = {}
"""What needs no settings to be read."""
_RELATIONS = ("entailment", "neutral", "contradiction")


def _texts(path: Path, settings: Mapping[str, Any] = _PLAIN) -> list[TextExample]:
    return _read(read_texts, path, settings)


def _read(
    reader: Callable[[Path, LabelledConfig, Rejects], Any], path: Path, settings: Mapping[str, Any]
) -> list[Any]:
    config = LabelledConfig.model_validate(settings)
    with Rejects(config.max_reject_rate) as rejects:
        return list(reader(path, config, rejects))


def _three(
    reader: Callable[[Path, LabelledConfig, Rejects], Any], settings: Mapping[str, Any] = _PLAIN
) -> Callable[[Sequence[Path]], Parts]:
    """A file for each part."""
    return lambda paths: Parts(*(_read(reader, path, settings) for path in paths))


def _held_out(examples: Sequence[_E], test: Sequence[_E]) -> Parts:
    kept, held = split(examples, HELD_OUT_RATE, SPLIT_SEED)  # type: ignore[type-var]
    return Parts(kept, held, test)


def _two(settings: Mapping[str, Any] = _PLAIN) -> Callable[[Sequence[Path]], Parts]:
    """Files to train on and to test on; some of the former are held out."""
    return lambda paths: _held_out(*(_texts(path, settings) for path in paths))


def _cola(paths: Sequence[Path]) -> Parts:
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(paths[0]) as archive:

        def part(name: str) -> list[TextExample]:
            found = _texts(Path(archive.extract(f"cola_public/raw/{name}.tsv", folder)))
            return [replace(one, id=f"{name}:{one.id}") for one in found]  # else lines, from 1

        try:
            train, *test = map(part, ("in_domain_train", "in_domain_dev", "out_of_domain_dev"))
        except KeyError as error:
            raise DataError(f"{paths[0]}: {error.args[0]}. Expected CoLA's public files.") from None
    return _held_out(train, [example for some in test for example in some])


def _mrpc(paths: Sequence[Path]) -> Parts:
    train, test = (_texts(path) for path in paths)
    return Parts(train[:-MRPC_HELD_OUT], train[-MRPC_HELD_OUT:], test)


def _squad(paths: Sequence[Path], *, answerable_only: bool) -> Parts:
    found: list[QuestionExample] = _read(read_questions, paths[0], {})
    titles = list(dict.fromkeys(example.title for example in found))
    if len(titles) < SQUAD_TRAIN + SQUAD_TEST:
        raise DataError(
            f"{paths[0]}: holds {len(titles)} articles; expected {SQUAD_TRAIN + SQUAD_TEST}, the "
            "half of SQuAD 2.0's development set that CS224n trains its students on."
        )
    if answerable_only:
        found = [example for example in found if example.answers]
    test = {*titles[-SQUAD_TEST:]}
    train = {*titles[:SQUAD_TRAIN]} - test
    return _held_out(
        [example for example in found if example.title in train],
        [example for example in found if example.title in test],
    )


def _answerable(paths: Sequence[Path]) -> Parts:
    return _squad(paths, answerable_only=True)


def _with_unanswerable(paths: Sequence[Path]) -> Parts:
    return _squad(paths, answerable_only=False)


def _numbered(stem: str, *names: str) -> tuple[str, ...]:
    return tuple(stem.format(name) for name in names)


_CARVED = "tenth of train held out; published development set as test"
_ARTICLES = "first 12 articles as train, a tenth of it by article held out; last 4 as test"
_SQUAD_FILE = ("squad2-cs224n/dev-v2.0.json",)

DATA_SETS: dict[str, DataSet] = {
    "sst2": DataSet(
        "SST-2, sentences",
        "classification",
        _numbered("sst2/sentences/{}.tsv", "train", "dev", "test"),
        _three(read_texts),
    ),
    "cola": DataSet(
        "CoLA",
        "classification",
        ("cola/cola_public.zip",),
        _cola,
        ("matthews_corrcoef", "accuracy"),
        rule=_CARVED,
    ),
    "rte": DataSet(
        "RTE", "classification", _numbered("rte/{}.tsv", "train", "dev"), _two(), rule=_CARVED
    ),
    "mrpc": DataSet(
        "MRPC",
        "classification",
        _numbered("mrpc/msr_paraphrase_{}.txt", "train", "test"),
        _mrpc,
        ("accuracy", "f1"),
        rule="last 408 rows of train held out; published test",
    ),
    "stsb": DataSet(
        "STS-B",
        "classification",
        _numbered("stsb/stsb-en-{}.csv", "train", "dev", "test"),
        _three(
            read_texts,
            {
                "labels": "number",
                "label_range": (0, 5),
                "columns": {"text": 0, "text_pair": 1, "label": 2},
            },
        ),
        ("spearman", "pearson"),
        settings={"kind": "regression"},
    ),
    "snli": DataSet(
        "SNLI",
        "classification",
        _numbered("snli/{}.tsv.gz", "validation", "test"),
        _two({"columns": {"group": "premise"}, "class_names": _RELATIONS}),
        rule="development set as train, a tenth of it by premise held out; published test",
    ),
    "agnews": DataSet(
        "AG News, descriptions",
        "classification",
        _numbered("agnews/{}.tsv.gz", "dev", "test"),
        _two(),
        rule="10,001 of the published train as train, a tenth of it held out; published test",
    ),
    "ud-ewt": DataSet(
        "UD English EWT, UPOS",
        "tagging",
        _numbered("ud-ewt/en_ewt-ud-{}.conllu.gz", "train", "dev", "test"),
        _three(read_tagged),
    ),
    "wnut17": DataSet(
        "WNUT-17",
        "tagging",
        ("wnut17/wnut17train.conll", "wnut17/emerging.dev.conll", "wnut17/emerging.test.annotated"),
        _three(read_tagged),
        ("f1", "strict_f1"),
    ),
    "ncbi-disease": DataSet(
        "NCBI-disease",
        "tagging",
        _numbered("ncbi-disease/{}.tsv", "train", "devel", "test"),
        _three(read_tagged),
        ("f1", "strict_f1"),
    ),
    "squad2-answerable": DataSet(
        "SQuAD 2.0, answerable only",
        "qa",
        _SQUAD_FILE,
        _answerable,
        ("f1", "exact"),
        settings={"unanswerable": False},
        rule=_ARTICLES,
    ),
    "squad2": DataSet(
        "SQuAD 2.0",
        "qa",
        _SQUAD_FILE,
        _with_unanswerable,
        ("f1", "exact"),
        settings={"unanswerable": True},
        rule=_ARTICLES,
    ),
}
"""By the name that `--only` takes."""
