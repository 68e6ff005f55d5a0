"""A folder, Qdrant and PostgreSQL answer alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.search.conftest import HOMES, Clients
from tests.search.embedders import Bag

from unmask.errors import DataError, MachineError, UsageError
from unmask.search.config import IndexConfig, SearchConfig
from unmask.search.documents import Chunked, Document, Span, content_sha256
from unmask.search.filters import holds, parse
from unmask.search.index import Index
from unmask.search.store import About, VectorStore

Make = Callable[..., Any]

each_home = pytest.mark.parametrize("home", HOMES)
EVERYTHING = SearchConfig(top_k=10_000)
CONDITIONS = [
    ("year>=1990",),
    ("year<1990",),
    ("year=2001.5",),
    ("year!=1990",),
    ("author=Brontë",),
    ("author!=Austen", "number>20"),
    ("year=unknown",),
    ("number>=3", "number<=4"),
]


@each_home
def test_the_nearest_are_those_of_all_vectors(
    home: str, make_documents: Make, make_index: Make, bag: Bag
) -> None:
    index = make_index(make_documents(50), home, kind="exact")
    every = index.search("x", EVERYTHING)
    texts = [f"{hit.title} {hit.text}".strip() for hit in every]
    vectors = bag.encode_document(texts)

    for query in ("bark fest mun", "dan lork"):
        hits = index.search(query, SearchConfig(top_k=8))

        scores = vectors @ bag.encode_query([query])[0]
        assert [hit.score for hit in hits] == pytest.approx(np.sort(scores)[::-1][:8], abs=1e-5)
        expected = {(every[i].document, every[i].start) for i in np.argsort(-scores)[:7]}
        assert expected <= {(hit.document, hit.start) for hit in hits}


@each_home
def test_results_say_where_they_stand_and_all_that_was_known(
    home: str, make_documents: Make, make_index: Make
) -> None:
    documents = {one.id: one for one in make_documents(20)}
    index = make_index(list(documents.values()), home)

    for hit in index.search("bark", EVERYTHING):
        document = documents[hit.document]
        assert hit.text == document.text[hit.start : hit.end]
        assert (hit.title, dict(hit.metadata)) == (document.title, dict(document.metadata))


@each_home
def test_filters_find_exactly_what_they_say(
    home: str, make_documents: Make, make_index: Make
) -> None:
    documents = make_documents(40)
    index = make_index(documents, home)
    every = index.search("bark", EVERYTHING)

    for conditions in CONDITIONS:
        hits = index.search("bark", SearchConfig(top_k=10_000, filter=conditions))

        wanted = parse(conditions)
        expected = {one.id for one in documents if all(holds(c, one.metadata) for c in wanted)}
        assert expected, conditions
        assert {hit.document for hit in hits} == expected, conditions
        assert len(hits) == sum(hit.document in expected for hit in every)


@pytest.mark.parametrize("home", ["folder", "postgres"])
def test_texts_compare_in_the_order_of_their_code_points(home: str, make_index: Make) -> None:
    dates = ["2024-05-30", "2024-06-01", "Éclair", "Zebra", "apple"]
    index = make_index([Document(date, "word", metadata={"at": date}) for date in dates], home)

    found = index.search("word", SearchConfig(filter=("at>2024-05-31", "at<a")))

    assert {hit.document for hit in found} == {"2024-06-01", "Zebra"}


def test_qdrant_says_that_it_puts_no_texts_in_order(make_index: Make) -> None:
    index = make_index([Document("a", "word", metadata={"at": "2024-05-31"})], "qdrant")

    with pytest.raises(UsageError, match="Qdrant puts numbers in order, not texts"):
        index.search("word", SearchConfig(filter=("at>2024-05-01",)))


@each_home
def test_a_document_takes_the_place_of_one_of_its_name(home: str, make_index: Make) -> None:
    index = make_index([Document("a", "Bark. " * 60), Document("b", "Fest.")], home)

    added = index.add([Document("a", "Mun."), Document("c", "Gun.")])

    assert (added.added, added.replaced, added.unchanged) == (1, 1, 0)
    hits = index.search("mun", EVERYTHING)
    assert sorted((hit.document, hit.text) for hit in hits) == [
        ("a", "Mun."), ("b", "Fest."), ("c", "Gun."),
    ]  # fmt: skip
    assert index.count().documents == index.count().passages == 3


@each_home
def test_what_is_there_is_not_read_again(
    home: str, make_documents: Make, make_index: Make, bag: Bag
) -> None:
    documents = make_documents(30)
    index = make_index(documents[:20], home)
    before = bag.encoded

    added = index.add(documents)

    assert (added.added, added.replaced, added.unchanged) == (10, 0, 20)
    assert bag.encoded - before == added.passages
    assert index.count().documents == 30


@each_home
def test_what_is_deleted_is_not_found_and_can_be_added_again(
    home: str, make_documents: Make, make_index: Make
) -> None:
    documents = make_documents(10)
    index = make_index(documents, home)

    assert index.delete(["d3", "d4", "nobody", "d3"]) == 2

    assert index.count().documents == 8
    assert not {"d3", "d4"} & {hit.document for hit in index.search("bark", EVERYTHING)}
    assert index.add(documents).added == 2
    assert {hit.document for hit in index.search("bark", EVERYTHING)} == {
        one.id for one in documents
    }


@each_home
def test_an_index_is_opened_again_as_it_was(
    home: str, make_documents: Make, new_place: Callable[[str], str], bag: Bag, client_of: Clients
) -> None:
    place, config = new_place(home), IndexConfig.model_validate({"chunk": {"max_tokens": 12}})
    with Index.create(place, bag, config, client=client_of(place)) as index:
        index.add(make_documents(10))
        before = index.search("bark", EVERYTHING)

    with Index.open(place, bag, client=client_of(place)) as index:
        assert index.store.about.config == config
        after = index.search("bark", EVERYTHING)
        assert [(hit.document, hit.text) for hit in after] == [
            (hit.document, hit.text) for hit in before
        ]
        assert index.search("bark", SearchConfig(filter=("number>8",)))[0].document == "d9"


@each_home
def test_another_model_is_refused(
    home: str, new_place: Callable[[str], str], bag: Bag, client_of: Clients
) -> None:
    place = new_place(home)
    Index.create(place, bag, client=client_of(place)).close()

    with pytest.raises(DataError, match=r"was built by another model: bag \(sha256 f49e0e278529\)"):
        Index.open(place, Bag(seed=1), client=client_of(place))
    with pytest.raises(DataError, match="vectors of 32 dimensions, and bag makes vectors of 16"):
        Index.open(place, Bag(dimension=16), client=client_of(place))


@each_home
def test_what_is_there_is_not_made_again_and_what_is_not_is_not_opened(
    home: str, new_place: Callable[[str], str], bag: Bag, client_of: Clients
) -> None:
    place, other = new_place(home), new_place(home)
    Index.create(place, bag, client=client_of(place)).close()

    with pytest.raises(UsageError, match="already"):
        Index.create(place, bag, client=client_of(place))
    with pytest.raises(DataError, match="unmask index MODEL --input FILE --output"):
        Index.open(other, bag, client=client_of(other))


@each_home
def test_an_unknown_field_is_refused(home: str, make_documents: Make, make_index: Make) -> None:
    index = make_index(make_documents(5), home)

    with pytest.raises(UsageError, match=r"no document has a field `auhtor`.*mean `author`"):
        index.search("bark", SearchConfig(filter=("auhtor=Austen",)))


@each_home
def test_an_empty_index_says_so(home: str, make_index: Make) -> None:
    index = make_index([], home)

    with pytest.raises(DataError, match="the index is empty"):
        index.search("bark")
    assert index.delete(["a"]) == 0


@each_home
def test_names_and_texts_may_hold_anything(home: str, make_index: Make) -> None:
    odd = """a'b"; DROP TABLE x; -- \\ {0} %s"""
    documents = [
        Document(odd, f"Bark {odd} 🦈", odd, {odd: odd, "a.b[0]": 5}),
        Document("b", "Fest."),
    ]
    index = make_index(documents, home)

    hits = index.search("bark", SearchConfig(filter=("a.b[0]=5",), documents=True))

    (found,) = [(hit.document, hit.title, dict(hit.metadata)) for hit in hits]
    assert found == (odd, odd, {odd: odd, "a.b[0]": 5})
    assert index.delete([odd]) == 1


