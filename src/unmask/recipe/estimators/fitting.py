"""What the estimators share: a run in a temporary folder, and the model that it leaves."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from pydantic import ValidationError
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.huggingface.provenance import read_provenance
from unmask.data.labelled.splitting import split
from unmask.errors import DataError, Stopped, UsageError
from unmask.infer.asking import task_of
from unmask.recipe import files
from unmask.recipe.config import Finetune
from unmask.recipe.examples import SPLIT_SEED, Examples
from unmask.recipe.finetune import finetune_examples
from unmask.recipe.together import silent
from unmask.tasks.predicting import scored
from unmask.tasks.task import LabelledTask
from unmask.text.tokenizer import Tokenizer

_CLASSES = "classes"
"""In unmask.json: the classes as they were given, since a model knows their names alone."""

_PICKLED = "_tokenizer_parts"


class FineTuningEstimator(BaseEstimator, ABC):  # type: ignore[misc]
    """An estimator whose `fit` is a fine-tuning run."""

    _task: ClassVar[str]
    _parameters: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "epochs": ("train", "epochs"),
        "batch_size": ("train", "batch_size"),
        "learning_rate": ("optim", "learning_rate"),
        "max_length": ("settings", "max_length"),
        "freeze": ("freeze",),
        "validation_fraction": ("validation_rate",),
        "seed": ("train", "seed"),
        "device": ("train", "device"),
    }
    """Where each parameter stands in a recipe."""

    bundle_: Bundle
    """The model after fitting."""
    validation_scores_: dict[str, float]
    """On the examples held out of those fitted on, by which the best weights were chosen."""

    def save(self, folder: Path | str) -> None:
        """Writes the model in Hugging Face's layout, for `load`, `unmask.load` and the verbs.

        Raises:
            NotFittedError: It was not fitted.
            MachineError: The folder cannot be written.
        """
        check_is_fitted(self)
        made_by = {**self._made_by, _CLASSES: self._stored_classes()}
        native.save(self.bundle_, Path(folder), made_by)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """A fitted estimator out of a folder that `save` or `unmask finetune` wrote.

        Fitting it again would begin with that model; its other parameters are the default ones.

        Raises:
            UsageError: The model is of another task, or an experiment's control.
            DataError: It is damaged.
        """
        bundle = native.load(folder)
        bundle.refuse_control()
        task = task_of(bundle)
        if task.name != cls._task:
            raise UsageError(f"{folder}: is a model for {task.name}, which {cls.__name__} is not.")
        made_by = (None if bundle.folder is None else read_provenance(bundle.folder)) or {}
        fitted = cls(str(folder))
        fitted._take(bundle, made_by, {})
        fitted._restore_classes(made_by.get(_CLASSES))
        return fitted

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        bundle = state.get("bundle_")
        if bundle is not None:
            # Its parts alone: the fast path cannot be pickled, nor that special tokens are text.
            state["bundle_"] = replace(bundle, tokenizer=None)
            state[_PICKLED] = _parts(bundle.require_tokenizer())
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        others = {name: value for name, value in state.items() if name != _PICKLED}
        super().__setstate__(others)
        if _PICKLED in state:
            self.bundle_ = replace(self.bundle_, tokenizer=Tokenizer(*state[_PICKLED]))

    def _stored_classes(self) -> Any:
        """What `_restore_classes` takes, JSON-able; None where the model itself tells."""

    @abstractmethod
    def _restore_classes(self, stored: Any) -> None:
        """Sets what `fit` knows of the labels; None stands for a model that `fit` did not make."""

    @property
    def _fitted_task(self) -> LabelledTask[Any, Any]:
        return task_of(self.bundle_)

    def _fit_examples(self, examples: list[Any], settings: Mapping[str, Any]) -> None:
        """Fine-tunes; `settings` are the task's own.

        Raises:
            UsageError, DataError: As `finetune_examples`.
            KeyboardInterrupt: A signal came; nothing is kept.
        """
        recipe = self._as_recipe(settings)
        try:
            kept, held_out = split(examples, recipe.validation_rate, SPLIT_SEED)
        except DataError as error:
            raise DataError(f"X: {error} The parameter is validation_fraction.") from error
        with tempfile.TemporaryDirectory(prefix="unmask-") as folder:
            try:
                outcome = finetune_examples(
                    Examples(kept, held_out),
                    self.model,
                    Path(folder) / "run",
                    recipe,
                    say=None if self.verbose else silent,
                )
            except Stopped:
                raise KeyboardInterrupt("fit was interrupted; nothing of it is kept") from None
            bundle = replace(native.load(outcome.folder), folder=None)
            self._take(bundle, read_provenance(outcome.folder) or {}, outcome.validation)

    def _take(self, bundle: Bundle, made_by: dict[str, Any], scores: dict[str, float]) -> None:
        on_gpu = self.device != "cpu" and torch.cuda.is_available()
        bundle.model.to("cuda" if on_gpu else "cpu")
        self.bundle_ = bundle
        self.validation_scores_ = scores
        self._made_by = made_by

    def _raw_scores(self, examples: list[Any]) -> list[Any]:
        bundle, task = self.bundle_, self._fitted_task
        return scored(bundle.model, task, examples, bundle.require_tokenizer(), bundle.max_length)

    def _as_recipe(self, settings: Mapping[str, Any]) -> Finetune:
        """The parameters as a recipe.

        Raises:
            UsageError: One that cannot be, or that `recipe` sets too.
        """
        given = {name: dict(table) if isinstance(table, Mapping) else table
                 for name, table in (self.recipe or {}).items()}  # fmt: skip
        # A temporary folder is not resumed or looked at: checkpoints and pictures would be in vain.
        own: dict[tuple[str, ...], Any] = {("task",): self._task}
        own |= {("train", "save_every"): 10**9, ("baselines",): False, ("pictures",): False}
        own |= {place: getattr(self, name) for name, place in self._parameters.items()}
        own |= {("settings", name): value for name, value in settings.items()}
        for (*tables, key), value in own.items():
            inner = given
            for table in tables:
                inner = inner.setdefault(table, {})
            if key in inner:
                where = ".".join([*tables, key])
                raise UsageError(f"recipe: sets {where}, which is the estimator's own to set.")
            if value is not None:
                inner[key] = value
        try:
            return Finetune.model_validate(given)
        except ValidationError as error:
            name = f"{type(self).__name__}'s settings"
            raise UsageError(files.explain(error, name, Finetune, {})) from error


def _parts(tokenizer: Tokenizer) -> tuple[Any, ...]:
    """What a tokenizer is made of."""
    return (
        tokenizer.backend,
        tokenizer.special_tokens,
        tokenizer.model_max_length,
        tokenizer.place,
        tokenizer.closes_spaces,
    )
