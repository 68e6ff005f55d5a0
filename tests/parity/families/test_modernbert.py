"""What the frame of the families does not say of ModernBERT."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.huggingface.configuration import read_config
from unmask.checkpoint.huggingface.families import family_of
from unmask.checkpoint.huggingface.keys import to_theirs
from unmask.checkpoint.transfer import with_head
from unmask.errors import DataError
from unmask.models.config import ModernBertConfig
from unmask.nn.init import initialise

OLD_SPELLING = {
    "model_type": "modernbert",
    "num_hidden_layers": 7,
    "global_attn_every_n_layers": 2,
    "global_rope_theta": 80000.0,
    "local_rope_theta": 5000.0,
    "local_attention": 64,
    "position_embedding_type": "absolute",
    "reference_compile": None,
}


@pytest.fixture
def modernbert(cases: Mapping[str, Any]) -> Any:
    """The frame's case."""
    return cases["modernbert"]


@pytest.mark.parametrize("lengths", [(300,), (40, 300, 129, 1, 97), (512, 512)], ids=str)
@pytest.mark.parametrize("local_attention", [8, 128])
def test_long_sequences_are_theirs(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    assert_gradients_are_theirs: Callable[..., None],
    modernbert: Any,
    lengths: tuple[int, ...],
    local_attention: int,
) -> None:
    pair = make_pair(modernbert, "ForMaskedLM", local_attention=local_attention)
    both = make_both(modernbert, lengths)
    rows = torch.arange(both.batch.num_tokens)[::7]
    theirs = both.real(pair.theirs(**both.padded).logits)[rows]
    model = pair.ours.model

    ours = model.heads["mlm"](model.encoder(both.batch, rows))

    assert_close(ours, theirs)
    for logits in (ours, theirs):
        torch.nn.functional.cross_entropy(logits, both.batch.input_ids[rows]).backward()
    assert_gradients_are_theirs(pair)


@pytest.mark.parametrize("name", ["SequenceClassification", "MultipleChoice"])
def test_a_mean_is_read_where_the_config_says_so(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    assert_gradients_are_theirs: Callable[..., None],
    tmp_path: Path,
    modernbert: Any,
    name: str,
) -> None:
    pair = make_pair(modernbert, f"For{name}", classifier_pooling="mean")
    both = make_both(modernbert, (5, 24, 9, 8))
    padded = both.padded
    if name == "MultipleChoice":
        padded = {key: tensor[None] for key, tensor in padded.items()}
    theirs = pair.theirs(**padded).logits

    (ours,) = pair.ours.model(both.batch, pair.ours.task).values()

    assert_close(ours.view(theirs.shape), theirs)
    weight = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(3))
    for scores in (ours.view(theirs.shape), theirs):
        (scores * weight).sum().backward()
    assert_gradients_are_theirs(pair)

    native.save(pair.ours, tmp_path / "ours")
    auto = getattr(transformers, f"AutoModelFor{name}").from_pretrained(tmp_path / "ours")
    assert auto.config.classifier_pooling == "mean"
    assert_close(auto.eval()(**padded).logits, theirs)


def test_the_task_says_what_is_read_whatever_the_encoder_was_published_with(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    tmp_path: Path,
    modernbert: Any,
) -> None:
    from unmask.data.labelled.examples import TextExample
    from unmask.tasks.registry import TASKS

    base = make_pair(modernbert, "ForMaskedLM", classifier_pooling="mean").ours
    both = make_both(modernbert, (5, 24, 9))
    examples = [TextExample(str(i), "x", None, "ab"[i], None, f"x:{i}") for i in range(2)]
    for pooling in ("cls", "mean"):
        kind = TASKS["classification"]
        task: Any = kind.begin(kind.config.model_validate({"pooling": pooling}), examples)
        model = with_head(base, task.head, 2, torch.Generator().manual_seed(0)).model.eval()
        bundle = Bundle(model, task, None, base.config, None)
        native.save(bundle, tmp_path / pooling)
        (tmp_path / pooling / "unmask.json").unlink()  # so that config.json alone tells
        again = native.load(tmp_path / pooling)
        theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / pooling)
        (expected,) = bundle.model(both.batch, task).values()
        (found,) = again.model(both.batch, again.task).values()

        assert torch.equal(found, expected)
        assert_close(theirs.eval()(**both.padded).logits, expected)


def test_transformers_config_is_read_back_equal(
    make_pair: Callable[..., Any], tmp_path: Path, modernbert: Any
) -> None:
    for number, changed in enumerate(modernbert.variants):
        pair = make_pair(modernbert, "ForMaskedLM", **changed)
        native.save(pair.ours, tmp_path / f"ours-{number}")
        ours, theirs = (
            transformers.AutoConfig.from_pretrained(folder).to_dict()
            for folder in (tmp_path / f"ours-{number}", pair.folder)
        )
        assert ours.pop("_name_or_path") != theirs.pop("_name_or_path")
        assert ours == theirs


def test_the_older_spelling_of_a_config_means_the_same(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_text(json.dumps(OLD_SPELLING))
    _, old = read_config(tmp_path / "old")
    theirs = transformers.AutoConfig.from_pretrained(tmp_path / "old")
    theirs.save_pretrained(tmp_path / "new")
    _, new = read_config(tmp_path / "new")

    assert isinstance(old, ModernBertConfig)
    assert old == new
    assert (old.global_attn_every_n_layers, old.layer_types) == (2, None)
    assert (old.global_rope_theta, old.local_rope_theta) == (80000.0, 5000.0)
    assert list(old.kinds) == theirs.layer_types
    assert old.half_window == theirs.sliding_window == 32


def test_a_config_without_any_of_it_is_the_published_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "modernbert"}')
    specials = {
        **dict.fromkeys(("cls_token_id", "bos_token_id"), 50281),
        **dict.fromkeys(("sep_token_id", "eos_token_id"), 50282),
    }

    assert read_config(tmp_path)[1] == ModernBertConfig(**specials)


