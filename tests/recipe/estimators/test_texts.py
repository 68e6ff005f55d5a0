from __future__ import annotations

import pickle
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

from unmask import Finetune, TextClassifier, TokenTagger, UnmaskError
from unmask.checkpoint import native
from unmask.errors import DataError, UsageError
from unmask.recipe import finetune
from unmask.recipe.estimators import fitting
from unmask.train.log import RunLog
from unmask.train.state import RunState

MEAN: dict[str, Any] = {"settings": {"pooling": "mean"}}
"""Which words there are is plain to see in the mean."""


def learning(model: Path, **parameters: Any) -> TextClassifier:
    """Enough to learn the little sentences, whatever the seed."""
    settings = {"epochs": 12, "batch_size": 8, "learning_rate": 1e-2, "recipe": MEAN, **parameters}
    return TextClassifier(str(model), **settings)


@pytest.fixture(scope="module")
def fitted(tiny_encoder: Path, texts: list[str], labels: list[str]) -> TextClassifier:
    return learning(tiny_encoder).fit(texts, labels)


def test_labels_are_learned(fitted: TextClassifier, texts: list[str], labels: list[str]) -> None:
    found = fitted.predict(texts)

    assert fitted.classes_.tolist() == ["no", "yes"]
    assert fitted.score(texts, labels) == accuracy_score(labels, found) > 0.9
    assert set(fitted.validation_scores_) > {"accuracy"}


def test_probabilities_are_in_the_order_of_the_classes(
    fitted: TextClassifier, texts: list[str]
) -> None:
    found = fitted.predict_proba(texts)

    assert found.shape == (len(texts), 2)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert (fitted.classes_[found.argmax(axis=1)] == fitted.predict(texts)).all()
    assert fitted.predict_proba([]).shape == (0, 2)


@pytest.mark.parametrize("classes", [(-1, 1), (10, 9), (False, True), (0.0, 1.0)])
def test_labels_come_back_as_they_were_given(
    classes: tuple[Any, Any], tiny_encoder: Path, texts: list[str], labels: list[str]
) -> None:
    given = np.array([classes[label == "yes"] for label in labels])

    fitted = learning(tiny_encoder).fit(np.array(texts), given)
    found = fitted.predict(texts)

    assert found.dtype == given.dtype
    assert fitted.classes_.tolist() == sorted(classes)
    assert (found == given).mean() > 0.9


def test_pairs_are_two_segments(tiny_encoder: Path, texts: list[str], labels: list[str]) -> None:
    pairs = [("the cat", text) for text in texts]

    fitted = learning(tiny_encoder, epochs=40).fit(pairs, labels)

    assert fitted.score(np.array(pairs), labels) > 0.9
    with pytest.raises(DataError, match="is one text, but the model was trained on pairs"):
        fitted.predict(texts)


def test_several_labels_as_lists(tiny_encoder: Path, texts: list[str], labels: list[str]) -> None:
    given = [
        ["film"] * ("film" in text) + [label] for text, label in zip(texts, labels, strict=True)
    ]

    fitted = learning(tiny_encoder).fit(texts, given)

    assert fitted.classes_.tolist() == ["film", "no", "yes"]
    assert fitted.predict(["the film was good fine"]) == [["film", "yes"]]
    assert fitted.score(texts, given) > 0.9
    assert fitted.predict_proba(texts).shape == (len(texts), 3)


def test_several_labels_as_columns(tiny_encoder: Path, texts: list[str], labels: list[str]) -> None:
    given = np.array([["film" in text, False, label == "yes"] for text, label in
                      zip(texts, labels, strict=True)]).astype(int)  # fmt: skip

    fitted = learning(tiny_encoder, epochs=40).fit(texts, given)
    found = fitted.predict(texts)

    assert found.shape == given.shape
    assert not found[:, 1].any()  # no example had it
    assert fitted.score(texts, given) == (found == given).all(axis=1).mean() > 0.9


