from __future__ import annotations

import pytest
import torch

from unmask.nn.precision import uses_bf16

CPU = torch.device("cpu")


@pytest.mark.parametrize(("precision", "expected"), [("fp32", False), ("bf16", True)])
def test_a_precision_that_is_named_is_used(precision: str, expected: bool) -> None:
    assert uses_bf16(precision, CPU) is expected


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True, "avx512_bf16": False}, True),
        ({"avx2": True}, False),
        ({}, False),
    ],
)
def test_auto_takes_bfloat16_where_the_cpu_multiplies_it(
    capabilities: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: capabilities)

    assert uses_bf16("auto", CPU) is expected
