from __future__ import annotations

import pytest
from pydantic import ValidationError

from unmask.text.config import TokenizerConfig


def test_the_defaults_are_those_of_bert_uncased() -> None:
    config = TokenizerConfig()
    assert (config.vocab_size, config.lowercase, config.max_word_length) == (30522, True, 100)


@pytest.mark.parametrize(
    "setting", [{"vocab_size": 5}, {"max_word_length": 0}, {"vocabulary_size": 100}]
)
def test_settings_out_of_bounds_or_unknown_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        TokenizerConfig(**setting)  # type: ignore[arg-type]