def test_numbers(tiny_encoder: Path, texts: list[str], labels: list[str]) -> None:
    given = [2.0 + 3.0 * (label == "yes") for label in labels]

    fitted = learning(tiny_encoder, kind="regression", epochs=40).fit(texts, given)

    found = fitted.predict(texts)
    assert fitted.score(texts, given) == r2_score(given, found)
    assert np.corrcoef(given, found)[0, 1] > 0.8  # chosen by how well the order is met
    assert not hasattr(fitted, "predict_proba")


def test_the_same_seed_gives_the_same_model_and_another_seed_another(
    tiny_encoder: Path, texts: list[str], labels: list[str]
) -> None:
    one, same, other = (
        learning(tiny_encoder, epochs=1, seed=seed).fit(texts, labels).predict_proba(texts)
        for seed in (1, 1, 2)
    )

    assert (one == same).all()
    assert not np.allclose(one, other)


def test_pickled_it_predicts_the_same(fitted: TextClassifier, texts: list[str]) -> None:
    asked = [*texts, "a [MASK] in the text is text"]
    before = fitted.predict_proba(asked)

    copy = pickle.loads(pickle.dumps(fitted))

    assert (copy.predict_proba(asked) == before).all()
    assert (fitted.predict_proba(asked) == before).all()
    assert copy.get_params() == fitted.get_params()


@pytest.mark.parametrize("classes", [("no", "yes"), (3, 7)])
def test_saved_and_loaded_it_predicts_the_same(
    classes: tuple[Any, Any],
    tiny_encoder: Path,
    texts: list[str],
    labels: list[str],
    tmp_path: Path,
) -> None:
    given = [classes[label == "yes"] for label in labels]
    fitted = learning(tiny_encoder, epochs=1).fit(texts, given)

    fitted.save(tmp_path / "model")
    loaded = TextClassifier.load(tmp_path / "model")

    assert (loaded.predict_proba(texts) == fitted.predict_proba(texts)).all()
    assert (loaded.predict(texts) == fitted.predict(texts)).all()
    assert (loaded.classes_ == fitted.classes_).all()
    assert loaded.kind == "single"
    assert native.load(tmp_path / "model").task.labels == tuple(map(str, classes))


def test_a_model_that_finetune_made_is_loaded(
    tiny_encoder: Path, texts: list[str], tmp_path: Path
) -> None:
    rows = [f"{text}\t{4.5 if 'film' in text else 1.0}\n" for text in texts]
    (tmp_path / "train.tsv").write_text("text\tlabel\n" + "".join(rows))
    recipe = finetune.Finetune.model_validate(
        {"task": "classification", "settings": {"kind": "regression"}, "baselines": False}
    )
    finetune.finetune(
        tmp_path / "train.tsv", tiny_encoder, tmp_path / "run", recipe, say=lambda _: None
    )

    loaded = TextClassifier.load(tmp_path / "run")

    assert loaded.kind == "regression"
    assert loaded.predict(texts).shape == (len(texts),)


def test_a_model_of_another_task_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    from unmask import TokenTagger

    words = [["a", "cat"]] * 8
    TokenTagger(str(tiny_encoder), epochs=1).fit(words, [["O", "X"]] * 8).save(tmp_path / "model")

    with pytest.raises(UsageError, match="is a model for tagging, which TextClassifier is not"):
        TextClassifier.load(tmp_path / "model")
    with pytest.raises(UsageError, match="was not fine-tuned"):
        TextClassifier.load(tiny_encoder)


