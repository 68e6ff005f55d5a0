"""The command line itself: every verb, and one message for every mistake."""

from __future__ import annotations

import logging
import sys

try:  # importing takes a moment, in which somebody may think better of it
    from cyclopts import App, Parameter
    from cyclopts.exceptions import CycloptsError

    from unmask import __version__
    from unmask.cli.helping import HELP
    from unmask.cli.wording import arguments, usage
    from unmask.errors import UnmaskError
except KeyboardInterrupt:
    print("unmask: interrupted", file=sys.stderr)
    sys.exit(130)

app = App(
    name="unmask",
    version=__version__,
    help="From a folder of text to a trained, measured BERT-style encoder.",
    default_parameter=Parameter(consume_multiple=True, negative_iterable=()),
    help_formatter=HELP,
    suppress_keyboard_interrupt=False,
)
VERBS = {
    "tokenizer": (
        "preparing:tokenizer",
        "Learns a vocabulary from text: WordPiece, byte-level BPE or Unigram.",
    ),
    "corpus": (
        "preparing:corpus",
        "Turns text into packed shards of token ids, ready to train on.",
    ),
    "corpus-verify": (
        "preparing:corpus_verify",
        "Compares every file of a corpus with its manifest.",
    ),
    "extend": (
        "extending:extend",
        "Makes a pretrained model read a domain's words in fewer tokens.",
    ),
    "pretrain": ("training:pretrain", "Trains a masked language model on a corpus."),
    "finetune": ("finetuning:app", "Trains a pretrained encoder on labelled examples."),
    "tune": ("tuning:app", "Searches for the fine-tuning settings that score best."),
    "predict": (
        "predicting:predict",
        "Answers about texts: their labels, their words' tags, or the answers to questions.",
    ),
    "fill": ("answering:fill", "Fills in the blanks of a text."),
    "score": (
        "answering:score",
        "Scores whole sentences by pseudo-log-likelihood; higher is more natural.",
    ),
    "embed": ("embedding:embed", "Writes a vector for each text of a file."),
    "evaluate": ("answering:evaluate", "Measures a model on data that it was not trained on."),
    "index": (
        "indexing:index",
        "Makes documents searchable by a sentence encoder, and adds to them or deletes later.",
    ),
    "search": (
        "searching:search",
        "Finds the passages of an index that answer a query best.",
    ),
    "deduplicate": (
        "comparing:deduplicate",
        "Keeps one of the texts that say the same, the first of each group.",
    ),
    "paraphrases": (
        "comparing:paraphrases",
        "Lists the pairs of texts that are most alike, the best first.",
    ),
    "cluster": (
        "comparing:cluster",
        "Gives each text the number of a cluster of texts about the same.",
    ),
    "mine": (
        "mining:mine",
        "Finds hard negatives for pairs of texts, or makes pairs out of a corpus.",
    ),
    "inspect": (
        "examining:inspect",
        "Says what a model is: family, sizes, parameters, tokenizer, heads, how it was made.",
    ),
    "doctor": (
        "examining:doctor",
        "Names what is wrong or unwise in a corpus, a model or labelled examples, and how to mend "
        "it.",
    ),
    "reproduce": (
        "reproducing:reproduce",
        "Runs the experiments behind a table of figures again, with several seeds and their "
        "spread.",
    ),
}
"""Where each verb lives, imported when it is typed, and the first line of its help."""
for _name, (_place, _line) in VERBS.items():
    app.command(f"unmask.cli.{_place}", name=_name, help=_line)


def main() -> None:
    """Runs one verb; a user's mistake ends in one message and an exit code, never a traceback."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        tokens = arguments(sys.argv[1:])
        app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        _fail(usage(error), 2)
    except UnmaskError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt as error:
        _fail("; ".join(["interrupted", *map(str, error.args)]), 130)  # as shells have it
    except BrokenPipeError:
        # The reader of our output has gone; devnull keeps the interpreter's last flush silent.
        sys.stdout = None
        sys.exit(1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}", 4)


def _fail(message: str, exit_code: int) -> None:
    print(f"unmask: {message}", file=sys.stderr)
    sys.exit(exit_code)
