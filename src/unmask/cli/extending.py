"""The verb that fits a model's vocabulary to a domain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unmask.cli.flags import AsJson
from unmask.data.config import ReaderConfig
from unmask.recipe.config import Extend

_SHOWN = 12


def extend(
    model: str,
    /,
    *text: Annotated[Path, Parameter(required=True)],
    output: Path,
    settings: Annotated[Extend, Parameter(name="*")] = Extend(),
    reader: ReaderConfig = ReaderConfig(),
    json: AsJson = False,
) -> None:
    """Makes a pretrained model read a domain's words in fewer tokens.

    Parameters
    ----------
    model
        A pretrained model's folder, or a hub id.
    text
        Files, folders or globs of the domain's text, of which one line in ten is measured on.
    output
        Folder for the model with the new vocabulary; go on pretraining it with --model.
    """
    from unmask.recipe.extend import extend_model
    from unmask.terminal import show

    found = extend_model(model, list(text), output, settings, reader)
    words = ", ".join(found.words_added[:_SHOWN])
    rows = [
        ("vocabulary", f"{found.old_vocab_size:,} before, {found.vocab_size:,} now"),
        ("new tokens" if settings.retrain else "new words", f"{found.num_words_added:,}: {words}"),
        (
            "tokens per word",
            f"{found.tokens_per_word_before:.3f} before, {found.tokens_per_word_after:.3f} now, "
            f"over {found.held_out_words:,} held-out words",
        ),
        ("unknown", f"{found.unknown_rate_before:.2%} before, {found.unknown_rate_after:.2%} now"),
        ("rejects", f"{found.num_rejects:,}"),
        ("model", found.model),
    ]
    show(found.as_dict(), rows, as_json=json)
