"""The losses of the first 20 fine-tuning steps, ours and transformers', for each kind of task.

Both sides start from equal weights (all-MiniLM-L6-v2 under one fresh head), see the same examples
in the same order, without dropout, and take AdamW steps with equal settings. Ours are packed by our
own readers and encoders and go through the real training loop; theirs are prepared by
transformers' tokenizer and collators, padded, and go through its models and a plain loop. Multiple
choice has no data set here: its questions ask which of the three hypotheses of an SNLI premise
follows from it.

For question answering transformers' loss lets padding take part in the softmax over positions, so
that it depends on how far a batch is padded (`padded_first_loss`). There its sequences go through
the model one by one, unpadded, and a step adds up their gradients.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any

import measure
import peer_tasks
import task_material
import torch
import transformers
from equivalence_sides import RATE, SEED, Case, ours, padded_loss, theirs
from transformers import AutoTokenizer

from unmask.data.labelled.config import LabelledConfig
from unmask.data.loader import Cursor, take
from unmask.data.rejects import Rejects
from unmask.tasks.registry import TASKS

LARGEST_DIFFERENCE = 1e-4
"""What the losses may differ by at most."""
NUM_EXAMPLES = 400
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


CASES = {
    "classification": Case("classification", "sst2", {}, {}),
    "pairs": Case("classification", "mrpc", {}, {}),
    "regression": Case("classification", "stsb", {"kind": "regression"}, {"labels": "number"}),
    "multiple-choice": Case("multiple-choice", "snli", {}, {}),
    "tagging": Case("tagging", "ud-ewt", {"aggregation": "simple"}, {}),
    "qa": Case("qa", "squad2", {"unanswerable": True, "max_question_length": 128}, {}),
}


def file_of(case: Case, folder: Path) -> Path:
    """Some training examples, as both sides read them."""
    path = task_material.files(case.data).path("train")
    if case.task == "multiple-choice":
        return questions_of(path, folder)
    if path.suffix == ".json":
        content = json.loads(path.read_text(encoding="utf-8"))
        content["data"] = content["data"][:1]
        content["data"][0]["paragraphs"] = content["data"][0]["paragraphs"][:20]
        (folder / path.name).write_text(json.dumps(content), encoding="utf-8")
        return folder / path.name
    parting = "\n" if path.suffix == ".jsonl" else "\n\n"
    blocks = path.read_text(encoding="utf-8").split(parting)[:NUM_EXAMPLES]
    (folder / path.name).write_text(parting.join(blocks) + parting, encoding="utf-8")
    return folder / path.name


def questions_of(path: Path, folder: Path) -> Path:
    """Premises with their three hypotheses, of which exactly one is entailed."""
    lines = []
    for text, several in groupby(peer_tasks.records(path), lambda row: row["text"]):
        hypotheses = list(several)[:3]
        right = [i for i, row in enumerate(hypotheses) if row["label"] == "entailment"]
        if len(hypotheses) == 3 and len(right) == 1:
            choices = [row["text_pair"] for row in hypotheses]
            lines.append(json.dumps({"text": text, "choices": choices, "label": right[0]}))
    output = folder / "choices.jsonl"
    output.write_text("\n".join(lines[:NUM_EXAMPLES]) + "\n", encoding="utf-8")
    return output


def compared(name: str, steps: int, batch_size: int) -> dict[str, Any]:
    """Both sides' losses, and the largest difference."""
    case = CASES[name]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        path = file_of(case, folder)
        with Rejects(0.0) as rejects:
            config = LabelledConfig.model_validate(case.reading)
            examples = list(TASKS[case.task].read(path, config, rejects))
        kind = TASKS[case.task]
        task = kind.begin(kind.config.model_validate(case.settings), examples)
        torch.manual_seed(SEED)
        rates = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        built = peer_tasks.model(case.task, task_material.model(), task.labels, **rates)
        tokenizer = AutoTokenizer.from_pretrained(task_material.model())
        built.save_pretrained(folder / "start")
        tokenizer.save_pretrained(folder / "start")
        built.name_or_path = str(folder / "start")
        mine, source = ours(case, folder / "start", task, examples, steps, batch_size)
        found = peer_tasks.features(case.task, peer_tasks.records(path), tokenizer, task.labels)
        if len(found) != len(source):
            raise SystemExit(f"{name}: {len(source)} samples are ours, {len(found)} theirs")
        order = take(source, Cursor(), steps * batch_size, SEED)[0].tolist()
        padded = padded_loss(case, built, found, order[:batch_size])
        other = theirs(case, built.train(), found, order, steps)
    difference = max(abs(a - b) for a, b in zip(mine, other, strict=True))
    print(
        f"{name}: largest difference {difference:.1e}, last losses {mine[-1]:.4f} {other[-1]:.4f}"
    )
    return {
        "data": case.data,
        "ours": mine,
        "theirs": other,
        "padded_first_loss": padded,
        "largest_difference": difference,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--results", type=Path, default=measure.RESULTS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.steps, arguments.batch_size = 10, 2  # a warm-up of 1 step
    tasks = {name: compared(name, arguments.steps, arguments.batch_size) for name in arguments.only}
    result = {
        "settings": {"steps": arguments.steps, "batch_size": arguments.batch_size, "rate": RATE},
        "allowed": LARGEST_DIFFERENCE,
        "largest_difference": max(one["largest_difference"] for one in tasks.values()),
        "tasks": tasks,
    }
    measure.keep("equivalence", result, arguments.results)
    if result["largest_difference"] > LARGEST_DIFFERENCE:
        raise SystemExit(f"the losses differ by more than {LARGEST_DIFFERENCE:g}")


if __name__ == "__main__":
    main()
