"""What DeBERTa alone has: buckets, long distances, the enhanced mask decoder, its folders."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers.models.deberta_v2 import modeling_deberta_v2

from unmask.batch import Batch, pack
from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.bundle import Bundle
from unmask.errors import DataError
from unmask.models.config import DebertaConfig, DebertaV2Config
from unmask.nn import disentangled_scores, disentangled_terms
from unmask.nn.disentangled_scores import attend
from unmask.nn.disentangled_terms import Given, Tables, learnt_scores
from unmask.nn.mask_decoder import EnhancedMaskDecoder, FinalStates
from unmask.nn.relative import log_buckets
from unmask.tasks import registry
from unmask.tasks.replaced_token import ReplacedToken


@pytest.fixture
def v2(cases: Mapping[str, Any]) -> Any:
    return cases["deberta-v2"]


LONG = {
    "max_position_embeddings": 400,
    "position_buckets": 32,
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "num_hidden_layers": 2,
}
POSITIONS = "deberta.embeddings.position_embeddings.weight"
SMALL = DebertaV2Config(
    vocab_size=61,
    hidden_size=36,
    num_hidden_layers=3,
    num_attention_heads=3,
    intermediate_size=80,
    max_position_embeddings=26,
    position_buckets=8,
)


@pytest.mark.parametrize(("buckets", "longest"), [(256, 512), (32, 400), (8, 26), (2, 9), (5, 40)])
def test_buckets_are_theirs(buckets: int, longest: int) -> None:
    distances = torch.arange(-2 * longest, 2 * longest)
    theirs = modeling_deberta_v2.make_log_bucket_position(distances, buckets, longest)
    assert torch.equal(log_buckets(distances, buckets, longest), theirs.long())


@pytest.mark.parametrize("changed", [LONG, {**LONG, "position_buckets": -1}], ids=["log", "each"])
def test_texts_longer_than_a_tile_and_than_the_table_are_theirs(
    v2: Any,
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    changed: Mapping[str, Any],
) -> None:
    changed = {**changed, "max_relative_positions": 200}
    pair = make_pair(v2, v2.masked_lm, torch.float64, **changed)
    both = make_both(v2, (300, 131, 299), **changed)
    theirs = both.real(pair.theirs.deberta(**both.padded).last_hidden_state)
    encoder = pair.ours.model.encoder
    weight = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(0)).double()
    rows = torch.arange(both.batch.num_tokens)[::7]

    with torch.no_grad():
        assert_close(encoder(both.batch), theirs, 1e-10)
        assert_close(encoder(both.batch, rows), theirs[rows], 1e-10)
    for few in (False, True):
        pair.ours.model.zero_grad()
        pair.theirs.zero_grad()
        read = slice(None) if not few else rows
        (encoder(both.batch, rows if few else None) * weight[read]).sum().backward()
        (theirs[read] * weight[read]).sum().backward(retain_graph=True)
        ours, grads = pair.gradients(), dict(pair.theirs.deberta.named_parameters())
        for name, parameter in grads.items():
            assert parameter.grad is not None
            assert_close(ours[f"deberta.{name}"], parameter.grad, 1e-10)


@pytest.mark.parametrize("name", ["deberta", "deberta-v2"])
@pytest.mark.parametrize("position_biased_input", [False, True])
def test_heads_of_the_published_width_are_theirs(
    cases: Mapping[str, Any],
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    assert_gradients_are_theirs: Callable[..., None],
    name: str,
    position_biased_input: bool,
) -> None:
    """Three times 64 is no square, so that the scale is rounded as they round it, in float32."""
    case = cases[name]
    sizes = {"hidden_size": 128, "num_attention_heads": 2, "intermediate_size": 64}
    sizes |= {"position_biased_input": position_biased_input, "num_hidden_layers": 2}
    pair = make_pair(case, case.masked_lm, **sizes)
    both = make_both(case, (1, 5, 24, 9, 8), **sizes)
    theirs = both.real(pair.theirs(**both.padded).logits)
    model = pair.ours.model

    ours = model.heads["mlm"](model.encoder(both.batch))

    assert pair.ours.config.hidden_size == 64 * pair.ours.config.num_attention_heads
    assert_close(ours, theirs)
    for logits in (ours, theirs):
        functional.cross_entropy(logits, both.batch.input_ids).backward()
    assert_gradients_are_theirs(pair)


@pytest.mark.parametrize("name", ["deberta", "deberta-v2"])
def test_a_table_that_no_term_reads_is_kept(
    cases: Mapping[str, Any],
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    name: str,
) -> None:
    pair = make_pair(cases[name], "Model", pos_att_type=None, hidden_size=48)
    both = make_both(cases[name], (5, 24))
    theirs = both.real(pair.theirs(**both.padded).last_hidden_state)
    assert_close(pair.ours.model.encoder(both.batch), theirs)


@pytest.mark.parametrize("picks", [False, True], ids=["all", "few"])
@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("longest_kept", [5, 4], ids=["kept", "computed-again"])
@pytest.mark.parametrize("at_once", [1000, 50], ids=["together", "two-heads-at-once"])
def test_every_way_of_attending_gives_the_same_and_the_right_gradient(
    picks: bool, rate: float, longest_kept: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disentangled_scores, "_LONGEST_KEPT", longest_kept)
    monkeypatch.setattr(disentangled_terms, "_PAIRS_AT_ONCE", at_once)
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()

    length, asking = 5, torch.tensor([[0, 3, 3], [1, 2, 4]]) if picks else None
    q = draw(2, 3, 3 if picks else length, 4)
    k, v = draw(2, 3, length, 4), draw(2, 3, length, 4)
    keys, queries = draw(3, 2 * length - 1, 4), draw(3, 2 * length - 1, 4)
    mask = torch.ones(2, 1, 1, length, dtype=torch.bool)
    mask[1, ..., -1] = False

    def written_out(*tensors: Tensor) -> Tensor:
        torch.manual_seed(3)  # the same weights are dropped every time
        *content, some, others = tensors
        return attend(*content, Tables(some, others), mask, asking, 0.3, rate)

    assert torch.autograd.gradcheck(written_out, (q, k, v, keys, queries))
    if rate == 0.0:
        with torch.no_grad():
            torch.testing.assert_close(
                attend(q, k, v, Tables(keys, queries), mask, asking, 0.3, 0.0),
                written_out(q, k, v, keys, queries),
            )
        by_head = (x.transpose(0, 1) for x in (q * 0.3, k, v))
        given = Given(*by_head, keys, queries * 0.3, mask, asking)
        scores = (q * 0.3) @ k.mT + learnt_scores(given).transpose(0, 1)
        torch.testing.assert_close(
            scores.masked_fill(~mask, -torch.inf).softmax(-1) @ v,
            written_out(q, k, v, keys, queries),
        )


def test_of_long_sequences_nothing_is_kept_for_each_pair_of_tokens() -> None:
    kept: list[int] = []

    def count(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    for length in (256, 257):
        q, k, v = (torch.randn(1, 2, length, 4, requires_grad=True) for _ in range(3))
        keys, queries = (torch.randn(2, 2 * length - 1, 4) for _ in range(2))
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            attend(q, k, v, Tables(keys, queries), None, None, 0.3, 0.1)
        assert (max(kept) >= length**2) == (length == 256)
        kept.clear()


@pytest.mark.parametrize("learns", [False, True])
def test_of_long_sequences_few_heads_are_compared_at_once(
    learns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    length = 260
    monkeypatch.setattr(disentangled_terms, "_PAIRS_AT_ONCE", length**2)
    q, k, v = (torch.randn(1, 6, length, 4, requires_grad=learns) for _ in range(3))
    keys, queries = (torch.randn(6, 2 * length - 1, 4, requires_grad=learns) for _ in range(2))
    with Largest() as largest:
        found = attend(q, k, v, Tables(keys, queries), None, None, 0.3, 0.1 if learns else 0.0)
        if learns:
            found.sum().backward()
    assert length**2 <= largest.size < 2 * length**2


class Largest(TorchDispatchMode):
    """Numbers of the largest tensor that was made."""

    size = 0

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        sizes = [one.numel() for one in tree_leaves(made) if isinstance(one, Tensor)]
        self.size = max(self.size, *sizes, 0)
        return made


def test_the_convolution_stays_within_its_sequence(v2: Any, make_pair: Callable[..., Any]) -> None:
    pair = make_pair(v2, "Model", conv_kernel_size=5)
    encoder = pair.ours.model.encoder
    one, other, changed = [5, 6, 7], [8, 9, 10, 11], [20, 21, 22, 23]
    torch.testing.assert_close(encoder(pack([one, other]))[:3], encoder(pack([one, changed]))[:3])
    torch.testing.assert_close(encoder(pack([one, other]))[:3], encoder(pack([one])))


def started(config: DebertaV2Config) -> Bundle:
    """A masked language model, none of whose weights is zero or one."""
    model = assemble(config, {"mlm"})
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return Bundle(model.eval(), None, None, config, None)


class Picked:
    """A task that reads every third position."""

    def rows(self, batch: Batch) -> Tensor:
        return torch.arange(batch.num_tokens)[::3]

    def outputs(self, heads: Any, hidden: Tensor, _batch: Batch) -> dict[str, Tensor]:
        return {"hidden": hidden, "mlm": heads["mlm"](hidden)}


def equations(model: Any, config: DebertaV2Config, hidden: Tensor, positions: Tensor) -> Tensor:
    """Section 3.3 for one sequence: `hidden` (T, D) before the last block, `positions` (T, D)."""
    block, encoder = model.encoder.blocks[-1], model.encoder
    heads, length = config.num_attention_heads, len(hidden)
    weight = block.attention.qkv.weight.chunk(3)
    bias = block.attention.qkv.bias.chunk(3)
    table = encoder.context.norm(encoder.context.table.weight)

    def project(x: Tensor, part: int) -> Tensor:
        return (x @ weight[part].T + bias[part]).view(len(x), heads, -1).transpose(0, 1)

    delta = modeling_deberta_v2.make_log_bucket_position(
        torch.arange(length)[:, None] - torch.arange(length)[None], 8, 26
    ).long()
    span = config.position_buckets
    index = (delta + span).clamp(0, 2 * span - 1)  # (T, T)
    key, value = project(hidden, 1), project(hidden, 2)
    distance_query, distance_key = project(table, 0), project(table, 1)  # (H, 2 R, W)
    query_states = hidden + positions
    for _ in range(2):
        query = project(query_states, 0)
        score = torch.einsum("hiw,hjw->hij", query, key)
        score = score + torch.einsum("hiw,hijw->hij", query, distance_key[:, index])
        score = score + torch.einsum("hjw,hijw->hij", key, distance_query[:, index])
        attended = (score / (3 * query.shape[-1]) ** 0.5).softmax(-1) @ value
        attended = block.attention.output(attended.transpose(0, 1).reshape(length, -1))
        query_states = block.attention_norm(query_states + attended)
        query_states = block.feedforward_norm(query_states + block.feedforward(query_states))
    return query_states


def test_the_enhanced_mask_decoder_is_the_papers(assert_close: Callable[..., None]) -> None:
    model = started(SMALL).model
    assert isinstance(model.decoder, EnhancedMaskDecoder)
    sequences = [[5, 6, 7, 8, 9], [10] * 24, [11, 12]]
    batch = pack(sequences)
    found = model(batch, Picked())["hidden"]

    expected = []
    for ids in sequences:
        hidden, _ = model.encoder.before_last(pack([ids]))
        positions = model.decoder.positions.weight[: len(ids)]
        expected.append(equations(model, SMALL, hidden[: len(ids)], positions))
    assert_close(found, torch.cat(expected)[::3])
    everything = model.decoder(model.encoder, batch, None)
    assert_close(everything, torch.cat(expected))


def test_the_decoder_learns_and_is_stored_with_the_weights(tmp_path: Path) -> None:
    bundle = started(SMALL)
    batch = pack([[5, 6, 7, 8, 9], [10] * 24])
    functional.cross_entropy(bundle.model(batch, Picked())["mlm"], batch.input_ids[::3]).backward()
    assert all(
        parameter.grad is not None and parameter.grad.abs().max() > 0
        for parameter in bundle.model.parameters()
    )

    native.save(bundle, tmp_path / "model")
    assert POSITIONS in load_file(tmp_path / "model" / "model.safetensors")
    again = native.load(tmp_path / "model")
    assert again.config == SMALL
    assert torch.equal(again.model(batch, Picked())["mlm"], bundle.model(batch, Picked())["mlm"])
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "model").eval()
    plain = theirs.deberta(batch.input_ids[5:][None]).last_hidden_state[0]
    torch.testing.assert_close(bundle.model.encoder(batch)[5:], plain, rtol=1e-5, atol=1e-5)


def test_the_decoder_can_be_left_out(tmp_path: Path) -> None:
    bundle = started(SMALL.model_copy(update={"enhanced_mask_decoder": False}))
    assert isinstance(bundle.model.decoder, FinalStates)
    native.save(bundle, tmp_path / "model")
    assert POSITIONS not in load_file(tmp_path / "model" / "model.safetensors")
    assert isinstance(native.load(tmp_path / "model").model.decoder, FinalStates)


@pytest.mark.parametrize("legacy", [False, True])
def test_published_folders_are_read_by_their_weights(
    v2: Any,
    make_pair: Callable[..., Any],
    tmp_path: Path,
    legacy: bool,
) -> None:
    """With the decoder's positions and a discriminator's head, and a config that tells of none."""
    folder = make_pair(v2, v2.masked_lm, legacy=legacy).folder
    config = json.loads((folder / "config.json").read_text())
    del config["legacy"]
    (folder / "config.json").write_text(json.dumps({**config, "pos_att_type": "p2c|c2p"}))
    tensors = load_file(folder / "model.safetensors")
    tensors[POSITIONS] = torch.randn(26, 36)
    tensors |= judging()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    bundle = native.load(folder)

    assert isinstance(bundle.model.decoder, EnhancedMaskDecoder)
    assert torch.equal(bundle.model.decoder.positions.weight, tensors[POSITIONS])
    assert isinstance(bundle.config, DebertaConfig)
    assert bundle.config.legacy == legacy
    native.save(bundle, tmp_path / "ours")
    written = load_file(tmp_path / "ours" / "model.safetensors")
    sign = "cls.predictions.bias" if legacy else "lm_predictions.lm_head.bias"
    for name in (sign, *judging()):
        assert torch.equal(written[name], tensors[name]), name


def judging() -> dict[str, Tensor]:
    """The tensors of DeBERTa v3's head for replaced tokens, by the names it was published with."""
    generator = torch.Generator().manual_seed(5)
    shapes = {"dense": (36, 36), "LayerNorm": (36,), "classifier": (1, 36)}
    return {
        f"mask_predictions.{name}.{part}": torch.randn(
            shape if part == "weight" else shape[:1], generator=generator
        )
        for name, shape in shapes.items()
        for part in ("weight", "bias")
    }


