"""`stito batch`: a table or a folder in, folders and a summary out, and on again after any kind of end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from stito.cli import cli

RATE = 44_100
COMMAND = [sys.executable, "-m", "stito", "batch"]
QUICK = ["--method", "match", "--chain", "gain"]


def start(*arguments: object) -> subprocess.Popen[str]:
    """A batch under way, its progress to be read line by line."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


def stito_batch(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a batch."""
    with start(*arguments) as process:
        out, err = process.communicate(timeout=600)
        return process.returncode, out, err


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """A folder with two songs of a second and their reference, and a table that has one more, which is no audio."""
    folder = tmp_path / "songs"
    folder.mkdir()
    for number, name in enumerate(("a.wav", "b.wav", "ref.wav")):
        noise = np.random.default_rng(number).normal(0.0, 0.05 + 0.05 * number, (RATE, 2))
        soundfile.write(folder / name, noise, RATE)
    (tmp_path / "bad.wav").write_text("no audio")
    rows = ("input,reference,name,amount", "a.wav,ref.wav,,", "../bad.wav,ref.wav,,", "b.wav,ref.wav,half,0.5")
    (folder / "pairs.csv").write_text("\n".join(rows))
    return folder


def until_done(process: subprocess.Popen[str], name: str) -> None:
    """Wait until a pair is finished."""
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line)
        if f": {name}, distance" in line:
            return
    pytest.fail("".join(told))


def test_a_table_with_a_pair_that_fails(songs: Path, tmp_path: Path) -> None:
    code, out, err = stito_batch(songs / "pairs.csv", "-o", tmp_path / "out", *QUICK)
    assert code == 1
    assert out.splitlines()[-1].endswith("out: summary.csv, index.html")
    assert "1 of 3: a, distance to reference" in err
    assert " left" in err
    error, named, hint = err.splitlines()[-3:]
    assert error == "Error: 1 of 3 pairs failed:"
    assert named.startswith("  bad: ")
    assert hint.startswith("Hint: ")
    assert json.loads((tmp_path / "out" / "half" / "preset.json").read_text())["provenance"]["amount"] == 0.5

    code, out, err = stito_batch(songs / "pairs.csv", "-o", tmp_path / "out", *QUICK, "--json")
    assert code == 1
    assert "2 of 3 are done already" in err
    summary = json.loads(out)
    assert summary["format"] == "stito.batch"
    assert [pair["status"] for pair in summary["pairs"]] == ["done", "failed", "done"]


def test_it_goes_on_after_a_kill_and_after_control_c(songs: Path, tmp_path: Path) -> None:
    long = np.random.default_rng(1).normal(0.0, 0.1, (120 * RATE, 2))  # not done before somebody can end it
    soundfile.write(songs / "b.wav", long, RATE)
    out = tmp_path / "out"
    arguments = (songs, songs / "ref.wav", "-o", out, *QUICK)
    with start(*arguments) as process:
        until_done(process, "a")
        process.kill()
        process.communicate(timeout=60)
    made = (out / "a" / "mix.wav").stat()
    assert "a,done" in (out / "summary.csv").read_text().replace(f"{songs}/a.wav,{songs}/ref.wav,", "")
    assert "1 of 2 transfers" in (out / "index.html").read_text()

    with start(*arguments) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "1 of 2 are done already\n"
        assert process.stderr.readline().startswith("begun: b")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "1 of 2 are finished. The same command goes on where this one stopped." in err
    assert "Traceback" not in err
    assert not (out / "b").exists()
    assert not list(out.rglob("*.part"))

    code, _, err = stito_batch(*arguments)
    assert code == 0, err
    assert "2 of 2: b, distance" in err
    assert (out / "a" / "mix.wav").stat() == made
    assert (out / "b" / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["songs"], 2, "REFERENCE"),
        (["songs/pairs.csv", "songs/ref.wav"], 2, "each row has its reference"),
        (["songs", "songs/ref.wav", "-o", "songs"], 2, "Name another folder"),
        (["songs/pairs.csv", "--workers", "2", "--scheduler", "tcp://x"], 2, "Either"),
        (["songs/pairs.csv", "--workers", "0"], 2, "--workers"),
        (["none.csv"], 1, "Nothing is at none.csv"),
        (["typed.csv"], 1, "line 2: evaluations: 'many' is not a valid integer"),
    ],
)
def test_what_cannot_be_done_is_said_before_it_is_begun(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("typed.csv").write_text("input,reference,evaluations\nsongs/a.wav,songs/ref.wav,many\n")
    ended = CliRunner().invoke(cli, ["batch", "-o", "out", *arguments])
    assert ended.exit_code == code
    assert told in " ".join(f"{ended.output} {ended.exception}".split())
    assert not Path("out").exists()


def test_help_has_examples_to_copy() -> None:
    code, out, _ = stito_batch("--help")
    assert code == 0
    assert "stito batch pairs.csv -o out/" in out.split("Examples:")[1]
