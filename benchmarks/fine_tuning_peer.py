"""The peer's side of fine_tuning.py: one task with one seed, by transformers in a plain loop.

Dynamic padding, fused AdamW without decay of biases and norms, clipping at 1, linear warm-up and
decay: what run_glue_no_trainer and run_ner_no_trainer do.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peer_tasks
import torch
import transformers
from torch.utils.data import DataLoader
from transformers import AutoTokenizer, get_linear_schedule_with_warmup, set_seed

from unmask.tasks.metrics import spans

TEST_BATCH_SIZE = 32


def labels_of(task: str, some: Sequence[peer_tasks.Record]) -> list[str]:
    if task == "tagging":
        return sorted({tag for one in some for tag in one["tags"]})
    return sorted({one["label"] for one in some})


def trained(arguments: argparse.Namespace, labels: Sequence[str], tokenizer: Any) -> Any:
    """The model after the last epoch."""
    some = peer_tasks.records(arguments.train)
    found = peer_tasks.features(arguments.task, some, tokenizer, labels)
    built = peer_tasks.model(arguments.task, arguments.model, labels).train()
    data_set: Any = found  # any list is one there
    loader: Any = DataLoader(
        data_set,
        batch_size=arguments.batch_size,
        shuffle=True,
        collate_fn=peer_tasks.COLLATORS[arguments.task](tokenizer),
    )
    groups = peer_tasks.parameter_groups(built, arguments.decay)
    optimizer = torch.optim.AdamW(groups, lr=arguments.rate, fused=True)
    steps = round(arguments.epochs * len(loader))
    schedule = get_linear_schedule_with_warmup(optimizer, round(arguments.warmup * steps), steps)
    begun, taken = time.monotonic(), 0
    while taken < steps:
        for batch in loader:
            built(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(built.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            taken += 1
            if taken % 10 == 0:
                left = (time.monotonic() - begun) / taken * (steps - taken)
                print(f"step {taken} of {steps}, {left / 60:.1f} minutes left", file=sys.stderr)
            if taken == steps:
                break
    return built.eval()


@torch.inference_mode()
def predicted(
    task: str,
    built: Any,
    some: Sequence[peer_tasks.Record],
    labels: Sequence[str],
    tokenizer: Any,
) -> list[Any]:
    """The best label of each text, or of each word; a word without any token is `O`, or else X."""
    texts = [{**one, **_known(task, one, labels)} for one in some]
    found = peer_tasks.features(task, texts, tokenizer, labels)
    collate = peer_tasks.COLLATORS[task](tokenizer)
    answers: list[Any] = []
    for first in range(0, len(found), TEST_BATCH_SIZE):
        batch = collate(found[first : first + TEST_BATCH_SIZE])
        batch.pop("labels")
        best = built(**batch).logits.argmax(-1).tolist()
        answers += [labels[i] for i in best] if task == "classification" else best
    if task == "classification":
        return answers
    rest = "O" if "O" in labels else "X"
    encoded = tokenizer(
        [one["words"] for one in some],
        truncation=True,
        max_length=peer_tasks.LONGEST,
        is_split_into_words=True,
    )
    tagged = []
    for i, one in enumerate(some):
        tags: dict[int, str] = {}
        for position, word in enumerate(encoded.word_ids(i)):
            if word is not None:
                tags.setdefault(word, labels[answers[i][position]])
        tagged.append([tags.get(word, rest) for word in range(len(one["words"]))])
    return tagged


def _known(task: str, one: peer_tasks.Record, labels: Sequence[str]) -> dict[str, Any]:
    """Labels that the features can hold, which predictions do not look at."""
    if task == "tagging":
        return {"tags": [labels[0]] * len(one["words"])}
    return {"label": labels[0]}


def scored(
    task: str, some: Sequence[peer_tasks.Record], answers: Sequence[Any]
) -> dict[str, float]:
    """The figures that our side tells, by the same arithmetic."""
    if task == "tagging":
        given = [one["tags"] for one in some]
        plain = not any(tag.startswith("B-") for tags in given for tag in tags)
        return spans.scores(given, answers, "plain" if plain else "iob2")
    from sklearn.metrics import accuracy_score, f1_score

    given = [one["label"] for one in some]
    found = {"accuracy": float(accuracy_score(given, answers))}
    if {*given} == {"0", "1"}:
        found["f1"] = float(f1_score(given, answers, pos_label="1"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=("classification", "tagging"), required=True)
    for name in ("train", "test", "model", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("epochs", "rate", "warmup", "decay"):
        parser.add_argument(f"--{name}", type=float, required=True)
    for name in ("batch-size", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    set_seed(arguments.seed)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    labels = labels_of(arguments.task, peer_tasks.records(arguments.train))
    built = trained(arguments, labels, tokenizer)
    tests = peer_tasks.records(arguments.test)
    answers = predicted(arguments.task, built, tests, labels, tokenizer)
    result = scored(arguments.task, tests, answers)
    aside = arguments.output.with_suffix(".tmp")
    aside.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    aside.replace(arguments.output)


if __name__ == "__main__":
    main()
