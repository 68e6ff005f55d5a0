"""Draws the pictures of the concept pages from a pretrained run, by unmask's own code.

.venv/bin/python docs/concepts/pictures.py runs/demo/run docs/concepts/pictures
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import unmask
from unmask.batch import IGNORED
from unmask.data.config import MaskingConfig
from unmask.recipe.pretrain import CURVE_FILE

SENTENCE = "She opened the door and went into the garden, but there was no one to be seen."
MASKED, RANDOM, KEPT, PLAIN = "#1f4e79", "#b0413e", "#5b8a3c", "#f2f2f2"


def main() -> None:
    """Writes masking.png, attention.png and loss.png into the folder given second."""
    run, output = Path(sys.argv[1]), Path(sys.argv[2])
    output.mkdir(parents=True, exist_ok=True)
    engine = unmask.load(str(run))
    draw_masking(engine, output / "masking.png")
    draw_attention(engine, output / "attention.png")
    shutil.copyfile(run / CURVE_FILE, output / "loss.png")


def draw_masking(engine: unmask.Engine, path: Path) -> None:
    """One sentence before masking and after, for three epochs."""
    tokenizer = engine.bundle.tokenizer
    assert tokenizer is not None
    special = tokenizer.special
    batch = unmask.pack([[special.cls, *tokenizer.encode(SENTENCE), special.sep]])
    rows = [("before", batch.input_ids.tolist(), [PLAIN] * batch.num_tokens)]
    for epoch in range(3):
        masked = unmask.mask_tokens(batch, tokenizer, MaskingConfig(rate=0.3), epoch=epoch)
        colours = []
        for before, after, label in zip(
            batch.input_ids.tolist(),
            masked.input_ids.tolist(),
            masked.labels["mlm"].tolist(),
            strict=True,
        ):
            if label == IGNORED:
                colours.append(PLAIN)
            elif after == special.mask:
                colours.append(MASKED)
            else:
                colours.append(KEPT if after == before else RANDOM)
        rows.append((f"epoch {epoch + 1}", masked.input_ids.tolist(), colours))

    figure, axes = _canvas(0.72 * batch.num_tokens, 0.55 * len(rows) + 0.3)
    for line, (name, ids, colours) in enumerate(rows):
        axes.text(-0.6, -line, name, ha="right", va="center", fontsize=9)
        for column, (token, colour) in enumerate(zip(ids, colours, strict=True)):
            axes.text(
                column,
                -line,
                tokenizer.id_to_token(token),
                ha="center",
                va="center",
                fontsize=7.5,
                color="black" if colour == PLAIN else "white",
                bbox={"boxstyle": "round,pad=0.3", "facecolor": colour, "edgecolor": "none"},
            )
    axes.set_xlim(-2.2, batch.num_tokens - 0.3)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.axis("off")
    figure.savefig(path, dpi=130)


def draw_attention(engine: unmask.Engine, path: Path) -> None:
    """What each token looks at, one head of the first and of the last layer."""
    seen = engine.inspect("She opened the [MASK] and went in.")
    layers = [("first layer, head 1", seen.attentions[0][0])]
    layers.append(("last layer, head 1", seen.attentions[-1][0]))
    figure = Figure(figsize=(9.5, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (title, weights) in enumerate(layers):
        axes = figure.add_subplot(1, 2, place + 1)
        axes.imshow(weights, cmap="Blues", vmin=0.0, vmax=float(weights.max()))
        axes.set_title(title, fontsize=10)
        axes.set_xticks(range(len(seen.tokens)), seen.tokens, rotation=60, fontsize=8)
        axes.set_yticks(range(len(seen.tokens)), seen.tokens, fontsize=8)
        axes.set_xlabel("looked at")
        axes.set_ylabel("looking")
    figure.savefig(path, dpi=130)


def _canvas(width: float, height: float):
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


if __name__ == "__main__":
    main()
