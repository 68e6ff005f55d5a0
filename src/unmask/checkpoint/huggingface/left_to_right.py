"""How the left-to-right control lies on disk: by BERT's names, under a family of its own.

No other tool knows the `model_type`, so none takes it for a BERT.
"""

from __future__ import annotations

from unmask.checkpoint.huggingface import bert
from unmask.models.config import LeftToRightConfig

FAMILY = bert.FAMILY.spelled("Bert", "LeftToRightControl", LeftToRightConfig)
