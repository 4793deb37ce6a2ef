"""How loud a result goes out: at the loudness that was asked for, below the ceiling, and which of both wins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from conftest import CHAIN, RATE, song
from stito.audio import read_audio
from stito.cli import cli
from stito.console.preset import Preset
from stito.console.strips import mix_down, render_preset
from stito.dsp.loudness import true_peak_db
from stito.engine.render import limiting_note
from stito.errors import SettingsError
from stito.mix import levels_of
from stito.workflows.transfer import transfer

QUICK = ["--method", "match", "--chain", CHAIN]


def written(file: Path) -> tuple[float, float]:
    """Integrated loudness and true peak of a file."""
    audio = read_audio(file)
    levels = levels_of(audio.samples, audio.sample_rate)
    return levels.integrated_lufs, levels.true_peak_db


def run(*words: object) -> str:
    done = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_written_has_the_loudness_that_was_asked_for(songs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("transfer", songs / "night", songs / "street", "-o", out, *QUICK, "--loudness", "-24", "--ceiling", "-3")
    loudness, peak = written(out / "mix.wav")
    assert loudness == pytest.approx(-24, abs=0.1)
    assert peak < -3
    total = sum(read_audio(file).samples for file in (out / "stems").glob("*.wav"))
    assert isinstance(total, torch.Tensor)
    assert torch.allclose(total, read_audio(out / "mix.wav").samples, atol=1e-5), "the stems still add up"
    found = json.loads((out / "result.json").read_text())
    assert found["loudness_lufs"] == pytest.approx(-24, abs=0.1)
    assert found["asked"] == {"loudness_lufs": -24, "ceiling_dbtp": -3}

    again = tmp_path / "again"
    run("apply", out / "preset.json", songs / "night", "-o", again)
    assert written(again / "mix.wav")[0] == pytest.approx(-24, abs=0.1), "the preset keeps it"
    run("apply", out / "preset.json", songs / "night", "-o", tmp_path / "a.wav", "--loudness", "-30", "--amount", "0.5")
    assert written(tmp_path / "a.wav")[0] == pytest.approx(-30, abs=0.1), "another counts for the preset's"


def test_where_both_cannot_hold_the_ceiling_wins_and_a_note_says_by_how_much(songs: Path, tmp_path: Path) -> None:
    said = run(
        "transfer",
        songs / "night",
        songs / "street",
        "-o",
        tmp_path / "out",
        *QUICK,
        "--loudness",
        "-3",
        "--ceiling",
        "-2",
    )
    loudness, peak = written(tmp_path / "out" / "mix.wav")
    assert peak == pytest.approx(-2, abs=0.05)
    (note,) = [line for line in said.splitlines() if "LU quieter" in line]
    assert f"{-3 - loudness:.1f} LU quieter than the -3 LUFS" in note
    said = run("apply", tmp_path / "out/preset.json", songs / "night", "-o", tmp_path / "a.wav", "--loudness", "-6")
    assert "LU quieter than the -6 LUFS" in said


def test_a_lower_ceiling_is_kept_and_a_higher_one_gives_room() -> None:
    x = song("night").sum() * 4
    for ceiling in (-6.0, -1.0, 0.0):
        preset = Preset.model_validate({"stems": {"mix": {"chain": []}}, "ceiling_dbtp": ceiling})
        rendered = mix_down({"mix": x.clone()}, RATE, delivery=preset.delivery)
        assert float(true_peak_db(rendered.mix[None], RATE)[0]) == pytest.approx(ceiling, abs=0.01)
        (note,) = limiting_note(rendered)
        assert f"below {ceiling:g} dBTP" in note


def test_loudness_does_not_change_what_is_found() -> None:
    mix, reference = song("night", stems=("drums",)), song("street", styled=True, stems=("drums",))
    options = {"method": "match", "chain": CHAIN, "excerpt_seconds": 1.5, "excerpt_count": 1}
    usual, quiet = (transfer(mix, reference, loudness=loudness, **options) for loudness in (None, -45.0))
    assert quiet.preset.stems == usual.preset.stems
    assert quiet.solutions["drums"].loss_after == pytest.approx(usual.solutions["drums"].loss_after, abs=1e-3)
    assert quiet.rendered.levels["mix"].integrated_lufs == pytest.approx(-45, abs=0.1)


def test_silence_has_no_loudness_to_bring_anywhere() -> None:
    preset = Preset.model_validate({"stems": {"drums": {"chain": []}}, "loudness_lufs": -14})
    mix = song("night", stems=("drums",))
    silent = type(mix)({"drums": 0 * mix.stems["drums"]}, RATE, mix.format, "silence", (), "stems", mix.formats)
    assert not render_preset(silent, preset).mix.any()


@pytest.mark.parametrize("wrong", [{"loudness": 3.0}, {"loudness": -100.0}, {"ceiling": 1.0}, {"ceiling": -90.0}])
def test_what_no_file_could_have_is_an_error_before_anything_long(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))) as error:
        transfer(song("night"), song("street"), **wrong)
    assert error.value.hint