@pytest.mark.parametrize("vocab_size", [61, 60_000])
def test_of_a_fresh_vocabulary_no_word_is_called_special(tmp_path: Path, vocab_size: int) -> None:
    config = ModernBertConfig(
        vocab_size=vocab_size,
        pad_token_id=0,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
    )
    native.save(Bundle(assemble(config, {"mlm"}), None, None, config, None), tmp_path / "model")

    written = json.loads((tmp_path / "model" / "config.json").read_text())
    theirs = transformers.AutoConfig.from_pretrained(tmp_path / "model")
    for name in ("cls_token_id", "sep_token_id", "bos_token_id", "eos_token_id"):
        assert written[name] is None
        assert getattr(theirs, name) is None
    assert native.load(tmp_path / "model").config == config


def test_a_missing_local_angle_is_the_global_one_as_in_transformers_4(tmp_path: Path) -> None:
    given = {**OLD_SPELLING, "local_rope_theta": None}
    (tmp_path / "config.json").write_text(json.dumps(given))
    _, config = read_config(tmp_path)

    assert isinstance(config, ModernBertConfig)
    assert config.local_rope_theta == 80000.0


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            {"rope_parameters": {"full_attention": {"rope_type": "yarn", "factor": 2.0}}},
            '`rope_parameters.full_attention` is of type "yarn"',
        ),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, '`rope_scaling` is of type "linear"'),
        (
            {"rope_parameters": {"sliding_attention": {"partial_rotary_factor": 0.5}}},
            'has ["partial_rotary_factor"], which is not built here',
        ),
        ({"rope_parameters": {"rope_theta": 10.0}}, '`rope_parameters` has ["rope_theta"]'),
        ({"rope_parameters": 3}, "`rope_parameters` is 3"),
        ({"rope_parameters": {"full_attention": 3}}, "`rope_parameters.full_attention` is 3"),
        ({"layer_types": ["full_attention"]}, "layer_types lists 1 layers"),
        ({"layer_types": ["chunked"] * 7}, '`layer_types.0` is "chunked"'),
        ({"layer_types": "full_attention"}, '`layer_types` is "full_attention"'),
        ({"hidden_size": 15, "num_attention_heads": 5}, "each of 5 heads is 3 wide"),
        ({"tie_word_embeddings": False}, "`tie_word_embeddings` is false"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_not_built_is_refused(tmp_path: Path, setting: dict[str, Any], said: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**OLD_SPELLING, **setting}))

    with pytest.raises(DataError) as caught:
        read_config(tmp_path)
    assert said in str(caught.value)


def test_initial_weights_are_as_theirs() -> None:
    sizes: dict[str, Any] = {
        "vocab_size": 500,
        "hidden_size": 96,
        "num_hidden_layers": 8,
        "num_attention_heads": 6,
        "intermediate_size": 160,
        **dict.fromkeys(("pad_token_id", "cls_token_id", "bos_token_id"), 0),
        **dict.fromkeys(("sep_token_id", "eos_token_id"), 1),
        "initializer_range": 0.05,
        "initializer_cutoff_factor": 1.5,
        **dict.fromkeys(("norm_bias", "mlp_bias", "attention_bias", "classifier_bias"), True),
    }
    config = ModernBertConfig(**sizes)
    theirs = transformers.ModernBertForMaskedLM(transformers.ModernBertConfig(**sizes))
    model = assemble(config, {"mlm"})
    initialise(model, config.initializer_range, torch.Generator().manual_seed(0))
    bundle = Bundle(model, None, None, config, None)
    ours = by_their_names(bundle)
    reference = {name: p.detach() for name, p in theirs.named_parameters()}
    assert ours.keys() == reference.keys()
    for name, expected in reference.items():
        found = ours[name]
        if expected.ndim == 1:
            assert torch.equal(found, expected), name
            continue
        assert float(found.std()) == pytest.approx(float(expected.std()), rel=0.04), name
        assert float(found.abs().max()) == pytest.approx(float(expected.abs().max()), rel=0.02)

    fresh = with_head(bundle, "pooled_classifier", 50, torch.Generator().manual_seed(0)).model
    classifier: Any = fresh.heads["pooled_classifier"]
    expected = 96**-0.5 * 0.88  # cut at two deviations
    assert float(classifier.classifier.weight.detach().std()) == pytest.approx(expected, rel=0.04)


def by_their_names(bundle: Bundle) -> dict[str, torch.Tensor]:
    family = family_of(bundle.config)
    state = {name: p.detach() for name, p in bundle.model.named_parameters()}
    return to_theirs(family.keys.rules(family.blocks(bundle.config), state), state)


@pytest.mark.parametrize("preset", ["tiny", "base"])
def test_presets_have_gates_of_one_and_a_half_widths(preset: Any) -> None:
    config = ModernBertConfig(**ModernBertConfig.preset(preset))

    assert config.intermediate_size == {"tiny": 192, "base": 1152}[preset]
    assert config.max_length == 8192
