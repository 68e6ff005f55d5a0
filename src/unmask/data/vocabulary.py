"""From files of text to a tokenizer folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unmask.data.config import ReaderConfig
from unmask.data.corpus import read_sources
from unmask.data.rejects import Rejects
from unmask.data.shards import REJECTS_FILE
from unmask.data.sources import find
from unmask.data.staging import staged
from unmask.errors import DataError
from unmask.text.config import TokenizerConfig
from unmask.text.learn import train
from unmask.text.saving import FILES
from unmask.text.tokenizer import Tokenizer


def learn(
    paths: Sequence[Path | str],
    output: Path | str,
    config: TokenizerConfig | None = None,
    reader: ReaderConfig | None = None,
    *,
    overwrite: bool = False,
) -> tuple[Tokenizer, int]:
    """Learns a vocabulary and writes its folder; returns it and the number of rejects.

    The folder appears whole or not at all. `paths` are those of `corpus.read`.

    Raises:
        DataError: Nothing to read, too many rejects, or no word in the text.
        UsageError: The output is there already, the vocabulary asked for is too
            small, or a setting has no effect on its kind.
        MachineError: The folder cannot be written.
    """
    output = Path(output)
    reader = reader or ReaderConfig()
    sources, _ = find(paths)
    with staged(output, overwrite=overwrite, is_ours=_is_tokenizer) as folder:
        with Rejects(reader.max_reject_rate, folder / REJECTS_FILE) as rejects:
            texts = read_sources(sources, reader, rejects)
            try:
                learned = train(texts, config or TokenizerConfig())
            except DataError as error:
                raise rejects.explain(error, output) from error
        learned.save(folder)
    rejects.warn(output / REJECTS_FILE)
    return learned, len(rejects)


def _is_tokenizer(folder: Path) -> bool:
    """A tokenizer and nothing else, so that no model is lost with it."""
    return {path.name for path in folder.iterdir()} <= {*FILES, REJECTS_FILE}
