"""The verbs from end to end: a tiny model's whole life, and what each prints where."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from unmask import __version__
from unmask.cli.application import app, main

ROOT = Path(__file__).resolve().parents[1]
HELP_SECONDS = 3.0
"""Ten times what it takes on a quiet machine."""
VERBS = sorted(name for name in app if not name.startswith("-"))

pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")


def run_module(*arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """`python -m unmask` in a process of its own."""
    return subprocess.run(
        [sys.executable, *python, "-m", "unmask", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@dataclass(frozen=True)
class Said:
    """What a verb printed."""

    stdout: str
    stderr: str

    def documents(self) -> list[Any]:
        """Every line of stdout as JSON."""
        return [json.loads(line) for line in self.stdout.splitlines()]


def run(*arguments: object) -> Said:
    """The command in this process, which has imported torch already; it must succeed."""
    stdout, stderr = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(stdout), redirect_stderr(stderr):
        patch.setattr(sys, "argv", ["unmask", *map(str, arguments)])
        main()
    return Said(stdout.getvalue(), stderr.getvalue())


@dataclass(frozen=True)
class Life:
    """A tiny model's folders, and what the verbs that made them said."""

    texts: Path
    tokenizer: Path
    corpus: Path
    run: Path
    said: dict[str, Said]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Vocabulary, corpus and 20 steps of pretraining, by the verbs alone."""
    folder = tmp_path_factory.mktemp("life")
    texts, tokenizer, corpus = folder / "texts", folder / "tokenizer", folder / "corpus"
    texts.mkdir()
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefgh", k=chance.randint(2, 5))) for _ in range(80)]
    for index in range(12):
        sentences = (" ".join(chance.choices(words, k=8)) + ". " for _ in range(30))
        (texts / f"{index}.txt").write_text("".join(sentences))
    said = {
        "tokenizer": run("tokenizer", texts, "--output", tokenizer, "--vocab-size", 120),
        "corpus": run("corpus", texts, "--tokenizer", tokenizer, "--output", corpus, "--json"),
        "pretrain": run(
            *("pretrain", corpus, "--output", folder / "run", "--preset", "tiny", "--json"),
            *("--train.steps", 20, "--train.batch-size", 4, "--train.sequence-length", 32),
            *("--train.log-every", 5, "--train.save-every", 10),
        ),
    }
    return Life(texts, tokenizer, corpus, folder / "run", said)


def test_help_is_quick_and_imports_no_torch() -> None:
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        helped = run_module("--help", python=("-X", "importtime"))
        seconds.append(time.monotonic() - started)
        assert helped.returncode == 0, helped.stderr
        imported = {line.rpartition("|")[2].strip() for line in helped.stderr.splitlines()}
        assert "unmask.cli.application" in imported
        assert imported.isdisjoint({"torch", "numpy", "tokenizers", "pyarrow"})

    assert min(seconds) < HELP_SECONDS
    assert all(verb in helped.stdout for verb in VERBS)


def test_version_is_the_packages() -> None:
    versioned = run_module("--version")

    assert versioned.returncode == 0
    assert versioned.stdout.strip() == __version__
    assert versioned.stderr == ""


def test_without_a_verb_there_is_help() -> None:
    assert "Usage" in run().stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_its_flags(verb: str) -> None:
    helped = run(verb, "--help")

    assert f"Usage: unmask {verb}" in helped.stdout
    assert helped.stderr == ""
    flags = re.findall(r"--[a-z]", helped.stdout)
    assert flags


def test_tokenizer_says_what_it_learned_on_stderr(life: Life) -> None:
    assert life.said["tokenizer"].stdout == ""
    assert f"{life.tokenizer}: a vocabulary of 120" in life.said["tokenizer"].stderr


def test_corpus_reports_as_one_json_document(life: Life) -> None:
    (report,) = life.said["corpus"].documents()

    assert report["num_documents"] == 12
    assert report["num_tokens"] > 2000
    assert report["vocab_size"] == 120


def test_corpus_verify_finds_a_new_corpus_whole(life: Life) -> None:
    (verified,) = run("corpus-verify", life.corpus, "--json").documents()

    assert verified["whole"] is True
    assert verified["documents"] == 12
    assert "whole" in run("corpus-verify", life.corpus).stdout


def test_pretrain_prints_its_figures_on_stdout_and_its_progress_on_stderr(life: Life) -> None:
    said = life.said["pretrain"]
    (figures,) = said.documents()

    assert figures["mlm_loss"] < 7.0
    assert 0.0 <= figures["mlm_accuracy"] <= 1.0
    assert figures["model"] == str(life.run / "model")
    assert "step     20" in said.stderr
    assert "tokens/s" in said.stderr


def test_resuming_prints_a_sketch_and_a_table_for_people(life: Life) -> None:
    said = run(
        *("pretrain", life.corpus, "--output", life.run, "--preset", "tiny", "--resume"),
        *("--train.steps", 20, "--train.batch-size", 4, "--train.sequence-length", 32),
    )

    assert "unigram entropy" in said.stdout
    assert "mlm_pseudo_perplexity" in said.stdout


def test_a_flag_wins_over_the_recipe(life: Life, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('preset = "tiny"\n[train]\nminutes = 9\nsequence_length = 16\n')

    run("pretrain", life.corpus, "--output", tmp_path, "--recipe", recipe, "--train.steps", 2)

    stored = json.loads((tmp_path / "model" / "unmask.json").read_text())["recipe"]
    assert (stored["train"]["steps"], stored["train"]["minutes"]) == (2, None)
    assert (stored["preset"], stored["train"]["sequence_length"]) == ("tiny", 16)


@pytest.mark.parametrize("place", ["", "model", "checkpoint-20"])
def test_fill_answers_for_every_folder_of_a_run(place: str, life: Life) -> None:
    (guesses,) = run(
        "fill", life.run / place, "abc [MASK] def.", "--top-k", 3, "--json"
    ).documents()

    assert len(guesses) == 3
    assert guesses[0].keys() == {"score", "token", "token_str", "sequence"}
    assert guesses[0]["score"] >= guesses[1]["score"] >= guesses[2]["score"] > 0.0


def test_fill_prints_a_line_for_each_text_as_json(life: Life) -> None:
    one, two = run("fill", life.run, "a [MASK].", "[MASK] b [MASK].", "--json").documents()

    assert [len(guesses) for guesses in two] == [5, 5]
    assert len(one) == 5


def test_fill_prints_scores_and_sequences_for_people(life: Life) -> None:
    lines = run("fill", life.run, "a [MASK].", "--top-k", 2).stdout.splitlines()

    assert [re.match(r" *0\.\d+  \S+", line) is not None for line in lines if line] == [True, True]


def test_score_ranks_sentences(life: Life) -> None:
    texts = ["abc def.", "gh gh gh."]
    scored = run("score", life.run, *texts, "--json").documents()

    assert [line["text"] for line in scored] == texts
    assert all(line["pseudo_log_likelihood"] < 0.0 for line in scored)
    printed = run("score", life.run, *texts).stdout
    assert len(printed.splitlines()) == 2
    assert f"{scored[0]['pseudo_log_likelihood']:.3f}" in printed


def test_inspect_describes_a_model(life: Life) -> None:
    (described,) = run("inspect", life.run, "--json").documents()

    assert described["config"]["hidden_size"] == 128
    assert described["total_parameters"] == sum(described["parameters"].values())
    assert described["tokenizer"]["vocab_size"] == 120
    assert described["made_by"]["recipe"]["train"]["steps"] == 20
    assert f"{described['total_parameters']:,}" in run("inspect", life.run).stdout


def test_inspect_without_a_model_prints_the_presets() -> None:
    (presets,) = run("inspect", "--json").documents()

    assert presets["base"]["pretraining_parameters"] == 110_106_428
    assert set(presets) == {"tiny", "mini", "small", "medium", "base", "large"}
    lines = run("inspect").stdout.splitlines()
    (base,) = (line for line in lines if line.split()[:1] == ["base"])
    assert base.split()[:3] == ["base", "12", "768"]
    assert base.split()[-1] == "110,106,428"


@pytest.mark.parametrize("of", [lambda life: life.corpus, lambda life: life.run])
def test_doctor_gives_findings_with_fixes(of: Callable[[Life], Path], life: Life) -> None:
    findings = run("doctor", of(life), "--json").documents()

    assert all(finding.keys() == {"severity", "what", "why", "fix"} for finding in findings)
    assert not [finding for finding in findings if finding["severity"] == "error"]
    printed = run("doctor", of(life)).stdout
    assert printed.count("Fix: ") == len(findings)
    assert printed


def test_the_command_works_as_a_process_of_its_own(life: Life) -> None:
    asked = run_module("fill", str(life.run), "abc [MASK].", "--json")

    assert asked.returncode == 0, asked.stderr
    assert asked.stderr == ""
    assert len(json.loads(asked.stdout)) == 5


def test_a_reader_that_goes_away_is_no_error_of_ours(life: Life) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "unmask", "fill", str(life.run), *["a [MASK]."] * 50, "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()

    assert said == ""