@each_home
def test_every_home_offers_what_a_store_has_to(home: str, make_index: Make) -> None:
    store = make_index([], home).store

    assert isinstance(store.place, str)
    assert isinstance(store.about, About)
    for name, method in vars(VectorStore).items():
        if not name.startswith("_") and callable(method):
            wanted, found = (
                [(one.name, one.kind) for one in inspect.signature(of).parameters.values()]
                for of in (method, getattr(type(store), name))
            )
            assert found == wanted, name


@pytest.mark.parametrize("home", ["qdrant", "postgres"])
def test_homes_of_vectors_alone_say_so(home: str, make_documents: Make, make_index: Make) -> None:
    index = make_index(make_documents(3), home)

    with pytest.raises(UsageError, match="knows vectors alone, so --by hybrid cannot be"):
        index.search("bark", SearchConfig(by="hybrid"))


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_an_index_of_pgvector_never_finds_fewer_than_there_are(
    kind: str, make_documents: Make, make_index: Make
) -> None:
    index = make_index(make_documents(300), "postgres", kind=kind)
    assert index.figures == {"kind": f"{kind}, by pgvector"}

    for top_k in (5, 2000):
        hits = index.search("bark", SearchConfig(top_k=top_k, filter=("number>=290",)))
        every = index.search("bark", SearchConfig(top_k=10_000, filter=("number>=290",)))
        assert len(hits) == min(top_k, len(every))


