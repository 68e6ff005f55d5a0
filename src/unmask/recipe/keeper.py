"""A run's folder: checkpoints, resuming, and the published model."""

from __future__ import annotations

import logging
import platform
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from unmask import __version__
from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.huggingface.folder import save_folder
from unmask.checkpoint.huggingface.provenance import read_provenance
from unmask.checkpoint.runs import BEST_FOLDER, MODEL_FOLDER, checkpoints, is_begun
from unmask.errors import DataError, UsageError
from unmask.recipe.identity import ROUNDING, Recipe, require_same
from unmask.train.distributed import World
from unmask.train.optim import Optimizers
from unmask.train.state import RunState, random_state, restore_random_state, seed_dropout

logger = logging.getLogger(__name__)


def require_new(run: Path) -> None:
    """Refuses a folder that holds a run.

    Raises:
        UsageError: It does.
    """
    if not is_begun(run):
        return
    there = checkpoints(run)
    where = f"at {there[-1].name}" if there else f"finished, its model is in {run / MODEL_FOLDER}"
    raise UsageError(
        f"{run}: holds a run already ({where}); go on with it by --resume (in Python "
        "resume=True), or choose another --output"
    )


class RunKeeper:
    """Saves a run under its output folder and finds it there again."""

    def __init__(
        self, run: Path, bundle: Bundle, recipe: Recipe, identity: dict[str, Any], world: World
    ) -> None:
        """`identity` is what must not change between two halves of the run."""
        self.run = run
        self._bundle = bundle
        self._recipe = recipe
        self._world = world
        self._identity = identity
        self._optimizers: Optimizers | None = None

    def begin(self, optimizers: Optimizers, *, resume: bool) -> RunState:
        """The state to go on from: that of the newest valid checkpoint, or a fresh one.

        Raises:
            UsageError: The folder holds a run and `resume` is off, or the run was another one.
            DataError: None of its checkpoints is whole.
        """
        self._optimizers = optimizers
        if not resume:
            require_new(self.run)
        if not checkpoints(self.run):
            seed_dropout(self._world, self._recipe.train.seed)
            return RunState()
        return self._read(self._newest())

    def load_finished(self) -> bool:
        """Loads the weights of a run whose model alone is left; False where that is not so.

        Raises:
            UsageError: The run was another one.
            DataError: The model is damaged.
        """
        model = self.run / MODEL_FOLDER
        if checkpoints(self.run) or not model.is_dir():
            return False
        made_by = read_provenance(model) or {}
        require_same(made_by.get("identity") or {}, self._identity, model)
        self._bundle.model.restore(native.load(model).model.state_dict(), {})
        return True

    def save(self, state: RunState) -> None:
        """Writes a checkpoint folder, whole or not at all, then deletes the oldest."""
        assert self._optimizers is not None
        optimizers, random = self._optimizers, random_state(self._world)
        stored = {**state.as_dict(), "identity": self._identity, "rounding": self._rounding()}

        def write(folder: Path) -> None:
            save_folder(self._published(), folder, provenance=self._provenance())
            native.save_training_state(
                folder,
                optimizer_tensors=optimizers.tensors(),
                state=stored,
                rng=random,
                beside=self._bundle.model.beside(),
            )

        def keep() -> None:
            native.write_folder(self.run / f"checkpoint-{state.global_step}", write)
            native.prune(self.run, self._recipe.train.keep_checkpoints)

        self._world.first(keep)

    def keep_best(self, _state: RunState, /) -> None:
        """Writes the weights as they are now beside the checkpoints, in place of earlier ones."""
        self._world.first(
            lambda: native.write_folder(
                self.run / BEST_FOLDER,
                lambda folder: save_folder(
                    self._published(), folder, provenance=self._provenance()
                ),
            )
        )

    def load_best(self) -> None:
        """Puts the best weights back into the model, where any were kept."""
        if (self.run / BEST_FOLDER).is_dir():
            best = native.load(self.run / BEST_FOLDER).model.state_dict()
            self._bundle.model.restore(best, {})

    def roll_back(self) -> RunState:
        """Loads the newest checkpoint in place.

        Raises:
            DataError: There is none that is whole.
        """
        return self._read(self._newest())

    def publish(self, bundle: Bundle, add: Callable[[Path], None]) -> None:
        """Writes the finished model; `add` puts its card and pictures into the folder."""
        bundle = replace(bundle, model=bundle.model.published())

        def write(folder: Path) -> None:
            save_folder(bundle, folder, provenance=self._provenance())
            add(folder)

        native.write_folder(self.run / native.MODEL_FOLDER, write)
        native.prune(
            self.run, self._recipe.train.keep_checkpoints
        )  # a kill may have come before it

    def _newest(self) -> Path:
        newest = native.newest(self.run)
        if newest is None:
            raise DataError(
                f"{self.run}: none of its checkpoints is whole, so there is nothing to go on from; "
                "copy the run again, or start anew under another --output"
            )
        return newest

    def _set_aside_after(self, newest: Path) -> None:
        """Renames damaged checkpoints, which else stood in the way of new ones or outlived them."""
        self._world.barrier()  # every process has chosen its checkpoint
        there = checkpoints(self.run)
        for damaged in there[there.index(newest) + 1 :] if self._world.is_first else []:
            aside = damaged.with_name(f"damaged-{damaged.name}")
            shutil.rmtree(aside, ignore_errors=True)
            damaged.rename(aside)

    def _read(self, checkpoint: Path) -> RunState:
        stored = native.load_training_state(checkpoint)
        require_same(stored.state["identity"], self._identity, checkpoint)
        self._warn_of_rounding(stored.state["rounding"])
        self._set_aside_after(checkpoint)
        assert self._optimizers is not None
        loaded = native.load(checkpoint).model.state_dict()
        self._bundle.model.restore(loaded, stored.beside)
        self._optimizers.load(stored.optimizer_tensors)
        restore_random_state(stored.rng, self._world, self._recipe.train.seed)
        return RunState.from_dict(stored.state)

    def _published(self) -> Bundle:
        return replace(self._bundle, model=self._bundle.model.published())

    def _rounding(self) -> dict[str, Any]:
        """What decides the last digits of sums."""
        train = self._recipe.train.model_dump(mode="json", include=ROUNDING)
        here = {"processes": self._world.size, "threads": torch.get_num_threads()}
        return {**train, **here, "device": self._world.device.type}

    def _warn_of_rounding(self, before: dict[str, Any]) -> None:
        now = self._rounding()
        changed = [f"{n} {before[n]}, now {now[n]}" for n in now if now[n] != before[n]]
        if changed and self._world.is_first:
            logger.warning(
                "the run began with %s: it goes on with the same sequences and masks, but its "
                "weights will not be bit for bit those of an undisturbed run",
                "; ".join(changed),
            )

    def _provenance(self) -> dict[str, Any]:
        return {
            "recipe": self._recipe.model_dump(mode="json"),
            "identity": self._identity,
            "versions": {
                "unmask": __version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        }