def test_parameters_and_further_settings_reach_the_run(
    tiny_encoder: Path, texts: list[str], labels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    original = fitting.finetune_examples

    def heard(examples: Any, model: Any, output: Any, recipe: Any, **others: Any) -> Any:
        runs.append((examples, recipe))
        return original(examples, model, output, recipe, **others)

    monkeypatch.setattr(fitting, "finetune_examples", heard)
    settings = {"optim": {"layer_decay": 0.5}, "settings": {"pooling": "mean"}}
    TextClassifier(
        str(tiny_encoder),
        epochs=2,
        learning_rate=1e-3,
        batch_size=7,
        max_length=9,
        validation_fraction=0.25,
        seed=5,
        freeze="embeddings",
        recipe={**settings, "settings": {"pooling": "mean", "stride": 3}},
    ).fit(texts, labels)

    ((examples, recipe),) = runs
    assert len(examples.validation) == len(texts) / 4
    assert (recipe.train.epochs, recipe.train.batch_size, recipe.train.seed) == (2, 7, 5)
    assert (recipe.optim.learning_rate, recipe.optim.layer_decay) == (1e-3, 0.5)
    assert (recipe.settings.max_length, recipe.settings.pooling) == (9, "mean")
    assert recipe.freeze == "embeddings"


@pytest.mark.parametrize("kind", [TextClassifier, TokenTagger])
def test_defaults_are_those_of_the_recipe(kind: type[fitting.FineTuningEstimator]) -> None:
    estimator = kind("model-folder")
    plain = Finetune.model_validate({"task": kind._task, "settings": {}})

    for parameter, path in kind._parameters.items():
        if parameter != "learning_rate":  # depends on the size of the model
            expected: Any = plain
            for name in path:
                expected = getattr(expected, name)
            assert getattr(estimator, parameter) == expected, parameter


def test_it_is_silent_unless_asked(
    tiny_encoder: Path, texts: list[str], labels: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    learning(tiny_encoder, epochs=1).fit(texts, labels)
    assert capfd.readouterr() == ("", "")

    learning(tiny_encoder, epochs=1, verbose=True).fit(texts, labels)
    assert "held out:" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("X", "y", "said"),
    [
        ("one text", ["a"], "str: no list or array"),
        (["a", 3], ["x", "y"], r"X\[1\]: is int; expected a text, or a pair"),
        (["a", ("b", "c", "d")], ["x", "y"], r"X\[1\]: is tuple of 3; expected a text, or a pair"),
        (["a", "b"], None, "requires y"),
        (["a"], ["x"], "1 sample to fit on"),
        ([], [], "0 samples to fit on"),
        (["a", "b"], ["x", "x"], r"one class \(x\)"),
        (["a", "b"], ["x"], "inconsistent numbers of samples"),
        (["a", "b"], [0.5, 1.5], "Unknown label type: continuous"),
        (["a", "b"], [0.0, np.nan], "NaN"),
        (["a", "b"], [[], []], "no example has any label"),
        (["a", "b"], [["x"], "y"], "is not a list of labels for each text"),
    ],
)
def test_what_cannot_be_learned_is_told(X: Any, y: Any, said: str, tiny_encoder: Path) -> None:
    with pytest.raises(ValueError, match=said):
        TextClassifier(str(tiny_encoder)).fit(X, y)


def test_settings_that_cannot_be_are_told(
    tiny_encoder: Path, texts: list[str], labels: list[str]
) -> None:
    for parameters, said in (
        ({"epochs": -1}, r"settings \[train\]: `epochs` -1: expected more than 0"),
        ({"recipe": {"train": {"epochs": 1}}}, "sets train.epochs, which is the estimator's own"),
        ({"recipe": {"optim": {"layerdecay": 1}}}, "Did you mean `layer_decay`"),
    ):
        with pytest.raises(UsageError, match=said):
            TextClassifier(str(tiny_encoder)).set_params(**parameters).fit(texts, labels)
    with pytest.raises(UnmaskError, match="no-such-folder"):
        TextClassifier("./no-such-folder").fit(texts, labels)
    with pytest.raises(DataError, match="expected a text"):
        TextClassifier(str(tiny_encoder)).fit([["a", "b", "c"]] * 4, ["x", "y"] * 2)


def test_an_interrupt_ends_fitting(
    tiny_encoder: Path, texts: list[str], labels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def once(_: RunLog, state: RunState, *__: Any) -> None:
        if state.global_step == 1:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(RunLog, "step", once)

    with pytest.raises(KeyboardInterrupt, match="nothing of it is kept"):
        learning(tiny_encoder).fit(texts, labels)
