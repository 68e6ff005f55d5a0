"""What ALBERT has and no other family: shared blocks, and a head for the order of sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from unmask.checkpoint import native
from unmask.checkpoint.describe import configured_parameters, describe
from unmask.checkpoint.transfer import with_head
from unmask.errors import DataError
from unmask.models.config import PRESETS, AlbertConfig, Preset

PUBLISHED: dict[str, tuple[int, int, int, float]] = {
    "base": (12, 768, 12, 12e6),
    "large": (24, 1024, 16, 18e6),
    "xlarge": (24, 2048, 16, 60e6),
    "xxlarge": (12, 4096, 64, 235e6),
}
"""Layers, width, heads and parameters of Lan et al. 2020, table 1."""


@pytest.fixture
def albert(cases: Mapping[str, Any]) -> Any:
    return cases["albert"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_transformers_and_near_the_published(name: str) -> None:
    layers, width, heads, published = PUBLISHED[name]
    config = AlbertConfig(
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=heads,
        intermediate_size=4 * width,
    )
    ours = configured_parameters(config, frozenset({"pooler"}))
    with torch.device("meta"):
        theirs = transformers.AlbertModel(
            transformers.AlbertConfig(
                num_hidden_layers=layers,
                hidden_size=width,
                num_attention_heads=heads,
                intermediate_size=4 * width,
            )
        )
    assert ours == theirs.num_parameters()
    # The paper's own tensors come to 58.7M and 222.6M where its table says 60M and 235M.
    assert abs(ours - published) < 0.06 * published


@pytest.mark.parametrize(("layers", "groups"), [(5, 2), (12, 4), (18, 14), (27, 21), (7, 7)])
def test_layers_fall_into_groups_as_theirs_do(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    layers: int,
    groups: int,
    albert: Any,
) -> None:
    pair = make_pair(albert, "Model", num_hidden_layers=layers, num_hidden_groups=groups)
    assert set(pair.ours.model.encoder.order) == set(range(groups))
    both = make_both(albert, (24, 9))
    with torch.no_grad():
        theirs = both.real(pair.theirs(**both.padded).last_hidden_state)
        assert_close(pair.ours.model.encoder(both.batch), theirs)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_shares_one_block_and_has_narrow_embeddings(name: Preset) -> None:
    config = AlbertConfig.model_validate(AlbertConfig.preset(name))
    assert (config.num_blocks, len(config.order)) == (1, PRESETS[name]["num_hidden_layers"])
    assert config.embedding_size == min(128, config.hidden_size // 2)


@pytest.mark.parametrize("groups", [1, 2])
def test_no_tensor_is_there_twice_in_memory_or_on_disk(
    make_pair: Callable[..., Any], tmp_path: Path, groups: int, albert: Any
) -> None:
    bundle = make_pair(albert, "ForPreTraining", num_hidden_groups=groups).ours
    names = [name for name in bundle.model.state_dict() if "blocks" in name]
    assert {name.split(".")[2] for name in names} == {str(i) for i in range(groups)}
    addresses = {p.data_ptr() for p in bundle.model.parameters()}
    assert len(addresses) == len(list(bundle.model.parameters()))

    native.save(bundle, tmp_path / "ours")
    stored = load_file(tmp_path / "ours" / "model.safetensors")
    assert sum(t.numel() for t in stored.values()) == sum(
        p.numel() for p in bundle.model.parameters()
    )
    found = describe(tmp_path / "ours")
    assert found["total_parameters"] == sum(p.numel() for p in bundle.model.parameters())
    assert [part for part in found["parameters"] if part.startswith("block")] == [
        f"block {i}" for i in range(groups)
    ]
    assert found["architecture"] == "AlbertForPreTraining"


def test_both_scores_of_pretraining_are_theirs(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    assert_gradients_are_theirs: Callable[..., None],
    tmp_path: Path,
    albert: Any,
) -> None:
    pair, both = make_pair(albert, "ForPreTraining"), make_both(albert, (5, 24, 9, 8))
    theirs = pair.theirs(**both.padded)
    hidden = pair.ours.model.encoder(both.batch)
    heads = pair.ours.model.heads
    tokens, order = heads["mlm"](hidden), heads["nsp"](hidden[both.batch.starts()])
    assert_close(tokens, both.real(theirs.prediction_logits))
    assert_close(order, theirs.sop_logits)
    (tokens.square().sum() + order.square().sum()).backward()
    (
        both.real(theirs.prediction_logits).square().sum() + theirs.sop_logits.square().sum()
    ).backward()
    assert_gradients_are_theirs(pair)

    native.save(pair.ours, tmp_path / "ours")
    again, report = transformers.AutoModelForPreTraining.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not any(report.values()), report
    assert_close(again.eval()(**both.padded).sop_logits, theirs.sop_logits)


def test_the_pooler_of_pretraining_stays_under_a_classifier(
    make_pair: Callable[..., Any], albert: Any
) -> None:
    bundle = make_pair(albert, "ForPreTraining").ours
    model, has_pooler = with_head(bundle, "pooled_classifier", 3, torch.Generator().manual_seed(0))
    assert has_pooler
    assert model.heads["pooled_classifier"].pooler is bundle.model.heads["nsp"].pooler
    assert model.heads["pooled_classifier"].dropout.rate == 0.1


@pytest.mark.parametrize("equal", [True, False])
def test_a_decoder_beside_the_embedding_must_equal_it(
    make_pair: Callable[..., Any], equal: bool, albert: Any
) -> None:
    from safetensors.torch import save_file

    pair = make_pair(albert, "ForMaskedLM")
    tensors = load_file(pair.folder / "model.safetensors")
    decoder = tensors["albert.embeddings.word_embeddings.weight"].clone()
    if not equal:
        decoder[0, 0] += 1.0
    tensors["predictions.decoder.weight"] = decoder
    save_file(tensors, pair.folder / "model.safetensors", metadata={"format": "pt"})
    if equal:
        assert "mlm" in native.load(pair.folder).model.heads
        return
    with pytest.raises(DataError, match=r"`predictions\.decoder\.weight` differs"):
        native.load(pair.folder)
