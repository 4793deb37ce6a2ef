"""What a transfer leaves behind when it is broken off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from conftest import CHAIN
from stito.errors import OutputError, StitoError
from stito.files.locks import sole_writer
from stito.workflows.apply import run_apply
from stito.workflows.command import command_line
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
    monkeypatch.setattr("stito.workflows.transfer.settle", interrupted)
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
