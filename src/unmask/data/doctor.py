"""Examines a corpus: what will hurt a model that learns from it, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from unmask.data.finding import Finding
from unmask.data.randomness import absorb
from unmask.data.report import ordinary_counts, unigram_entropy
from unmask.data.shards import REPORT_FILE, Shards
from unmask.errors import DataError
from unmask.text.tokenizer import Tokenizer

_UNKNOWN_RATE = 0.01
_REPEATED_SHARE = 0.05
_REPEATED_TOKENS = 8
"""Shorter sentences ("Yes, sir.") repeat in any good text."""
_TOKENS_PER_ENTRY = 100
_SHORT_DOCUMENT = 32
_PIECE_TOKENS = 2**22
"""Tokens looked at together; bounds the memory."""
_MOST_SENTENCES = 20_000_000
"""Sentences compared, of a corpus' beginning; bounds the memory."""


def examine_corpus(folder: Path | str) -> list[Finding]:
    """Findings about a corpus folder, errors first; a damaged one gives only its damage."""
    try:
        shards = Shards.open(folder)
        shards.verify()
        counts = shards.unigram_counts()
        shards.document_offsets()
        shards.sentence_offsets()
    except (DataError, OSError) as error:
        # Its last sentence is the advice, which is said below; and that it is damaged, it says.
        what, _, advice = str(error).removesuffix(".").rpartition(". ")
        usual = "copy the corpus again, or prepare it again"
        fix = f"{advice[:1].lower()}{advice[1:]}" if what else usual
        return [
            Finding("error", what or advice, "training would stop, or learn from noise", fix),
        ]
    findings = [
        *_about_size(shards, counts),
        *_about_documents(shards),
        *_about_lines(shards.folder / REPORT_FILE),
    ]
    try:
        tokenizer = Tokenizer.load(shards.tokenizer_folder)
    except DataError as error:
        findings.append(
            Finding(
                "error",
                f"the tokenizer cannot be read: {error}",
                "its ids mean nothing without it",
                "prepare the corpus again",
            )
        )
    else:
        findings += _about_tokenizer(tokenizer, shards, counts)
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(findings, key=lambda finding: order[finding.severity])


def _about_tokenizer(
    tokenizer: Tokenizer, shards: Shards, counts: npt.NDArray[np.int64]
) -> Iterator[Finding]:
    if tokenizer.sha256 != shards.tokenizer_sha256 or tokenizer.vocab_size != shards.vocab_size:
        yield Finding(
            "error",
            f"the tokenizer in {shards.tokenizer_folder} is not the one that made the ids",
            "a model would learn other words than it is later asked for",
            "prepare the corpus again with the tokenizer that you want",
        )
        return
    if tokenizer.special.mask is None:
        yield Finding(
            "error",
            "the vocabulary has no mask token",
            "masked language modelling and filling blanks need one",
            "prepare the corpus with a tokenizer that has one (`unmask tokenizer` trains one)",
        )
    rate = int(counts[tokenizer.special.unk]) / shards.num_tokens
    if rate > _UNKNOWN_RATE:
        yield Finding(
            "warning",
            f"{rate:.1%} of the tokens are unknown ({tokenizer.special_tokens.unk})",
            "what they stood for is lost: a model can neither read nor guess it",
            "train a tokenizer on this text (`unmask tokenizer`), or check its language and "
            "encoding",
        )
    yield from _about_sentences(tokenizer, shards)
    yield from _about_entropy(ordinary_counts(counts, tokenizer.is_special))


def _about_size(shards: Shards, counts: npt.NDArray[np.int64]) -> Iterator[Finding]:
    per_entry = shards.num_tokens / shards.vocab_size
    if per_entry < _TOKENS_PER_ENTRY:
        used = int((counts > 0).sum())
        yield Finding(
            "warning",
            f"{shards.num_tokens:,} tokens for a vocabulary of {shards.vocab_size:,}: "
            f"{per_entry:.1f} for each entry, and {used:,} entries appear at all",
            "most embeddings will hardly be trained",
            "add text, train a smaller vocabulary, or start from a pretrained model",
        )


