"""The command line itself: every verb, and one message for every mistake."""

from __future__ import annotations

import logging
import sys

try:  # importing takes a moment, in which somebody may think better of it
    from cyclopts import App, Parameter
    from cyclopts.exceptions import CycloptsError

    from unmask import __version__
    from unmask.cli import (
        answering,
        examining,
        finetuning,
        predicting,
        preparing,
        reproducing,
        training,
        tuning,
    )
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
app.command(preparing.tokenizer)
app.command(preparing.corpus)
app.command(preparing.corpus_verify, name="corpus-verify")
app.command(training.pretrain)
app.command(finetuning.app)
app.command(tuning.app)
app.command(predicting.predict)
app.command(answering.fill)
app.command(answering.score)
app.command(answering.evaluate)
app.command(examining.inspect)
app.command(examining.doctor)
app.command(reproducing.reproduce)


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
