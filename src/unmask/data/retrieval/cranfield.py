"""The Cranfield 1400 collection (Cleverdon 1967): its judgements by degree, and the whole of it.

Its published files have traps, which `collection.open_cranfield` avoids:

- Judgements name queries by their position, 1 to 225; the queries' own numbers run to 365.
- Codes of relevance count down: 1 is a complete answer, 4 of minimum interest, -1 of none. A
  description that goes with the TREC form has them the wrong way round; Cleverdon's own text, in
  `cranqrel.readme`, is right.
- The TREC form folds the codes to 0 and 1, but for one 3 that was forgotten.
- Documents 471 and 995 are empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from unmask.data.labelled.labels import Fault
from unmask.data.rejects import Rejects
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.retrieval.fields import of_line
from unmask.data.retrieval.files import checked, open_source, parsed, text_lines
from unmask.data.retrieval.records import Judgement

RELEVANCE: Final = {"1": 4, "2": 3, "3": 2, "4": 1, "5": 0, "-1": 0}
"""By code: 4 a complete answer, 3 highly relevant, 2 useful, 1 of minimum interest, 0 of none."""
_FIELDS = ("query", "document", "code")


def read_graded(path: Path | str, config: RetrievalConfig, rejects: Rejects) -> Iterator[Judgement]:
    """The judgements of the original `cranqrel`, `query document code`, the codes made relevances.

    Raises:
        DataError: No such file, one that breaks off, too many rejects, or no judgement at all.
    """
    source = open_source(path)

    def judgement(text: str, number: int) -> Judgement:
        query, document, code = of_line(text.split(), _FIELDS)
        if code not in RELEVANCE:
            raise Fault("unknown code", f"`{code[:40]}`, expected {', '.join(RELEVANCE)}")
        return Judgement(query, document, RELEVANCE[code], str(source), number)

    found = parsed(source, text_lines(source, config, rejects), judgement, rejects)
    return checked(source, found, "judgements", rejects)