def _about_documents(shards: Shards) -> Iterator[Finding]:
    lengths = np.diff(shards.document_offsets())
    median = float(np.median(lengths))
    if median < _SHORT_DOCUMENT:
        yield Finding(
            "warning",
            f"half of the {len(lengths):,} documents have fewer than {median + 1:.0f} tokens",
            "a model learns little from so short a context, and not to read longer texts",
            "join lines that belong together (--reader.documents file or block), or set "
            "--filters.min-words",
        )


def _about_entropy(counts: npt.NDArray[np.int64]) -> Iterator[Finding]:
    entropy = unigram_entropy(counts)
    yield Finding(
        "note",
        f"the unigram entropy is {entropy:.2f} nats",
        f"a loss that stays near {entropy:.2f} means too few steps, no warm-up, or labels that "
        "are wrong: the model knows no more than how frequent each token is",
        "compare the held-out loss with it",
    )


def _about_lines(path: Path) -> Iterator[Finding]:
    """What preparation counted, since the shards do not tell where a line ended."""
    try:
        report = json.loads(path.read_bytes())
        share = float(report["repeated_line_rate"])
        lines = {str(line): int(times) for line, times in report["repeated_lines"].items()}
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        yield Finding(
            "note",
            f"{path} does not tell how many lines repeat",
            "headers, footers and licences in every document would go unnoticed",
            "prepare the corpus again",
        )
        return
    if share > _REPEATED_SHARE:
        shown = [f'{times:,} times "{line}"' for line, times in lines.items()]
        yield _repeats(f"{share:.1%} of the characters stand in lines", shown)


def _repeats(what: str, shown: list[str]) -> Finding:
    return Finding(
        "warning",
        f"{what} that repeat an earlier one: {'; '.join(shown)}",
        "a model learns them by heart, and a held-out loss looks better than it is",
        "set --duplicates exact or near and --filters.max-repeated-lines, or remove headers, "
        "footers and licences from the files",
    )


def _about_sentences(tokenizer: Tokenizer, shards: Shards) -> Iterator[Finding]:
    offsets = shards.sentence_offsets()[: _MOST_SENTENCES + 1]
    lengths = np.diff(offsets)
    long = np.flatnonzero(lengths >= _REPEATED_TOKENS)
    if len(long) == 0:
        return
    hashes = _sentence_hashes(shards, offsets)[long]
    _, first, times = np.unique(hashes, return_index=True, return_counts=True)
    repeated = int(((times - 1) * lengths[long[first]]).sum())
    share = repeated / int(lengths.sum())
    if share <= _REPEATED_SHARE:
        return
    shown = []
    for i in np.argsort(-times, kind="stable")[:3]:
        if times[i] == 1:
            break
        start, stop = offsets[long[first[i]]], offsets[long[first[i]] + 1]
        text = tokenizer.decode(shards.tokens(int(start), int(stop)).tolist())
        shown.append(f'{times[i]:,} times "{text[:80]}"')
    yield _repeats(f"{share:.1%} of the tokens stand in sentences", shown)


def _sentence_hashes(shards: Shards, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """(sentences,) equal for equal token ids; two others agree with a chance of about 2^-64."""
    ends = np.cumsum([shard.num_tokens for shard in shards.manifest.shards])
    parts = []
    first = 0
    while first < len(offsets) - 1:
        start = int(offsets[first])
        # Whole sentences, at least one, that lie in one shard.
        end = min(start + _PIECE_TOKENS, int(ends[np.searchsorted(ends, start, side="right")]))
        last = max(first + 1, int(np.searchsorted(offsets, end, side="right")) - 1)
        tokens = shards.tokens(start, int(offsets[last])).astype(np.uint64)
        begins = offsets[first:last] - start
        places = np.arange(len(tokens)) - np.repeat(begins, np.diff(offsets[first : last + 1]))
        parts.append(np.add.reduceat(absorb(tokens, places), begins))
        first = last
    return np.concatenate(parts)
