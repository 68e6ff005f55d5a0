"""Every family is pretrained, and trained further, and others read what comes out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import transformers
from pydantic import ValidationError
from sentence_transformers import SentenceTransformer

import unmask
from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.bundle import Bundle
from unmask.errors import UsageError
from unmask.models.config import CONFIGS
from unmask.nn.init import initialise
from unmask.nn.mask_decoder import EnhancedMaskDecoder, FinalStates
from unmask.recipe.config import Finetune, Pretrain
from unmask.recipe.finetune import finetune
from unmask.recipe.pretrain import pretrain
from unmask.text.config import TokenizerConfig
from unmask.text.learn import train
from unmask.text.tokenizer import Tokenizer

SIZES = {
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
}


LEARNED: dict[str, dict[str, Any]] = {
    "bert": {"kind": "wordpiece"},
    "roberta": {"kind": "bpe", "vocab_size": 300},
    "xlm-roberta": {"kind": "bpe", "vocab_size": 300},
    "albert": {"kind": "unigram"},
    "electra": {"kind": "wordpiece"},
    "distilbert": {"kind": "wordpiece"},
    "mpnet": {"kind": "wordpiece", "special_tokens": "mpnet"},
    "deberta": {"kind": "bpe", "vocab_size": 300},
    "deberta-v2": {"kind": "unigram"},
    "modernbert": {"kind": "bpe", "vocab_size": 300},
}
"""A vocabulary such as each family came with."""
OWN_SIZES: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 16},
    "electra": {"embedding_size": 16},
    # transformers has no enhanced mask decoder.
    "deberta": {"enhanced_mask_decoder": False},
    "deberta-v2": {"enhanced_mask_decoder": False, "position_buckets": 8},
    "modernbert": {"local_attention": 8},
}


def hush(_: str) -> None:
    """Hears the run's lines and says none of them."""


TEXTS = ["The cat went to the river.", "and saw 5 of the dogs", "owl", "", "the cat " * 40]


class Material(NamedTuple):
    """What families are pretrained on."""

    text: Path
    """A folder of one file a document."""
    tokenizer: Callable[[str], Path]
    """The folder of a vocabulary such as a family comes with."""


@pytest.mark.parametrize(
    ("family", "sizes"),
    [
        ("deberta", {}),
        ("deberta-v2", {"position_buckets": 8, "conv_kernel_size": 3}),
        ("deberta-v2", {"position_buckets": 8, "enhanced_mask_decoder": False}),
    ],
    ids=["v1", "v2", "v2-plain"],
)
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_deberta_is_trained_with_its_decoder_and_gone_on_with(
    make_recipe: Callable[..., Pretrain],
    tiny_corpus: Path,
    tmp_path: Path,
    family: str,
    sizes: dict[str, Any],
    optimizer: str,
) -> None:
    recipe = make_recipe(family=family, model={**SIZES, **sizes}, optim={"name": optimizer})
    pretrain(tiny_corpus, tmp_path / "run", recipe, say=hush)
    model = native.load(tmp_path / "run").model
    kind = EnhancedMaskDecoder if sizes.get("enhanced_mask_decoder", True) else FinalStates
    assert isinstance(model.decoder, kind)

    # Rates of zero: what is gone on with comes out as it went in.
    still = {"learning_rate": 1e-30, "weight_decay": 0.0}
    pretrain(
        tiny_corpus,
        tmp_path / "more",
        make_recipe(optim=still),
        model=tmp_path / "run",
        say=hush,
    )
    again = native.load(tmp_path / "more").model.state_dict()
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(again[name], tensor, rtol=0, atol=1e-12)


@pytest.fixture(scope="module")
def material(tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Material:
    """The tiny corpus' documents, and vocabularies learned from them once."""
    folder = tmp_path_factory.mktemp("material")
    documents = (tiny_corpus.parent / "text.txt").read_text(encoding="utf-8").split("\n\n")
    (folder / "text").mkdir()
    for i, document in enumerate(documents):
        (folder / "text" / f"{i}.txt").write_text(document, encoding="utf-8")

    @cache
    def learned(family: str) -> Path:
        config = TokenizerConfig.model_validate({"vocab_size": 120, **LEARNED[family]})
        train(documents, config).save(folder / family)
        return folder / family

    return Material(folder / "text", learned)


@pytest.mark.parametrize("family", [n for n, kind in CONFIGS.items() if not kind().is_control])
def test_every_family_is_pretrained_and_fills_blanks_as_transformers_does(
    family: str, material: Material, make_recipe: Callable[..., Pretrain], tmp_path: Path
) -> None:
    model: dict[str, Any] = {
        name: size for name, size in SIZES.items() if name != "max_position_embeddings"
    }
    model |= {"initializer_range": 0.2, **OWN_SIZES.get(family, {})}  # so that scores differ
    recipe = make_recipe({"steps": 2}, family=family, model=model)

    result = pretrain(
        material.text, tmp_path / "run", recipe, tokenizer=material.tokenizer(family), say=hush
    )

    engine = unmask.load(result.folder)
    tokenizer = engine.bundle.require_tokenizer()
    text = f"The {tokenizer.mask_token} went to the river."
    answers = engine.predict(text, top_k=tokenizer.vocab_size)
    ids = tokenizer.layout.single(np.array(tokenizer.encode_with_mask(text)))
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(result.folder).eval()
    with torch.no_grad():
        scores = theirs(input_ids=torch.tensor(ids)[None]).logits[0].softmax(-1)
    (expected,) = scores[torch.tensor(ids) == tokenizer.require_mask()]
    found = torch.zeros_like(expected)
    for answer in answers:
        found[answer["token"]] = answer["score"]
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-5)
    assert float(found.max()) > 2 * float(found.mean())


