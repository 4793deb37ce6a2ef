"""What a transfer leaves behind when it is broken off."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from conftest import CHAIN
from stito.audio import is_silent, read_audio, write_audio
from stito.cli import cli
from stito.errors import AudioError, OutputError, StitoError
from stito.files.locks import sole_writer
from stito.mix import Mix
from stito.workflows.apply import run_apply
from stito.workflows.command import command_line
from stito.workflows.folder import left_beside
from stito.workflows.result import summary
from stito.workflows.transfer import Transfer, run_transfer


def test_a_command_line_can_be_typed_as_it_stands() -> None:
    made = command_line("evaluate", "it", encoder=("a", "b c"), seed=0, data=None, mixed=True, smoke=False, o="out")
    assert made == "stito evaluate it --encoder a --encoder 'b c' --seed 0 --mixed -o out"


def test_settings_survive_an_interrupted_rendering(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    drums, out = songs / "night" / "drums.wav", tmp_path / "my out"
    engine = Transfer(method="match", chain=CHAIN, excerpt_seconds=1.0, excerpt_count=1, stem="drums")
    whole = run_transfer(engine, drums, songs / "street", tmp_path / "whole").rendered
    monkeypatch.setattr("stito.engine.finish.settle", interrupted)
    with pytest.raises(StitoError, match="settings are safe") as caught:
        run_transfer(engine, drums, songs / "street", out)
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("--stem drums")
    assert f"'{out / 'preset.json'}'" in caught.value.hint
    again = run_apply(out / "preset.json", drums, out, stem="drums", force=True)
    assert (out / "mix.wav").exists()
    assert torch.allclose(again.mix, whole.mix, atol=1e-5)


def test_results_never_overwrite_what_they_are_made_of(songs: Path, tmp_path: Path) -> None:
    (tmp_path / "mix.wav").write_bytes((songs / "street.wav").read_bytes())
    (tmp_path / "stems").mkdir()
    (tmp_path / "stems" / "drums.wav").write_bytes((songs / "night" / "drums.wav").read_bytes())
    engine = Transfer(method="match", chain="gain", excerpt_seconds=1.0, excerpt_count=1)
    for source in (tmp_path / "mix.wav", tmp_path / "stems", tmp_path / "stems" / "drums.wav", tmp_path):
        with pytest.raises(OutputError, match="which is an input"):
            run_transfer(engine, source, songs / "street.wav", tmp_path, force=True)
        with pytest.raises(OutputError, match="which is an input"):
            run_transfer(engine, songs / "street.wav", source, tmp_path, force=True)
    run_transfer(engine, tmp_path / "mix.wav", songs / "street.wav", tmp_path / "out")
    again = tmp_path / "again.wav"
    run_apply(tmp_path / "out" / "preset.json", tmp_path / "mix.wav", again)  # beside the input, under another name
    with pytest.raises(OutputError, match="which is an input"):
        run_apply(tmp_path / "out" / "preset.json", again, again, force=True)


def test_two_transfers_into_one_folder_do_not_meet(songs: Path, tmp_path: Path) -> None:
    engine = Transfer(method="match", chain="gain", excerpt_seconds=1.0, excerpt_count=1)
    with sole_writer(tmp_path / "out", traceless=True), pytest.raises(OutputError, match="Another process"):
        run_transfer(engine, songs / "street.wav", songs / "street.wav", tmp_path / "out")


def test_a_result_leaves_nothing_of_an_earlier_one_and_all_that_is_not_of_it(songs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    engine = Transfer(method="match", chain="gain", excerpt_seconds=1.0, excerpt_count=1)
    first = run_transfer(engine, songs / "night", songs / "street", out)
    assert (out / "stems" / "drums.wav").exists()
    own = [out / "stems" / "my idea.wav", out / "notes.py", out / "stems" / "vocals.txt", out / "take.wav"]
    for path in own:
        path.write_bytes(b"mine")
    script = out / "drums.pedalboard.py"
    document = json.loads((out / "result.json").read_text())
    assert set(document["files"]) == {f"stems/{name}.wav" for name in first.stems} | {
        "mix.wav",
        "preset.json",
        "preset.csv",
        "result.json",
        "report.html",
    }
    script.write_text("# of the earlier result")
    document["files"] += ["drums.pedalboard.py", "../outside.wav", "take.wav/../../outside.wav", "notes.txt"]
    (out / "result.json").write_text(json.dumps(document))
    outside = tmp_path / "outside.wav"
    outside.write_bytes(b"mine")
    result = run_transfer(engine, songs / "night" / "drums.wav", songs / "street.wav", out, force=True)
    assert not script.exists()
    assert sorted(path.name for path in (out / "stems").iterdir()) == ["my idea.wav", "vocals.txt"]
    assert all(path.read_bytes() == b"mine" for path in [*own, outside])
    assert "stems" not in summary(result, out).splitlines()[-1]


def test_an_empty_folder_of_stems_goes_with_its_stems(songs: Path, tmp_path: Path) -> None:
    engine = Transfer(method="match", chain="gain", excerpt_seconds=1.0, excerpt_count=1)
    run_transfer(engine, songs / "night", songs / "street", tmp_path)
    run_transfer(engine, songs / "night" / "drums.wav", songs / "street.wav", tmp_path, force=True)
    assert not (tmp_path / "stems").exists()


def test_apply_leaves_no_stem_of_an_earlier_input(songs: Path, tmp_path: Path) -> None:
    engine = Transfer(method="match", chain="gain", excerpt_seconds=1.0, excerpt_count=1)
    run_transfer(engine, songs / "night", songs / "street", tmp_path / "one")
    run_apply(tmp_path / "one" / "preset.json", songs / "night", tmp_path / "two")
    before = {path.name for path in (tmp_path / "two" / "stems").iterdir()}
    (tmp_path / "fewer").mkdir()
    for name in ("drums.wav", "bass.wav"):
        shutil.copy(songs / "night" / name, tmp_path / "fewer" / name)
    assert before > {"drums.wav", "bass.wav"}
    run_apply(tmp_path / "one" / "preset.json", tmp_path / "fewer", tmp_path / "two", force=True)
    assert {path.name for path in (tmp_path / "two" / "stems").iterdir()} == {"drums.wav", "bass.wav"}


def test_apply_removes_stems_and_documents_of_a_result_and_no_file_of_anybodys(songs: Path, tmp_path: Path) -> None:
    engine = Transfer(method="match", chain="gain", excerpt_seconds=1.0, excerpt_count=1)
    run_transfer(engine, songs / "night", songs / "street", tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    (tmp_path / "fewer").mkdir()
    for name in ("drums.wav", "bass.wav"):
        shutil.copy(songs / "night" / name, tmp_path / "fewer" / name)
    assert len(list((tmp_path / "two" / "stems").iterdir())) > 2
    run_apply(tmp_path / "one" / "preset.json", tmp_path / "fewer", tmp_path / "two", force=True)
    assert {path.name for path in (tmp_path / "two" / "stems").iterdir()} == {"drums.wav", "bass.wav"}
    assert {path.name for path in (tmp_path / "two").iterdir()} == {
        "mix.wav",
        "stems",
        "preset.json",
        "preset.csv",
        "applied.json",
    }
    own = tmp_path / "own" / "stems"
    own.mkdir(parents=True)
    shutil.copy(songs / "night" / "vocals.wav", own)
    command = [
        "apply",
        str(tmp_path / "one" / "preset.json"),
        str(tmp_path / "fewer"),
        "-o",
        str(own.parent),
        "--force",
    ]
    told = CliRunner().invoke(cli, command)
    assert told.exit_code == 0
    assert "vocals.wav was there before, and is not of this rendering" in told.output
    assert (own / "vocals.wav").read_bytes() == (songs / "night" / "vocals.wav").read_bytes()


def test_links_into_a_result_are_inputs_that_are_kept(songs: Path, tmp_path: Path) -> None:
    engine = Transfer(method="match", chain="gain", excerpt_seconds=1.0, excerpt_count=1)
    run_transfer(engine, songs / "night", songs / "street", tmp_path / "out")
    (tmp_path / "take.wav").symlink_to(tmp_path / "out" / "stems" / "drums.wav")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "bass.wav").symlink_to(tmp_path / "out" / "stems" / "bass.wav")
    for source in (tmp_path / "take.wav", tmp_path / "links"):
        with pytest.raises(OutputError, match="which is an input"):
            run_transfer(engine, source, songs / "street.wav", tmp_path / "out", force=True)


def test_what_describes_a_result_is_gone_before_its_audio_is_another(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Transfer(method="match", chain="gain", excerpt_seconds=1.0, excerpt_count=1)
    run_transfer(engine, songs / "street.wav", songs / "night" / "drums.wav", tmp_path)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stito.workflows.transfer.write_results", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_transfer(engine, songs / "street.wav", songs / "night" / "bass.wav", tmp_path, force=True)
    assert not (tmp_path / "result.json").exists()
    assert not (tmp_path / "report.html").exists()
    assert (tmp_path / "mix.wav").exists()


def test_what_is_not_of_a_separation_is_told(tmp_path: Path) -> None:
    for name in ("vocals.wav", "drums.wav", "readme.txt", "._drums.wav"):
        (tmp_path / name).write_bytes(b"x")
    assert left_beside(tmp_path, [tmp_path / "vocals.wav"]) == ["drums.wav"]


@pytest.mark.parametrize("level", [0.0, 10 ** (-100 / 20)])
def test_silent_stems_come_out_silent_listed_and_as_long_as_they_went_in(
    songs: Path, tmp_path: Path, level: float
) -> None:
    source, reference, out = tmp_path / "in", tmp_path / "ref", tmp_path / "out"
    for folder, song in ((source, "night"), (reference, "street")):
        folder.mkdir()
        for name in ("drums.wav", "bass.wav", "vocals.wav"):
            shutil.copy(songs / song / name, folder / name)
    came = read_audio(source / "bass.wav")
    write_audio(source / "bass.wav", level * came.samples, came.sample_rate, overwrite=True)
    theirs = read_audio(reference / "vocals.wav")
    write_audio(reference / "vocals.wav", level * theirs.samples, theirs.sample_rate, overwrite=True)
    engine = Transfer(method="match", chain="gain", excerpt_seconds=1.0, excerpt_count=1)
    result = run_transfer(engine, source, reference, out)
    written = read_audio(out / "stems" / "bass.wav")
    assert written.samples.shape == came.samples.shape
    assert is_silent(written.samples)
    assert "stems/bass.wav" in json.loads((out / "result.json").read_text())["files"]
    assert any(note.startswith("bass: silent, left as it is") for note in result.notes)
    assert any(note.startswith("vocals: this stem of the reference is silent") for note in result.notes)
    assert list(result.solutions) == ["drums"]
    run_apply(out / "preset.json", source, tmp_path / "again")
    again = read_audio(tmp_path / "again" / "stems" / "bass.wav").samples
    assert again.shape == came.samples.shape
    assert is_silent(again)


def test_stems_that_are_silent_on_one_side_are_not_shared(songs: Path, tmp_path: Path) -> None:
    drums = read_audio(songs / "night" / "drums.wav").samples
    mute = torch.zeros_like(drums)
    source = Mix.from_arrays({"drums": drums, "bass": mute}, 44_100)
    reference = Mix.from_arrays({"drums": mute, "bass": drums}, 44_100)
    engine = Transfer(method="match", chain="gain", excerpt_seconds=1.0, excerpt_count=1)
    with pytest.raises(AudioError, match="drums against bass"):
        engine.run(source, reference)
