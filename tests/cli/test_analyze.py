"""`stito analyze` says in words what it measures."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner

from stito.cli import cli
from stito.errors import SettingsError, WeightsError
from stito.models.quality import HeadPlan, fit_head
from stito.models.weights import save_weights

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


def test_a_quality_head_says_its_score_and_what_it_was_fitted_to(covered: Path, tmp_path: Path) -> None:
    vectors, scores = torch.randn(8, 5 * 217, generator=torch.Generator().manual_seed(0)), torch.arange(8.0)
    state = fit_head(vectors, scores, HeadPlan(hidden=4, steps=1)).state_dict()
    header = {"architecture": "quality head", "config": {"hidden": 4}, "encoder": ["features", ""]}
    header |= {"score": "severity", "data": "songs with faults."}
    save_weights(tmp_path / "head.safetensors", state, header)
    words = ["analyze", str(covered), "--quality", str(tmp_path / "head.safetensors")]
    shown = CliRunner().invoke(cli, words, catch_exceptions=False).stdout
    assert re.search(r"^predicted severity: -?\d+\.\d\d \(a head fitted to songs with faults\)\.$", shown, re.MULTILINE)
    found = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)
    assert found["mix"]["predicted"]["score"] == "severity"
    other = CliRunner().invoke(cli, [*words, "--encoder", "fxencoder"])
    assert isinstance(other.exception, WeightsError)
    released = CliRunner().invoke(cli, ["analyze", str(covered / "vocals.wav"), *words[2:]])
    assert isinstance(released.exception, SettingsError)
    assert "mixes of stems" in str(released.exception)


def test_weights_that_are_no_head_are_refused(covered: Path, tmp_path: Path) -> None:
    save_weights(tmp_path / "other.safetensors", {"x": torch.zeros(1)}, {"architecture": "fxencoder", "config": {}})
    done = CliRunner().invoke(cli, ["analyze", str(covered), "--quality", str(tmp_path / "other.safetensors")])
    assert isinstance(done.exception, WeightsError)


def test_an_encoder_that_finds_no_faults_is_refused(covered: Path) -> None:
    done = CliRunner().invoke(cli, ["analyze", str(covered), "--encoder", "features"])
    assert isinstance(done.exception, SettingsError)
