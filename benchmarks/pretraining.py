"""Learning per unit of CPU time, against run_mlm's recipe on the same text and held-out set.

Same books, same 8k vocabulary, same model size, same threads, same minutes. Theirs: BertForMaskedLM
in a plain loop with the arithmetic of run_mlm's Trainer without accumulation: fused AdamW without
weight decay, linear decay without warm-up, clipping at 1.0, dropout 0.1, 32 sequences of 128 tokens
cut without regard to documents, the collator's masks. Its learning rate is the best of several by
short runs. Linear decay follows the time used, since the number of steps is not known before.
Ours: a recipe, as `unmask pretrain` runs it; `recipes/mini-fast.toml` computes in bfloat16 where
the CPU multiplies it, and picks 30 % of the positions while it trains. Theirs: fp32 and 15 %.

Both are scored on the same held-out books under the same masks; for the peer those batches are
padded. The peer's clocks stand still while it is evaluated and while its data is made ready; ours
run on. CPU time is that of all threads (`time.process_time`).

Both models are then fine-tuned alike to tag parts of speech, where UNMASK_DATA has UD-EWT.

Everything is written as it comes to build/benchmarks/pretraining-*/; what is complete there is not
run again, so a stopped comparison goes on by the same command.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import material
import measure
import pretraining_sides as sides
import torch

LEARNING_RATES = (3e-4, 1e-3, 3e-3)
"""Tried for the peer; run_mlm's default of 5e-5 is for fine-tuning and far too low here."""


