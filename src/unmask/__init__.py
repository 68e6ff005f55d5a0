"""unmask: from a folder of text to a trained, measured BERT-style encoder."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unmask.batch import Batch as Batch
    from unmask.batch import pack as pack
    from unmask.data.masking import mask_tokens as mask_tokens
    from unmask.errors import UnmaskError as UnmaskError
    from unmask.infer.engine import Engine as Engine
    from unmask.infer.engine import load as load
    from unmask.nn.trace import record as record
    from unmask.recipe.config import Finetune as Finetune
    from unmask.recipe.config import Pretrain as Pretrain
    from unmask.recipe.estimators.texts import TextClassifier as TextClassifier
    from unmask.recipe.estimators.words import TokenTagger as TokenTagger
    from unmask.recipe.finetune import finetune as finetune
    from unmask.recipe.pretrain import pretrain as pretrain
    from unmask.text.tokenizer import Tokenizer as Tokenizer

__version__ = "0.1.0"

_HOMES = {
    "Batch": "unmask.batch",
    "Engine": "unmask.infer.engine",
    "Finetune": "unmask.recipe.config",
    "Pretrain": "unmask.recipe.config",
    "TextClassifier": "unmask.recipe.estimators.texts",
    "TokenTagger": "unmask.recipe.estimators.words",
    "Tokenizer": "unmask.text.tokenizer",
    "UnmaskError": "unmask.errors",
    "finetune": "unmask.recipe.finetune",
    "load": "unmask.infer.engine",
    "mask_tokens": "unmask.data.masking",
    "pack": "unmask.batch",
    "pretrain": "unmask.recipe.pretrain",
    "record": "unmask.nn.trace",
}
"""Where each public name lives: imported when first asked for, so `import unmask` stays quick."""

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'unmask' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
