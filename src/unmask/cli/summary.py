"""What `unmask inspect` tells people: the most important of what it knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unmask.train.schedule import DEFAULT_STEPS

_MOST_LABELS = 8
_HASH_CHARACTERS = 12


def summary(described: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values, about twenty; `checkpoint.describe.describe` gives the rest."""
    config, parameters = described["config"], described["parameters"]
    blocks = [number for name, number in parameters.items() if name.startswith("block ")]
    types = ", ".join(described["weight_types"])
    labels = described["labels"]
    rows = [
        ("folder", described["folder"]),
        ("family", f"{described['family']} ({described['architecture']})"),
        ("layers", f"{config['num_hidden_layers']}, each {config['hidden_size']:,} wide"),
        ("attention heads", f"{config['num_attention_heads']} a layer"),
        ("feed-forward", f"{config['intermediate_size']:,} ({config['hidden_act']})"),
        ("positions", f"{config['max_position_embeddings']:,}"),
        ("vocabulary", f"{config['vocab_size']:,}"),
        ("parameters", f"{described['total_parameters']:,}"),
        ("  embedding", f"{parameters['embedding']:,}"),
        ("  layers", f"{sum(blocks):,}"),
        *(
            (f"  {name}", f"{number:,}")
            for name, number in parameters.items()
            if name != "embedding" and not name.startswith("block ")
        ),
        ("weights", f"{described['weight_bytes'] / 1e6:,.1f} MB, {types}"),
        ("heads", ", ".join(described["heads"]) or "none, only the encoder"),
        ("task", described["task"] or "none"),
    ]
    if labels:
        more = "" if len(labels) <= _MOST_LABELS else f", ... ({len(labels)})"
        rows.append(("labels", ", ".join(labels[:_MOST_LABELS]) + more))
    rows.append(("tokenizer", _tokenizer(described["tokenizer"])))
    rows += _made_by(described["made_by"] or {})
    if losses := described["final_losses"]:
        loss, entropy, is_of_generator = losses.values()
        shown = "no number" if loss is None else f"{loss:.4g} nats"
        name = "generator's loss" if is_of_generator else "held-out loss"
        rows.append((name, f"{shown}; unigram entropy of the corpus {entropy:.2f}"))
    return rows


def _tokenizer(tokenizer: dict[str, Any] | None) -> str:
    if tokenizer is None:
        return "none"
    case = "lower case" if tokenizer["lowercase"] else "cased"
    return f"{tokenizer['kind']}, {tokenizer['vocab_size']:,} entries, {case}"


def _made_by(made_by: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """From unmask.json, which another version may have written: what is not there is left out."""
    recipe, versions = _table(made_by.get("recipe")), _table(made_by.get("versions"))
    train, optim = _table(recipe.get("train")), _table(recipe.get("optim"))
    if by := _pretrained_by(recipe):
        yield "pretrained by", by
    if versions:
        yield "made by", ", ".join(f"{name} {version}" for name, version in versions.items())
    if train:
        minutes, length = train.get("minutes"), train.get("sequence_length")
        budget = f"{minutes} minutes" if minutes else f"{train.get('steps') or DEFAULT_STEPS} steps"
        longest = f" of up to {length} tokens" if length else ""
        yield "trained for", f"{budget}, batches of {train.get('batch_size')} sequences{longest}"
    if optim:
        yield "optimizer", f"{optim.get('name')}, seed {train.get('seed')}"
    corpus = _table(made_by.get("identity")).get("corpus")
    if corpus:
        yield "corpus", f"{str(corpus)[:_HASH_CHARACTERS]}... (sha256)"


def _pretrained_by(recipe: dict[str, Any]) -> str | None:
    """The objective of a pretraining recipe; None for any other."""
    masking = recipe.get("masking")
    if not isinstance(masking, dict):
        return None
    objective = recipe.get("objective", "mlm")
    if objective == "left-to-right":
        return "predicting the next token: a control, which nothing else uses"
    names = {"mlm": "masked language modelling", "replaced-token": "replaced token detection"}
    pairs = " and next sentence prediction" if recipe.get("next_sentence") else ""
    pairs = " and sentence order prediction" if recipe.get("sentence_order") else pairs
    rates = [masking.get(name) for name in ("rate", "final_rate")]
    shares = " to ".join(f"{100 * rate:g}" for rate in rates if isinstance(rate, int | float))
    masked = f" ({shares} % of the tokens, by {masking.get('unit')})" if shares else ""
    return f"{names.get(str(objective), str(objective))}{masked}{pairs}"


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
