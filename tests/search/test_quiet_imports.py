"""What stito builds on says nothing of its own: no package that is optional to it is missed on the user's screen."""

from __future__ import annotations

import os
import subprocess
import sys

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
