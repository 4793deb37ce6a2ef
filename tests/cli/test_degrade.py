"""`stito degrade`: faults on stems, and what was done."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
from click.testing import CliRunner

from stito.cli import cli

RATE = 22_050


def test_a_folder_gets_faults_and_says_which(tmp_path: Path) -> None:
    (tmp_path / "song").mkdir()
    generator = np.random.default_rng(0)
    for name in ("drums", "other"):
        soundfile.write(tmp_path / "song" / f"{name}.wav", 0.1 * generator.standard_normal((RATE // 2, 2)), RATE)
    command = ["degrade", str(tmp_path / "song"), "-o", str(tmp_path / "out"), "--seed", "3", "--fault", "placement"]
    done = CliRunner().invoke(cli, [*command, "--severity", "1", "--json"])
    assert done.exit_code == 0, done.output
    label = json.loads(done.stdout)
    assert label == json.loads((tmp_path / "out" / "degradation.json").read_text())
    (fault,) = label["faults"]
    assert fault["effect"] == "panner"
    assert abs(fault["settings"]["pan"]) == 0.9
    shown = CliRunner().invoke(cli, [*command, "--force"])
    assert "placement" in shown.stdout
    assert "mix.wav" in shown.stdout


def test_the_faults_are_listed() -> None:
    listed = CliRunner().invoke(cli, ["plugins", "fault"]).stdout
    assert "compression" in listed
    assert "reverb" in listed
