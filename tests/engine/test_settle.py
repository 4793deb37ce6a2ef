"""Settling a preset again after some strips were given up: only these are rendered anew."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import stito.engine.render as render
from stito.console.preset import Preset, StripPreset
from stito.console.strips import render_strip
from stito.effects.chain_files import load_chain
from stito.mix import Mix

RATE = 44_100


def stems() -> Mix:
    noise = torch.Generator().manual_seed(0)
    sounds = {name: 0.1 * torch.randn(2, RATE, generator=noise) for name in ("drums", "bass", "other")}
    return Mix.from_arrays(sounds, RATE)


def preset(mix: Mix, *, master: bool = False) -> Preset:
    chain = load_chain("eq | gain")
    strips = {
        name: StripPreset.of(chain, chain.settings(torch.full((chain.dim,), place)))
        for name, place in zip(mix.stems, (0.4, 0.5, 0.6), strict=True)
    }
    targets = {"mix": -12.0} if master else dict.fromkeys(mix.stems, -16.0)
    on_sum = StripPreset.of(chain, chain.settings(torch.full((chain.dim,), 0.45))) if master else None
    return Preset(stems=strips, master=on_sum, target_lufs=targets)


@pytest.mark.parametrize("master", [False, True])
def test_what_did_not_change_is_taken_from_before(master: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    mix, rendered = stems(), []
    wanted = preset(mix, master=master)
    fewer = wanted.model_copy(update={"stems": {**wanted.stems, "bass": wanted.stems["bass"].bypassed()}})
    alone = render.settle(mix, fewer)

    earlier = render.settle(mix, wanted)

    def counted(x: torch.Tensor, strip: StripPreset, rate: int) -> torch.Tensor:
        rendered.append(strip)
        return render_strip(x, strip, rate)

    monkeypatch.setattr(render, "render_strip", counted)
    found = render.settle(mix, fewer, earlier=earlier)
    assert len(rendered) == master, "the master alone, of another sum"
    assert (found.rendered.mix - alone.rendered.mix).abs().max() < 1e-6
    for name, stem in alone.rendered.stems.items():
        assert (found.rendered.stems[name] - stem).abs().max() < 1e-6
        levels, same = found.rendered.levels[name], alone.rendered.levels[name]
        assert levels.integrated_lufs == pytest.approx(same.integrated_lufs, abs=1e-4)
        assert levels.true_peak_db == pytest.approx(same.true_peak_db, abs=1e-4)
        assert found.preset.stems[name].fader_db == pytest.approx(alone.preset.stems[name].fader_db, abs=1e-4)


def test_one_stem_alone_is_rendered_anew() -> None:
    mix = stems()
    mix = replace(mix, stems={"drums": mix.stems["drums"]}, kind="stem")
    wanted = preset(stems()).model_copy(update={"target_lufs": {"drums": -16.0}})
    wanted = wanted.model_copy(update={"stems": {"drums": wanted.stems["drums"]}})
    earlier = render.settle(mix, wanted)
    bypassed = wanted.model_copy(update={"stems": {"drums": wanted.stems["drums"].bypassed()}})
    found = render.settle(mix, bypassed, earlier=earlier)
    assert (found.rendered.mix - render.settle(mix, bypassed).rendered.mix).abs().max() < 1e-6
