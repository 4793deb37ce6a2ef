"""The public names: listed, typed, loaded when first used; and a researcher's script, as it is in the reference."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

import stito
from conftest import RATE, song
from stito.errors import AudioError, SettingsError, UnknownNameError

QUICK = {"chain": "eq | gain", "excerpt_seconds": 1.0, "excerpt_count": 1}


def test_every_public_name_loads_and_nothing_else_is_public() -> None:
    assert sorted(stito.__all__) == stito.__all__ == dir(stito)
    for name in stito.__all__:
        assert getattr(stito, name) is not None
    with pytest.raises(AttributeError, match="nobody"):
        stito.nobody  # noqa: B018


def test_importing_it_costs_nothing() -> None:
    code = "import sys, stito; print([name for name in ('torch', 'numpy', 'scipy', 'pydantic') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_script_of_the_reference_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reference").mkdir()
    for name, x in song("street", styled=True, seconds=3.0).stems.items():
        soundfile.write(f"reference/{name}.wav", x.numpy().T, RATE)
    for name, seed in (("a", 1), ("b", 2)):
        noise = np.random.default_rng(seed).normal(0, 0.1, (2 * RATE, 2))
        soundfile.write(f"{name}.wav", noise * (1.0 if name == "a" else 0.5), RATE)
    dry = song("night", seconds=3.0).stems
    drums, bass = dry["drums"].numpy(), dry["bass"]

    mix = stito.Mix.from_arrays({"drums": drums, "bass": bass}, sample_rate=48_000)
    for _ in range(2):  # and again: every call works, always
        result = stito.transfer(mix, "reference/", method="cma", budget=stito.Budget(evaluations=8), **QUICK)
    result.save("out/")
    assert {file.name for file in Path("out").iterdir()} >= {"mix.wav", "stems", "preset.json", "report.html"}
    assert set(result.settings["drums"]) == {"eq", "gain"}
    pandas = pytest.importorskip("pandas")
    assert isinstance(result.to_dataframe(), pandas.DataFrame)
    assert result.audio.shape == (2, 3 * RATE)

    encoder = stito.load_encoder("features")
    assert stito.load_encoder("features") is encoder
    assert stito.embed(encoder, ["a.wav", "b.wav"]).shape == (2, encoder.dim)
    apart = stito.distances(encoder, ["a.wav"], ["a.wav", "b.wav"])
    assert apart.shape == (1, 2)
    assert apart[0, 0] < 1e-3 < apart[0, 1]

    chain = stito.load_chain("eq | compressor | reverb")
    theta = torch.full((1, chain.dim), 0.4, requires_grad=True)
    y = chain.prepare(0.1 * torch.ones(2, RATE), 44_100).render(theta)
    y.sum().backward()
    assert theta.grad is not None

    def my_loss(theta: Tensor) -> Tensor:
        return (theta - 0.25).square().sum(1)

    found = stito.minimise(my_loss, "cma", dim=3, budget=stito.Budget(evaluations=300))
    assert torch.allclose(found.theta, torch.full((3,), 0.25), atol=0.05)

    def my_objective(x: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
        return (x.square().mean((1, 2)).log() - reference.square().mean().log()).abs()

    nearer = stito.transfer(mix, "reference/", objective=my_objective, budget=stito.Budget(evaluations=16), **QUICK)
    assert all((reduction or 0) > 50 for reduction in nearer.reduction.values())

    y = stito.functional.compressor(0.5 * torch.ones(2, RATE), 44_100, threshold_db=-24.0, ratio=4.0)
    assert y.shape == (2, RATE)

    engine = stito.Transfer(method="match", **QUICK)
    pairs = [(mix, "reference/"), (mix, "reference/drums.wav")]
    assert [list(result.stems) for result in engine.run_many(pairs)] == [["drums", "bass"]] * 2


def test_options_are_checked_when_they_are_made() -> None:
    for wrong in ({"amount": 1.5}, {"excerpt_count": 0}, {"prior_weight": -1.0}):
        with pytest.raises(SettingsError):
            stito.TransferOptions(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError):
        stito.Transfer(init="nowhere")
    with pytest.raises(TypeError):
        stito.transfer("a", "b", methd="cma")  # type: ignore[call-arg]


class TestMixFromArrays:
    def test_stems_of_any_kind_come_together(self) -> None:
        mix = stito.Mix.from_arrays({"Drums": np.ones((2, 100)), "bass": torch.ones(80, dtype=torch.float64)}, 48_000)
        assert list(mix.stems) == ["drums", "bass"]
        assert mix.stems["bass"].shape == (2, 100)
        assert mix.stems["bass"][:, 80:].abs().max() == 0

    def test_one_array_is_a_mix_or_the_stem_that_it_is_said_to_be(self) -> None:
        x = np.ones((1, 100), dtype=np.float32)
        assert stito.Mix.from_arrays(x, 44_100).kind == "mix"
        assert list(stito.Mix.from_arrays(x, 44_100, stem="bass").stems) == ["bass"]

    @pytest.mark.parametrize(
        ("stems", "message"),
        [
            ({}, "no stems"),
            ({"drums": np.full((2, 10), np.nan)}, "not finite"),
            ({"drums": np.ones((2, 3, 4))}, "shape"),
            (np.ones((2, 0)), "shape"),
        ],
    )
    def test_what_is_no_audio_is_refused(self, stems: dict[str, np.ndarray], message: str) -> None:
        with pytest.raises(AudioError, match=message):
            stito.Mix.from_arrays(stems, 44_100)


class TestFunctional:
    def test_every_effect_is_there_with_its_knobs_in_the_help(self) -> None:
        assert "compressor" in dir(stito.functional)
        assert "threshold_db: -60 to 0" in (stito.functional.compressor.__doc__ or "")
        with pytest.raises(AttributeError):
            stito.functional.nobody  # noqa: B018

    def test_it_is_the_effect_at_these_settings_and_neutral_elsewhere(self) -> None:
        x = 0.1 * torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
        chain = stito.load_chain("eq")
        wanted = chain.render_one(x, chain.settings(chain.encode({"eq": {"low_gain_db": 6.0}})), RATE)
        assert torch.allclose(stito.functional.eq(x, RATE, low_gain_db=6.0), wanted, atol=1e-5)
        assert torch.allclose(stito.functional.eq(x, RATE), x, atol=1e-5)

    def test_many_values_make_many_results_with_gradients(self) -> None:
        gains = torch.tensor([0.0, 6.0, -6.0], requires_grad=True)
        y = stito.functional.gain(torch.ones(2, 100), RATE, gain_db=gains)
        assert y.shape == (3, 2, 100)
        y.sum().backward()
        assert gains.grad is not None
        assert bool((gains.grad > 0).all())

    def test_wrong_knobs_and_values_say_so(self) -> None:
        x = torch.ones(2, 100)
        with pytest.raises(UnknownNameError, match="thresh_db"):
            stito.functional.compressor(x, RATE, thresh_db=-10.0)
        with pytest.raises(SettingsError, match="ratio"):
            stito.functional.compressor(x, RATE, ratio=-1.0)
        with pytest.raises(AudioError):
            stito.functional.compressor(torch.ones(100), RATE)


def test_reprs_are_short_and_print_no_tensors() -> None:
    mix, reference = song("night", stems=("drums",), seconds=2.0), song("street", stems=("drums",), seconds=2.0)
    result = stito.transfer(mix, reference, method="match", **QUICK)
    shown = [mix, result, result.preset, result.rendered, result.solved, result.solutions["drums"]]
    shown += [stito.load_chain("mixing"), stito.load_encoder("fxencoder")]
    for each in shown:
        assert len(repr(each)) < 300, repr(each)
        assert "tensor(" not in repr(each)


def test_a_notebook_shows_players_and_settings() -> None:
    mix, reference = song("night", stems=("drums",), seconds=2.0), song("street", stems=("drums",), seconds=2.0)
    page = stito.transfer(mix, reference, method="match", **QUICK)._repr_html_()
    assert page.count("<audio") == 3
    for word in ("input", "result", "reference", "low_gain_db"):
        assert word in page


def test_a_saved_result_is_what_the_command_line_writes(tmp_path: Path) -> None:
    mix, reference = song("night", stems=("drums", "bass"), seconds=2.0), song("street", seconds=2.0)
    result = stito.transfer(mix, reference, method="match", **QUICK)
    folder = result.save(tmp_path / "out")
    about = json.loads((folder / "result.json").read_text())
    assert about["searches"]["drums"]["reduction_percent"] == pytest.approx(result.reduction["drums"])
    assert stito.load_preset(folder / "preset.json").stems == result.preset.stems
    assert stito.read_mix(folder / "stems").stems.keys() == mix.stems.keys()
    with pytest.raises(stito.StitoError):
        result.save(tmp_path / "out")


def test_resampling_passes_the_gradient_that_finite_differences_measure() -> None:
    x = 0.1 * torch.randn(1, 2000, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    weights = torch.randn(1, round(2000 * 40 / 44.1), generator=torch.Generator().manual_seed(1))

    def loss(audio: Tensor) -> Tensor:
        return (stito.resample(audio, 44_100, 40_000) * weights).sum()

    x.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(x), x)
    direction = torch.randn(1, 2000, generator=torch.Generator().manual_seed(2))
    measured = float(loss(x.detach() + direction) - loss(x.detach() - direction)) / 2
    assert float((gradient * direction).sum()) == pytest.approx(measured, rel=0.02)
