"""`stito analyze` says in words what it measures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from stito.cli import cli
from stito.errors import SettingsError

RATE = 44_100


@pytest.fixture
def covered(tmp_path: Path) -> Path:
    """Two stems of the same noise, one four times as loud."""
    folder = tmp_path / "song"
    folder.mkdir()
    noise = np.random.default_rng(0).standard_normal((RATE, 2))
    soundfile.write(folder / "vocals.wav", 0.02 * noise, RATE)
    soundfile.write(folder / "other.wav", 0.08 * noise, RATE)
    return folder


def test_what_is_covered_is_said_first(covered: Path) -> None:
    shown = CliRunner().invoke(cli, ["analyze", str(covered)]).stdout.splitlines()
    assert shown[0].startswith("vocals are covered by other between ")
    assert shown[0].endswith("for 100 % of the time.")
    found = json.loads(CliRunner().invoke(cli, ["analyze", str(covered), "--json"]).stdout)
    assert set(found) == {"mix", "vocals", "other"}
    assert found["vocals"]["covered"][0]["by"] == "other"
    assert "covered" not in found["other"]


def test_an_encoder_that_finds_no_faults_is_refused(covered: Path) -> None:
    done = CliRunner().invoke(cli, ["analyze", str(covered), "--encoder", "features"])
    assert isinstance(done.exception, SettingsError)
