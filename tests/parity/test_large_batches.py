"""A large batch in parts: the gradient of sentence-transformers' cached loss, which is the whole's.

Gao et al. 2021 (arXiv 2101.06983).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import sentence_transformers as st
import torch
from safetensors.torch import load_file
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from torch import Tensor
from transformers import BertConfig, BertModel

from unmask.checkpoint import native
from unmask.data.labelled.examples import EmbeddingExample
from unmask.data.loader import split
from unmask.data.planned import PlannedSource
from unmask.tasks.embedding import Embedding
from unmask.tasks.embedding_config import EmbeddingConfig
from unmask.tasks.sentence import HEAD, build
from unmask.tasks.siamese import Siamese
from unmask.tasks.task import Model
from unmask.text.config import TokenizerConfig
from unmask.text.train import train_wordpiece
from unmask.train import coupled
from unmask.train.distributed import World

PAIRS = [(f"the cat {i} sat on the mat " * (1 + i % 3), f"a dog {i} ran") for i in range(12)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT without dropout."""
    path = tmp_path_factory.mktemp("model")
    tokenizer = train_wordpiece(
        [text for pair in PAIRS for text in pair], TokenizerConfig(vocab_size=60, min_frequency=1)
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=48,
        max_position_embeddings=40,
        initializer_range=0.3,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    BertModel(config).save_pretrained(path)
    tokenizer.save(path)
    return path


def ours(folder: Path, micro_batch_tokens: int | None, place: Path) -> dict[str, Tensor]:
    """The gradient, by the names that the published weights have."""
    bundle = native.load(folder)
    examples = [EmbeddingExample(str(i), pair, None, f"x:{i}") for i, pair in enumerate(PAIRS)]
    settings = {"loss": "multiple-negatives-ranking", "pooling": ["mean"]}
    task = Embedding.begin(EmbeddingConfig.model_validate(settings), examples)
    task = task.standing_on(None, bundle.config.hidden_size)
    head = build(task.config, bundle.config.hidden_size)
    model = Siamese(Model(bundle.model.encoder, {HEAD: head}), task.losses).train()
    groups = task.groups(examples, bundle.require_tokenizer(), bundle.max_length)
    source = PlannedSource(groups, len(PAIRS))
    ids = source.ordered(0, 0)
    batch = source.batch(ids, ids)
    parts = [batch] if micro_batch_tokens is None else split(batch, micro_batch_tokens)
    assert len(parts) == 1 or len(parts) > 3
    coupled.backward(model, task, parts, World(0, 1, torch.device("cpu")), is_half=False)
    with torch.no_grad():
        for parameter in bundle.model.parameters():
            gradient = parameter.grad
            parameter.copy_(torch.zeros_like(parameter) if gradient is None else gradient)
    native.save(bundle, place)
    found = load_file(place / "model.safetensors")
    return {name.removeprefix("bert."): tensor for name, tensor in found.items()}


def theirs(folder: Path, make: Any) -> dict[str, Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = st.SentenceTransformer(str(folder), device="cpu").train()
    loss = make(model)
    columns = [list(column) for column in zip(*PAIRS, strict=True)]
    loss([model.preprocess(column) for column in columns], None).backward()
    return {
        name.removeprefix("0.model."): parameter.grad
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda model: CachedMultipleNegativesRankingLoss(model, mini_batch_size=3),
        MultipleNegativesRankingLoss,
    ],
    ids=["cached", "whole"],
)
@pytest.mark.parametrize("micro_batch_tokens", [30, None], ids=["in parts", "whole"])
def test_the_gradient_is_theirs(
    folder: Path, tmp_path: Path, micro_batch_tokens: int | None, make: Any
) -> None:
    found = ours(folder, micro_batch_tokens, tmp_path / "gradient")
    expected = theirs(folder, make)
    assert len(expected) >= 5 + 16 * 2
    assert set(expected) <= set(found)
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-5 * largest)
