"""`stito manipulate`: stems in, the same stems restyled out, the same again from the same seed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from stito.cli.manipulate import manipulate
from stito.errors import AudioError, MissingFileError, OutputExistsError, StitoError

RATE = 22_050


def noise(seconds: float = 0.3, channels: int = 2, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return 0.1 * generator.standard_normal((round(seconds * RATE), channels))


@pytest.fixture
def stems(tmp_path: Path) -> Path:
    folder = tmp_path / "song"
    folder.mkdir()
    soundfile.write(folder / "vocals.wav", noise(seed=1), RATE, subtype="PCM_24")
    soundfile.write(folder / "drums.wav", noise(seed=2), RATE, subtype="PCM_16")
    return folder


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    folder = tmp_path / "rooms"
    folder.mkdir()
    soundfile.write(folder / "hall.wav", noise() * np.linspace(1, 0, len(noise()))[:, None] ** 4, RATE)
    return folder


def run(*arguments: object) -> str:
    done = CliRunner().invoke(manipulate, list(map(str, arguments)), catch_exceptions=True)
    if isinstance(done.exception, StitoError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_stems_come_out_in_their_format_with_what_was_done(stems: Path, rooms: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = run(stems, "-o", out, "--seed", 1, "--irs", rooms)
    assert {path.name for path in out.iterdir()} == {"vocals.wav", "drums.wav", "manipulation.json"}
    for name in ("vocals.wav", "drums.wav"):
        came, went = soundfile.info(stems / name), soundfile.info(out / name)
        assert (went.samplerate, went.channels, went.subtype, went.frames) == (
            came.samplerate,
            came.channels,
            came.subtype,
            came.frames,
        )
        audio = soundfile.read(out / name)[0]
        assert np.abs(audio).max() < 0.9
        assert np.abs(audio - soundfile.read(stems / name)[0]).max() > 0.01
    document = json.loads((out / "manipulation.json").read_text())
    assert document["seed"] == 1
    assert document["stems"]["drums"]["stem"] == "drums"
    reverbs = [entry for stem in document["stems"].values() for entry in stem["chain"] if entry["effect"] == "reverb"]
    assert all(entry["room"] == "hall" for entry in reverbs)
    assert "vocals" in said


def test_same_seed_same_files_and_json_on_stdout(stems: Path, rooms: Path, tmp_path: Path) -> None:
    outs = [tmp_path / name for name in ("a", "b", "c")]
    runs = zip(outs, (7, 7, 8), strict=True)
    said = [run(stems, "-o", out, "--seed", seed, "--irs", rooms, "--json") for out, seed in runs]
    first, again, other = ((out / "vocals.wav").read_bytes() for out in outs)
    assert first == again != other
    assert said[0] == said[1]
    assert json.loads(said[0])["format"] == "stito.manipulation"


def test_milder_effects_do_less_down_to_nothing(stems: Path, rooms: Path, tmp_path: Path) -> None:
    def gain_db(strength: float) -> float:
        said = run(stems, "-o", tmp_path / str(strength), "--irs", rooms, "--strength", strength, "--json")
        chain = json.loads(said)["stems"]["vocals"]["chain"]
        return next((float(entry["mid_gain_db"]) for entry in chain if entry["effect"] == "eq"), 0.0)

    assert gain_db(0.3) == pytest.approx(0.3 * gain_db(1.0), abs=1e-3) != 0
    assert gain_db(0.0) == 0
    dry, came = (soundfile.read(folder / "vocals.wav")[0] for folder in (tmp_path / "0.0", stems))
    assert np.abs(dry - came).max() < 1e-6


def test_a_file_is_the_stem_that_it_is_said_to_be(stems: Path, rooms: Path, tmp_path: Path) -> None:
    run(stems / "drums.wav", "-o", tmp_path / "a", "--stem", "bass", "--irs", rooms)
    assert json.loads((tmp_path / "a" / "manipulation.json").read_text())["stems"]["bass"]["stem"] == "bass"
    assert (tmp_path / "a" / "bass.wav").exists()
    run(stems / "drums.wav", "-o", tmp_path / "b", "--irs", rooms)
    assert json.loads((tmp_path / "b" / "manipulation.json").read_text())["stems"]["mix"]["stem"] == "drums"
    assert (tmp_path / "b" / "drums.wav").exists()


def test_mono_stays_mono(rooms: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "voice.wav", noise(channels=1), RATE)
    run(tmp_path / "voice.wav", "-o", tmp_path / "out", "--stem", "vocals", "--irs", rooms)
    assert soundfile.info(tmp_path / "out" / "vocals.wav").channels == 1


def test_what_is_there_is_kept_without_force(stems: Path, rooms: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(stems, "-o", out, "--irs", rooms)
    before = (out / "vocals.wav").read_bytes()
    with pytest.raises(OutputExistsError):
        run(stems, "-o", out, "--seed", 2, "--irs", rooms)
    assert (out / "vocals.wav").read_bytes() == before
    run(stems, "-o", out, "--seed", 2, "--irs", rooms, "--force")
    assert (out / "vocals.wav").read_bytes() != before


def test_bad_input_leaves_nothing_behind(stems: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nothing"):
        run(tmp_path / "nothing.wav", "-o", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match="no audio"):
        run(stems, "-o", tmp_path / "out", "--irs", tmp_path / "empty")
    assert not (tmp_path / "out").exists()
