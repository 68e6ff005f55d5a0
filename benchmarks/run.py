"""Runs the benchmarks one after another and writes their figures to docs/benchmarks.md.

`python benchmarks/run.py` runs all, `--only NAME...` some, `--tables` none and only writes the
page from the figures that are there. `--quick` proves that they run; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import deduplicate_page
import embeddings_page
import fine_tuning_page
import material
import measure
from tables import Figures, digits, table, thousands

HERE = Path(__file__).resolve().parent
PAGE = material.ROOT / "docs" / "benchmarks.md"


def training_step(result: Figures) -> str:
    settings = result["settings"]
    speeds, peaks = [], []
    for one in result["comparisons"]:
        model = [f"{one['vocab_size']:,}", f"{one['dropout_rate']:g}"]
        rates, memory = one["tokens_per_second"], one["memory"]
        ratios = [digits(one[name]) for name in ("ratio", "cpu_ratio")]
        speeds.append([*model, thousands(rates["ours"]), thousands(rates["theirs"]), *ratios])
        above = [f"{memory['megabytes'][side]['above']:,.0f} MB" for side in ("ours", "theirs")]
        peaks.append([*model, *above, f"{memory['ratio']:.2f} x"])
    model_columns = ["vocabulary", "dropout"]
    columns = ["unmask, tokens/s", "transformers, tokens/s", "ratio", "ratio per CPU second"]
    return "\n\n".join(
        [
            "## Training step",
            f"Masked language model, {settings['preset']}, {settings['batch_size']} sequences of "
            f"{settings['sequence_length']} tokens, fp32, {settings['threads']} threads; against "
            "`BertForMaskedLM` with `DataCollatorForLanguageModeling` in a plain loop. Each side "
            f"in a process of its own, in turns, {settings['rounds']} rounds of "
            f"{settings['steps']} steps: median, least and greatest.",
            table([*model_columns, *columns], speeds),
            "Peak memory of a fresh process during the steps, less what it held after the model "
            "was built (resident size; gradients and optimizer state count):",
            table([*model_columns, "unmask", "transformers", "ratio"], peaks),
        ]
    )


def numerics(result: Figures) -> str:
    rows = [
        [name, f"{norms['ours']:.6f}", f"{norms['theirs']:.6f}"]
        for name, norms in result["gradient_norms"].items()
    ]
    return "\n\n".join(
        [
            "## Gradient under accumulation",
            "Norm of the gradient of one optimizer step over the same 8 masked sequences with the "
            "same weights, dropout 0, cut into micro-batches; transformers' side is its Trainer.",
            table(["sequences x micro-batches", "unmask", "transformers"], rows),
        ]
    )


def corpus_preparation(result: Figures) -> str:
    sides = {"unmask": result["ours"], "datasets.map + group_texts": result["theirs"]}
    rows = [
        [name, digits(one["seconds"], 1), thousands(one["peak"]), thousands(one["above_imports"])]
        for name, one in sides.items()
    ]
    return "\n\n".join(
        [
            "## Corpus preparation",
            f"{result['megabytes']:.0f} MB of text to a corpus ready to train on, with imports; "
            "theirs with 2 processes, ours as `unmask corpus` does by default. Memory is that of "
            "the whole process tree (PSS, sampled).",
            table(["", "seconds", "peak, MB", "peak above the imports, MB"], rows),
            f"{result['speed_ratio']:.1f} times as fast, with {result['memory_ratio']:.2f} of the "
            "peak memory.",
        ]
    )


def start_up(result: Figures) -> str:
    imports = "imports torch" if result["imports_torch"] else "does not import torch"
    seconds = digits(result["seconds"])
    return f"## Start-up\n\n`unmask --help` takes {seconds} seconds and {imports}."


def _accuracy(score: Figures | None) -> str:
    return "" if not score else f"{100 * score['mean']:.1f} ± {100 * score['spread']:.1f}"


def pretraining(result: Figures) -> str:
    settings = result["settings"]
    names = {"ours": f"unmask, {settings['recipe']}", "theirs": "transformers, run_mlm's recipe"}
    rows = [
        [
            names[side],
            f"{last['seconds'] / 60:.1f}",
            f"{last['cpu_seconds'] / 60:.1f}",
            f"{last['tokens'] / 1e6:.1f}",
            f"{last['validation_mlm_loss']:.3f}",
            f"{last['validation_mlm_accuracy']:.3f}",
            _accuracy(result.get("upos", {}).get(side)),
        ]
        for side, last in result["final"].items()
    ]
    together = "both at once" if settings["together"] else "one after the other"
    parts = [
        "## Pretraining",
        f"{settings['preset']}, vocabulary {settings['vocab_size']:,}, {settings['minutes']:g} "
        f"minutes each, {settings['threads']} thread(s), {together}; held-out books under the "
        "same masks of 15 %. Each side trains by its own recipe: theirs in fp32, 15 % masked, ours "
        "as its file says. The peer's learning rate is the best of "
        f"{', '.join(result.get('learning_rates', {}))}: {result.get('learning_rate', '')}.",
        table(
            ["", "minutes", "CPU minutes", "million tokens", "loss, nats", "accuracy", "UPOS"], rows
        ),
    ]
    if result.get("upos"):
        parts.append(
            "UPOS: accuracy in percent on UD-EWT's test part, fine-tuned alike by unmask on 1,000 "
            "sentences; mean and standard deviation of three seeds."
        )
    if result.get("reached"):
        parts.append(
            f"unmask reaches the peer's last loss in {result['cpu_time_ratio']:.3f} of its CPU "
            f"time and ends {result['nats_lower']:.2f} nats lower."
        )
    if "curves" in result:
        parts.append("![Held-out loss over CPU time](../benchmarks/results/pretraining.png)")
    return "\n\n".join(parts)


def families(result: Figures) -> str:
    settings = result["settings"]
    columns = ["unmask, tokens/s", "transformers, tokens/s", "ratio"]
    rows = [
        [
            one["family"],
            one["mode"],
            one["shape"],
            *(thousands(one["tokens_per_second"][side]) for side in ("ours", "theirs")),
            digits(one["ratio"]),
        ]
        for one in result["comparisons"]
    ]
    dated: dict[str, list[str]] = {}
    for one in result["comparisons"]:
        names = dated.setdefault(one["date"], [])
        names += [] if one["family"] in names else [one["family"]]
    memory = [
        f"Peak memory of training steps of {one['family']} at {one['shape']} tokens, above what "
        f"the process held before: {one['megabytes']['ours']['above']:,.0f} MB against "
        f"{one['megabytes']['theirs']['above']:,.0f} MB, {one['ratio']:.2f} x."
        for one in result["memory"]
    ]
    return "\n\n".join(
        [
            "## Families",
            "MiniLM's shape (6 layers of 384) over a vocabulary of 30,522, fp32, "
            f"{settings['threads']} threads, against transformers' own classes with dynamic "
            "padding, in random order: real tokens per second, median, least and greatest of "
            f"{settings['rounds']} rounds of {settings['steps']} step(s), each side in a process "
            "of its own, in turns. Training: a step of masked language modelling, 15 % masked, "
            "dropout 0.1 (ModernBERT's is 0, as published). `8..512`: lengths are log-normal.",
            table(["family", "what", "lengths", *columns], rows),
            *memory,
            "Measured: "
            + "; ".join(f"{', '.join(names)}: {date}" for date, names in dated.items())
            + ".",
        ]
    )


SECTIONS: dict[str, Callable[[Figures], str]] = {
    "training_step": training_step,
    "corpus_preparation": corpus_preparation,
    "numerics": numerics,
    "start_up": start_up,
    "families": families,
    "pretraining": pretraining,
    "equivalence": fine_tuning_page.equivalence,
    "fine_tuning": fine_tuning_page.fine_tuning,
    "fine_tuning_speed": fine_tuning_page.fine_tuning_speed,
    "embeddings": embeddings_page.embeddings,
    "deduplicate": deduplicate_page.deduplicate,
    "search": embeddings_page.search,
}
"""In the order in which they run and stand on the page; each is a script of that name."""


def page(folder: Path) -> str:
    """Every figure that is there, with the machine it comes from."""
    parts = [
        "# Benchmarks",
        "Generated by `python benchmarks/run.py` in the environment of "
        "`benchmarks/requirements.lock` (`make bench`); the scripts say what exactly is measured.",
    ]
    for name, section in SECTIONS.items():
        path = folder / f"{name}.json"
        if path.is_file():
            result = json.loads(path.read_text(encoding="utf-8"))
            parts += [section(result), origin(name, result["machine"])]
    return "\n\n".join(parts) + "\n"


def origin(name: str, machine: Figures) -> str:
    """Command, date, machine and versions of a figure."""
    versions = ", ".join(f"{package} {number}" for package, number in machine["versions"].items())
    return (
        f"*`python benchmarks/{name}.py`, {machine['date']}: {machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory_gigabytes']} GB, {machine['system']}, "
        f"Python {machine['python']}, {versions}; load before: {machine['load_before']:.1f}.*"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--tables", action="store_true", help="run nothing, write the page")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--results", type=Path)
    arguments = parser.parse_args()
    quick_results = material.WORK / "quick"
    folder = arguments.results or (quick_results if arguments.quick else measure.RESULTS)
    for name in () if arguments.tables else arguments.only:
        print(f"== {name}", file=sys.stderr, flush=True)
        command = [sys.executable, str(HERE / f"{name}.py"), "--results", str(folder)]
        subprocess.run(command + ["--quick"] * arguments.quick, check=True)
    target = folder / "benchmarks.md" if arguments.quick else PAGE
    target.write_text(page(folder), encoding="utf-8")
    print(f"wrote {target}", file=sys.stderr)


if __name__ == "__main__":
    main()
