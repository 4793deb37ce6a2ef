"""What a transfer leaves behind when it is broken off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from conftest import CHAIN
from stito.errors import StitoError
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
