"""The neural method: what it renders, what a preset keeps of it, and what it cannot do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

import stito.models.loading
from conftest import RATE, as_mix, solved, song, write_song
from stito.console.preset import ConversionPreset, StripPreset, load_preset
from stito.console.strips import gain, loudness, render_strip
from stito.errors import PresetError, SettingsError
from stito.evaluation.transfers.plan import TransferPlan
from stito.evaluation.transfers.run import evaluate_transfers
from stito.evaluation.transfers.sources import DemoSource
from stito.mix import Mix
from stito.models.converter import Conversion
from stito.search.base import Budget
from stito.testing import check_converter
from stito.workflows.apply import run_apply
from stito.workflows.transfer import Transfer, run_transfer, transfer

QUICK: dict[str, Any] = {"excerpt_seconds": 1.5, "excerpt_count": 1}


class Leveller:
    """Hears how loud left and right are, and makes them as loud as the reference."""

    name, sample_rate, reach, step, digest = "leveller", RATE, 0, 1, "abc"

    def embed(self, x: Tensor) -> Tensor:
        return x.square().mean(-1).clamp_min(1e-12).log()

    def render(self, x: Tensor, reference: Tensor, own: Tensor) -> Tensor:
        return x * ((reference - own) / 2).exp()[..., None]


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes it the converter `mixfxcloner`."""

    load = stito.models.loading._installed

    def installed(kind: Literal["encoder", "converter"], name: str) -> Any:
        return Leveller() if (kind, name) == ("converter", "mixfxcloner") else load(kind, name)

    monkeypatch.setattr(stito.models.loading, "_installed", installed)


def stem(name: str, *, styled: bool = False) -> Mix:
    """The other instruments of a demo song as a stem; under style they are panned to the right."""
    mix = song(name, styled=styled, stems=("other",))
    return Mix(mix.stems, RATE, mix.format, name, (), "stem", mix.formats)


def balance(x: Tensor) -> float:
    """How much louder right is than left, in dB."""
    left, right = x.square().mean(-1).log10().mul(10).tolist()
    return right - left


def test_the_stand_in_keeps_the_contract() -> None:
    check_converter(Leveller())


def test_the_result_is_what_the_converter_makes_of_the_reference() -> None:
    mix, reference = stem("night"), stem("street", styled=True)
    result = transfer(mix, reference, method="neural", **QUICK)
    made, wanted, was = (balance(x) for x in (result.rendered.mix, reference.stems["other"], mix.stems["other"]))
    assert abs(made - wanted) < 0.5 * abs(was - wanted)
    match = result.solutions["other"]
    assert (match.evaluations, match.stop) == (0, "Converted by a network, no search.")
    assert match.loss_after < match.loss_before
    assert any("no settings" in note for note in result.notes)


@pytest.mark.parametrize("amount", [0.0, 0.5])
def test_with_less_amount_it_goes_a_part_of_the_way(amount: float) -> None:
    mix, reference = stem("night"), stem("street", styled=True)
    found = [
        solved(mix, reference, method="neural", amount=share, **QUICK).preset.stems["other"]
        for share in (0.0, amount, 1.0)
    ]
    assert (found[0].conversion, found[0].fader_db) == (None, 0.0)  # not even the network's own idea of the input
    none, part, whole = (balance(render_strip(mix.stems["other"], strip, RATE)) for strip in found)
    assert none == pytest.approx(balance(mix.stems["other"]), abs=0.05)
    assert part - none == pytest.approx(amount * (whole - none), abs=0.05)


def test_a_preset_keeps_what_makes_the_sound_again(songs: Path, tmp_path: Path) -> None:
    result = run_transfer(Transfer(method="neural", **QUICK), songs / "night", songs / "street", tmp_path / "out")
    assert {"mix.wav", "stems", "preset.json", "preset.csv", "result.json", "report.html"} <= {
        file.name for file in (tmp_path / "out").iterdir()
    }
    again = run_apply(tmp_path / "out" / "preset.json", songs / "night", tmp_path / "again.wav")
    for name, audio in result.rendered.stems.items():
        assert torch.allclose(again.stems[name], audio, atol=1e-5)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Converter" in page
    assert "there are no settings to read or export" in page
    assert "One way to set it" not in page
    assert json.loads((tmp_path / "out" / "result.json").read_text())["method"] == "neural"


