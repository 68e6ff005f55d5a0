"""What a fine-tuned model is asked: anything a user writes, as an example of its task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import (
    ChoiceExample,
    QuestionExample,
    RankedExample,
    TaggedExample,
    TextExample,
)
from unmask.data.labelled.words import joined
from unmask.errors import UsageError
from unmask.tasks.classification import Classification
from unmask.tasks.predicting import raw_scores
from unmask.tasks.task import LabelledTask, Prediction
from unmask.tasks.words import words_of

Asked = str | Sequence[str] | Mapping[str, Any]
"""A text, a pair of texts, or the named parts of a question."""


def ask(bundle: Bundle, asked: Iterable[Asked]) -> Iterator[Prediction]:
    """The answer to each, in order; reads some thousand ahead, so that any number may stream by.

    A text for classification and tagging, where its words in a list do as well; for pairs `(text,
    text_pair)` or a mapping of these names; `question` and `context` for question answering;
    `text` and `choices` for multiple choice; `query` with `document`, or with a list of
    `documents`, for reranking.

    Raises:
        UsageError: A model that was not fine-tuned, or parts that its task does not know.
    """
    task_of(bundle)
    return answers(bundle, (example_of(bundle, i, one) for i, one in enumerate(asked, 1)))


def example_of(bundle: Bundle, number: int, asked: Asked) -> Any:
    """What is asked as an example of the model's task; `number` names it in messages.

    Raises:
        UsageError: See `ask`.
    """
    return _MAKERS[task_of(bundle).name](bundle, number, asked)


def ranked_of(number: int, asked: Asked) -> RankedExample:
    """A query with `document` or `documents` as an example of reranking, whatever the model's task.

    Raises:
        UsageError: Other parts, or one that is no text.
    """
    are_several = isinstance(asked, Mapping) and "documents" in asked
    parts = _parts(asked, number, ("query", "documents" if are_several else "document"), ())
    documents = tuple(parts["documents"]) if are_several else (parts["document"],)
    return RankedExample(str(number), parts["query"], documents, None, f"query {number}")


def answers(bundle: Bundle, examples: Iterable[Any]) -> Iterator[Prediction]:
    """The answer to each example, in order.

    Raises:
        UsageError: A model that was not fine-tuned.
    """
    task = task_of(bundle)
    found = raw_scores(bundle.model, task, examples, bundle.require_tokenizer(), bundle.max_length)
    return (task.decode(example, scores) for example, scores in found)


def parts_of(bundle: Bundle) -> tuple[str, ...]:
    """The names of the texts that one answer is about: one or two."""
    task = task_of(bundle)
    if task.name == "qa":
        return ("question", "context")
    if task.name == "reranking":
        return ("query", "document")
    if isinstance(task, Classification) and task.pairs:
        return ("text", "text_pair")
    return ("text",)


def is_fine_tuned(bundle: Bundle) -> bool:
    """Whether the model answers about texts, instead of filling their blanks."""
    task: Any = bundle.task
    return task is not None and task.name in _MAKERS


def task_of(bundle: Bundle) -> LabelledTask[Any, Any]:
    """The task that the model was fine-tuned for.

    Raises:
        UsageError: None.
    """
    if not is_fine_tuned(bundle):
        raise UsageError(
            f"{bundle.name}: was not fine-tuned for a task, so it cannot answer about a text; "
            "`unmask finetune` does that, and `unmask fill` fills blanks."
        )
    task: Any = bundle.task
    labelled: LabelledTask[Any, Any] = task
    return labelled


def _text(_: Bundle, number: int, asked: Asked) -> TextExample:
    parts = _parts(asked, number, ("text",), ("text_pair",))
    return TextExample(
        str(number), parts["text"], parts.get("text_pair"), None, None, f"text {number}"
    )


def _tagged(bundle: Bundle, number: int, asked: Asked) -> TaggedExample:
    given = asked.get("words") if isinstance(asked, Mapping) and len(asked) == 1 else asked
    if isinstance(given, Sequence) and not isinstance(given, str):
        for word in given:
            _require_text(word, "a word", number)
        text, spans = joined(given)
        return TaggedExample(str(number), text, spans, None, f"text {number}")
    parts = _parts(asked, number, ("text",), ())
    found = words_of(parts["text"], bundle.require_tokenizer())
    return TaggedExample(str(number), parts["text"], found, None, f"text {number}")


def _question(_: Bundle, number: int, asked: Asked) -> QuestionExample:
    parts = _parts(asked, number, ("question", "context"), ("id",))
    place = f"question {number}"
    name = str(parts.get("id", number))
    return QuestionExample(name, parts["question"], parts["context"], (), False, None, place)


def _choice(_: Bundle, number: int, asked: Asked) -> ChoiceExample:
    parts = _parts(asked, number, ("text", "choices"), ())
    return ChoiceExample(
        str(number), parts["text"], tuple(parts["choices"]), None, f"question {number}"
    )


_MAKERS: dict[str, Callable[[Bundle, int, Asked], Any]] = {
    "classification": _text,
    "tagging": _tagged,
    "qa": _question,
    "multiple-choice": _choice,
    "reranking": lambda _, number, asked: ranked_of(number, asked),
}


def _parts(
    asked: Asked, number: int, needed: tuple[str, ...], others: tuple[str, ...]
) -> Mapping[str, Any]:
    """The parts by name, whatever they were written as.

    Raises:
        UsageError: One is missing, or is not known.
    """
    if isinstance(asked, str):
        asked = {needed[0]: asked}
    elif not isinstance(asked, Mapping):
        names = (*needed, *others)
        if len(asked) > len(names):
            raise UsageError(
                f"input {number}: has {len(asked)} parts; this model reads {len(names)} at most, "
                f"{' and '.join(names)}."
            )
        asked = dict(zip(names, asked, strict=False))
    if set(needed) <= asked.keys() <= {*needed, *others}:
        for name in needed:
            _require_text(asked[name], name, number)
        return asked
    raise UsageError(
        f"input {number}: has {', '.join(asked) or 'nothing'}; this model answers about "
        f"{' and '.join(needed)}{''.join(f' (and {name})' for name in others)}."
    )


def _require_text(part: Any, name: str, number: int) -> None:
    """Text, or for `choices` and `documents` a list of texts.

    Raises:
        UsageError: It is something else.
    """
    if name in ("choices", "documents"):
        given = list(part) if isinstance(part, Sequence) and not isinstance(part, str) else []
        if given and all(isinstance(one, str) for one in given):
            return
        raise UsageError(f"input {number}: {name} is {part!r}; expected a list of texts.")
    if not isinstance(part, str):
        raise UsageError(f"input {number}: {name} is {part!r}; expected a text.")
