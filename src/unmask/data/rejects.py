"""Records that cannot be read: counted, kept with a reason, and too many of them stop the run."""

from __future__ import annotations

import json
import logging
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from unmask.errors import DataError

logger = logging.getLogger(__name__)

_ALWAYS_ALLOWED = 9
"""Rejects that stop no run, however few records there are."""
_HOPELESS_AFTER = 1000
"""Rejects after which a run whose records are mostly bad stops before its end."""
_EXCERPT_CHARACTERS = 120
_REASON_CHARACTERS = 300
_HINTS = {
    "not UTF-8": "Files in another encoding are converted by, for instance, "
    "`iconv -f latin1 -t utf-8 OLD.txt > NEW.txt`."
}
"""By kind of reject."""
KEPT = ".rejects.jsonl"
"""Ends the name of the list that stays beside an output which failed."""


@dataclass(frozen=True)
class Reject:
    """One record that could not be read."""

    source: str
    record: int | None
    """Line or record in the source, counted from 1; None is the whole source."""
    reason: str
    excerpt: str
    unit: str = "line"
    """What `record` counts, see `Rejects.units`; not written to the list."""

    @property
    def place(self) -> str:
        """Source and record, a line as an editor jumps to it."""
        return self.source if self.record is None else place(self.source, self.record, self.unit)


def place(source: str, record: int, unit: str) -> str:
    """Where a record stands, for a message: `a.csv:7`, but `a.parquet: record 7`."""
    return f"{source}:{record}" if unit == "line" else f"{source}: {unit} {record}"


class Rejects:
    """Collects rejects, in a file if given one, and decides when there are too many.

    The reader counts here what it has seen: `num_records` good and bad, `bytes_read` on disk, and
    `num_cut_documents` that came in parts for their length. In `notes` it counts, by kind, good
    records that its settings leave out or that it could mend.
    """

    def __init__(
        self,
        max_rate: float,
        path: Path | None = None,
        *,
        setting: str = "--reader.max-reject-rate",
    ) -> None:
        """Writes one JSON object a line to `path`; `max_rate` is rejects per record.

        `setting` is what the user calls that rate.
        """
        self.num_records = 0
        self.bytes_read = 0
        self.num_cut_documents = 0
        self.reasons: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.first: list[Reject] = []
        """The first three, for messages."""
        self.first_of: dict[str, Reject] = {}
        """The first of each kind."""
        self.units: dict[str, str] = {}
        """What a record's number counts, of sources where it is no line: record, question."""
        self.path = path
        self._max_rate = max_rate
        self._setting = setting
        self._file = path.open("w", encoding="utf-8", newline="\n") if path else None

    def __enter__(self) -> Rejects:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return sum(self.reasons.values())

    def add(
        self,
        source: str,
        record: int | None,
        kind: str,
        detail: str = "",
        excerpt: bytes | str = "",
    ) -> None:
        """Counts a record as rejected; `kind` is a few words that rejects of its kind share.

        Raises:
            DataError: Most of the records so far are rejects.
        """
        text = (
            excerpt.decode("utf-8", "backslashreplace") if isinstance(excerpt, bytes) else excerpt
        )
        reason = f"{kind}: {detail}" if detail else kind
        if len(reason) > _REASON_CHARACTERS:  # a record may have a key as long as itself
            reason = reason[:_REASON_CHARACTERS] + "..."
        reject = Reject(
            _writable(source),
            record,
            _writable(reason),
            _writable(text[:_EXCERPT_CHARACTERS]),
            self.units.get(source, "line"),
        )
        self.num_records += 1
        self.reasons[kind] += 1
        self.first_of.setdefault(kind, reject)
        if len(self.first) < 3:
            self.first.append(reject)
        if self._file is not None:
            listed = {name: value for name, value in asdict(reject).items() if name != "unit"}
            self._file.write(json.dumps(listed, ensure_ascii=False) + "\n")
        hopeless = max(0.5, self._max_rate) * self.num_records
        if len(self) > _HOPELESS_AFTER and len(self) > hopeless:
            raise self._too_many()

    def exceed(self, rate: float) -> bool:
        """Whether a run that allows that rate would stop: more rejects, and at least 10."""
        return len(self) > max(_ALWAYS_ALLOWED, rate * self.num_records)

    def check(self) -> None:
        """Says whether the whole input was good enough.

        Raises:
            DataError: It was not, see `exceed`.
        """
        if self.exceed(self._max_rate):
            raise self._too_many()

    def explain(self, error: DataError, output: Path) -> DataError:
        """The error with what it may come from; the file is kept beside an `output` that failed."""
        self.close()
        if len(self) == 0 or self.path is None:
            return error
        kept = output.with_name(f"{output.name}{KEPT}")
        shutil.copyfile(self.path, kept)
        told = "" if self.first[0].reason in str(error) else f"{self._counted()}:\n{self._few()}\n"
        hint = "" if self._hint() in str(error) else f"{self._hint().lstrip()}\n"
        return DataError(f"{error}\n{told}{hint}All rejects, with their reasons: {kept}")

    def warn(self, kept: Path) -> None:
        """Logs one warning, with the place of their list, if there are any."""
        if len(self):
            logger.warning(
                "%s; what cannot is left out and listed in %s.%s",
                self._counted(),
                kept,
                self._hint(),
            )

    def warn_of_first(self, source: Path | str) -> None:
        """Logs one warning, with the first of them since no list is kept, if there are any."""
        if self.first:
            first = self.first[0]
            logger.warning(
                "%s: %s and are left out, the first at %s (%s).%s",
                source,
                self._counted(),
                first.place,
                first.reason,
                self._hint(),
            )

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()

    def _too_many(self) -> DataError:
        return DataError(
            f"{self._counted()}, more than {self._setting} {self._max_rate:g} allows. "
            f"The first of them:\n{self._few()}\n"
            f"Repair the input, or raise {self._setting} to go on without these records."
            f"{self._hint()}"
        )

    def _counted(self) -> str:
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())
        records = "record" if self.num_records == 1 else "records"
        return f"{len(self)} of {self.num_records} {records} cannot be read ({reasons})"

    def _hint(self) -> str:
        """What to do about the kinds of rejects that have a usual cause."""
        return "".join(f" {hint}" for kind, hint in _HINTS.items() if self.reasons[kind])

    def _few(self) -> str:
        return "\n".join(f"  {reject.place}: {reject.reason}" for reject in self.first)


def _writable(text: str) -> str:
    """The text with lone surrogates escaped, as a JSON key or a file's name may hold them."""
    return text.encode("utf-8", "backslashreplace").decode()