def test_the_head_for_replaced_tokens_is_microsofts(
    assert_close: Callable[..., None], tmp_path: Path
) -> None:
    """Theirs for one sequence (T, D), `apps/models/replaced_token_detection_model.py`."""
    bundle = started(SMALL)
    model = assemble(SMALL, {"rtd"}).eval()
    model.encoder.load_state_dict(bundle.model.encoder.state_dict())
    parts = {name.split(".", 1)[1]: tensor for name, tensor in judging().items()}
    native.save(Bundle(model, None, None, SMALL, None), tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    save_file({**load_file(file), **judging()}, file, metadata={"format": "pt"})
    (tmp_path / "model" / "MANIFEST.json").unlink(missing_ok=True)
    batch = pack([[5, 6, 7, 8, 9], [10] * 24, [11]])

    again = native.load(tmp_path / "model")

    expected = []
    for hidden in again.model.encoder(batch).split(batch.lengths):
        states = functional.layer_norm(
            hidden[:1] + hidden,
            (36,),
            parts["LayerNorm.weight"],
            parts["LayerNorm.bias"],
            SMALL.layer_norm_eps,
        )
        states = functional.gelu(states @ parts["dense.weight"].T + parts["dense.bias"])
        expected.append((states @ parts["classifier.weight"].T + parts["classifier.bias"])[:, 0])
    assert_close(again.model(batch, ReplacedToken())["rtd"], torch.cat(expected))
    theirs = transformers.AutoModel.from_pretrained(tmp_path / "model").eval()
    plain = theirs(batch.input_ids[5:29][None]).last_hidden_state[0]
    assert_close(again.model.encoder(batch)[5:29], plain)


def test_positions_that_no_head_reads_are_left_out(
    v2: Any, make_pair: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_pair(v2, "ForTokenClassification", num_labels=3).folder
    tensors = load_file(folder / "model.safetensors")
    tensors[POSITIONS] = torch.randn(26, 36)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with caplog.at_level("INFO"):
        assert isinstance(native.load(folder).model.decoder, FinalStates)
    assert POSITIONS in caplog.text


def test_positions_that_the_config_promises_must_be_there(tmp_path: Path) -> None:
    native.save(started(SMALL), tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    tensors = load_file(file)
    del tensors[POSITIONS]
    save_file(tensors, file, metadata={"format": "pt"})
    (tmp_path / "model" / "MANIFEST.json").unlink(missing_ok=True)
    with pytest.raises(DataError, match=f"missing: {POSITIONS}"):
        native.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"z_steps": 2}, "`z_steps` is 2"),
        ({"pos_att_type": "c2p|p2p"}, "'c2p' or 'p2c'"),
        ({"pos_att_type": ["c2p", "c2p"]}, "names a term twice"),
        ({"position_buckets": 1}, "position_buckets 1"),
        ({"position_buckets": 600}, "position_buckets 600"),
        ({"norm_rel_ebd": "batch_norm"}, "'none' or 'layer_norm'"),
        ({"norm_rel_ebd": "layer_norm", "relative_attention": False}, "needs relative_attention"),
        ({"conv_kernel_size": 4}, "conv_kernel_size 4 is even"),
        ({"conv_kernel_size": 3, "conv_groups": 5}, "not a multiple of conv_groups 5"),
        ({"attention_head_size": 64}, "attention_head_size 64 is not 12"),
        ({"pooler_hidden_size": 99}, "pooler_hidden_size 99 is not hidden_size 36"),
        ({"hidden_size": 37}, "hidden_size 37 is not a multiple"),
        ({"max_relative_positions": -2}, "greater than or equal to -1"),
    ],
    ids=str,
)
def test_settings_that_are_not_built_are_refused(
    v2: Any, make_pair: Callable[..., Any], changed: Mapping[str, Any], message: str
) -> None:
    folder = make_pair(v2, "Model").folder
    config = json.loads((folder / "config.json").read_text())
    config.pop("pooler_hidden_size")
    (folder / "config.json").write_text(json.dumps({**config, "pooler_hidden_size": 36, **changed}))
    with pytest.raises(DataError, match=message):
        native.load(folder)


def test_presets_are_version_3s() -> None:
    base = DebertaV2Config.model_validate(DebertaV2Config.preset("base"))
    assert base == DebertaV2Config()
    assert (base.position_buckets, base.max_distance, base.share_att_key) == (256, 512, True)
    assert (base.norm_rel_ebd, base.max_length, base.reads_positions_late) == (
        "layer_norm",
        512,
        True,
    )


def test_a_task_that_transformers_has_no_class_for_is_read_back(tmp_path: Path) -> None:
    config = DebertaConfig.model_validate(
        {**SMALL.model_dump(include=set(DebertaConfig.model_fields)), "vocab_size": 61}
    )
    model = assemble(config, {"pooled_classifier"}, 1).eval()
    task = registry.foreign("pooled_classifier", "DebertaForMultipleChoice", (), None)
    native.save(Bundle(model, task, None, config, None), tmp_path / "model")

    again = native.load(tmp_path / "model")

    assert again.task == task
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor)
    assert type(transformers.AutoModel.from_pretrained(tmp_path / "model")).__name__ == (
        "DebertaModel"
    )
