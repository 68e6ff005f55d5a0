"""The measurements behind docs/decisions: `python benchmarks/decisions.py dropout`.

Both sides of a comparison take turns within one process; the figure is the shortest of the rounds,
because whatever else the machine does only ever adds.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from torch import nn

from unmask.batch import Batch, pack
from unmask.data.config import CorpusConfig
from unmask.data.prepare import prepare
from unmask.models.bert import build
from unmask.models.config import PRESETS, BertConfig
from unmask.nn.dropout import Dropout
from unmask.nn.linear import Linear
from unmask.text.config import TokenizerConfig
from unmask.text.train import train_wordpiece

BOOKS = sorted((Path(__file__).resolve().parents[1] / "examples" / "books" / "train").glob("*.txt"))
ROUNDS = 7


def compare(
    sides: Mapping[str, Callable[[], object]],
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.process_time,
) -> None:
    """Prints the shortest time of each side, in turns after one round unmeasured.

    The default clock counts CPU time of all threads, which a busy machine changes least.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            started = clock()
            side()
            if number:
                times[name].append(clock() - started)
    for name, seconds in times.items():
        print(f"  {name:<36} {min(seconds) * 1e3:9.1f} ms")


def dropout() -> None:
    """0002: torch's dropout against 16-bit words, on 4096 x 1024 fp32."""
    x = torch.randn(4096, 1024, requires_grad=True)
    gradient = torch.ones_like(x)

    def both(side: nn.Module) -> None:
        side(x).backward(gradient)

    sides = {"torch": nn.Dropout(0.1), "16-bit words": Dropout(0.1)}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        print(f"{threads} thread(s)")
        compare(
            {f"{name}, forward": partial(side, x) for name, side in sides.items()},
            clock=time.perf_counter,
        )
        compare(
            {f"{name}, forward and backward": partial(both, side) for name, side in sides.items()},
            clock=time.perf_counter,
        )