def test_mpnet_is_pretrained_with_a_vocabulary_of_its_own(
    make_recipe: Callable[..., Pretrain], tiny_corpus: Path, tmp_path: Path
) -> None:
    documents = (tiny_corpus.parent / "text.txt").read_text(encoding="utf-8").split("\n\n")
    (tmp_path / "text").mkdir()
    for i, document in enumerate(documents):
        (tmp_path / "text" / f"{i}.txt").write_text(document, encoding="utf-8")
    words_of_its_own = TokenizerConfig(special_tokens="mpnet", vocab_size=120)
    train(documents, words_of_its_own).save(tmp_path / "words")
    recipe = make_recipe(family="mpnet", model=SIZES | {"max_position_embeddings": 34})

    pretrain(tmp_path / "text", tmp_path / "run", recipe, tokenizer=tmp_path / "words", say=hush)

    folder = tmp_path / "run" / "model"
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
    words = transformers.AutoTokenizer.from_pretrained(folder)
    asked = words("The <mask> went to the river.", return_tensors="pt")
    with torch.no_grad():
        scores = theirs(**asked).logits[0, asked["input_ids"][0] == words.mask_token_id]
    expected = scores.softmax(-1).topk(3)
    answers = unmask.load(folder).predict("The <mask> went to the river.", top_k=3)
    assert [answer["token"] for answer in answers] == expected.indices[0].tolist()
    with pytest.raises(UsageError, match=r"padding of id 0.*--special-tokens mpnet"):
        pretrain(tiny_corpus, tmp_path / "other", recipe, say=hush)


def test_heads_that_aim_by_positions_are_refused_where_none_are_added() -> None:
    with pytest.raises(ValidationError, match="family deberta-v2 adds no vector for each position"):
        Pretrain.model_validate({"family": "deberta-v2", "initial_attention": "neighbours"})


@pytest.mark.parametrize("family", [n for n, kind in CONFIGS.items() if not kind().is_control])
def test_a_sentence_encoder_of_every_family_is_trained_and_opens_elsewhere(
    family: str, material: Material, tmp_path: Path
) -> None:
    tokenizer = Tokenizer.load(material.tokenizer(family))
    sizes = {**SIZES, "vocab_size": tokenizer.vocab_size, "pad_token_id": tokenizer.special.pad}
    if family in ("roberta", "xlm-roberta", "mpnet"):
        sizes["max_position_embeddings"] += 2  # whose positions begin beyond the padding's
    config: Any = CONFIGS[family].model_validate({**sizes, **OWN_SIZES.get(family, {})})
    model = assemble(config, ())
    initialise(model, 0.2, torch.Generator().manual_seed(0))
    native.save(Bundle(model.eval(), None, tokenizer, config, None), tmp_path / "base")
    before = unmask.load(tmp_path / "base").encode(TEXTS, pooling="mean")
    recipe = Finetune.model_validate(
        {
            "task": "embedding",
            "baselines": False,
            "pictures": False,
            "settings": {"dense": 12, "prompts": {"query": "dog: "}},
            "train": {"steps": 2, "batch_size": 4},
        }
    )
    rows = [{"anchor": f"The cat {i}", "positive": f"the {i} river"} for i in range(12)]

    outcome = finetune(rows, tmp_path / "base", tmp_path / "run", recipe, say=hush)

    engine = unmask.load(outcome.folder)
    native.save(engine.bundle, tmp_path / "again")
    vectors = engine.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 12)
    np.testing.assert_array_equal(unmask.load(tmp_path / "again").encode(TEXTS), vectors)
    trained = engine.encode(TEXTS, pooling="mean")
    assert np.abs(trained - before).max() > 1e-4  # the steps reached the encoder
    theirs = SentenceTransformer(str(outcome.folder), device="cpu")
    for name in ("encode", "encode_query", "encode_document"):
        found, expected = getattr(engine, name)(TEXTS), getattr(theirs, name)(TEXTS)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
