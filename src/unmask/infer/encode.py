"""Texts to vectors, in bulk: tokenized ahead, packed by length, pooled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unmask.batch import Batch, pack
from unmask.checkpoint.bundle import Bundle
from unmask.errors import DataError, UsageError
from unmask.tasks.predicting import answering
from unmask.tasks.sentence import HEAD, SentenceEmbedding, build
from unmask.tasks.sentence_config import SentenceConfig
from unmask.tasks.task import Model

logger = logging.getLogger(__name__)

TOKENS_A_TEXT = 64
"""By which a batch size in texts becomes a budget of tokens: 2,048 by default, since what a block
computes for more does not stay in the cache."""
BATCH_SIZE = 32
_TEXTS_AT_ONCE = 8192
"""Tokenized, sorted by length and held together."""
Told = Callable[[int, int], None]
"""Texts done, and texts in all."""
_RAW = SentenceConfig()


@dataclass(frozen=True)
class Encoder:
    """A model that makes vectors of texts, and how it is asked.

    A model without sentence-transformers' files is read by the mean of its tokens, as they do, and
    a warning says what that is worth.
    """

    bundle: Bundle
    config: SentenceConfig

    @classmethod
    def of(cls, bundle: Bundle, pooling: str | None = None) -> Encoder:
        """By the model's own pooling, or by another.

        Raises:
            UsageError: An unknown way of pooling.
            DataError: The bundle has no tokenizer.
        """
        bundle.require_tokenizer()
        task = bundle.task
        trained = task.config if isinstance(task, SentenceEmbedding) else None
        if pooling is None and trained is not None:
            return cls(bundle, trained)
        try:
            config = SentenceConfig.model_validate({"pooling": (pooling or "mean",)})
        except ValueError as error:
            raise UsageError(
                f"pooling: {pooling!r} is not there; expected cls, max, mean, "
                "mean_sqrt_len_tokens, weightedmean or lasttoken."
            ) from error
        _warn_of_raw(bundle, config, trained)
        before = bundle.model
        head = build(config, bundle.config.hidden_size).to(next(before.parameters()).device)
        model = Model(before.encoder, {**before.heads, HEAD: head}, before.decoder)
        return cls(replace(bundle, model=model, task=SentenceEmbedding(config)), config)

    @property
    def dimension(self) -> int:
        """Values of a vector."""
        width = self.config.width(self.bundle.config.hidden_size)
        return min(width, self.config.truncate_dim or width)

    def prompt(self, prompt: str | None, name: str | None) -> str:
        """The text to set before others: itself, by its name, or the model's usual one.

        Raises:
            UsageError: The model has no prompt of that name.
        """
        if prompt is not None:
            return prompt
        name = name if name is not None else self.config.default_prompt_name
        if name is None:
            return ""
        if name not in self.config.prompts:
            raise UsageError(
                f"prompt_name: {name!r} is none of the model's prompts: "
                f"{', '.join(map(repr, self.config.prompts)) or 'it has none'}."
            )
        return self.config.prompts[name]

    def vectors(
        self,
        texts: Sequence[str],
        prompt: str = "",
        batch_size: int = BATCH_SIZE,
        told: Told | None = None,
    ) -> NDArray[np.float32]:
        """(N, E) float32, in the order of the texts; longer ones are cut, and that is told."""
        width = self.config.width(self.bundle.config.hidden_size)
        made = np.empty((len(texts), width), dtype=np.float32)
        task = self._task(prompt)
        for start, batch, members in self._batches(texts, prompt, batch_size, told):
            made[start + members] = self._run(batch, task).float().cpu().numpy()
        return np.ascontiguousarray(made[:, : self.dimension])

    def token_vectors(
        self, texts: Sequence[str], prompt: str = "", batch_size: int = BATCH_SIZE
    ) -> list[Tensor]:
        """(T, D) hidden states of each text's tokens, specials included."""
        found: dict[int, Tensor] = {}
        for start, batch, members in self._batches(texts, prompt, batch_size, None):
            with answering(self.bundle.model):
                hidden = self.bundle.model.encoder(batch).split(batch.lengths)
            found.update(zip((start + members).tolist(), hidden, strict=True))
        return [found[i] for i in range(len(texts))]

    def _task(self, prompt: str) -> SentenceEmbedding:
        if self.config.include_prompt or not prompt:
            return SentenceEmbedding(self.config)
        tokenizer = self.bundle.require_tokenizer()
        before = len(tokenizer.layout.start) + len(tokenizer.encode(prompt))
        return SentenceEmbedding(self.config, skipped=before)

    def _run(self, batch: Batch, task: SentenceEmbedding) -> Tensor:
        with answering(self.bundle.model):
            return self.bundle.model(batch, task)["embedding"]  # type: ignore[no-any-return]

    def _batches(
        self, texts: Sequence[str], prompt: str, batch_size: int, told: Told | None
    ) -> Iterator[tuple[int, Batch, NDArray[np.int64]]]:
        """Batches of near-equal length, and which texts they hold after the first one."""
        if batch_size < 1:
            raise UsageError(f"batch_size: {batch_size}; expected 1 or more.")
        device = next(self.bundle.model.parameters()).device
        num_cut = num_done = 0
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            some = texts[start : start + _TEXTS_AT_ONCE]
            sequences, cut = self._sequences(some, prompt, start)
            num_cut += cut
            for members in _by_length(sequences, batch_size * TOKENS_A_TEXT):
                batch = pack([sequences[i] for i in members.tolist()]).to(device)
                yield start, batch, members
                num_done += len(members)
                if told is not None:
                    told(num_done, len(texts))
        if num_cut:
            logger.warning(
                "%d of %d texts are longer than the %d tokens that %s reads of a text, and were "
                "cut there.",
                num_cut,
                len(texts),
                self.bundle.max_length,
                self.bundle.name,
            )

    def _sequences(
        self, texts: Sequence[str], prompt: str, first: int
    ) -> tuple[list[list[int]], int]:
        """The ids of each text between special tokens, and how many were cut."""
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise DataError(f"text {first + i + 1}: is {type(text).__name__}, not text.")
        tokenizer = self.bundle.require_tokenizer()
        layout = tokenizer.layout
        room = self.bundle.max_length - layout.single_cost
        ids, lengths = tokenizer.encode_bulk([prompt + text for text in texts] if prompt else texts)
        flat, stops = ids.tolist(), np.cumsum(lengths).tolist()
        start, end = list(layout.start), list(layout.end)
        sequences = [
            [*start, *flat[stop - length : stop - length + min(length, room)], *end]
            for stop, length in zip(stops, lengths.tolist(), strict=True)
        ]
        return sequences, int((lengths > room).sum())