def encoder_and_batch(lengths: list[int]) -> tuple[nn.Module, Batch]:
    """A mini encoder without dropout on one thread, and random sequences."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = BertConfig(
        vocab_size=8192,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **PRESETS["mini"],
    )
    return build(config), pack([torch.randint(8192, (n,)).tolist() for n in lengths])


def trim() -> None:
    """0003: all rows of the last block against the 15 % that are read, forward and backward."""
    encoder, batch = encoder_and_batch([128] * 32)
    rows = torch.randperm(batch.num_tokens)[: batch.num_tokens * 15 // 100].sort().values
    everything = torch.arange(batch.num_tokens)
    compare(
        {
            "all rows, then picked": lambda: encoder(batch)[rows].sum().backward(),
            "only the rows read": lambda: encoder(batch, rows).sum().backward(),
        }
    )
    with torch.no_grad():
        difference = (encoder(batch)[rows] - encoder(batch, rows)).abs().max()
        assert encoder(batch, everything).shape[0] == batch.num_tokens
    print(f"  largest difference {difference:.1e}")


def groups() -> None:
    """0001: sentences of 8 to 128 tokens, packed against padded to the longest."""
    lengths = (8 + (torch.rand(64, generator=torch.Generator().manual_seed(0)) ** 2 * 121)).int()
    encoder, batch = encoder_and_batch(lengths.tolist())
    longest = int(lengths.max())
    padded = pack([[1] * longest] * len(lengths))
    padded = replace(padded, input_ids=torch.randint(8192, (padded.num_tokens,)))
    print(f"{batch.num_tokens} tokens; {padded.num_tokens} when padded")
    encoder.eval()
    with torch.no_grad():
        compare({"packed": lambda: encoder(batch), "padded": lambda: encoder(padded)})


def threads() -> None:
    """0005: preparing the bundled books with one encoding thread and with two."""
    text = [path.read_text(encoding="utf-8") for path in BOOKS]
    tokenizer = train_wordpiece(text, TokenizerConfig(vocab_size=4096))

    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(text * 4):
            Path(folder, f"{number:02}.txt").write_text(content, encoding="utf-8")

        def run(workers: int) -> None:
            with tempfile.TemporaryDirectory() as output:
                config = CorpusConfig(workers=workers)
                prepare([folder], tokenizer, Path(output) / "corpus", config)

        sides = {f"{n} thread(s)": partial(run, n) for n in (1, 2)}
        compare(sides, rounds=5, clock=time.perf_counter)


def neighbours() -> None:
    """0006: the same three minutes of pretraining from random heads and from neighbours."""
    from unmask.recipe.config import Pretrain
    from unmask.recipe.files import load
    from unmask.recipe.pretrain import pretrain

    root = BOOKS[0].parents[3]
    with tempfile.TemporaryDirectory() as folder:
        text = [path.read_text(encoding="utf-8") for path in BOOKS]
        tokenizer = train_wordpiece(text, TokenizerConfig(vocab_size=4096))
        corpora = {part: Path(folder, part) for part in ("train", "heldout")}
        for part, corpus in corpora.items():
            prepare([root / "examples" / "books" / part], tokenizer, corpus, CorpusConfig())
        for start in ("random", "neighbours"):
            flags = {
                "initial_attention": start,
                "validation": corpora["heldout"],
                "train": {"minutes": 3.0, "evaluate_every": 10_000},
            }
            recipe = load(root / "recipes" / "demo.toml", flags, Pretrain)
            result = pretrain(corpora["train"], Path(folder, start), recipe, say=lambda _: None)
            figures = ", ".join(f"{n} {v:.3f}" for n, v in result.figures().items())
            print(f"  {start:<12} {figures}")


def products() -> None:
    """0009: torch's products in fp32 (MKL) against oneDNN's, at the shapes of MiniLM's blocks."""
    torch.set_num_threads(1)
    for inputs, outputs in ((384, 1152), (384, 384), (384, 1536), (1536, 384)):
        print(f"768 x {inputs} x {outputs}, 20 times, one thread")
        sides: dict[str, Callable[[], object]] = {}
        for name, kind in (("torch", nn.Linear), ("oneDNN", Linear)):
            sides |= passes(name, kind(inputs, outputs), torch.randn(768, inputs))
        compare(sides)
    print("a number of rows never seen before, 384 x 1152, 50 of them")
    x = torch.randn(4096, 384)
    numbers = iter(range(1000, 1000 + 50 * (ROUNDS + 1)))
    wide = Linear(384, 1152).requires_grad_(False)

    def plan() -> None:
        for _ in range(50):
            torch.ops.mkldnn._linear_pointwise(
                x[: next(numbers)], wide.weight, wide.bias, "none", [], ""
            )

    def again() -> None:
        for number in range(1000, 1050):
            torch.ops.mkldnn._linear_pointwise(x[:number], wide.weight, wide.bias, "none", [], "")

    compare({"new": plan, "seen": again})


def passes(name: str, layer: nn.Module, x: torch.Tensor) -> dict[str, Callable[[], object]]:
    """Twenty times forward, and forward and backward."""
    gradient = torch.ones_like(layer(x))
    x.requires_grad_()
    return {
        f"{name}, forward": lambda: [layer(x) for _ in range(20)],
        f"{name}, forward and backward": lambda: [layer(x).backward(gradient) for _ in range(20)],
    }


def vocabulary() -> None:
    """0004: how many different vocabularies five trainings on the same text give."""
    text = [path.read_text(encoding="utf-8") for path in BOOKS]

    def theirs() -> str:
        tokenizer = BertWordPieceTokenizer(lowercase=True)
        tokenizer.train_from_iterator(text, vocab_size=8000, show_progress=False)
        return digest(tokenizer.get_vocab())

    def ours() -> str:
        return digest(train_wordpiece(text, TokenizerConfig(vocab_size=8000)).vocabulary())

    for name, side in {"tokenizers": theirs, "ours": ours}.items():
        started = time.perf_counter()
        found = {side() for _ in range(5)}
        seconds = (time.perf_counter() - started) / 5
        print(f"  {name:<36} {len(found)} different of 5, {seconds:.1f} s each")


def digest(ids: dict[str, int]) -> str:
    """Equal for equal vocabularies."""
    return hashlib.sha256(repr(sorted(ids.items())).encode()).hexdigest()


if __name__ == "__main__":
    measurements = {
        f.__name__: f for f in (groups, dropout, trim, vocabulary, threads, neighbours, products)
    }
    for name in sys.argv[1:] or measurements:
        measured = measurements[name]
        print((measured.__doc__ or name).strip())
        measured()
