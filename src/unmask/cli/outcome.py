"""How the figures of a fine-tuning run are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmask.terminal import show, show_table

if TYPE_CHECKING:
    from unmask.recipe.outcome import Outcome

_HIDDEN = ("_weighted", "_micro", "_thresh")
"""Endings of the names of figures that only `--json` shows, as those of single labels."""


def show_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Validation and test scores side by side, the baselines' beside them."""
    if as_json:
        show(outcome.as_dict(), [], as_json=True)
        return
    columns = {"validation": outcome.validation}
    if outcome.test is not None:
        columns["test"] = outcome.test
    columns |= outcome.baselines
    names = [
        name
        for name in outcome.validation
        if name == outcome.metric or ("/" not in name and not name.endswith(_HIDDEN))
    ]
    rows = []
    for name in names:
        cells = [f"{scores[name]:.4f}" if name in scores else "" for scores in columns.values()]
        low_high = outcome.intervals.get(name)
        shown = "" if low_high is None else f"{low_high[0]:.3f}-{low_high[1]:.3f}"
        chosen = f"{name} *" if name == outcome.metric else name
        rows.append((chosen, *cells, *([shown] if outcome.intervals else [])))
    header = ["score", *columns, *(["95 % of test"] if outcome.intervals else [])]
    show_table(header, rows)
    print(f"* chosen by this score on the validation examples\nmodel: {outcome.folder}")