@pytest.mark.parametrize("rate", [22_050, 44_100, 96_000])
def test_any_rate_comes_back_as_it_came(rate: int) -> None:
    x = 0.1 * torch.sin(torch.arange(rate + 1) / rate * 2 * torch.pi * 440).expand(2, -1)
    style = torch.tensor([-3.0, -3.0])
    made = Conversion(Leveller(), "mixfxcloner", style + 2 * np.log(2), style).render(x, rate)
    assert made.shape == x.shape
    assert float(made.square().mean().sqrt() / x.square().mean().sqrt()) == pytest.approx(2, rel=0.02)


def test_styles_are_kept_to_sixteen_bits() -> None:
    conversion = Conversion(Leveller(), "mixfxcloner", torch.tensor([0.1, -7.3]), torch.tensor([2.0, 1e-3]))
    again = ConversionPreset.of(conversion).build()
    assert torch.allclose(again.reference, conversion.reference, rtol=1e-3)
    assert torch.allclose(again.own, conversion.own, rtol=1e-3)


def written(tmp_path: Path, **changes: str) -> Path:
    """A preset of one converted stem, with something changed."""
    conversion = ConversionPreset.of(Conversion(Leveller(), "mixfxcloner", torch.zeros(2), torch.zeros(2)))
    strip = StripPreset(chain=[], conversion=conversion.model_copy(update=changes))
    path = tmp_path / "preset.json"
    path.write_text(json.dumps({"stems": {"other": strip.model_dump(mode="json")}}))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"digest": "0" * 64}, "other weights"),
        ({"converter": "nobody"}, "nobody"),
        ({"reference": "%%%"}, "damaged"),
        ({"own": "YQ=="}, "damaged"),
    ],
)
def test_a_preset_that_cannot_be_rendered_says_why(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    assert load_preset(written(tmp_path)).stems["other"].conversion is not None
    with pytest.raises(PresetError, match=message):
        load_preset(written(tmp_path, **changes))


def test_a_converter_needs_stems_of_the_reference() -> None:
    with pytest.raises(SettingsError, match="stem by stem") as caught:
        solved(song("night"), as_mix(song("street")), method="neural", **QUICK)
    assert "--separator" in (caught.value.hint or "")


def test_a_whole_mix_is_converted_with_a_word_of_warning() -> None:
    found = solved(as_mix(song("night")), as_mix(song("street")), method="neural", **QUICK)
    assert any("trained on single stems" in note for note in found.notes)


def test_a_search_may_start_at_settings_that_render_what_the_converter_made() -> None:
    mix, reference = stem("night"), stem("street", styled=True)
    options = {"init": "neural", "chain": "panner | gain", "budget": Budget(evaluations=1), **QUICK}
    match = solved(mix, reference, **options).solutions["other"]
    assert (match.start, match.evaluations) == ("neural", 1)
    chain, settings = match.strips["other"]
    made = chain.render_one(mix.stems["other"], settings, RATE)
    wanted, was = balance(reference.stems["other"]), balance(mix.stems["other"])
    assert abs(balance(made) - wanted) < 0.5 * abs(was - wanted)


def test_several_stems_at_once_start_elsewhere() -> None:
    options = {"init": "neural", "budget": Budget(evaluations=1), **QUICK}
    found = solved(song("night"), as_mix(song("street", styled=True)), **options)
    assert {match.start for match in found.solutions.values()} <= {"match", "neutral"}


def test_an_evaluation_counts_it_among_the_methods(tmp_path: Path) -> None:
    plan = TransferPlan(cases=1, seconds=2.0, methods=("input", "neural"), chain="eq", evaluation_encoder="features")
    rows = evaluate_transfers(DemoSource(), plan, log=tmp_path / "log")
    assert [(row.method, row.digest) for row in rows] == [("input", ""), ("neural", "abc")]


def test_mono_stays_mono(tmp_path: Path) -> None:
    for name in ("night", "street"):
        folder = write_song(tmp_path / name, replace(stem(name), kind="stems"))
        x, rate = soundfile.read(folder / "other.wav")
        soundfile.write(folder / "other.wav", x.mean(1) * gain(-6.0 if name == "street" else 0.0), rate)
    result = transfer(tmp_path / "night", tmp_path / "street", method="neural", **QUICK)
    assert result.rendered.mix.shape[0] == 1
    assert loudness(result.rendered.mix, RATE) > -60
