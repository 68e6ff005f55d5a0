"""SciFact's claims in parts, and how well their answers are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unmask.checkpoint import native
from unmask.data.rejects import Rejects
from unmask.data.retrieval.collection import open_beir
from unmask.data.retrieval.config import RetrievalConfig
from unmask.errors import DataError
from unmask.infer.embedder import Embedder
from unmask.infer.encode import Encoder
from unmask.recipe.examples import SPLIT_SEED
from unmask.recipe.identity import weights_sha256
from unmask.recipe.reproduce.claiming import files_sha256
from unmask.search.config import ChunkConfig, IndexConfig, SearchConfig, WordsConfig
from unmask.search.documents import Document
from unmask.search.index import Index
from unmask.tasks.metrics import retrieval

HELD_OUT_RATE = 0.1
_SCORE = "ndcg_cut_10"
_DEPTH = 100
_INDEX = IndexConfig(
    chunk=ChunkConfig(by="document"), kind="exact", bm25=WordsConfig(stopwords="english")
)
Ndcg = dict[str, float]
"""nDCG@10 by claim."""


@dataclass(frozen=True)
class Claims:
    """Queries and the documents that answer them."""

    texts: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]

    def only(self, names: Sequence[str]) -> Claims:
        """Those of these names."""
        return Claims(
            {name: self.texts[name] for name in names}, {name: self.qrels[name] for name in names}
        )


@dataclass(frozen=True)
class Material:
    """What is learned from, chosen by and measured on."""

    documents: list[Document]
    contents: dict[str, str]
    """The same as a model reads them, by their ids."""
    train: Claims
    held_out: Claims
    test: Claims
    folder: Path
    """Of files made of them."""
    sha256: str
    """Of the published files."""

    def pairs(self, claims: Claims) -> list[tuple[str, str]]:
        """Each claim with each abstract that answers it."""
        return [
            (claims.texts[name], self.contents[document])
            for name, judged in claims.qrels.items()
            for document, relevance in judged.items()
            if relevance > 0
        ]


def read_material(source: Path, folder: Path) -> Material:
    """The documents, and the claims in parts.

    Raises:
        DataError: SciFact is not there in BEIR's layout, or cannot be read.
    """
    config = RetrievalConfig()
    with Rejects(config.max_reject_rate) as rejects:
        collections = [open_beir(source, part, config, rejects) for part in ("train", "test")]
        corpus = list(collections[1].read(rejects))
    train, test = (Claims(one.queries, one.qrels) for one in collections)
    names = list(train.texts)
    drawn = np.random.default_rng(SPLIT_SEED).permutation(len(names))
    number = max(1, round(HELD_OUT_RATE * len(names)))
    held_out = [names[i] for i in sorted(drawn[:number].tolist())]
    kept = [names[i] for i in sorted(drawn[number:].tolist())]
    if not kept:
        raise DataError(f"{source}: holds {len(names)} training claims; expected two or more.")
    return Material(
        [Document(one.id, one.text, one.title) for one in corpus],
        {one.id: one.content for one in corpus},
        train.only(kept),
        train.only(held_out),
        test,
        folder / "data",
        files_sha256(sorted(path for path in source.rglob("*") if path.is_file())),
    )


def embedder_of(model: Path) -> Embedder:
    """A folder's model."""
    return Embedder(Encoder.of(native.load(model)))


def search(model: Path, material: Material, claims: Claims, by: str, rrf_k: float = 60.0) -> Ndcg:
    """nDCG@10 of each claim over all documents, whose vectors are made once for each model."""
    sha256 = weights_sha256(native.load(model).model.encoder)
    place, embedder = material.folder.parent / "index" / sha256[:16], embedder_of(model)
    index = (
        Index.open(place, embedder)
        if place.is_dir()
        else Index.create(place, embedder, _INDEX, model=model.name)
    )
    with index:
        index.add(material.documents)  # what is there already is passed over
        config = SearchConfig.model_validate(
            {"by": by, "rrf_k": rrf_k, "top_k": _DEPTH, "depth": _DEPTH}
        )
        hits = index.search_many(list(claims.texts.values()), config)
    run = {
        name: {hit.document: -float(rank) for rank, hit in enumerate(found)}
        for name, found in zip(claims.texts, hits, strict=True)
    }
    found = retrieval.by_query(claims.qrels, run)
    return {name: values[_SCORE] for name, values in found.items()}
