"""What stito builds on says nothing of its own: no package that is optional to it is missed on the user's screen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_MATPLOTLIB = "import sys; sys.modules['matplotlib'] = None\n"
SEARCHED = """
from stito.search import Budget, create, minimise
minimise(lambda theta: theta.square().sum(1), create({name!r}, 3, seed=0), budget=Budget(32))
"""


def said(code: str) -> str:
    """What a new process without matplotlib prints, every warning shown."""
    environment = os.environ | {"PYTHONWARNINGS": "always::UserWarning"}
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_MATPLOTLIB + code], capture_output=True, text=True, check=True, env=environment
    )
    return run.stdout + run.stderr


@pytest.mark.parametrize("name", ["cma", "nevergrad", "nevergrad:CMA"])
def test_a_search_runs_in_silence_without_matplotlib(name: str) -> None:
    assert said(SEARCHED.format(name=name)) == ""


@pytest.mark.parametrize("module", ["stito_effects.pedalboard_effects.export", "stito.separation.demucs", "stito.cli"])
def test_an_adaptor_loads_in_silence_without_matplotlib(module: str) -> None:
    assert said(f"import {module}") == ""


def test_the_process_still_hears_other_warnings_of_a_search() -> None:
    code = "import stito.search.cma, warnings; warnings.warn('Could not import matplotlib, says another')"
    assert "says another" in said(code)


TRANSFERRED = """
import sys
import torch
import stito
noise = torch.Generator().manual_seed(0)
sound, other = (0.1 * torch.randn(2, 66_150, generator=noise) for _ in range(2))
mix, reference = (
    stito.Mix.from_arrays({"drums": x, "bass": x.flip(-1)}, 44_100) for x in (sound, other.cumsum(-1).sin() / 5)
)
result = stito.transfer(mix, reference, budget=stito.Budget(evaluations=16), excerpt_seconds=1.0, excerpt_count=1)
result.save(sys.argv[1])
heavy = ("scipy.signal", "scipy.stats", "matplotlib", "sklearn", "sympy", "torch._dynamo", "torch._inductor")
print([name for name in heavy if name in sys.modules])
"""


def test_a_transfer_imports_nothing_that_takes_long_and_is_of_no_use(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TRANSFERRED, str(tmp_path / "out")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


def test_what_a_search_did_without_can_be_imported_later() -> None:
    assert said("import stito.search.cma, scipy.stats; print(scipy.stats.norm.cdf(0.0))").strip() == "0.5"
