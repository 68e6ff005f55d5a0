from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from unmask.errors import MachineError
from unmask.recipe.config import Pretrain
from unmask.recipe.pretrain import pretrain


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # the compiler's own
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_scores_as_a_plain_one(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    plain, compiled = (
        pretrain(
            tiny_corpus,
            tmp_path / str(compiles),
            make_recipe({"steps": 2, "compile": compiles}, dropout=0.0),
            say=lambda _: None,
        )
        for compiles in (False, True)
    )

    assert compiled.scores["mlm_loss"] == pytest.approx(plain.scores["mlm_loss"], rel=1e-5)


def test_compiling_without_a_compiler_says_what_is_missing(
    tiny_corpus: Path,
    tmp_path: Path,
    make_recipe: Callable[..., Pretrain],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")

    with pytest.raises(MachineError, match="no-such-compiler is not there"):
        pretrain(
            tiny_corpus,
            tmp_path / "run",
            make_recipe({"compile": True, "device": "cpu"}),
            say=lambda _: None,
        )
