from __future__ import annotations

from collections.abc import Callable

import pytest

from unmask.checkpoint.bundle import Bundle
from unmask.models.config import BertConfig, EncoderConfig, RobertaConfig
from unmask.recipe.card import model_card
from unmask.recipe.config import Pretrain
from unmask.tasks.task import Model
from unmask.train.schedule import DEFAULT_STEPS


@pytest.fixture
def card(make_model: Callable[..., Model]) -> Callable[..., str]:
    def make(config: EncoderConfig | None = None, **settings: object) -> str:
        bundle = Bundle(
            model=make_model(),
            task=None,
            tokenizer=None,
            config=config or BertConfig(),
            folder=None,
        )
        recipe = Pretrain.model_validate(settings)
        return model_card(recipe, bundle, {"mlm_loss": 2.5, "mlm_accuracy": 0.5}, 6.25, "loss.png")

    return make


def test_the_card_begins_with_what_model_hubs_read(card: Callable[..., str]) -> None:
    lines = card().splitlines()

    assert lines[0] == "---"
    assert "pipeline_tag: fill-mask" in lines[1 : lines.index("---", 1)]


def test_a_model_that_was_gone_on_with_is_tagged_by_its_own_family(
    card: Callable[..., str],
) -> None:
    assert "tags: [unmask, roberta, masked-language-model]" in card(RobertaConfig())


def test_the_card_tells_how_well_it_does_beside_the_baseline(card: Callable[..., str]) -> None:
    text = card()

    assert "| mlm_loss | 2.5000 |" in text
    assert "| mlm_accuracy | 0.5000 |" in text
    assert "the unigram entropy of the training corpus, costs 6.2500 nats" in text
    assert "warning" not in text
    assert "![loss](loss.png)" in text


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"train": {"steps": 7}}, "7 steps"),
        ({"train": {"minutes": 2.5}}, "2.5 minutes"),
        ({}, f"{DEFAULT_STEPS} steps"),
        ({"next_sentence": True}, "with next sentence prediction"),
        ({"masking": {"rate": 0.3, "unit": "word"}}, "30 % of the tokens, by word"),
        ({"optim": {"name": "muon"}}, "muon"),
    ],
)
def test_the_card_tells_how_it_was_made(
    settings: dict[str, object], expected: str, card: Callable[..., str]
) -> None:
    assert expected in card(**settings)
