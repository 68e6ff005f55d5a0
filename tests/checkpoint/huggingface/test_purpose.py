"""Whether config.json, unmask.json and the weights agree on what the head is for."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.describe import describe
from unmask.checkpoint.huggingface.survey import MAX_OUTPUTS
from unmask.errors import DataError
from unmask.tasks.masked_lm import MaskedLM

pytestmark = pytest.mark.usefixtures("known_tasks")
TAGS = ("O", "B", "I")


@pytest.fixture
def write(
    make_bundle: Callable[..., Bundle], make_task: Callable[..., Any], tmp_path: Path
) -> Callable[..., Path]:
    """A folder as another tool leaves it: without manifest and, unless `keep`, unmask.json."""

    def make(*fields: Any, keep: bool = False, heads: tuple[str, ...] = ()) -> Path:
        folder = tmp_path / "model"
        native.save(make_bundle(heads, task=make_task(*fields) if fields else None), folder)
        (folder / "MANIFEST.json").unlink()
        if not keep:
            (folder / "unmask.json").unlink(missing_ok=True)
        return folder

    return make


def change(file: Path, **fields: Any) -> None:
    kept = json.loads(file.read_text()) | fields
    file.write_text(json.dumps({name: value for name, value in kept.items() if value != "DELETE"}))


def change_weights(folder: Path, **tensors: torch.Tensor) -> None:
    file = folder / "model.safetensors"
    save_file({**load_file(file), **{n.replace("__", "."): t for n, t in tensors.items()}}, file)


def refuse(folder: Path, match: str) -> None:
    """Loading and describing fail with the same one line that names the folder."""
    messages = set()
    for reading in (native.load, describe):
        with pytest.raises(DataError, match=match) as caught:
            reading(folder)
        messages.add(str(caught.value))
    [message] = messages
    assert str(folder) in message
    assert "\n" not in message
    assert len(message) < 2000


@pytest.mark.parametrize(
    "fields",
    [
        ("pooled_classifier", ("no", "yes"), "regression", "SequenceClassification"),
        ("pooled_classifier", (), None, "MultipleChoice"),
        ("classifier", TAGS, None, "TokenClassification"),
        ("classifier", TAGS, "multi_label_classification", None),
        ("span", (), None, "QuestionAnswering"),
    ],
    ids=str,
)
def test_another_tools_model_gets_the_task_that_its_files_tell_of(
    write: Callable[..., Path], make_task: Callable[..., Any], fields: tuple[Any, ...]
) -> None:
    assert native.load(write(*fields)).task == make_task(*fields)


def test_labels_without_names_are_numbered(write: Callable[..., Path]) -> None:
    folder = write("classifier", TAGS, None, "TokenClassification")
    change(folder / "config.json", id2label="DELETE", label2id="DELETE")
    task: Any = native.load(folder).task
    assert task.labels == ("LABEL_0", "LABEL_1", "LABEL_2")


@pytest.mark.parametrize(
    ("head", "architecture"),
    [("classifier", "TokenClassification"), ("span", "QuestionAnswering")],
)
def test_the_pooler_of_an_older_file_is_left_out(
    write: Callable[..., Path], head: str, architecture: str
) -> None:
    folder = write(head, TAGS if head == "classifier" else (), None, architecture)
    pooler = {"bert__pooler__dense__weight": torch.ones(8, 8)}
    change_weights(folder, **pooler, bert__pooler__dense__bias=torch.ones(8))
    assert set(native.load(folder).model.heads) == {head}
    assert describe(folder)["heads"] == [head]


def test_without_an_architecture_the_tensors_decide(write: Callable[..., Path]) -> None:
    folder = write("classifier", TAGS, None, "TokenClassification")
    change(folder / "config.json", architectures=None)
    assert set(native.load(folder).model.heads) == {"classifier"}
    change_weights(
        folder,
        bert__pooler__dense__weight=torch.ones(8, 8),
        bert__pooler__dense__bias=torch.ones(8),
    )
    assert set(native.load(folder).model.heads) == {"pooled_classifier"}


def test_an_encoder_under_a_classifiers_name_is_read_with_a_warning(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = write(heads=("pooler",))
    change(folder / "config.json", architectures=["BertForSequenceClassification"])
    bundle = native.load(folder)
    assert (set(bundle.model.heads), bundle.task) == ({"pooler"}, None)
    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "the weights hold no such head" in record.message


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"id2label": {str(i): str(i) for i in range(9)}}, "names 9 labels, .* has 3 rows"),
        ({"id2label": "DELETE", "num_labels": 9}, "`num_labels` is 9, .* has 3 rows"),
        ({"problem_type": "guessing"}, '`problem_type` is "guessing"'),
        ({"architectures": "BertModel"}, '`architectures` is "BertModel"; expected a list'),
        ({"architectures": [["BertModel"]]}, "`architectures` is"),
        (
            {"architectures": ["BertForQuestionAnswering"]},
            "names BertForQuestionAnswering, which needs a span head, .* hold a classifier head",
        ),
        (
            {"architectures": ["BertForSequenceClassification"]},
            "needs a pooled_classifier head, .* hold a classifier head",
        ),
    ],
    ids=str,
)
def test_a_config_that_does_not_fit_the_head_is_refused(
    write: Callable[..., Path], fields: dict[str, Any], match: str
) -> None:
    folder = write("classifier", TAGS, None, "TokenClassification")
    change(folder / "config.json", **fields)
    refuse(folder, match)


def test_a_choice_of_two_scores_is_refused(write: Callable[..., Path]) -> None:
    folder = write("pooled_classifier", ("a", "b"), None, "SequenceClassification")
    change(folder / "config.json", architectures=["BertForMultipleChoice"])
    refuse(folder, "gives one score a choice, but the classifier has 2 rows")


@pytest.mark.parametrize(
    ("task", "match"),
    [
        (3, "`task` is 3; expected an object"),
        ({}, r"unmask\.json: `task` is none of labelled"),
        ({"name": "unknown"}, r"unmask\.json: `task` is none of labelled"),
        (
            {"name": "labelled", "head": "span", "labels": []},
            "needs a span head; found: classifier",
        ),
        ({"name": "labelled", "head": "mlm", "labels": []}, "needs a mlm head; found: classifier"),
        (
            {"name": "labelled", "head": "classifier", "labels": list("abcdefg")},
            "has 7 outputs, but the classifier has 3 rows",
        ),
        (
            {"name": "labelled", "head": "classifier", "labels": ["O", "I", "B"]},
            r"config\.json \(`id2label`\) has \"B\" where unmask\.json \(`task`\) has \"I\"",
        ),
        (
            {"name": "labelled", "head": "classifier", "labels": ["O", 7, "I"]},
            "the task `labelled` has 7 for class 1",
        ),
    ],
    ids=str,
)
def test_a_stored_task_that_does_not_fit_the_folder_is_refused(
    write: Callable[..., Path], task: object, match: str
) -> None:
    folder = write("classifier", TAGS, None, "TokenClassification", keep=True)
    change(folder / "unmask.json", task=task)
    refuse(folder, match)


def test_a_fine_tuned_task_beside_pretrained_weights_is_refused(write: Callable[..., Path]) -> None:
    folder = write(heads=("mlm",))
    task = {"name": "labelled", "head": "pooled_classifier", "labels": ["a", "b"]}
    (folder / "unmask.json").write_text(json.dumps({"task": task}))
    refuse(folder, "needs a pooled_classifier head; found: mlm")


def test_a_pretraining_task_may_be_stored_but_the_heads_decide(
    write: Callable[..., Path],
) -> None:
    folder = write(heads=("mlm",))
    stored = {"name": "masked_lm", "next_sentence": True}
    (folder / "unmask.json").write_text(json.dumps({"task": stored}))
    task = native.load(folder).task
    assert isinstance(task, MaskedLM)
    assert not task.next_sentence


def test_which_pairs_were_trained_on_is_stored(write: Callable[..., Path]) -> None:
    folder = write(heads=("mlm", "nsp"))
    stored = {"name": "masked_lm", "next_sentence": False, "sentence_order": True}
    (folder / "unmask.json").write_text(json.dumps({"task": stored}))
    task = native.load(folder).task
    assert isinstance(task, MaskedLM)
    assert task.pair_term == "sop"


def test_a_pretraining_task_without_its_head_is_refused(
    write: Callable[..., Path],
) -> None:
    folder = write("classifier", TAGS, None, "TokenClassification")
    (folder / "unmask.json").write_text(json.dumps({"task": {"name": "masked_lm"}}))
    refuse(folder, "the task `masked_lm` needs a mlm head; found: classifier")


@pytest.mark.parametrize("shape", [(0, 8), (MAX_OUTPUTS + 1, 0), (2**40, 0), ()], ids=str)
def test_an_absurd_number_of_labels_is_refused_before_anything_is_made_for_them(
    write: Callable[..., Path], shape: tuple[int, ...]
) -> None:
    folder = write("classifier", TAGS, None, "TokenClassification")
    empty = torch.empty(shape) if math.prod(shape) else torch.empty(0).as_strided(shape, (0, 0))
    change_weights(folder, classifier__weight=empty.clone() if not shape else empty)
    refuse(folder, "expected 1 to 100000 rows")


def test_a_classifier_of_another_width_is_refused(write: Callable[..., Path]) -> None:
    folder = write("classifier", TAGS, None, "TokenClassification")
    change_weights(folder, classifier__weight=torch.zeros(3, 9))
    refuse_shape = r"classifier\.weight \(3, 9\), implied \(3, 8\)"
    with pytest.raises(DataError, match=refuse_shape):
        native.load(folder)


def test_a_question_answering_head_has_two_rows(write: Callable[..., Path]) -> None:
    folder = write("span", (), None, "QuestionAnswering")
    change_weights(folder, qa_outputs__weight=torch.zeros(3, 8), qa_outputs__bias=torch.zeros(3))
    with pytest.raises(DataError, match=r"qa_outputs\.weight \(3, 8\), implied \(2, 8\)"):
        native.load(folder)


def test_two_heads_of_which_one_is_known_are_listed(write: Callable[..., Path]) -> None:
    folder = write("span", (), None, "QuestionAnswering")
    change_weights(folder, classifier__weight=torch.zeros(3, 8))
    with pytest.raises(DataError, match=r"1 not expected: classifier\.weight"):
        native.load(folder)
