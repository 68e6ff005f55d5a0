"""What `unmask tune` searches over; imports no tensors, so that a command line can read it fast."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unmask.models.config import EncoderConfig
from unmask.recipe.config import Finetune

Range = tuple[float, float]
"""Least and greatest value, both included."""
Parameters = dict[str, float]
"""A value for each name of the space that is searched."""

_PLACES: dict[str, tuple[str, ...]] = {
    "learning_rate": ("optim", "learning_rate"),
    "batch_size": ("train", "batch_size"),
    "epochs": ("train", "epochs"),
    "layer_decay": ("optim", "layer_decay"),
    "dropout": ("dropout",),
    "warmup_rate": ("optim", "warmup_rate"),
}
"""Where each name of the space stands in a recipe."""
_BUDGETS = ("steps", "minutes")
"""What in a recipe's `train` takes the place of `epochs`."""


class SearchSpace(BaseModel):
    """Which settings are searched, and between which values.

    What the recipe itself sets is not searched. Layer decay, dropout and warm-up are searched only
    where a range is given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    learning_rate: Range | None = None
    """Least and greatest peak rate, drawn by its logarithm. Without it 2e-5 to 5e-5 (Devlin et al.
    2019, appendix A.3); for models below 8 layers or 512 wide 3e-5 to 3e-4 (Turc et al. 2019, arXiv
    1908.08962)."""
    batch_size: tuple[int, ...] = Field(default=(16, 32), min_length=1)
    """Sequences per optimizer step: any of these (Devlin et al. 2019, appendix A.3)."""
    epochs: tuple[int, int] = (2, 5)
    """Fewest and most passes over the examples. Devlin et al. 2019 tried 2 to 4."""
    layer_decay: Range | None = None
    """Range of what each block's rate is multiplied by, per block below the top one (0.8 to 1)."""
    dropout: Range | None = None
    """Range of the share zeroed while training."""
    warmup_rate: Range | None = None
    """Range of the share of the budget in which the rate grows from zero."""

    @model_validator(mode="after")
    def _ranges_go_upwards(self) -> Self:
        for name in ("learning_rate", "epochs", "layer_decay", "dropout", "warmup_rate"):
            found = getattr(self, name)
            if found is not None and not found[0] <= found[1]:
                low, high = found
                raise ValueError(f"{name} {low:g} {high:g}: expected the least value first")
        if len(set(self.batch_size)) < len(self.batch_size):
            raise ValueError(f"batch_size {self.batch_size}: a size stands there twice")
        return self


class Tune(Finetune):
    """A search: the recipe of its trials, what is varied, and how often."""

    space: SearchSpace = SearchSpace()
    """What is searched."""
    trials: int = Field(default=20, ge=1, le=10_000)
    """Runs in all, those of earlier calls with the same output included."""

    @model_validator(mode="after")
    def _can_be_searched(self) -> Self:
        if self.seeds != 1:
            raise ValueError(
                f"seeds {self.seeds}: a trial is one run. Try the best settings with several "
                "seeds afterwards: unmask finetune --recipe best.toml --seeds N"
            )
        given = self.given()
        if idle := [name for name in ("adaptation", "baselines", "pictures") if name in given]:
            raise ValueError(
                f"{idle[0]}: trials have none; set it for unmask finetune --recipe best.toml"
            )
        for name in self.space.model_fields_set & _fixed(given):
            place = ".".join(_PLACES[name])
            if getattr(self.space, name) is not None:
                raise ValueError(f"{place} is set and space.{name} too: expected one, drop either")
        searched = set(_names(self))
        if "batch_size" in searched and "evaluate_every" in given.get("train", {}):
            raise ValueError(
                "train.evaluate_every counts steps, whose size differs between trials: set "
                "train.evaluations_per_epoch instead"
            )
        for name in searched & self.space.model_fields_set:
            for value in getattr(self.space, name):
                self._require_possible(name, value)
        return self

    def _require_possible(self, name: str, value: float) -> None:
        try:
            self.with_parameters({name: value})
        except ValidationError as error:
            found = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ValueError(f"space.{name} {value:g}: {found}") from error

    def given(self) -> dict[str, Any]:
        """What is set of the trials' recipe, as a recipe's tables."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"space", "trials"})

    def with_parameters(self, parameters: Parameters) -> Finetune:
        """The recipe of a run with these values of what is searched."""
        given = self.given()
        for name, value in parameters.items():
            *tables, key = _PLACES[name]
            inner = given
            for table in tables:
                inner = inner.setdefault(table, {})
            inner[key] = value
        return Finetune.model_validate(given)

    def choices(self, config: EncoderConfig) -> dict[str, tuple[float, ...]]:
        """The values or the range of each name that is searched, for a model of this size."""
        found = {name: getattr(self.space, name) for name in _names(self)}
        if "learning_rate" in found and found["learning_rate"] is None:
            found["learning_rate"] = _default_rates(config)
        return found


def _names(recipe: Tune) -> list[str]:
    fixed = _fixed(recipe.given())
    always = {"learning_rate"}
    return [
        name
        for name in _PLACES
        if name not in fixed and (name in always or getattr(recipe.space, name) is not None)
    ]


def _fixed(given: dict[str, Any]) -> set[str]:
    """Names of the space whose values a recipe sets."""
    fixed = set()
    for name, path in _PLACES.items():
        inner: Any = given
        for key in path:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if inner is not None:
            fixed.add(name)
    budget = given.get("train", {})
    return fixed | ({"epochs"} if any(budget.get(name) for name in _BUDGETS) else set())


def _default_rates(config: EncoderConfig) -> Range:
    """See `SearchSpace.learning_rate`."""
    is_small = config.num_hidden_layers < 8 or config.hidden_size < 512
    return (3e-5, 3e-4) if is_small else (2e-5, 5e-5)
