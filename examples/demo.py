"""The whole life of a BERT on a few books: vocabulary, corpus, pretraining, filling blanks.

Run it by `make demo`. Each step is also a verb of the `unmask` command, named in what it prints.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import unmask
from unmask.data.config import CorpusConfig
from unmask.data.prepare import prepare
from unmask.data.vocabulary import learn
from unmask.recipe.config import Pretrain
from unmask.recipe.files import load as load_recipe
from unmask.terminal import show
from unmask.text.config import TokenizerConfig

HERE = Path(__file__).parent
OUTPUT = Path("runs/demo")
VOCABULARY = 4096
LEAST_GAIN = 0.3
"""Nats by which the held-out loss must end below the unigram entropy."""
BLANKS = (
    "He looked at her and [MASK].",
    "She opened the [MASK] and went in.",
    "It was a dark and stormy [MASK].",
    "I do not know [MASK] you mean.",
)


def main() -> None:
    """Runs the demo; ends with exit code 1 where the model has learned too little."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    books = {part: HERE / "books" / part for part in ("train", "heldout")}

    heading("1. A vocabulary from the books", "unmask tokenizer")
    tokenizer, _ = learn(
        [books["train"]], OUTPUT / "tokenizer", TokenizerConfig(vocab_size=VOCABULARY)
    )
    print(f"{tokenizer.vocab_size:,} word pieces; 'unmasking' becomes", end=" ")
    print(" ".join(tokenizer.id_to_token(i) for i in tokenizer.encode("unmasking")))

    heading("2. Shards of token ids, for training and held out", "unmask corpus")
    for part, folder in books.items():
        report = prepare([folder], tokenizer, OUTPUT / part, CorpusConfig())
        print(f"{part}: {report.num_documents} books, {report.num_tokens:,} tokens")

    heading("3. Pretraining by masked language modelling", "unmask pretrain")
    flags = {"validation": OUTPUT / "heldout"}
    recipe = load_recipe(HERE.parent / "recipes" / "demo.toml", flags, Pretrain)
    result = unmask.pretrain(OUTPUT / "train", OUTPUT / "run", recipe)
    print(result.sketch)
    print(f"the same as a picture: {result.curve}")
    show({}, [(name, f"{value:.4f}") for name, value in result.figures().items()], as_json=False)

    heading("4. Filling blanks", f'unmask fill {OUTPUT / "run"} "{BLANKS[0]}"')
    engine = unmask.load(result.folder)
    for blank in BLANKS:
        guesses = engine.predict(blank, top_k=5)
        words = ", ".join(f"{guess['token_str']} {guess['score']:.2f}" for guess in guesses)
        print(f"{blank}\n    {words}")

    gain = result.unigram_entropy - result.scores["mlm_loss"]
    print(f"\nheld-out loss is {gain:.2f} nats below the unigram entropy", end=" ")
    print(f"(asked for: {LEAST_GAIN}); accuracy {result.scores['mlm_accuracy']:.1%}", end=" ")
    print(f"against {result.unigram_accuracy:.1%} for always guessing the commonest token")
    if not gain >= LEAST_GAIN:  # which NaN is not, either
        sys.exit(1)


def heading(title: str, verb: str) -> None:
    """Says what comes, and which verb does the same."""
    print(f"\n== {title}   [{verb}]", flush=True)


if __name__ == "__main__":
    try:
        main()
    except unmask.UnmaskError as error:
        sys.exit(f"demo: {error}")
