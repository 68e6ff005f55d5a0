from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from unmask.models.config import CONFIGS, PRESETS, FamilyName
from unmask.recipe.config import Finetune, Pretrain
from unmask.recipe.tune.config import Tune


def test_the_preset_gives_the_sizes_and_the_model_table_changes_them() -> None:
    recipe = Pretrain(preset="small", model={"num_hidden_layers": 3}, dropout=0.25)

    config = recipe.encoder(vocab_size=77)

    assert (config.num_hidden_layers, config.hidden_size) == (3, PRESETS["small"]["hidden_size"])
    assert config.vocab_size == 77
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.25, 0.25)


def test_the_model_table_wins_over_the_dropout() -> None:
    recipe = Pretrain(dropout=0.1, model={"attention_probs_dropout_prob": 0.0})

    config = recipe.encoder(vocab_size=9)

    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.1, 0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"model": {"max_position_embeddings": 64}},
            "train.sequence_length is 128, but the model has only 64 positions: "
            "set max_position_embeddings to 128",
        ),
        (
            {"family": "roberta", "model": {"max_position_embeddings": 64}},
            "only 62 positions: set max_position_embeddings to 130",
        ),
        (
            {"next_sentence": True, "model": {"type_vocab_size": 1}},
            "next_sentence needs two segments, but the model has 1: set model.type_vocab_size to 2",
        ),
        ({"model": {"hidden_size": 101}}, "hidden_size 101 is not a multiple of"),
        ({"preset": "giant"}, "'tiny', 'mini', 'small'"),
        ({"dropout": 1.0}, "less than 1"),
    ],
)
def test_a_recipe_that_cannot_be_built_is_explained(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Pretrain.model_validate(settings)


def test_enough_positions_are_accepted() -> None:
    recipe = Pretrain.model_validate(
        {"model": {"max_position_embeddings": 1024}, "train": {"sequence_length": 1024}}
    )

    assert recipe.encoder(vocab_size=5).max_position_embeddings == 1024


def test_fresh_blocks_that_are_frozen_are_refused() -> None:
    with pytest.raises(ValidationError, match="fresh blocks would never be trained"):
        Finetune.model_validate({"task": "tagging", "freeze": "encoder", "reinitialise": 2})


@pytest.mark.parametrize("name", ["baselines", "pictures"])
def test_what_trials_do_not_have_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name}: trials have none"):
        Tune.model_validate({"task": "tagging", name: True})


def test_dropout_is_as_the_family_was_published_unless_it_is_set() -> None:
    for family, published, of_classifiers in (("bert", 0.1, 0.1), ("albert", 0.0, 0.1)):
        config = Pretrain(family=family).encoder(vocab_size=50)
        assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (published,) * 2
        assert config.head_dropout == of_classifiers
        assert Pretrain(family=family, dropout=0.2).encoder(50).hidden_dropout_prob == 0.2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"next_sentence": True, "sentence_order": True}, "two questions: ask one"),
        ({"objective": "replaced-token"}, "does not go with family bert"),
        ({"objective": "left-to-right"}, "does not go with family bert"),
        ({"family": "left-to-right"}, "and family left-to-right belong together"),
        (
            {"objective": "replaced-token", "family": "electra", "next_sentence": True},
            "next_sentence goes with objective mlm",
        ),
        ({"generator": {"embeddings": "shared"}}, "generator is for objective replaced-token"),
        (
            {
                "objective": "left-to-right",
                "family": "left-to-right",
                "masking": {"rate": 0.2},
            },
            "masking is without effect",
        ),
        (
            {
                "objective": "replaced-token",
                "family": "electra",
                "generator": {"model": {"embedding_size": 64}},
            },
            "token vectors are 64 wide",
        ),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Pretrain.model_validate(settings)


@pytest.mark.parametrize("asked", ["next_sentence", "sentence_order"])
@pytest.mark.parametrize("family", [n for n, kind in CONFIGS.items() if not kind().is_control])
def test_pairs_are_asked_of_families_with_a_head_for_them(family: FamilyName, asked: str) -> None:
    settings = {"family": family, asked: True}
    if family in ("bert", "albert"):
        Pretrain.model_validate(settings)
        return
    said = f"{asked}: family {family} has no head for pairs .* that has one: bert, albert"
    tables: list[dict[str, Any]] = [{}]
    if "type_vocab_size" in CONFIGS[family].model_fields:  # which does not help
        tables.append({"type_vocab_size": 2})
    for table in tables:
        with pytest.raises(ValidationError, match=said):
            Pretrain.model_validate({**settings, "model": table})


def test_mpnet_has_the_padding_that_other_tools_count_by() -> None:
    assert Pretrain(family="mpnet").encoder(50).pad_token_id == 1
    with pytest.raises(ValidationError, match="family roberta, which counts by its own"):
        Pretrain(family="mpnet").encoder(50, pad_token_id=0)
