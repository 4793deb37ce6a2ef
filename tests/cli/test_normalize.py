"""`stito normalize`: what it writes, and what it says where it cannot."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from stito.cli.normalize import normalize
from stito.data.fxnorm.normalize import Targets
from stito.errors import AudioError, OutputError, OutputExistsError, SettingsError, StitoError, UnknownNameError

RATE = 44_100


def run(*arguments: object) -> Result:
    """The command, with its errors raised."""
    return CliRunner().invoke(normalize, [str(a) for a in arguments], standalone_mode=False, catch_exceptions=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song: bass in mono and 16 bits, a guitar in stereo and 24, a silent vocal."""
    root = tmp_path_factory.mktemp("songs") / "one"
    root.mkdir()
    random = np.random.default_rng(3)
    beat = np.exp(-(np.arange(3 * RATE) % (RATE // 3)) / 4000)
    guitar = 0.2 * beat[:, None] * random.standard_normal((3 * RATE, 2))
    bass = 0.4 * beat * np.sign(np.sin(2 * np.pi * 60 * np.arange(3 * RATE) / RATE))
    soundfile.write(root / "bass.wav", bass, RATE, subtype="PCM_16")
    soundfile.write(root / "guitar.wav", guitar.clip(-1, 1), RATE, subtype="PCM_24")
    soundfile.write(root / "vocals.wav", np.zeros(3 * RATE), RATE, subtype="PCM_16")
    return root


def test_a_file_is_normalised_as_the_stem_that_it_is(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    done = run(folder / "bass.wav", "-o", out, "--stem", "bass")
    assert done.exception is None
    assert "-24.4 LUFS" in done.output
    info = soundfile.info(out)
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (RATE, 2, "PCM_16", 3 * RATE)


def test_a_folder_is_normalised_stem_by_stem(folder: Path, tmp_path: Path) -> None:
    done = run(folder, "-o", tmp_path / "out")
    assert done.exception is None
    assert "guitar as other" in done.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"bass.wav", "guitar.wav"}, "silence is left out"
    assert soundfile.info(tmp_path / "out" / "guitar.wav").subtype == "PCM_24"


def test_targets_of_a_folder_of_songs(folder: Path, tmp_path: Path) -> None:
    targets = tmp_path / "targets.json"
    done = run("--fit", folder.parent, "-o", targets)
    assert done.exception is None
    assert "1 bass" in done.output
    loudness = Targets.load(targets).of("bass").loudness_lufs
    done = run(folder / "bass.wav", "-o", tmp_path / "out.wav", "--stem", "bass", "--targets", targets)
    assert f"{loudness:.1f} LUFS" in done.output
    before, after = soundfile.read(folder / "bass.wav")[0], soundfile.read(tmp_path / "out.wav")[0].mean(1)
    assert 10 * np.log10((after**2).mean() / (before**2).mean()) == pytest.approx(0, abs=1), "it was usual already"


def test_loud_targets_do_not_clip(folder: Path, tmp_path: Path) -> None:
    loud = {stem: goal.model_copy(update={"loudness_lufs": 0.0}) for stem, goal in Targets.shipped().stems.items()}
    Targets(source="loud", stems=loud).save(tmp_path / "loud.json")
    done = run(folder / "bass.wav", "-o", tmp_path / "out.wav", "--stem", "bass", "--targets", tmp_path / "loud.json")
    assert "turned down" in done.output
    assert np.abs(soundfile.read(tmp_path / "out.wav")[0]).max() < 10 ** (-0.99 / 20)


def test_what_exists_is_kept_unless_forced(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    out.write_bytes(b"mine")
    arguments = (folder / "bass.wav", "-o", out, "--stem", "bass")
    assert isinstance(run(*arguments).exception, OutputExistsError)
    assert out.read_bytes() == b"mine"
    assert run(*arguments, "--force").exception is None
    assert soundfile.info(out).frames == 3 * RATE


def test_errors_say_what_to_do(folder: Path, tmp_path: Path) -> None:
    bass, out = folder / "bass.wav", tmp_path / "out.wav"
    cases: list[tuple[tuple[object, ...], type[Exception]]] = [
        ((folder / "vocals.wav", "-o", out, "--stem", "vocals"), AudioError),
        ((bass, "-o", out), SettingsError),
        ((bass, "-o", out, "--stem", "bas"), UnknownNameError),
        ((bass, "-o", tmp_path / "out.flac", "--stem", "bass"), OutputError),
        ((folder, "-o", out), OutputError),
        (("--fit", folder.parent, "-o", out), OutputError),
        (("--fit", tmp_path, "-o", tmp_path / "targets.json"), AudioError),
    ]
    for arguments, kind in cases:
        error = run(*arguments).exception
        assert isinstance(error, kind), arguments
        assert isinstance(error, StitoError)
        assert error.hint
    assert not list(tmp_path.iterdir())


def test_what_is_asked_for_must_be_clear(folder: Path, tmp_path: Path) -> None:
    for arguments in (
        ("-o", tmp_path),
        (folder, "--fit", folder, "-o", tmp_path),
        ("--fit", folder, "--stem", "bass", "-o", "x"),
    ):
        assert isinstance(run(*arguments).exception, click.UsageError)
