"""A folder in which the documents' code can run: the README's quick start, made tiny."""

from __future__ import annotations

from pathlib import Path

import pytest

import unmask
from unmask.data.config import CorpusConfig, ReaderConfig
from unmask.data.prepare import prepare
from unmask.text.config import TokenizerConfig
from unmask.text.train import train_wordpiece

ROOT = Path(__file__).resolve().parents[2]
EXCERPT_CHARACTERS = 40_000


@pytest.fixture(scope="session")
def quick_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the checkout after `make demo`, with a model that has learned two steps.

    `examples` and `recipes` are the real ones; `runs/demo` holds the corpora `train` and
    `heldout`, and the run `run` with its `model`.
    """
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("examples", "recipes"):
        (folder / name).symlink_to(ROOT / name)
    book = ROOT / "examples" / "books" / "heldout" / "wells-the-invisible-man-1897.txt"
    text = folder / "excerpt.txt"
    text.write_text(book.read_text(encoding="utf-8")[:EXCERPT_CHARACTERS], encoding="utf-8")
    tokenizer = train_wordpiece(
        [text.read_text(encoding="utf-8")], TokenizerConfig(vocab_size=1000)
    )
    demo = folder / "runs" / "demo"
    blocks = CorpusConfig(reader=ReaderConfig(documents="block"))
    for part in ("train", "heldout"):
        prepare([text], tokenizer, demo / part, blocks)
    recipe = unmask.Pretrain.model_validate(
        {
            "preset": "tiny",
            "train": {"steps": 2, "batch_size": 4, "sequence_length": 32},
        }
    )
    unmask.pretrain(demo / "train", demo / "run", recipe, say=lambda _: None)
    return folder
