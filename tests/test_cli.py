"""The verbs from end to end: a tiny model's whole life, and what each prints where."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import BytesIO, StringIO, TextIOWrapper
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


def refused(exit_code: int, *arguments: object) -> str:
    """The message of the command, which must fail with this exit code and print nothing else."""
    stdout, stderr = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(stdout), redirect_stderr(stderr):
        patch.setattr(sys, "argv", ["unmask", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == exit_code, stderr.getvalue()
    assert stdout.getvalue() == ""
    return stderr.getvalue()


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
    assert re.search(r"--[a-z]", helped.stdout) or f"unmask {verb} COMMAND" in helped.stdout


def test_tokenizer_says_what_it_learned_on_stderr(life: Life) -> None:
    assert life.said["tokenizer"].stdout == ""
    assert f"{life.tokenizer}: a vocabulary of 120" in life.said["tokenizer"].stderr


def test_tokenizer_tells_the_same_as_json(life: Life, tmp_path: Path) -> None:
    words = ("tokenizer", life.texts, "--output", tmp_path / "tokenizer", "--vocab-size", 100)

    said = run(*words, "--json")

    found = {"kind": "WordPiece", "vocab_size": 100, "num_rejects": 0}
    assert said.documents() == [{"tokenizer": str(tmp_path / "tokenizer"), **found}]
    assert said.stderr == ""


@pytest.mark.parametrize("verb", ["tokenizer", "corpus", "pretrain"])
def test_what_must_be_given_is_shown_as_such(verb: str) -> None:
    helped = run(verb, "--help").stdout

    assert re.search(r"^│ \*  (TEXT|CORPUS) ", helped, re.M)
    message = refused(2, verb, "--output", "x", *(["--tokenizer", "y"] if verb == "corpus" else []))
    assert "is missing" in message
    assert f"Try `unmask {verb} --help`." in message


def test_without_a_verb_of_that_name_the_hint_is_tidy() -> None:
    assert "Try `unmask --help`." in refused(2, "fil")


@pytest.mark.parametrize("verb", VERBS)
def test_help_breaks_no_flag_in_two(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    words = [verb, "classification"] if verb == "finetune" else [verb]
    helped = run(*words, "--help").stdout

    assert max(map(len, helped.splitlines())) <= 80
    assert not re.search(r"^│ {1,8}\.[a-z]", helped, re.M), "the rest of a flag"
    assert "--empty-" not in helped


@pytest.mark.parametrize(
    "words",
    [
        ["tokenizer", "", "--output", "x"],
        ["corpus", "texts", "--tokenizer", "", "--output", "x"],
        ["pretrain", "corpus", "--output", ""],
        ["pretrain", "corpus", "--output="],
        ["pretrain", "corpus", "--output", "x", "--validation", ""],
        ["fill", "", "a [MASK]"],
        ["evaluate", "model", ""],
        ["inspect", ""],
        ["doctor", ""],
    ],
    ids=" ".join,
)
def test_an_empty_path_is_not_the_current_folder(words: list[str]) -> None:
    assert "an empty argument" in refused(2, *words)


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
    assert "already finished at step 20" in said.stderr


def test_a_flag_wins_over_the_recipe(life: Life, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('preset = "tiny"\n[train]\nminutes = 9\nsequence_length = 16\n')

    output = tmp_path / "run"
    run("pretrain", life.corpus, "--output", output, "--recipe", recipe, "--train.steps", 2)

    stored = json.loads((output / "model" / "unmask.json").read_text())["recipe"]
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


def test_fill_heads_the_guesses_for_several_blanks(life: Life) -> None:
    printed = run("fill", life.run, "[MASK] b [MASK].", "a [MASK]", "--top-k", 1).stdout

    lines = printed.splitlines()
    assert [line for line in lines if not line.startswith(" 0.")] == [
        "[MASK] b [MASK].",
        "  blank 1 of 2, the others left open",
        "  blank 2 of 2, the others left open",
        "a [MASK]",
    ]
    assert "[CLS]" not in printed
    assert "[SEP]" not in printed


def test_fill_takes_several_candidates_at_once(life: Life) -> None:
    (guesses,) = run("fill", life.run, "a [MASK].", "--candidates", "a", "b", "--json").documents()

    assert {guess["token_str"] for guess in guesses} == {"a", "b"}


@pytest.mark.parametrize("words", [["-"], []])
@pytest.mark.parametrize(
    ("verb", "lines"), [("fill", "a [MASK].\r\n\n[MASK] b\n"), ("score", "abc def.\n\ngh.\n")]
)
def test_texts_come_from_standard_input_one_a_line(
    verb: str, lines: str, words: list[str], life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(lines.encode())))

    piped = run(verb, life.run, *words, "--json")

    given = [line for line in lines.splitlines() if line]
    assert piped.documents() == run(verb, life.run, *given, "--json").documents()


def test_without_a_text_each_verb_shows_its_own_example(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    for verb, example in (("fill", '"The [MASK] barked."'), ("score", '"The dog barked."')):
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"")))
        assert f"write it in quotes: {example}" in refused(2, verb, life.run)


def test_standard_input_that_is_not_utf8_is_named_by_its_line(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"a [MASK]\ncaf\xe9 [MASK]\n")))

    assert "standard input:2: byte 0xe9 is not UTF-8" in refused(3, "fill", life.run)


def test_a_number_out_of_bounds_is_told_by_its_flag(life: Life) -> None:
    assert "--top-k 0: expected 1 or more." in refused(2, "fill", life.run, "[MASK]", "--top-k", 0)
    assert "--train.steps x: expected a whole number." in refused(
        2, "pretrain", life.corpus, "--output", "x", "--train.steps", "x"
    )


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
    printed = run("inspect", life.run).stdout
    assert f"{described['total_parameters']:,}" in printed
    assert "20 steps, batches of 4 sequences of up to 32 tokens" in printed
    assert 15 <= len(printed.split("\n")) <= 26


@pytest.mark.parametrize(
    "made_by", [{}, {"recipe": "x", "identity": 3}, {"recipe": {"train": {"minutes": "many"}}}]
)
def test_inspect_takes_any_record_of_how_a_model_was_made(
    made_by: dict[str, Any], life: Life, tmp_path: Path
) -> None:
    model = shutil.copytree(life.run / "model", tmp_path / "model")
    (model / "unmask.json").write_text(json.dumps(made_by))
    (model / "scores.json").write_text(
        '{"validation": {"mlm_loss": null}, "corpus_unigram_entropy": 6.0}'
    )

    assert "no number; unigram entropy of the corpus 6.00" in run("inspect", model).stdout


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
    (findings,) = run("doctor", of(life), "--json").documents()

    assert all(finding.keys() == {"severity", "what", "why", "fix"} for finding in findings)
    assert not [finding for finding in findings if finding["severity"] == "error"]
    printed = run("doctor", of(life)).stdout
    notes = [finding for finding in findings if finding["severity"] == "note"]
    assert printed.count("Hint: ") == len(notes) > 0
    assert printed.count("Fix: ") == len(findings) - len(notes)


def test_doctor_finds_nothing_as_json_too(life: Life, tmp_path: Path) -> None:
    healthy = shutil.copytree(life.run / "model", tmp_path / "model")
    (healthy / "unmask.json").unlink()
    (healthy / "scores.json").unlink()

    assert run("doctor", healthy, "--json").documents() == [[]]
    assert "nothing to complain about" in run("doctor", healthy).stdout


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (lambda life: life.texts, "is text (12 files)"),
        (lambda life: life.texts / "0.txt", "is a file of text"),
        (lambda life: life.tokenizer, "is a tokenizer"),
    ],
    ids=["texts", "text", "tokenizer"],
)
def test_doctor_says_what_it_takes_instead(
    of: Callable[[Life], Path], said: str, life: Life
) -> None:
    message = refused(2, "doctor", of(life))

    assert f"{of(life)}: {said}; doctor takes a corpus" in message


@pytest.mark.parametrize("module", ["unmask.cli.helping", "unmask.cli.training"])
def test_ctrl_c_while_importing_leaves_no_traceback(module: str) -> None:
    code = f"""
import runpy, sys
class Impatient:
    def find_spec(self, name, *_):
        if name == "{module}":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Impatient())
sys.argv = ["unmask", "pretrain", "--help"]
runpy.run_module("unmask", run_name="__main__")
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "unmask: interrupted\n")


def test_a_second_ctrl_c_says_how_to_go_on(
    life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("unmask.recipe.pretrain.train", impatient)

    message = refused(130, "pretrain", life.corpus, "--output", tmp_path / "run")

    assert "interrupted; the same command with --resume goes on" in message


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
