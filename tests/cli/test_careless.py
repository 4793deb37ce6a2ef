"""What people do without a thought: output over input, pipes that end, documents and names of every kind."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from stito.cli import cli
from stito.console.preset import Preset, StripPreset
from stito.effects.chain_files import load_chain
from stito.engine.solution import Solution

RATE = 22_050


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(cli, [str(word) for word in words])
    told = "" if done.exception is None or isinstance(done.exception, SystemExit) else f"{done.exception!r}"
    return done.exit_code, done.output + told


def take(path: Path, seed: int = 0, seconds: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.random.default_rng(seed).standard_normal((round(RATE * seconds), 2)), RATE)
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("degrade", "bass.wav", "-o", ".", "--stem", "bass"),
        ("degrade", ".", "-o", "."),
        ("manipulate", "bass.wav", "-o", ".", "--stem", "bass"),
        ("normalize", "bass.wav", "-o", "bass.wav", "--stem", "bass"),
        ("normalize", ".", "-o", "."),
        ("separate", "bass.wav", "-o", ".", "--separator", "example_split"),
    ],
)
def test_no_command_takes_its_input_for_its_output(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("stito_example_plugin") if "example_split" in words else None
    bass, low = take(tmp_path / "bass.wav"), take(tmp_path / "low.wav", 1)
    monkeypatch.chdir(tmp_path)
    before = bass.read_bytes(), low.read_bytes()
    status, told = run(*words, "--force")
    assert (bass.read_bytes(), low.read_bytes()) == before
    assert status == 1, told
    assert "which is an input" in told


def test_work_goes_on_where_nobody_reads_what_it_says_of_itself(songs: Path, tmp_path: Path) -> None:
    command = ["transfer", str(songs / "night" / "drums.wav"), str(songs / "street.wav"), "-o", str(tmp_path / "out")]
    process = subprocess.Popen(
        [sys.executable, "-m", "stito", *command, "--method", "match", "--chain", "gain"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr
    process.stderr.close()
    answer, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    assert b"distance to reference" in answer
    assert (tmp_path / "out" / "result.json").exists()


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    program = "import os, sys; os.rmdir(os.getcwd()); sys.argv = ['stito', 'effects']; import stito.cli as c; c.main()"
    (tmp_path / "gone").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path / "gone", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The folder in which this was started is not there any more.")


def test_files_of_a_chain_are_beside_it(tmp_path: Path) -> None:
    take(tmp_path / "rooms" / "hall.wav")
    chain = tmp_path / "room.toml"
    chain.write_text('[[effects]]\neffect = "convolution_reverb"\noptions = { ir = "rooms/hall.wav" }\n')
    (slot,) = load_chain(chain).slots
    assert slot.options == {"ir": str(tmp_path / "rooms" / "hall.wav")}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('[[effects]]\neffect = "convolution_reverb"\noptions = { ir = 5 }\n', "is no path"),
        ("a = " + "[" * 5000, "nested too deeply"),
        ("a = " + "1" * 5000, "a number of absurd length"),
    ],
)
def test_documents_that_no_parser_takes_are_errors(text: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "chain.toml").write_text(text)
    status, told = run("effects", tmp_path / "chain.toml")
    assert status == 1, told
    assert word in told


def test_a_preset_of_absurd_numbers_is_refused(tmp_path: Path) -> None:
    preset = json.loads(Preset(stems={"mix": StripPreset(chain=[])}, target_lufs={"mix": -14.0}).to_json())
    preset["target_lufs"]["mix"] = 7000
    (tmp_path / "preset.json").write_text(json.dumps(preset))
    status, told = run("apply", tmp_path / "preset.json", take(tmp_path / "a.wav"), "-o", tmp_path / "out")
    assert status == 1
    assert "target_lufs.mix" in told
    (tmp_path / "long.json").write_text('{"version": ' + "1" * 5000 + "}")
    assert "a number of absurd length" in run("explain", tmp_path / "long.json")[1]


@pytest.mark.parametrize(
    ("words", "told_of"),
    [
        (("--device", "meta"), "The device 'meta' cannot be used here"),
        (("--separator", "hdemucs:{file}"), "is no file of such weights"),
        (("--separator", "example_split:x"), "takes nothing behind a colon"),
    ],
)
def test_options_that_no_program_could_follow_are_errors(words: tuple[str, str], told_of: str, tmp_path: Path) -> None:
    pytest.importorskip("stito_example_plugin") if "example_split:x" in words else None
    file = take(tmp_path / "a.wav")
    command = ("transfer", file, file, "-o", tmp_path / "out", "--method", "match", words[0])
    status, told = run(*command, words[1].format(file=file))
    assert status == 1, told
    assert told_of in told


def test_names_that_no_document_can_hold_are_written_without_what_it_cannot(tmp_path: Path) -> None:
    names = ("bass\x01", "a\x1bb", "two\nlines")
    preset = Preset(stems={name: StripPreset(chain=[]) for name in names})
    (tmp_path / "preset.json").write_text(preset.to_json())
    status, told = run("export", tmp_path / "preset.json", "--to", "dawproject", "-o", tmp_path / "x.dawproject")
    assert status == 0, told
    with zipfile.ZipFile(tmp_path / "x.dawproject") as archive:
        project = ElementTree.fromstring(archive.read("project.xml"))
    assert {track.get("name") for track in project.iter("Track")} >= {"bass ", "a b", "two lines"}
    pytest.importorskip("rppxml")
    status, told = run("export", tmp_path / "preset.json", "--to", "reaper", "-o", tmp_path / "x.rpp")
    assert status == 0, told
    assert "two lines" in (tmp_path / "x.rpp").read_text()


def test_scripts_of_what_is_bypassed_are_told(tmp_path: Path) -> None:
    chain = load_chain("pedalboard").bypassed()
    preset = Preset(stems={"mix": StripPreset.of(chain, chain.neutral())})
    (tmp_path / "preset.json").write_text(preset.to_json())
    status, told = run("export", tmp_path / "preset.json", "--to", "pedalboard", "-o", tmp_path / "x")
    assert status == 1
    assert "All effects of this preset are bypassed" in told


def test_nothing_is_no_share_of_nothing() -> None:
    assert Solution("mix", loss_before=2e-6, loss_after=1e-6, seconds=0.0, stop="").reduction is None
