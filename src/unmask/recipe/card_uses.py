"""How a fine-tuned model is used, as its card tells it."""

from __future__ import annotations

from typing import Any

_FOLDER = "path/to/this/folder"


def uses(task: Any, pipeline_tag: str, loaded_as: str | None) -> list[str]:
    """Commands and code, each a block; then what other tools do not read.

    `loaded_as` is transformers' class that answers as the model does, if there is one.
    """
    if task.name == "embedding":
        return [
            f"```bash\nunmask embed {_FOLDER} --input texts.txt --output vectors.npy\n```",
            f'```python\nimport unmask\n\nengine = unmask.load("{_FOLDER}")\n'
            'vectors = engine.encode(["A text.", "Another one."])\n'
            "engine.similarity(vectors, vectors)\n```",
            "```python\nfrom sentence_transformers import SentenceTransformer\n\n"
            f'vectors = SentenceTransformer("{_FOLDER}").encode(["A text.", "Another one."])\n```',
        ]
    if task.name == "reranking":
        return _of_rankings(task, loaded_as)
    text = "" if pipeline_tag in ("multiple-choice", "question-answering") else '"A text." '
    if getattr(task, "pairs", None):
        text = '"A text." "A second text." '
    found = [
        f"```bash\nunmask predict {_FOLDER} {text or '--input FILE '}--json\n"
        f"unmask evaluate {_FOLDER} FILE   # labelled examples of your own\n```"
    ]
    if loaded_as is None:
        return [*found, _unknown(task)]
    loaded = f"AutoModelFor{loaded_as.rpartition('For')[2]}"
    if task.architecture == "TokenClassification":
        found.append(
            "```python\nfrom transformers import pipeline\n\n"
            f'tagger = pipeline("token-classification", "{_FOLDER}", '
            'aggregation_strategy="first")\n```\n\n'
            "`first` takes each word's tag from its first piece, as here; transformers' `simple` "
            "tags the pieces one by one and tears words apart."
        )
    found.append(
        f"```python\nfrom transformers import {loaded}, AutoTokenizer\n\n"
        f'tokenizer = AutoTokenizer.from_pretrained("{_FOLDER}")\n'
        f'model = {loaded}.from_pretrained("{_FOLDER}")\n```'
    )
    unread = _unread(task)
    return [*found, f"transformers gives the same logits, but does not read {unread}."] if unread \
        else found  # fmt: skip


def _of_rankings(task: Any, loaded_as: str | None) -> list[str]:
    query, documents = '"How do birds fly?"', '["By beating wings.", "In flocks."]'
    found = [
        f'```bash\nunmask predict {_FOLDER} {query} "By beating wings." --json\n'
        f"unmask evaluate {_FOLDER} FILE   # queries with graded documents of your own\n```",
        f'```python\nimport unmask\n\nengine = unmask.load("{_FOLDER}")\n'
        f"engine.rank({query}, {documents})\n```",
    ]
    if loaded_as is None:
        return [*found, _unknown(task)]
    found.append(
        "```python\nfrom sentence_transformers import CrossEncoder\n\n"
        f'CrossEncoder("{_FOLDER}").rank({query}, {documents})\n```'
    )
    if task.config.windows == "best":
        found.append(
            "Of a document that does not fit beside its query, sentence-transformers reads the "
            "beginning alone."
        )
    return found


def _unknown(task: Any) -> str:
    head = "its mean-pooled head" if task.architecture is None else "this task in its family"
    return f"transformers has no class for {head}."


def _unread(task: Any) -> str:
    """What was fitted on validation examples and stands in unmask.json alone."""
    targets = getattr(task, "targets", None)
    temperature = getattr(targets or task, "temperature", 1.0)
    if temperature != 1.0:
        return f"the temperature by which they are divided ({temperature:.3f})"
    if getattr(targets, "thresholds", None) is not None:
        return "the labels' thresholds"
    if task.name == "qa" and task.config.unanswerable:
        return f"the threshold of no answer ({task.config.no_answer_threshold:.3f})"
    return ""
