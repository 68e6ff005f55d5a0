"""The peer's side of fine-tuning: data prepared as transformers' own examples prepare it.

run_glue, run_ner, run_swag and run_qa of transformers' examples/pytorch. Files are read by the
standard library alone, and no code of ours is involved.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from transformers import (
    AutoConfig,
    AutoModelForMultipleChoice,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    DataCollatorForMultipleChoice,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    PreTrainedTokenizerBase,
)

Record = dict[str, Any]
Features = list[dict[str, Any]]

LONGEST = 512
WINDOW, STRIDE = 384, 128
MODELS: dict[str, Any] = {
    "classification": AutoModelForSequenceClassification,
    "multiple-choice": AutoModelForMultipleChoice,
    "tagging": AutoModelForTokenClassification,
    "qa": AutoModelForQuestionAnswering,
}
COLLATORS: dict[str, Any] = {
    "classification": DataCollatorWithPadding,
    "multiple-choice": DataCollatorForMultipleChoice,
    "tagging": DataCollatorForTokenClassification,
    "qa": DataCollatorWithPadding,
}


def records(path: Path) -> list[Record]:
    """JSON lines, CoNLL columns, CoNLL-U's words and UPOS, or SQuAD's questions."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.split("\n") if line]
    if path.suffix == ".json":
        return [
            {**question, "context": paragraph["context"]}
            for article in json.loads(text)["data"]
            for paragraph in article["paragraphs"]
            for question in paragraph["qas"]
        ]
    word, tag = (0, 1) if path.suffix == ".conll" else (1, 3)
    found = []
    for block in text.strip("\n").split("\n\n"):
        rows = [line.split("\t") for line in block.split("\n") if "\t" in line]
        found.append({"words": [row[word] for row in rows], "tags": [row[tag] for row in rows]})
    return found


def model(task: str, folder: Path, labels: Sequence[str], **settings: Any) -> Any:
    """The pretrained encoder under transformers' head for the task."""
    names: dict[str, Any] = {}
    if task in ("classification", "tagging"):
        names["num_labels"] = max(1, len(labels))
    if task == "classification" and len(labels) == 1:
        names["problem_type"] = "regression"
    config = AutoConfig.from_pretrained(folder, **names, **settings)
    if len(labels) > 1:
        config.id2label = dict(enumerate(labels))
        config.label2id = {name: i for i, name in enumerate(labels)}
    return MODELS[task].from_pretrained(folder, config=config)


def features(
    task: str, some: Sequence[Record], tokenizer: PreTrainedTokenizerBase, labels: Sequence[str]
) -> Features:
    """What the collator is given, one a sequence (of multiple choice, one a question)."""
    return _MAKERS[task](some, tokenizer, labels)


def _classified(
    some: Sequence[Record], tokenizer: PreTrainedTokenizerBase, labels: Sequence[str]
) -> Features:
    texts = [[one["text"] for one in some]]
    if "text_pair" in some[0]:
        texts.append([one["text_pair"] for one in some])
    encoded = tokenizer(*texts, truncation=True, max_length=LONGEST)
    numbers = {name: i for i, name in enumerate(labels)}
    return [
        {
            **{name: values[i] for name, values in encoded.items()},
            "label": one["label"] if len(labels) == 1 else numbers[one["label"]],
        }
        for i, one in enumerate(some)
    ]


def _tagged(
    some: Sequence[Record], tokenizer: PreTrainedTokenizerBase, labels: Sequence[str]
) -> Features:
    encoded = tokenizer(
        [one["words"] for one in some],
        truncation=True,
        max_length=LONGEST,
        is_split_into_words=True,
    )
    numbers = {name: i for i, name in enumerate(labels)}
    found = []
    for i, one in enumerate(some):
        before, row = None, []
        for word in encoded.word_ids(i):
            is_first = word is not None and word != before
            row.append(numbers[one["tags"][word]] if is_first else -100)
            before = word
        found.append({**{name: values[i] for name, values in encoded.items()}, "labels": row})
    return found


def _chosen(
    some: Sequence[Record], tokenizer: PreTrainedTokenizerBase, _labels: Sequence[str]
) -> Features:
    found = []
    for one in some:
        choices = one["choices"]
        encoded = tokenizer(
            [one["text"]] * len(choices), list(choices), truncation=True, max_length=LONGEST
        )
        found.append({**dict(encoded), "label": one["label"]})
    return found


def _asked(
    some: Sequence[Record], tokenizer: PreTrainedTokenizerBase, _labels: Sequence[str]
) -> Features:
    encoded = tokenizer(
        [one["question"].lstrip() for one in some],
        [one["context"] for one in some],
        truncation="only_second",
        max_length=WINDOW,
        stride=STRIDE,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    owners = encoded.pop("overflow_to_sample_mapping")
    offsets = encoded.pop("offset_mapping")
    found = []
    for i, owner in enumerate(owners):
        start, end = _positions(some[owner], offsets[i], encoded.sequence_ids(i))
        row = {name: values[i] for name, values in encoded.items()}
        found.append({**row, "start_positions": start, "end_positions": end})
    return found


def _positions(
    one: Record, offsets: Sequence[tuple[int, int]], sequence_ids: Sequence[int | None]
) -> tuple[int, int]:
    """First and last token of the first answer, or [CLS] where this window does not hold it."""
    if not one["answers"]:
        return 0, 0
    answer = one["answers"][0]
    begin, stop = answer["answer_start"], answer["answer_start"] + len(answer["text"])
    first = sequence_ids.index(1)
    last = len(sequence_ids) - 1 - list(reversed(sequence_ids)).index(1)
    if not (offsets[first][0] <= begin and offsets[last][1] >= stop):
        return 0, 0
    start, end = first, last
    while start < len(offsets) and start <= last and offsets[start][0] <= begin:
        start += 1
    while offsets[end][1] >= stop:
        end -= 1
    return start - 1, end + 1


_MAKERS: dict[str, Callable[..., Features]] = {
    "classification": _classified,
    "multiple-choice": _chosen,
    "tagging": _tagged,
    "qa": _asked,
}


def parameter_groups(built: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Decay for all but biases and norms, as the Trainer groups them."""
    kept = [p for n, p in built.named_parameters() if "bias" in n or "LayerNorm" in n]
    ids = {id(parameter) for parameter in kept}
    others = [parameter for parameter in built.parameters() if id(parameter) not in ids]
    return [
        {"params": others, "weight_decay": weight_decay},
        {"params": kept, "weight_decay": 0.0},
    ]