def _by_length(sequences: Sequence[list[int]], budget: int) -> Iterator[NDArray[np.int64]]:
    """Numbers of sequences, longest first, in batches of at most `budget` tokens."""
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    order = np.argsort(-lengths, kind="stable")
    members: list[int] = []
    num_tokens = 0
    for i in order.tolist():
        if members and num_tokens + int(lengths[i]) > budget:
            yield np.asarray(members)
            members, num_tokens = [], 0
        members.append(i)
        num_tokens += int(lengths[i])
    if members:
        yield np.asarray(members)


def _warn_of_raw(bundle: Bundle, config: SentenceConfig, trained: SentenceConfig | None) -> None:
    """Says what vectors are worth that nobody trained to be compared."""
    if trained is not None and trained.pooling != config.pooling:
        logger.warning(
            "%s was trained to be pooled by %s; by %s its vectors are worse.",
            bundle.name,
            " and ".join(trained.pooling),
            " and ".join(config.pooling),
        )
    elif trained is None and "cls" in config.pooling:
        logger.warning(
            "%s was not trained to say a sentence in its first token: raw [CLS] vectors compare "
            "worse than the mean over the tokens, and both worse than those of a sentence encoder. "
            "Take --pooling mean, or train with `unmask finetune embedding`.",
            bundle.name,
        )
    elif trained is None:
        logger.warning(
            "%s was not trained to make vectors of sentences: the mean of its tokens compares "
            "texts only roughly. Train it with `unmask finetune embedding`.",
            bundle.name,
        )
