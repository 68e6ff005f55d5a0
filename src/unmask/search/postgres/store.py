"""An index in PostgreSQL with the extension pgvector; every change is a transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Self

from unmask.errors import DataError, UsageError
from unmask.search.documents import Chunked, Passage
from unmask.search.embedder import Vectors
from unmask.search.filters import Condition, check_fields, comparable
from unmask.search.postgres.connecting import connect, told
from unmask.search.postgres.nearest import MOST_INDEXED, build, set_effort
from unmask.search.postgres.statements import JOIN, TABLES, row_of, where_of
from unmask.search.store import (
    About,
    Counts,
    Key,
    Match,
    closed_on_error,
    read_about,
    written_about,
)


class PostgresStore:
    """The home of an index in four tables of a database."""

    def __init__(self, connection: Any, prefix: str, place: str, about: About) -> None:
        self._connection = connection
        self._prefix = prefix
        self.place = place
        self.about = about

    @classmethod
    def create(cls, uri: str, prefix: str, place: str, about: About) -> Self:
        """Makes the tables.

        Raises:
            UsageError: They are there already, or cannot be as the settings want it.
            MachineError: The database cannot be reached, or refuses.
        """
        config = about.config
        if config.quantise != "none":
            raise UsageError(f"{place}: pgvector has no 8 bits a number; expected --quantise none.")
        if config.kind in ("hnsw", "ivf") and about.dimension > MOST_INDEXED:
            raise UsageError(
                f"{place}: pgvector indexes vectors of up to {MOST_INDEXED} dimensions, and these "
                f"have {about.dimension}; expected --kind exact."
            )
        if cls.is_there(uri, prefix, place):
            raise UsageError(f"{place}: is there already; choose another name behind #.")
        connection = connect(uri, place)
        with closed_on_error(connection):
            store = cls(connection, prefix, place, about)
            with store._transaction() as cursor:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
                cursor.execute(store._sql(TABLES.replace("{size}", str(about.dimension))))
                cursor.execute(
                    store._sql("INSERT INTO {about} VALUES (%s)"), [written_about(about)]
                )
            store._register()
            return store

    @classmethod
    def open(cls, uri: str, prefix: str, place: str) -> Self:
        """Opens tables that are there.

        Raises:
            DataError: None, or none of ours.
            MachineError: The database cannot be reached, or refuses.
        """
        if not cls.is_there(uri, prefix, place):
            raise DataError(
                f"{place}: no tables that begin with {prefix}. Make them by `unmask index MODEL "
                "--input FILE --output PLACE`."
            )
        connection = connect(uri, place)
        with closed_on_error(connection), told(place):
            with connection.cursor() as cursor:
                found = cursor.execute(f"SELECT content FROM {prefix}_about").fetchone()
            store = cls(connection, prefix, place, read_about(found and found[0], place))
            store._register()
            return store

    @staticmethod
    def is_there(uri: str, prefix: str, place: str) -> bool:
        """Whether the tables are there."""
        with told(place), connect(uri, place) as connection, connection.cursor() as cursor:
            found = cursor.execute("SELECT to_regclass(%s)", [f"{prefix}_about"]).fetchone()
            return found[0] is not None

    def alone(self) -> AbstractContextManager[None]:
        """See `VectorStore.alone`; each commit is a transaction."""
        return nullcontext()

    def known(self, ids: Sequence[str]) -> dict[str, str]:
        """See `VectorStore.known`."""
        query = self._sql("SELECT id, sha256 FROM {documents} WHERE id = ANY(%s)")
        with self._transaction() as cursor:
            return dict(cursor.execute(query, [list(ids)]).fetchall())

    def add(self, documents: Sequence[Chunked], vectors: Vectors) -> None:
        """See `VectorStore.add`; all of them or none."""
        fields = sorted({n for one in documents for n in comparable(one.document.metadata)[0]})
        with self._transaction() as cursor:
            names = [one.document.id for one in documents]
            cursor.execute(self._sql("DELETE FROM {documents} WHERE id = ANY(%s)"), [names])
            cursor.executemany(
                self._sql("INSERT INTO {fields} VALUES (%s) ON CONFLICT DO NOTHING"),
                [[name] for name in fields],
            )
            numbers = self._numbers(cursor, len(documents))
            into = (
                "COPY {documents} (number, id, sha256, title, metadata, texts, numbers) FROM STDIN"
            )
            with cursor.copy(self._sql(into)) as copy:
                for number, one in zip(numbers, documents, strict=True):
                    copy.write_row([number, *row_of(one)])
            into = (
                "COPY {passages} (document, first, past, text, vector) FROM STDIN (FORMAT BINARY)"
            )
            with cursor.copy(self._sql(into)) as copy:
                copy.set_types(["int8", "int8", "int8", "text", "vector"])
                row = 0
                for number, one in zip(numbers, documents, strict=True):
                    for span, text in zip(one.spans, one.texts(), strict=True):
                        copy.write_row([number, span.start, span.end, text, vectors[row]])
                        row += 1

    def delete(self, ids: Iterable[str]) -> int:
        """See `VectorStore.delete`."""
        with self._transaction() as cursor:
            cursor.execute(self._sql("DELETE FROM {documents} WHERE id = ANY(%s)"), [list(ids)])
            return int(cursor.rowcount)

    def search(
        self, queries: Vectors, top_k: int, conditions: Sequence[Condition]
    ) -> list[list[Match]]:
        """See `VectorStore.search`."""
        if conditions:
            check_fields(conditions, self.fields())
        where, values = where_of(conditions)
        with self._transaction() as cursor:
            set_effort(cursor, top_k)
            found = [self._nearest(cursor, query, top_k, where, values) for query in queries]
            short = [number for number, matches in enumerate(found) if len(matches) < top_k]
            if short and self.about.config.kind != "exact":
                # Are there no more, or did an index find too few that fulfil the conditions?
                cursor.execute("SET LOCAL enable_indexscan = off")
                for number in short:
                    found[number] = self._nearest(cursor, queries[number], top_k, where, values)
        return found

    def passages(self, keys: Sequence[Key]) -> dict[Key, Passage]:
        """See `VectorStore.passages`."""
        query = (
            "SELECT p.number, d.id, d.title, p.text, p.first, p.past, d.metadata "
            f"FROM {{passages}} p {JOIN} WHERE p.number = ANY(%s)"
        )
        with self._transaction() as cursor:
            rows = cursor.execute(self._sql(query), [list(keys)]).fetchall()
        return {
            key: Passage(document, title, text, start, end, json.loads(metadata))
            for key, document, title, text, start, end, metadata in rows
        }

    def fields(self) -> set[str]:
        """See `VectorStore.fields`."""
        with self._transaction() as cursor:
            rows = cursor.execute(self._sql("SELECT name FROM {fields}")).fetchall()
        return {name for (name,) in rows}

    def count(self) -> Counts:
        """See `VectorStore.count`."""
        query = "SELECT (SELECT count(*) FROM {documents}), (SELECT count(*) FROM {passages})"
        with self._transaction() as cursor:
            return Counts(*cursor.execute(self._sql(query)).fetchone())

    def finish(self) -> Mapping[str, Any]:
        """Builds the index that the settings want, which later additions go into by themselves.

        Cells are made again where there are by far too few or too many for what is there now.
        """
        return self._finish(again=False)

    def compact(self) -> Mapping[str, Any]:
        """Builds it again from what is left; other space PostgreSQL frees by itself."""
        return self._finish(again=True)

    def _finish(self, *, again: bool) -> Mapping[str, Any]:
        size = self.count().passages
        with self._transaction() as cursor:
            kind = build(cursor, self._prefix, self.about, size, again=again)
            cursor.execute(self._sql("ANALYZE {documents}, {passages}"))
        return {"kind": kind if kind == "exact" else f"{kind}, by pgvector"}

    def close(self) -> None:
        """See `VectorStore.close`."""
        self._connection.close()

    def _nearest(
        self, cursor: Any, query: Any, top_k: int, where: str, values: Sequence[Any]
    ) -> list[Match]:
        wanted = (
            f"SELECT p.number, d.id, -(p.vector <#> %s) FROM {{passages}} p {JOIN}{where} "
            "ORDER BY p.vector <#> %s LIMIT %s"
        )
        rows = cursor.execute(self._sql(wanted), [query, *values, query, top_k]).fetchall()
        found = [Match(*row) for row in rows]
        return sorted(found, key=lambda one: (-one.score, one.key))

    def _numbers(self, cursor: Any, size: int) -> list[int]:
        """Numbers that no document has had."""
        query = "SELECT nextval(pg_get_serial_sequence(%s, 'number')) FROM generate_series(1, %s)"
        return [n for (n,) in cursor.execute(query, [f"{self._prefix}_documents", size]).fetchall()]

    def _sql(self, query: str) -> str:
        """The query with the tables' names, which `named` has looked at."""
        tables = ("about", "fields", "documents", "passages")
        return query.format(**{table: f"{self._prefix}_{table}" for table in tables})

    def _register(self) -> None:
        from pgvector.psycopg import register_vector

        register_vector(self._connection)

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """A cursor, all of whose changes count, or none.

        Raises:
            MachineError: The database cannot be reached, or refuses.
        """
        with told(self.place), self._connection.transaction(), self._connection.cursor() as cursor:
            yield cursor
