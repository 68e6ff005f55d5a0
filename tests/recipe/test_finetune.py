"""Fine-tuning a tiny model on little files, from the first step to the published folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.runs import checkpoints
from unmask.errors import DataError, UsageError
from unmask.infer.asking import ask
from unmask.recipe.config import Finetune
from unmask.recipe.finetune import finetune
from unmask.recipe.outcome import SCORES_FILE, Outcome, _mean
from unmask.tasks.task import Model
from unmask.text.config import TokenizerConfig
from unmask.text.train import train_wordpiece
from unmask.train.log import METRICS_FILE, RunLog, read_metrics

GOOD, BAD = ("good", "fine", "great"), ("bad", "dull", "poor")


def lines(number: int, first: int = 0) -> list[tuple[str, str]]:
    """Texts whose label one word tells."""
    made = []
    for i in range(first, first + number):
        word = (GOOD if i % 2 else BAD)[i // 2 % 3]
        made.append((f"the film {i % 7} was {word} to see {i % 5}", "yes" if i % 2 else "no"))
    return made


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    folder = tmp_path_factory.mktemp("texts")

    def write(number: int = 48, first: int = 0) -> Path:
        path = folder / f"{first}-{number}.tsv"
        rows = "".join(f"{text}\t{label}\n" for text, label in lines(number, first))
        path.write_text("text\tlabel\n" + rows, encoding="utf-8")
        return path

    return write


@pytest.fixture
def pretrained(make_model: Callable[..., Model], tmp_path: Path) -> Path:
    """A tiny encoder with its tokenizer and a masked language model head."""
    vocabulary = " ".join([*GOOD, *BAD, "the film was to see 0 1 2 3 4 5 6"])
    tokenizer = train_wordpiece([vocabulary] * 4, TokenizerConfig(vocab_size=64, min_frequency=1))
    model = make_model(hidden_dropout_prob=0.05, attention_probs_dropout_prob=0.05)
    config = make_config(model)
    native.save(Bundle(model, None, tokenizer, config, None), tmp_path / "base")
    return tmp_path / "base"


def make_config(model: Model) -> Any:
    from unmask.models.config import BertConfig

    tokens = model.encoder.get_submodule("embedding.tokens")
    return BertConfig(
        vocab_size=tokens.num_embeddings,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )


def recipe(**settings: Any) -> Finetune:
    train = {"steps": 40, "batch_size": 8, "evaluate_every": 10, **settings.pop("train", {})}
    optim = {"learning_rate": 3e-3, **settings.pop("optim", {})}
    return Finetune.model_validate(
        {"task": "classification", "baselines": False, "train": train, "optim": optim, **settings}
    )


def go(train: Path, model: Path, output: Path, settings: Finetune, **others: Any) -> Outcome:
    return finetune(train, model, output, settings, say=lambda _: None, **others)


def test_a_model_is_trained_measured_and_published(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    settings = recipe(train={"steps": 120, "evaluate_every": 30}, dropout=0.0)
    outcome = go(texts(), pretrained, tmp_path / "run", settings, test=texts(20, 100))

    assert outcome.validation["accuracy"] == 1.0
    assert outcome.test is not None
    assert outcome.test["accuracy"] == 1.0
    assert outcome.intervals["accuracy"] == (1.0, 1.0)
    assert json.loads((outcome.folder / SCORES_FILE).read_text())["test"] == outcome.test
    bundle = native.load(outcome.folder)
    found = list(ask(bundle, ["the film 1 was great to see 2", "the film 1 was dull to see 2"]))
    assert [answer["label"] for answer in found] == ["yes", "no"]
    assert found[0]["score"] > 0.5
    measured = [
        m for m in read_metrics(tmp_path / "run" / METRICS_FILE) if "validation_accuracy" in m
    ]
    assert [line["step"] for line in measured] == [30, 60, 90, 120]


def test_the_best_weights_are_published_not_the_last(
    texts: Callable[..., Path],
    pretrained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    settings = recipe(train={"steps": 30, "keep_finished": True}, metric="log_loss_turned")
    import unmask.tasks.classification as room

    given = iter([0.0, 0.3, 0.9, 0.1, 0.0])  # the first is asked to see that the score is there
    original = room.Classification.score
    monkeypatch.setattr(
        room.Classification,
        "score",
        lambda self, e, s: {**original(self, e, s), "log_loss_turned": next(given, 0.0)},
    )
    outcome = go(texts(), pretrained, run, settings)

    best = load_file(run / "best" / "model.safetensors")
    last = load_file(run / "checkpoint-30" / "model.safetensors")
    published = load_file(outcome.folder / "model.safetensors")
    assert all(torch.equal(published[name], best[name]) for name in best)
    assert any(not torch.equal(last[name], best[name]) for name in best)


def test_a_run_that_was_cut_off_goes_on_bit_for_bit(
    texts: Callable[..., Path],
    pretrained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = recipe(train={"steps": 24, "save_every": 5})
    whole = go(texts(), pretrained, tmp_path / "whole", settings)

    def cut(_log: RunLog, state: Any, _progress: float, _numbers: dict[str, float]) -> None:
        if state.global_step == 13:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "step", cut)
        with pytest.raises(KeyboardInterrupt):
            go(texts(), pretrained, tmp_path / "cut", settings)
    with pytest.raises(UsageError, match="--resume"):
        go(texts(), pretrained, tmp_path / "cut", settings)
    again = go(texts(), pretrained, tmp_path / "cut", settings, resume=True)

    weights = [(one.folder / "model.safetensors").read_bytes() for one in (whole, again)]
    assert weights[0] == weights[1]
    assert again.validation == whole.validation


def interrupted_at(step: int, monkeypatch: pytest.MonkeyPatch, go_on: Callable[[], Any]) -> None:
    """Runs until the step and ends as by a kill."""

    def cut(_log: RunLog, state: Any, _progress: float, _numbers: dict[str, float]) -> None:
        if state.global_step == step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "step", cut)
        with pytest.raises(KeyboardInterrupt):
            go_on()


def test_a_kill_loses_an_epoch_at_most_and_resuming_says_from_where_it_goes_on(
    texts: Callable[..., Path],
    pretrained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train, run = texts(48), tmp_path / "run"  # of 48 examples 43 are left to learn from
    settings = recipe(train={"batch_size": 4, "steps": 33})
    interrupted_at(26, monkeypatch, lambda: go(train, pretrained, run, settings))
    said: list[str] = []

    finetune(train, pretrained, run, settings, resume=True, say=said.append)

    assert "goes on from checkpoint-22 (step 22 of 33)" in said


def test_how_often_is_saved_may_be_set(
    texts: Callable[..., Path],
    pretrained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    settings = recipe(train={"batch_size": 4, "steps": 33, "save_every": 25})
    interrupted_at(26, monkeypatch, lambda: go(texts(48), pretrained, run, settings))

    assert [path.name for path in checkpoints(run)] == ["checkpoint-0", "checkpoint-25"]


def test_a_run_that_never_began_says_so_on_resuming(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    settings = recipe(train={"steps": 2})
    finetune(texts(), pretrained, tmp_path / "run", settings, resume=True, say=said.append)

    assert "nothing to resume: the run begins" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": 50}, "examples"),
        ({"optim": {"learning_rate": 1e-3}}, "learning_rate"),
        ({"freeze": "1"}, "freeze"),
    ],
)
@pytest.mark.parametrize("is_kept", [True, False])
def test_another_run_is_not_gone_on_with(
    texts: Callable[..., Path],
    pretrained: Path,
    tmp_path: Path,
    change: dict[str, Any],
    message: str,
    is_kept: bool,
) -> None:
    settings = recipe(train={"steps": 4, "save_every": 2, "keep_finished": is_kept})
    go(texts(), pretrained, tmp_path / "run", settings)
    settings_changed = {name: value for name, value in change.items() if name != "number"}
    file = texts(change.get("number", 48))

    with pytest.raises(UsageError, match=message):
        go(
            file,
            pretrained,
            tmp_path / "run",
            recipe(train={"steps": 4, "save_every": 2}, **settings_changed),
            resume=True,
        )


def test_a_frozen_encoder_stays_as_it_was_and_is_warned_of(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = go(
        texts(), pretrained, tmp_path / "run", recipe(freeze="encoder", train={"steps": 3})
    )

    before = native.load(pretrained).model.encoder.state_dict()
    after = native.load(outcome.folder).model.encoder.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert "--freeze encoder" in caplog.text
    assert "Devlin et al. 2019 (section 5.3, table 7)" in caplog.text


def test_seeds_give_mean_and_spread_and_the_best_is_published(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    settings = recipe(seeds=2, baselines=True, train={"steps": 3, "evaluate_every": 3})
    outcome = go(texts(), pretrained, tmp_path / "run", settings)

    each = [
        json.loads((tmp_path / "run" / f"seed-{seed}" / "model" / SCORES_FILE).read_text())
        for seed in (0, 1)
    ]
    values = [one["validation"]["log_loss"] for one in each]
    assert values[0] != values[1]
    assert outcome.validation["log_loss"] == pytest.approx(sum(values) / 2)
    assert outcome.spread is not None
    assert outcome.spread["log_loss"] == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert outcome.baselines
    assert outcome.baselines == each[0]["baselines"] == each[1]["baselines"]
    assert native.load(outcome.folder).task is not None
    alone = go(texts(), pretrained, tmp_path / "alone", replace_seed(settings, 1))
    assert alone.validation == each[1]["validation"]


def test_scores_that_are_no_better_the_higher_they_are_cannot_be_chosen_by(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    for metric in ("log_loss", "support/no"):
        with pytest.raises(UsageError, match=f"'{metric}' is not better the higher it is"):
            go(texts(), pretrained, tmp_path / "run", recipe(metric=metric))


def test_seeds_of_which_one_never_gives_a_label_are_summed_up() -> None:
    def outcome(**scores: float) -> Outcome:
        return Outcome(Path("run"), "f1", {"f1": 0.5}, test={"f1": scores["f1"], **scores})

    together = [outcome(f1=0.4, **{"precision/ORG": 1.0}), outcome(f1=0.6)]

    assert _mean([one.test or {} for one in together]) == {"f1": 0.5}


def test_the_published_model_of_several_seeds_tells_of_all(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    settings = recipe(seeds=2, train={"steps": 3, "evaluate_every": 3})
    outcome = go(texts(), pretrained, tmp_path / "run", settings, test=texts())

    card = (outcome.folder / "README.md").read_text()
    stored = json.loads((outcome.folder / SCORES_FILE).read_text())
    assert "## Over 2 seeds" in card
    assert outcome.spread is not None
    assert f"{outcome.spread['accuracy']:.4f} |" in card
    assert outcome.intervals
    assert stored == json.loads(json.dumps({k: v for k, v in outcome.as_dict().items()
                                            if k != "model"}))  # fmt: skip


def test_what_is_added_to_a_finished_model_may_change_on_resuming(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    train = texts()
    go(train, pretrained, tmp_path / "run", recipe())

    again = go(train, pretrained, tmp_path / "run", recipe(baselines=True), resume=True)

    assert again.baselines


def contents(run: Path) -> dict[str, bytes]:
    files = [path for path in run.rglob("*") if path.is_file() and path.name != "run.lock"]
    return {str(path.relative_to(run)): path.read_bytes() for path in files}


def test_what_only_an_unfinished_run_needs_does_not_stay(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    go(texts(), pretrained, run, recipe())

    assert {path.name for path in run.iterdir() if path.is_dir()} == {"model"}
    assert len(list(run.rglob("*.safetensors"))) == 1


@pytest.mark.parametrize("seeds", [1, 2])
def test_resuming_a_finished_run_says_so_and_changes_nothing(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path, seeds: int
) -> None:
    run, settings = tmp_path / "run", recipe(seeds=seeds, baselines=True, train={"steps": 8})
    tests = texts(20, 100)
    first = go(texts(), pretrained, run, settings, test=tests)
    before = contents(run)
    with pytest.raises(UsageError, match=r"holds a run already \(finished, its model is in "):
        go(texts(), pretrained, run, settings, test=tests)
    said: list[str] = []

    again = finetune(texts(), pretrained, run, settings, test=tests, resume=True, say=said.append)

    assert sum(line.startswith("already finished") for line in said) == seeds
    assert again == first
    assert contents(run) == before


def test_a_run_that_is_killed_while_it_is_tidied_still_has_its_best_weights(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, settings = tmp_path / "run", recipe(train={"steps": 8, "save_every": 2})
    original, left = shutil.rmtree, [1]

    def killed(path: Path, **others: Any) -> None:
        if (run / "model").is_dir() and not left.pop():
            raise KeyboardInterrupt
        original(path, **others)

    for number in range(3):
        original(run, ignore_errors=True)
        left[:] = [0] + [1] * number
        with monkeypatch.context() as patch:
            patch.setattr("unmask.checkpoint.runs.shutil.rmtree", killed)
            with pytest.raises(KeyboardInterrupt):
                go(texts(), pretrained, run, settings)
        published = (run / "model" / "model.safetensors").read_bytes()

        go(texts(), pretrained, run, settings, resume=True)

        assert (run / "model" / "model.safetensors").read_bytes() == published
        assert {path.name for path in run.iterdir() if path.is_dir()} == {"model"}


def test_settings_of_adapting_need_a_text(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="adaptation: is for pretraining on a text first"):
        go(texts(), pretrained, tmp_path / "run", recipe(adaptation={"epochs": 9}))


def replace_seed(settings: Finetune, seed: int) -> Finetune:
    train = settings.train.model_copy(update={"seed": seed})
    return settings.model_copy(update={"seeds": 1, "train": train})


def test_what_cannot_be_chosen_by_is_named(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="'bleu' is none of this task's; expected one of acc"):
        go(texts(), pretrained, tmp_path / "run", recipe(metric="bleu"))


def test_a_label_that_training_lacks_is_named_with_its_line(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.tsv"
    other.write_text("text\tlabel\nthe film was good\tyes\nthe film\tmaybe\n", encoding="utf-8")

    with pytest.raises(DataError, match=r"other\.tsv:3: label 'maybe' is none of the 2"):
        go(texts(), pretrained, tmp_path / "run", recipe(), validation=other)


@pytest.mark.parametrize("there", [None, "folder", "deep"])
def test_a_run_that_fails_before_training_leaves_nothing(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path, there: str | None
) -> None:
    run = tmp_path / ("new/deep/run" if there == "deep" else "run")
    if there == "folder":
        run.mkdir()
    before = sorted(path for path in tmp_path.rglob("*"))

    with pytest.raises(UsageError, match="'bleu' is none"):
        go(texts(), pretrained, run, recipe(metric="bleu"))
    with pytest.raises(DataError, match=r"nowhere\.tsv: no such file"):
        go(tmp_path / "nowhere.tsv", pretrained, run, recipe())

    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_a_failed_run_leaves_what_it_found_and_what_it_has_to_show(
    pretrained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    file = tmp_path / "bad.tsv"
    file.write_text("text\tlabel\n" + "only one field\n" * 20, encoding="utf-8")
    for _ in range(2):  # the same folder may be tried again
        with pytest.raises(DataError):
            go(file, pretrained, run, recipe())
        assert (run / "rejects.jsonl").stat().st_size > 0
    (run / "metrics.jsonl").write_text('{"step": 1}\n')

    with pytest.raises(DataError, match="no such file"):
        go(tmp_path / "nowhere.tsv", pretrained, run, recipe())

    assert (run / "metrics.jsonl").read_text() == '{"step": 1}\n'
    assert (run / "run.lock").is_file()


def test_validation_examples_seen_in_training_are_told(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    settings = recipe(train={"steps": 2})
    finetune(texts(), pretrained, tmp_path / "run", settings, validation=texts(20), say=said.append)

    assert any("20 of 20 validation examples are among those learned from too" in s for s in said)


def test_test_examples_seen_in_training_are_told(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    settings = recipe(train={"steps": 2})
    finetune(texts(), pretrained, tmp_path / "run", settings, test=texts(20), say=said.append)

    assert any("20 of 20 test examples are among those learned from too" in s for s in said)


def test_rows_are_learned_from_as_their_file_is(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    settings = recipe(train={"steps": 2})
    file = texts()
    dicts = [json.loads(line) for line in as_lines(file)]
    tuples = [(one["text"], one["label"]) for one in dicts]

    found = [
        go(train, pretrained, tmp_path / name, settings, validation=train, test=train)
        for name, train in (("file", file), ("dicts", dicts), ("tuples", tuples))
    ]

    assert found[0].test == found[1].test == found[2].test


def as_lines(file: Path) -> list[str]:
    """A table of two columns as JSON lines."""
    header, *rows = file.read_text(encoding="utf-8").splitlines()
    names = header.split("\t")
    return [json.dumps(dict(zip(names, row.split("\t"), strict=True))) for row in rows]


def test_dropout_can_be_switched_off(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    outcome = go(texts(), pretrained, tmp_path / "run", recipe(dropout=0.0, train={"steps": 2}))

    config = native.load(outcome.folder).config
    assert dropouts_of(config) == (0.0, 0.0)


def dropouts_of(config: Any) -> tuple[float, float]:
    return config.hidden_dropout_prob, config.attention_probs_dropout_prob


def test_a_model_adapts_to_text_of_the_domain_first(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    unlabelled = tmp_path / "domain.txt"
    unlabelled.write_text("\n".join(text for text, _ in lines(300)), encoding="utf-8")
    said: list[str] = []
    train_settings = {"steps": 2, "keep_finished": True}
    settings = recipe(train=train_settings, adaptation={"epochs": 2, "learning_rate": 1e-3})
    train, run = texts(), tmp_path / "run"

    finetune(train, pretrained, run, settings, adapt_to=unlabelled, say=said.append)

    metrics = read_metrics(run / "adapted" / METRICS_FILE)
    losses = [line["validation_mlm_loss"] for line in metrics if "validation_mlm_loss" in line]
    assert losses[-1] < losses[0] - 0.1
    adapted = native.load(run / "adapted")
    before = native.load(pretrained).model.encoder.state_dict()
    assert any(
        not torch.equal(before[name], tensor)
        for name, tensor in adapted.model.encoder.state_dict().items()
    )
    assert any("adapting to" in line for line in said)
    assert adapted.config == native.load(pretrained).config  # its dropout, too
    stored = json.loads((run / "checkpoint-2" / "trainer_state.json").read_text())
    from unmask.recipe.identity import weights_sha256

    assert stored["identity"]["pretrained"] == weights_sha256(adapted.model.encoder)
    card = (run / "model" / "README.md").read_text()
    assert f"encoder of `{pretrained.name}, adapted to domain.txt`" in card
    unlabelled.write_text("another text", encoding="utf-8")
    with pytest.raises(UsageError, match=r"is being adapted to domain\.txt, now another text"):
        finetune(train, pretrained, run, settings, adapt_to=unlabelled, resume=True)


def test_adapting_speaks_of_its_own_settings_and_of_what_is_fresh(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    unlabelled = tmp_path / "domain.txt"
    unlabelled.write_text("\n".join(text for text, _ in lines(300)), encoding="utf-8")
    fine_tuned = go(texts(), pretrained, tmp_path / "first", recipe(train={"steps": 2})).folder
    said: list[str] = []
    adaptation = {"epochs": 2, "learning_rate": 1e-9, "batch_size": 16}
    settings = recipe(train={"steps": 2}, adaptation=adaptation)

    finetune(texts(), fine_tuned, tmp_path / "run", settings, adapt_to=unlabelled, say=said.append)

    assert "nothing to resume: the run begins" not in said
    fresh = "the model has no masked language model head: it starts with fresh weights"
    assert said.count(fresh) == 1
    (warning,) = (line for line in said if "above the unigram entropy" in line)
    assert "--adaptation.learning-rate" in warning
    assert "optim.learning_rate" not in warning
    assert "doctor CORPUS" not in warning
    metrics = read_metrics(tmp_path / "run" / "adapted" / METRICS_FILE)
    measured = [line["step"] for line in metrics if "validation_mlm_loss" in line]
    assert len(measured) == 2  # once an epoch
    assert measured[1] == 2 * measured[0]


def test_an_adapted_run_is_tidied_too_and_known_as_finished(
    texts: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    unlabelled = tmp_path / "domain.txt"
    unlabelled.write_text("\n".join(text for text, _ in lines(60)), encoding="utf-8")
    run, settings = tmp_path / "run", recipe(train={"steps": 2}, adaptation={"epochs": 1})
    first = go(texts(), pretrained, run, settings, adapt_to=unlabelled)
    before = contents(run)
    assert {path.parent.name for path in run.rglob("model.safetensors")} == {"model"}
    said: list[str] = []

    again = finetune(
        texts(), pretrained, run, settings, adapt_to=unlabelled, resume=True, say=said.append
    )

    assert any(line.startswith("already finished") for line in said)
    assert again == first
    assert contents(run) == before


def test_windows_longer_than_the_model_reads_are_refused(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    rows = [{"text": "good film", "label": "yes"}, {"text": "bad film", "label": "no"}] * 10
    recipe = {"task": "classification", "settings": {"max_length": 4000}}

    with pytest.raises(UsageError, match=r"max_length is 4000, but .* reads 64 tokens"):
        finetune(rows, tiny_encoder, tmp_path / "run", Finetune.model_validate(recipe))