def compare(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Runs what is still missing, one after another or both sides at once."""
    sides.ready()
    if "theirs" in arguments.sides:
        trials = {
            rate: _wait(_start("theirs", arguments, folder, rate, arguments.trial_minutes))
            for rate in arguments.learning_rates
        }
        best = min(trials, key=lambda rate: trials[rate][-1]["validation_mlm_loss"])
        running = [_start("theirs", arguments, folder, best, arguments.minutes)]
        if not arguments.together:
            _wait(running[0])
    else:
        running = []
    if "ours" in arguments.sides:
        running.append(_start("ours", arguments, folder, 0.0, arguments.minutes))
    curves = {side: _wait(one) for side, one in zip(arguments.sides, running, strict=True)}
    result: dict[str, Any] = {"final": {side: curve[-1] for side, curve in curves.items()}}
    if "theirs" in curves:
        result["learning_rates"] = {
            str(rate): trial[-1]["validation_mlm_loss"] for rate, trial in trials.items()
        }
        result["learning_rate"] = best
    if len(curves) == 2:
        result |= reached(curves["ours"], curves["theirs"])
        result["curves"] = curves
        models = {"ours": folder / "ours", "theirs": running[0][0].with_suffix("")}
        result["upos"] = upos(models, folder / "upos")
    return result


def upos(models: dict[str, Path], folder: Path) -> dict[str, Any]:
    """UPOS accuracy on UD-EWT's test part of each model, fine-tuned by our tool on 1,000 sentences.

    Mean, standard deviation and values of three seeds; empty without UNMASK_DATA.
    """
    if material.data_folder() is None:
        return {}
    from unmask.recipe.reproduce.running import reproduce

    found = {}
    for side, model in models.items():
        (report,) = reproduce(
            "tasks-few", folder / side, data=material.data_folder(), model=model, only=("ud-ewt",)
        )
        found[side] = report.document["rows"][0]["scores"]["accuracy"]
    return found


def reached(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> dict[str, Any]:
    """When we first had the peer's last loss, in shares of what it used."""
    target = theirs[-1]["validation_mlm_loss"]
    first = next((line for line in ours if line["validation_mlm_loss"] <= target), None)
    if first is None:
        return {"reached": None}
    return {
        "reached": first,
        "cpu_time_ratio": first["cpu_seconds"] / theirs[-1]["cpu_seconds"],
        "wall_time_ratio": first["seconds"] / theirs[-1]["seconds"],
        "nats_lower": target - ours[-1]["validation_mlm_loss"],
    }


def _start(
    side: str, arguments: argparse.Namespace, folder: Path, rate: float, minutes: float
) -> tuple[Path, subprocess.Popen[bytes] | None]:
    """One side in a process of its own; None where its curve is complete already."""
    name = side if side == "ours" else f"theirs-{rate:g}-{minutes:g}min"
    curve = folder / f"{name}.jsonl"
    if (folder / f"{name}.done").exists():
        return curve, None
    threads = str(arguments.threads)
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    command = [sys.executable, __file__, "--side", side]
    command += ["--curve", str(curve), "--minutes", str(minutes), "--learning-rates", str(rate)]
    command += ["--threads", threads, "--preset", arguments.preset]
    command += ["--recipe", str(arguments.recipe), "--every", str(arguments.every)]
    return curve, subprocess.Popen(command, env=environment)


def _wait(started: tuple[Path, subprocess.Popen[bytes] | None]) -> list[dict[str, Any]]:
    """The lines of a finished side's curve."""
    curve, process = started
    if process is not None:
        if process.wait() != 0:
            raise RuntimeError(f"{curve.stem} ended with code {process.returncode}")
        curve.with_suffix(".done").touch()
    return [json.loads(line) for line in curve.read_text().splitlines()]


def draw(curves: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Held-out loss over CPU time, both sides in one picture."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    names = {"ours": "unmask", "theirs": "transformers, run_mlm's recipe"}
    for side, curve in curves.items():
        minutes = [line["cpu_seconds"] / 60 for line in curve]
        axes.plot(minutes, [line["validation_mlm_loss"] for line in curve], label=names[side])
    axes.axhline(curves["theirs"][-1]["validation_mlm_loss"], color="grey", linewidth=0.7)
    axes.set_xlabel("CPU time (minutes)")
    axes.set_ylabel("held-out MLM loss (nats)")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=45.0, help="of each side")
    parser.add_argument("--trial-minutes", type=float, default=3.0, help="of each learning rate")
    parser.add_argument("--learning-rates", type=float, nargs="+", default=list(LEARNING_RATES))
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--recipe", type=Path, default=material.ROOT / "recipes" / "mini-fast.toml")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--every", type=int, default=200, help="steps between evaluations")
    parser.add_argument("--sides", nargs="+", choices=["theirs", "ours"])
    parser.add_argument(
        "--together", action="store_true", help="both at once, for CPU time with few threads"
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--results", type=Path, default=measure.RESULTS)
    parser.add_argument("--side", choices=sides.SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--curve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.sides = arguments.sides or ["theirs", "ours"]
    arguments.sides.sort(reverse=True)
    if arguments.quick:
        arguments.minutes, arguments.trial_minutes, arguments.every = 0.2, 0.05, 5
        arguments.preset, arguments.learning_rates = "tiny", arguments.learning_rates[:2]
    return arguments


def main() -> None:
    arguments = parse()
    if arguments.side:
        torch.set_num_threads(arguments.threads)
        sides.SIDES[arguments.side](arguments)
        return
    names = ("preset", "minutes", "threads", "every", "together")
    settings = {name: getattr(arguments, name) for name in names}
    settings |= {"recipe": arguments.recipe.name, "vocab_size": sides.VOCAB_SIZE}
    label = f"{arguments.preset}-{arguments.recipe.stem}-{arguments.minutes:g}min"
    folder = material.WORK / f"pretraining-{label}-{arguments.threads}threads"
    folder.mkdir(parents=True, exist_ok=True)
    result = compare(arguments, folder)
    arguments.results.mkdir(parents=True, exist_ok=True)
    if "curves" in result:
        draw(result["curves"], arguments.results / "pretraining.png")
    measure.keep("pretraining", {"settings": settings, **result}, arguments.results)


if __name__ == "__main__":
    main()
