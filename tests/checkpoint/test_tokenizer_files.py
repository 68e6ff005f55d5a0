"""Models whose folders hold their family's own tokenizer files."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import transformers
from tests.text.families import FAMILIES

from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble, task_of
from unmask.checkpoint.bundle import Bundle
from unmask.errors import DataError
from unmask.models.config import AlbertConfig, RobertaConfig
from unmask.text.config import TokenizerConfig
from unmask.text.learn import train
from unmask.text.tokenizer import Tokenizer

SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
         "intermediate_size": 16, "max_position_embeddings": 20}  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Path]:
    """A RoBERTa without tokenizer, beside which a family's files are put."""

    def make(family: str, vocab_size: int | None = None) -> Path:
        files = tmp_path / "files"
        files.mkdir()
        FAMILIES[family][1](files)
        (files / "config.json").unlink()
        tokenizer = Tokenizer.load(files)
        size = vocab_size or tokenizer.vocab_size
        config = RobertaConfig.model_validate({**SIZES, "vocab_size": size, "pad_token_id": 1})
        folder = tmp_path / "model"
        task = task_of(("mlm",))
        native.save(Bundle(assemble(config, ("mlm",)), task, None, config, None), folder)
        for file in files.iterdir():
            file.rename(folder / file.name)
        return folder

    return make


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "mpnet"])
def test_the_familys_files_are_found(
    family: str, model: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = model(family)
    with caplog.at_level(logging.WARNING):
        bundle = native.load(folder)
    assert bundle.require_tokenizer().layout.between == (2, 2)
    assert caplog.messages == []


def test_berts_tokenizer_in_a_robertas_folder_is_told(
    model: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    native.load(model("bert"))
    assert "token 1 is padding, the tokenizer that 0 is ([PAD])" in caplog.text


def test_a_vocabulary_larger_than_the_embedding_is_refused(model: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="ids above have no vector"):
        native.load(model("roberta", vocab_size=300))


@pytest.mark.parametrize(("rows", "told"), [(1, False), (2, True)])
def test_other_tools_are_told_to_give_segments_where_they_are_read(
    rows: int, told: bool, tmp_path: Path
) -> None:
    texts = ["the cat sat on the mat", "a dog ran"] * 3
    tokenizer = train(texts, TokenizerConfig(kind="unigram", vocab_size=30))
    config = AlbertConfig.model_validate(
        {**SIZES, "embedding_size": 8, "vocab_size": tokenizer.vocab_size, "type_vocab_size": rows}
    )
    bundle = Bundle(assemble(config, ("mlm",)), task_of(("mlm",)), tokenizer, config, None)
    native.save(bundle, tmp_path / "model")

    given = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")("the cat", "a dog")

    assert ("token_type_ids" in given) is told
    if told:
        assert set(given["token_type_ids"]) == {0, 1}
