"""What each task of GLUE is judged by (Wang et al. 2019, table 1)."""

from __future__ import annotations

GLUE = {
    "cola": ("matthews_corrcoef",),
    "sst2": ("accuracy",),
    "mrpc": ("f1", "accuracy"),
    "qqp": ("f1", "accuracy"),
    "stsb": ("pearson", "spearman"),
    "mnli": ("accuracy",),
    "qnli": ("accuracy",),
    "rte": ("accuracy",),
    "wnli": ("accuracy",),
}
"""Names of our scores by the task; where there are two, the task's own figure is their mean."""
