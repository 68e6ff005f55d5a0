"""Examples written to files in the forms that our readers, and other tools, read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from unmask.checkpoint.durable import write_folder
from unmask.data.labelled.examples import QuestionExample, TaggedExample, TextExample
from unmask.recipe.reproduce.datasets import DataSet, Parts, divided

_COUNTS, _TEXTS = "parts.json", "texts.txt"
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Files:
    """The parts of a data set as files, and what is in them."""

    folder: Path
    ending: str
    counts: dict[str, int]
    """Examples of each part."""
    characters: dict[str, int]
    """Of the texts of each part, by which the time that a run takes is guessed."""
    sha256: dict[str, str]

    def path(self, part: str) -> Path:
        """The file of a part."""
        return self.folder / f"{part}{self.ending}"

    @property
    def texts(self) -> Path:
        """What is read in the training part, without labels, one text a line."""
        return self.folder / _TEXTS


def written(dataset: DataSet, data: Path, folder: Path) -> Files:
    """The files of the parts, made at the first call.

    Raises:
        DataError: The published files cannot be read.
        MachineError: The folder cannot be written.
    """
    if not (folder / _COUNTS).is_file() or not (folder / _TEXTS).is_file():
        parts = divided(dataset, data)
        write_folder(folder, lambda temporary: _write(parts, temporary))
    found = json.loads((folder / _COUNTS).read_text(encoding="utf-8"))
    return Files(folder, **found)


def _write(parts: Parts, folder: Path) -> None:
    ending, form = _form([*parts.train, *parts.validation, *parts.test])
    about: dict[str, Any] = {"ending": ending, "counts": {}, "characters": {}, "sha256": {}}
    for part in PARTS:
        examples: Sequence[Any] = getattr(parts, part)
        content = form(examples).encode()
        (folder / f"{part}{ending}").write_bytes(content)
        about["counts"][part] = len(examples)
        about["characters"][part] = sum(map(_size, examples))
        about["sha256"][part] = hashlib.sha256(content).hexdigest()
    lines = dict.fromkeys(line for one in parts.train for line in _read(one))
    (folder / _TEXTS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (folder / _COUNTS).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _form(examples: Sequence[Any]) -> tuple[str, Callable[[Sequence[Any]], str]]:
    """The ending and the writer; CoNLL-U for texts that do not part all words by one space."""
    if isinstance(examples[0], TextExample):
        return ".jsonl", as_jsonl
    if isinstance(examples[0], QuestionExample):
        return ".json", as_squad
    spaced = all(one.text == " ".join(_words(one)) for one in examples)
    return (".conll", as_conll) if spaced else (".conllu", as_conllu)


def as_jsonl(examples: Iterable[TextExample]) -> str:
    """An object a line, with the fields `id`, `text`, `text_pair` if there is one, and `label`."""
    lines = []
    for one in examples:
        pair = {} if one.text_pair is None else {"text_pair": one.text_pair}
        record = {"id": one.id, "text": one.text, **pair, "label": one.label}
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    return "".join(lines)


def as_conll(examples: Iterable[TaggedExample]) -> str:
    """Word and tag a line, parted by a tab, and a blank line after each sentence."""
    return "".join(
        "".join(f"{word}\t{tag}\n" for word, tag in zip(_words(one), one.tags or (), strict=True))
        + "\n"
        for one in examples
    )


def as_conllu(examples: Iterable[TaggedExample]) -> str:
    """CoNLL-U with id, form and UPOS, the other columns empty."""
    blocks = []
    for one in examples:
        lines = [f"# sent_id = {one.id}", f"# text = {one.text}"]
        ends = [*(start for start, _ in one.words[1:]), None]
        pairs = zip(_words(one), one.tags or (), one.words, ends, strict=True)
        for number, (word, tag, (_, end), following) in enumerate(pairs, 1):
            misc = "SpaceAfter=No" if end == following else "_"
            lines.append(f"{number}\t{word}\t_\t{tag}\t_\t_\t_\t_\t_\t{misc}")
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


def as_squad(examples: Iterable[QuestionExample]) -> str:
    """SQuAD 2.0's JSON; questions of one article or context have to be neighbours."""
    articles = [
        {"title": title, "paragraphs": [_paragraph(*some) for some in _by_context(members)]}
        for title, members in groupby(examples, lambda one: one.title)
    ]
    return json.dumps({"version": "v2.0", "data": articles}, ensure_ascii=False) + "\n"


def _by_context(examples: Iterable[QuestionExample]) -> Iterable[tuple[str, list[QuestionExample]]]:
    return ((context, list(some)) for context, some in groupby(examples, lambda one: one.context))


def _paragraph(context: str, questions: Sequence[QuestionExample]) -> dict[str, Any]:
    entries = [
        {
            "id": one.id,
            "question": one.question,
            "answers": [{"text": a.text, "answer_start": a.start} for a in one.answers],
            "is_impossible": one.is_impossible,
        }
        for one in questions
    ]
    return {"context": context, "qas": entries}


def _words(example: TaggedExample) -> list[str]:
    return [example.text[start:end] for start, end in example.words]


def _read(example: Any) -> list[str]:
    """Its texts, each on one line."""
    if isinstance(example, QuestionExample):
        texts = [example.question, example.context]
    else:
        texts = [example.text]
        if isinstance(example, TextExample) and example.text_pair is not None:
            texts.append(example.text_pair)
    return [" ".join(text.split()) for text in texts]


def _size(example: TextExample | TaggedExample | QuestionExample) -> int:
    if isinstance(example, QuestionExample):
        return len(example.question) + len(example.context)
    pair = example.text_pair or "" if isinstance(example, TextExample) else ""
    return len(example.text) + len(pair)
