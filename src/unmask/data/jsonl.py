"""Documents out of JSON lines: one object a line, the text in one of its fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from unmask.data.config import ReaderConfig
from unmask.data.lines import Lines, read_lines
from unmask.data.plain import decode, each, regroup
from unmask.data.rejects import Rejects
from unmask.data.sources import Source


def read(source: Source, config: ReaderConfig, rejects: Rejects) -> Iterator[str]:
    """The documents of a JSON lines file."""
    return regroup(_records(source, config, rejects), config, rejects)


def check_text(value: str, source: Source, record: int, rejects: Rejects) -> str | None:
    """The text of a record with its line ends made \\n; None if it was rejected."""
    if "\0" in value:
        rejects.add(str(source), record, "NUL byte", f"character {value.index(chr(0))}", value)
        return None
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            detail = f"U+{ord(value[error.start]):04X} at character {error.start}"
            rejects.add(str(source), record, "lone surrogate", detail, value)
            return None
    return value.replace("\r\n", "\n") if "\r" in value else value


def _records(source: Source, config: ReaderConfig, rejects: Rejects) -> Iterator[str]:
    for group in read_lines(source, config.max_line_bytes, rejects):
        for line in each(group):
            text = _record(line, source, config.text_field, rejects)
            if text is not None:
                yield text


def parse(line: Lines, source: Source, rejects: Rejects) -> tuple[dict[str, Any], str] | None:
    """The object on a line, and the line's text; None if it was rejected. Counts no record."""
    content = decode(line, source, rejects)
    if content is None:
        return None
    rejects.num_records -= 1  # counted by `decode`; a reject below counts itself
    try:
        record = json.loads(content)
    except RecursionError:
        kind, detail = "JSON nested too deeply", ""
    except ValueError as error:
        kind, detail = "broken JSON", str(error)
    else:
        if isinstance(record, dict):
            return record, content
        kind, detail = "not a JSON object", type(record).__name__
    rejects.add(str(source), line.line, kind, detail, content)
    return None


def _record(line: Lines, source: Source, field: str, rejects: Rejects) -> str | None:
    parsed = parse(line, source, rejects)
    if parsed is None:
        return None
    record, content = parsed
    if isinstance(record.get(field), str):
        text = check_text(record[field], source, line.line, rejects)
        rejects.num_records += text is not None
        return text
    if field not in record:
        kind = f"no field `{field}`"
        detail = f"found {', '.join(list(record)[:10]) or 'none'}; see --reader.text-field"
    else:
        kind, detail = f"field `{field}` is no text", type(record[field]).__name__
    rejects.add(str(source), line.line, kind, detail, content)
    return None
