"""MTEB's own evaluation of tasks that are defined here."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmask.infer.engine import load
from unmask.infer.mteb import MTEBEncoder
from unmask.tasks.metrics import similarity

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    mteb = pytest.importorskip("mteb")
    import datasets
    from mteb.abstasks.sts import AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.models.models_protocols import EncoderProtocol

from .conftest import SENTENCES

PAIRS = [(SENTENCES[0], SENTENCES[1]), (SENTENCES[0], SENTENCES[0]), ("the cat", "the dog"),
         ("an old man", "the old man"), ("the sea", "is it")]  # fmt: skip
SCORES = [1.0, 5.0, 2.5, 4.0, 0.5]


class LocalSTS(AbsTaskSTS):  # type: ignore[misc]
    """Five pairs, from memory."""

    metadata = TaskMetadata(
        name="LocalSTS",
        dataset={"path": "local/sts", "revision": "1"},
        description="Pairs of a test.",
        reference=None,
        type="STS",
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score="cosine_spearman",
        date=None,
        domains=None,
        task_subtypes=None,
        license=None,
        annotations_creators=None,
        dialect=None,
        sample_creation=None,
        bibtex_citation=None,
    )
    min_score = 0
    max_score = 5

    def load_data(self, **_: Any) -> None:
        first, second = zip(*PAIRS, strict=True)
        rows = {"sentence1": list(first), "sentence2": list(second), "score": SCORES}
        self.dataset = datasets.DatasetDict({"test": datasets.Dataset.from_dict(rows)})
        self.data_loaded = True


@pytest.mark.filterwarnings("ignore")
def test_mteb_measures_what_we_do(folder: Path) -> None:
    engine = load(folder)
    model = MTEBEncoder(engine)
    assert isinstance(model, EncoderProtocol)

    found = mteb.evaluate(
        model, [LocalSTS()], cache=None, show_progress_bar=False, encode_kwargs={"batch_size": 2}
    )

    (scores,) = found.task_results[0].scores["test"]
    one, other = (engine.encode(list(side)) for side in zip(*PAIRS, strict=True))
    expected = similarity.scores(one, other, np.array(SCORES), ["cosine"])
    assert scores["cosine_spearman"] == pytest.approx(expected["spearman_cosine"], abs=1e-6)
    assert scores["cosine_pearson"] == pytest.approx(expected["pearson_cosine"], abs=1e-6)


def test_the_most_special_prompt_counts(folder: Path) -> None:
    model = MTEBEncoder(load(folder))
    model.engine.__class__ = type("Prompted", (model.engine.__class__,), {"prompts": {}})
    names = {"SciFact-query": "a", "SciFact": "b", "Retrieval": "c", "query": "d", "passage": "e"}
    cases = [
        ("SciFact", "Retrieval", "query", "SciFact-query"),
        ("SciFact", "Retrieval", "document", "SciFact"),
        ("Other", "Retrieval", "query", "Retrieval"),
        ("Other", "STS", "query", "query"),
        ("Other", "STS", "document", "passage"),
        ("Other", "STS", None, None),
    ]
    type(model.engine).prompts = names  # type: ignore[assignment,method-assign]
    for task, kind, side, expected in cases:
        assert model._prompt_name(task, kind, side) == expected
