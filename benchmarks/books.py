"""What a model pretrained on the books knows, for docs/books.md: curve, figures, ten blanks.

`python benchmarks/books.py RUN` takes the folder of a run on the books, such as our side of
`pretraining.py`. It is measured on the whole held-out books and on WikiText-2's validation part
(UNMASK_DATA/wikitext2), text of another kind. There `<unk>` becomes a character that no
vocabulary here knows, hence [UNK], which is never asked for; ` @-@ `, ` @,@ ` and ` @.@ ` become
the characters that they stand for.

Of the ten blanks five are drawn from the held-out books by a fixed seed, and five were written
down before any model was asked; all ten are shown.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import material
import measure
import pretraining_sides
import run as page
import tables
from pretraining_sides import VOCAB_SIZE

import unmask
from unmask.data.config import CorpusConfig
from unmask.data.corpus import read
from unmask.data.rejects import Rejects
from unmask.recipe.evaluate import evaluate
from unmask.recipe.pretrain import CURVE_FILE
from unmask.text.tokenizer import Tokenizer
from unmask.train.log import METRICS_FILE, read_metrics

PAGE = material.ROOT / "docs" / "books.md"
PICTURE = measure.RESULTS / "books.png"
UNKNOWN = "\u16a0"
"""A rune, which no English vocabulary holds."""
BLANKS = (
    "She opened the [MASK] and went in.",
    "It was a dark and stormy [MASK].",
    "I do not know [MASK] you mean.",
    "Paris is the [MASK] of France.",
    "Two and two make [MASK].",
)


def wikitext(folder: Path) -> Path:
    """WikiText-2's validation text as plain text, an article a document."""
    raw = (folder / "wikitext2" / "valid.txt").read_text(encoding="utf-8")
    text = re.sub(r" @([-,.])@ ", r"\1", raw).replace("<unk>", UNKNOWN)
    articles = re.split(r"\n(?= = [^=].*[^=] = \n)", text)
    output = material.WORK / "wikitext2-valid"
    output.mkdir(parents=True, exist_ok=True)
    for number, article in enumerate(articles):
        (output / f"{number:02}.txt").write_text(article, encoding="utf-8")
    tokenizer = Tokenizer.load(material.tokenizer_folder(VOCAB_SIZE))
    assert tokenizer.encode(UNKNOWN) == [tokenizer.special.unk]
    return output


def drawn_blanks(tokenizer: Tokenizer, number: int) -> Iterator[tuple[str, str]]:
    """Sentences of held-out books with one word of them hidden, and the word."""
    chance = random.Random(0)
    documents = list(read(material.split_books()[1], CorpusConfig().reader, Rejects(1.0)))
    while number:
        text = " ".join(chance.choice(documents).split())
        sentence = chance.choice(re.split(r"(?<=[.!?]) ", text))
        words = sentence.split(" ")
        place = chance.randrange(len(words))
        word = words[place].strip(".,;!?")
        if 8 <= len(words) <= 20 and word.isalpha() and len(tokenizer.encode(word)) == 1:
            words[place] = words[place].replace(word, "[MASK]")
            yield " ".join(words), word
            number -= 1


def answers(run: Path) -> list[dict[str, Any]]:
    """The five best guesses for every blank, and where the hidden word stands among all."""
    engine = unmask.load(run)
    tokenizer = engine.bundle.tokenizer
    assert tokenizer is not None
    found = []
    for blank, word in [*drawn_blanks(tokenizer, 5), *((blank, "") for blank in BLANKS)]:
        guesses = engine.predict(blank, top_k=tokenizer.vocab_size)
        words = [str(guess["token_str"]) for guess in guesses]
        rank = words.index(word.lower()) + 1 if word else None
        best = [[name, guess["score"]] for name, guess in zip(words[:5], guesses[:5], strict=True)]
        found.append({"text": blank, "hidden": word, "rank": rank, "guesses": best})
    return found


def books(result: dict[str, Any]) -> str:
    """The page."""
    columns = ["text", "positions", "loss, nats", "accuracy", "pseudo-perplexity"]
    columns += ["unigram entropy", "commonest token"]
    rows = [
        [
            name,
            f"{figures['positions']:,}",
            f"{figures['mlm_loss']:.3f}",
            f"{figures['mlm_accuracy']:.3f}",
            f"{figures['mlm_pseudo_perplexity']:.1f}",
            f"{figures['unigram_entropy']:.3f}",
            f"{figures['unigram_accuracy']:.3f}",
        ]
        for name, figures in result["held_out"].items()
    ]
    blanks = [
        [
            one["text"],
            f"{one['hidden']} ({one['rank']})" if one["hidden"] else "",
            ", ".join(f"{word} {score:.2f}" for word, score in one["guesses"]),
        ]
        for one in result["blanks"]
    ]
    return "\n\n".join(
        [
            "# A mini BERT on classic books",
            f"4 layers of 256, a vocabulary of {VOCAB_SIZE:,}, trained by "
            f"`recipes/{result['recipe']}` for {result['minutes']:.0f} minutes on "
            f"{result['threads']} thread(s): {result['tokens'] / 1e6:.1f} million tokens of the "
            "novels and classic books of UNMASK_DATA, every twentieth book held out whole.",
            "The environment variable UNMASK_DATA names a folder of real data. Two archives of "
            "plain text in it make up the books, `text-100-english-novels/novels.tar.zst` and "
            "`text-classic-books/books.tar.zst`: tar files compressed by zstd, whose `.txt` and "
            "`.md` files (but for a README.md) are one book each, in any folders. Without them the "
            "benchmarks fall back to the few books under `examples/books`, and their figures are "
            "others than these.",
            "![Loss over tokens](../benchmarks/results/books.png)",
            "## On text that it has not seen",
            "Every sequence of these texts, of 128 tokens, 15 % of the positions asked for, always "
            "the same ones. The last two columns are what token frequencies alone give: the "
            "entropy as a loss, and always guessing the commonest token. WikiText-2 is modern "
            "encyclopedia text, far from old novels; its `<unk>` stands as `[UNK]` and is never "
            "asked for.",
            tables.table(columns, rows),
            "## Ten blanks",
            "The first five are drawn by a fixed seed from the held-out books, with the hidden "
            "word and its rank among all words; the other five were written down before any model "
            "was asked. Nothing was left out.",
            tables.table(["text", "hidden (rank)", "guesses and their probability"], blanks),
        ]
    )


def main() -> None:
    """Measures, keeps the figures and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--recipe", default="mini-fast.toml", help="its name, for the page")
    parser.add_argument("--threads", type=int, default=1, help="of the run, for the page")
    arguments = parser.parse_args()
    data = material.data_folder()
    if data is None:
        raise SystemExit("books.py: set UNMASK_DATA to the folder of real data")
    _, held_out = pretraining_sides.ready()
    texts = {"held-out books": held_out, "WikiText-2, validation": wikitext(data)}
    lines = read_metrics(arguments.run / METRICS_FILE)
    last = [line for line in lines if "validation_mlm_loss" in line][-1]
    result = {
        "recipe": arguments.recipe,
        "threads": arguments.threads,
        "minutes": last["seconds"] / 60,
        "tokens": last["tokens"],
        "held_out": {name: evaluate(arguments.run, text) for name, text in texts.items()},
        "blanks": answers(arguments.run),
    }
    shutil.copyfile(arguments.run / CURVE_FILE, PICTURE)
    kept = measure.keep("books", result, measure.RESULTS)
    PAGE.write_text(
        f"{books(result)}\n\n{page.origin('books', kept['machine'])}\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