def test_cells_of_pgvector_grow_with_what_is_there(make_documents: Make, make_index: Make) -> None:
    index = make_index(make_documents(30, longest=2), "postgres", kind="ivf")
    store: Any = index.store

    def cells() -> int:
        query = "SELECT reloptions FROM pg_class WHERE oid = to_regclass(%s)"
        with store._transaction() as cursor:
            ((option,),) = cursor.execute(query, [f"{store._prefix}_nearest"]).fetchone()
        return int(option.removeprefix("lists="))

    first = cells()
    assert first == round(index.count().passages ** 0.5)
    index.add(make_documents(10, first=30, longest=2))
    assert cells() == first
    index.add(make_documents(150, first=40, longest=2))
    assert cells() == round(index.count().passages ** 0.5) >= 2 * first
    index.add(make_documents(30, first=190, longest=2))
    index.compact()
    assert cells() == round(index.count().passages ** 0.5)


@pytest.mark.parametrize(
    ("home", "settings", "message"),
    [
        ("qdrant", {"kind": "ivf"}, "expected --kind auto, exact or hnsw"),
        ("postgres", {"quantise": "sq8"}, "expected --quantise none"),
    ],
)
def test_what_a_home_cannot_do_is_refused(
    home: str, settings: dict[str, Any], message: str, make_index: Make
) -> None:
    with pytest.raises(UsageError, match=message):
        make_index([], home, **settings)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("qdrant://127.0.0.1:1/x", "qdrant://127.0.0.1:1/x: Qdrant cannot be reached"),
        (
            "postgresql://me:secret@127.0.0.1:1/x",
            "postgresql://me@127.0.0.1:1/x#unmask: PostgreSQL cannot be reached",
        ),
    ],
)
def test_a_home_that_cannot_be_reached_is_told_without_a_password(
    place: str, message: str, bag: Bag
) -> None:
    pytest.importorskip("qdrant_client")
    pytest.importorskip("psycopg")

    with pytest.raises(MachineError) as told:
        Index.open(place, bag)

    assert message in str(told.value)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("place", "settings", "message"),
    [
        ("qdrant://host/x", {"bm25": {"k1": 2.0}}, "--bm25: without effect in a database"),
        ("postgresql:///x", {"recall": 0.9}, "--recall: without effect in a database"),
    ],
)
def test_settings_of_folders_are_refused_by_databases(
    place: str, settings: dict[str, Any], message: str, bag: Bag
) -> None:
    with pytest.raises(UsageError, match=message):
        Index.create(place, bag, IndexConfig.model_validate(settings))


