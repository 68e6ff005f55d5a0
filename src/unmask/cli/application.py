"""The command line itself: every verb, and one message for every mistake."""

from __future__ import annotations

import logging
import sys

from cyclopts import App
from cyclopts.exceptions import CycloptsError
from pydantic import ValidationError

from unmask import __version__
from unmask.cli import answering, examining, preparing, training
from unmask.errors import UnmaskError

app = App(
    name="unmask",
    version=__version__,
    help="From a folder of text to a trained, measured BERT-style encoder.",
    suppress_keyboard_interrupt=False,
)
app.command(preparing.tokenizer)
app.command(preparing.corpus)
app.command(preparing.corpus_verify, name="corpus-verify")
app.command(training.pretrain)
app.command(answering.fill)
app.command(answering.score)
app.command(answering.evaluate)
app.command(examining.inspect)
app.command(examining.doctor)


def main() -> None:
    """Runs one verb; a user's mistake ends in one message and an exit code, never a traceback."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        app(exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        _fail(_usage(error), 2)
    except UnmaskError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted", 130)  # as shells have it
    except BrokenPipeError:
        # The reader of our output has gone; devnull keeps the interpreter's last flush silent.
        sys.stdout = None
        sys.exit(1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}", 4)


def _usage(error: CycloptsError) -> str:
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        from unmask.recipe.config import Pretrain
        from unmask.recipe.files import explain

        return explain(cause, "command line", Pretrain)
    return f"{error}\nTry `unmask {' '.join(error.command_chain or ())} --help`."


def _fail(message: str, exit_code: int) -> None:
    print(f"unmask: {message}", file=sys.stderr)
    sys.exit(exit_code)