def test_a_database_has_nothing_to_verify(bag: Bag) -> None:
    with pytest.raises(UsageError, match="--no-verify: without effect in a database"):
        Index.open("postgresql:///x", bag, verify=False)


def test_a_client_is_for_a_collection_of_its_own(bag: Bag) -> None:
    for place, message in (
        ("folder", "expected qdrant:///COLLECTION"),
        ("qdrant://host/x", "names a server, and a client is handed in"),
    ):
        with pytest.raises(UsageError, match=message):
            Index.create(place, bag, client=object())


@pytest.mark.parametrize("home", ["qdrant", "postgres"])
def test_what_somebody_deletes_during_a_search_is_left_out(
    home: str, make_documents: Make, make_index: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index(make_documents(6), home)
    store: Any = index.store
    search, gone = store.search, iter(["d0", "d1"])

    def found_and_deleted(*asked: Any) -> Any:
        found = search(*asked)
        store.delete([next(gone)])
        return found

    monkeypatch.setattr(store, "search", found_and_deleted)

    hits = index.search("bark", EVERYTHING)
    again = index.search("bark", EVERYTHING, Even())

    assert {hit.document for hit in hits} == {f"d{i}" for i in range(1, 6)}
    assert [(hit.document, hit.start, hit.score) for hit in again] == [
        (hit.document, hit.start, 1.0) for hit in hits if hit.document != "d1"
    ]


class Even:
    """A reranker to which everything is as good."""

    def rank(self, _query: str, texts: list[str]) -> np.ndarray:
        return np.ones(len(texts))


def test_an_error_of_the_database_undoes_the_whole_commit(
    make_documents: Make, make_index: Make
) -> None:
    index = make_index(make_documents(3), "postgres")
    documents = [Document("new", "Word."), Document("d0", "Other.")]
    chunked = [Chunked(one, content_sha256(one), (Span(0, 5),)) for one in documents]

    with pytest.raises(MachineError, match="expected 32 dimensions, not 16"):
        index.store.add(chunked, np.ones((2, 16), np.float32))

    assert set(index.store.known(["new", "d0", "d1", "d2"])) == {"d0", "d1", "d2"}
    assert index.search("bark", SearchConfig(filter=("number=0",)))


def test_qdrant_adds_a_document_again_of_which_a_kill_left_a_part(
    make_index: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Document("a", "Bark. " * 60), Document("a", "Fest. " * 60)
    index = make_index([old, Document("b", "Mun.")], "qdrant")
    store: Any = index.store
    write = store._client.upsert

    def die(collection: str, points: list[Any], wait: bool) -> None:
        write(collection, points[:2], wait=wait)
        raise KeyboardInterrupt

    monkeypatch.setattr(store._client, "upsert", die)
    with pytest.raises(KeyboardInterrupt):
        index.add([new])
    monkeypatch.undo()

    assert store.known(["a"]) == {"a": content_sha256(old)}
    assert index.add([new]).replaced == 1
    assert {hit.text[:4] for hit in index.search("x", EVERYTHING) if hit.document == "a"} == {
        "Fest"
    }
