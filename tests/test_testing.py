"""The contract must notice each rule that is broken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from stito.effects.effect import Effect, column
from stito.effects.param import Param
from stito.errors import PluginError
from stito.models.stem_batch import MixEmbedding, StemBatch
from stito.testing import ContractError, check_effect, check_encoder, check_search, probe

GAIN = Param("gain_db", -12.0, 12.0, neutral=0.0)


class Level(Effect):
    """A sound effect, from which each broken one departs in one way."""

    name: ClassVar[str] = "level"
    params: ClassVar[tuple[Param, ...]] = (GAIN,)
    differentiable: ClassVar[bool] = True

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        return x * column(10 ** (p["gain_db"] / 20))


class Nameless(Level):
    name: ClassVar[str] = ""


class Knobless(Level):
    params: ClassVar[tuple[Param, ...]] = ()


class TwinKnobs(Level):
    params: ClassVar[tuple[Param, ...]] = (GAIN, GAIN)


class Shortening(Level):
    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        return super().process(x, p, sample_rate)[..., :-1]


class Doubling(Level):
    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        return super().process(x, p, sample_rate).double()


class InPlace(Level):
    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        with torch.no_grad():
            x *= 0.5
        return 2 * super().process(x, p, sample_rate)


class Turning(Level):
    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        out = super().process(x, p, sample_rate)
        with torch.no_grad():
            p["gain_db"].zero_()
        return out


class Remembering(Level):
    def __init__(self) -> None:
        self.calls = 0

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        self.calls += 1
        return super().process(x, p, sample_rate) + 1e-6 * self.calls


class Normalising(Level):
    """Divides by the peak, which silence does not have."""

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        peak = x.abs().amax(dim=(1, 2), keepdim=True)
        return super().process(x / peak, p, sample_rate) * peak


class Overflowing(Level):
    """Breaks down at the highest setting only."""

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        return super().process(x, p, sample_rate) / column((p["gain_db"] < 11.9).to(x.dtype))


class Late(Level):
    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        return super().process(x, p, sample_rate).roll(1, dims=-1)


class Leaking(Level):
    """Rows hear each other."""

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        out: Tensor = super().process(x, p, sample_rate)
        return out * (1 + 0.1 * p["gain_db"].std(correction=0))


class OneCandidate(Level):
    """Ignores all settings but the first."""

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        return super().process(x, {"gain_db": p["gain_db"][:1]}, sample_rate)


class Deaf(Level):
    params: ClassVar[tuple[Param, ...]] = (GAIN, Param("release_ms", 1.0, 100.0, neutral=10.0, scale="log"))


class Unsided(Level):
    """Says that its gain is one of left against right."""

    params: ClassVar[tuple[Param, ...]] = (replace(GAIN, sided=True),)


class SampleBound(Level):
    """A smoothing in samples where it should be in seconds, and a level that follows the sample rate."""

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        return super().process(x, p, sample_rate) * (sample_rate / 44_100) ** 2


class SampleFilter(Level):
    """A high-pass whose corner belongs to samples, not to hertz."""

    params: ClassVar[tuple[Param, ...]] = (Param("mix", 0.0, 1.0, neutral=0.0),)

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        spectrum = torch.fft.rfft(x)
        place = torch.linspace(1e-4, 1, spectrum.shape[-1], dtype=x.dtype)
        filtered: Tensor = torch.fft.irfft(spectrum * place ** (6 * column(p["mix"])), n=x.shape[-1])
        return filtered


class SharpEdged(Level):
    """A square root whose slope at neutral is infinite."""

    params: ClassVar[tuple[Param, ...]] = (Param("drive", 0.0, 1.0, neutral=0.0),)

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        return x * (1 + column(p["drive"]).sqrt())


class SilentNaN(Level):
    """The energy's root has no slope at silence."""

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        rms = x.square().mean(dim=(1, 2), keepdim=True).sqrt()
        return super().process(x, p, sample_rate) + 0 * rms


class Detached(Level):
    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        return super().process(x, p, sample_rate).detach()


class StraightThrough(Level):
    """Quantises its knob and pretends that it does not."""

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        gain = p["gain_db"]
        stepped = gain + (torch.sin(40 * gain) / 40).detach()
        return super().process(x, {"gain_db": stepped}, sample_rate)


class HalfDetached(Level):
    """Hides half of the input from the gradient."""

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        return super().process(0.5 * x + 0.5 * x.detach(), p, sample_rate)


def test_a_sound_effect_passes() -> None:
    check_effect(Level())
    check_effect(Level(), sample_rate=48_000)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (Nameless, "has no name"),
        (Knobless, "no knob"),
        (TwinKnobs, "share a name"),
        (Shortening, "comes out as (2, 2, 8819)"),
        (Doubling, "torch.float32 comes out as torch.float64"),
        (InPlace, "the input is modified"),
        (Turning, "the settings are modified"),
        (Remembering, "the same call twice"),
        (Normalising, "not finite on silence"),
        (Overflowing, "not finite on music at gain_db=12"),
        (Late, "neutral settings (gain_db=0) change the audio"),
        (Leaking, "row 0 of a batch differs"),
        (OneCandidate, "one input under 3 settings comes out as 1"),
        (Deaf, "turning release_ms changes nothing"),
        (Unsided, "a mirror image with gain_db turned round"),
        (SampleBound, "levels at 44.1 and 48 kHz"),
        (SampleFilter, "at 44.1 and 48 kHz lie"),
        (SharpEdged, "a gradient is not finite on music at drive=0"),
        (SilentNaN, "the gradient to the input is not finite on silence"),
        (Detached, "its output has no gradient"),
        (StraightThrough, "the gradient of gain_db is"),
        (HalfDetached, "the gradient to the input is"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_each_broken_rule_is_named(broken: type[Effect], complaint: str) -> None:
    with pytest.raises(ContractError, match=re.escape(complaint)):
        check_effect(broken())


def test_a_broken_contract_is_a_plugin_error_and_an_assertion() -> None:
    assert issubclass(ContractError, PluginError)
    assert issubclass(ContractError, AssertionError)


def test_an_effect_without_gradients_is_not_asked_for_them() -> None:
    class Stepped(SharpEdged):
        differentiable: ClassVar[bool] = False

    check_effect(Stepped())


def test_the_probe_is_loud_stereo_and_the_same_each_time() -> None:
    x = probe(44_100)
    assert x.shape == (1, 2, 35_280)
    assert x.abs().max() == pytest.approx(0.7)
    assert (x[:, 0] - x[:, 1]).abs().max() > 0.1
    assert torch.equal(x, probe(44_100))


def powers(x: Tensor) -> Tensor:
    """The power of each channel and of its slope, (b, 4)."""
    return torch.cat([x.square().mean(dim=-1), x.diff(dim=-1).square().mean(dim=-1)], dim=1)


class Ears:
    """A sound encoder: how loud and how bright each channel is."""

    name = "ears"
    sample_rate = 16_000
    dim = 4

    def embed(self, x: Tensor) -> Tensor:
        return torch.log(powers(x) + 1e-6)


class WrongDim(Ears):
    dim = 5


class DoubleEars(Ears):
    def embed(self, x: Tensor) -> Tensor:
        return super().embed(x.double())


class NormalisingEars(Ears):
    def embed(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x /= x.abs().max()
        return super().embed(x)


class Forgetful(Ears):
    def __init__(self) -> None:
        self.calls = 0

    def embed(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().embed(x) + self.calls


class BatchNormed(Ears):
    def embed(self, x: Tensor) -> Tensor:
        embedding = super().embed(x)
        return embedding - embedding.mean(dim=0)


class NoFloor(Ears):
    def embed(self, x: Tensor) -> Tensor:
        return torch.log(powers(x))


class Impatient(Ears):
    def embed(self, x: Tensor) -> Tensor:
        return super().embed(x) / (x.shape[-1] > self.sample_rate)


class NoGradient(Ears):
    def embed(self, x: Tensor) -> Tensor:
        return super().embed(x.detach())


class RootOfSilence(Ears):
    def embed(self, x: Tensor) -> Tensor:
        return powers(x).sqrt()


def test_a_sound_encoder_passes() -> None:
    check_encoder(Ears())


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (WrongDim, "dim is 5"),
        (DoubleEars, "not float32"),
        (NormalisingEars, "the input is modified"),
        (Forgetful, "the same call twice"),
        (BatchNormed, "differs from that row alone"),
        (NoFloor, "the embedding of silence is not finite"),
        (Impatient, "the embedding of half a second is not finite"),
        (NoGradient, "no gradient flows"),
        (RootOfSilence, "the gradient to the audio is not finite on silence"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_each_broken_rule_of_encoders_is_named(broken: type[Ears], complaint: str) -> None:
    with pytest.raises(ContractError, match=complaint):
        check_encoder(broken())


class MixEars(Ears):
    """Embeds a mix stem by stem."""

    stems = ("voice", "drum")

    def embed_mix(self, stems: Mapping[str, Tensor]) -> MixEmbedding:
        return MixEmbedding.gathered(self._rows(batch := StemBatch.of_mix(stems, self.stems)), batch, len(self.stems))

    def _rows(self, batch: StemBatch) -> Tensor:
        return self.embed(batch.audio)[batch.row]


class FillingEars(MixEars):
    def embed_mix(self, stems: Mapping[str, Tensor]) -> MixEmbedding:
        mix = super().embed_mix(stems)
        return MixEmbedding(mix.stems, torch.ones_like(mix.present))


class Crowded(MixEars):
    def _rows(self, batch: StemBatch) -> Tensor:
        rows = super()._rows(batch)
        return rows + rows.mean(0)


class OneForOne(MixEars):
    """Takes a stem of one row for that of the first mix alone."""

    def embed_mix(self, stems: Mapping[str, Tensor]) -> MixEmbedding:
        count = max(len(x) for x in stems.values())
        padded = {name: torch.cat([x, torch.zeros(count - len(x), *x.shape[1:])]) for name, x in stems.items()}
        return super().embed_mix(padded)


class OtherParts(MixEars):
    """Embeds a stem alone where it is asked for its part of a mix."""

    def embed_mix(self, stems: Mapping[str, Tensor]) -> MixEmbedding:
        mix = super().embed_mix(stems)
        return MixEmbedding(mix.stems / mix.present.sum(1)[:, None, None], mix.present)

    def embed_part(self, stem: str, x: Tensor, others: Mapping[str, Tensor]) -> Tensor:
        del stem, others
        return self.embed(x)


def test_an_encoder_of_mixes_passes() -> None:
    check_encoder(MixEars())


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (FillingEars, "which stems are there"),
        (Crowded, "a mix of a batch differs"),
        (OneForOne, "a stem of one row moves"),
        (OtherParts, "a stem's part of a mix differs"),
    ],
)
def test_each_broken_rule_of_mixes_is_named(broken: type[Ears], complaint: str) -> None:
    with pytest.raises(ContractError, match=complaint):
        check_encoder(broken())


class Wanderer:
    """A sound search: random points around the best one so far."""

    needs_gradient: ClassVar[bool] = False

    def __init__(self, dim: int, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.best, self.least = torch.full((dim,), 0.5), float("inf")

    def ask(self) -> Tensor:
        steps = 0.1 * torch.randn(4, len(self.best), generator=self.generator)
        return (self.best + steps).clamp(0, 1)

    def tell(self, theta: Tensor, loss: Tensor) -> None:
        if loss.min() < self.least:
            self.best, self.least = theta[loss.argmin()].clone(), loss.min().item()


class Follower(Wanderer):
    """A sound search by gradient."""

    needs_gradient: ClassVar[bool] = True

    def __init__(self, dim: int, seed: int) -> None:
        self.place = torch.full((1, dim), 0.5, requires_grad=True)

    def ask(self) -> Tensor:
        return self.place.clamp(0, 1)

    def tell(self, theta: Tensor, loss: Tensor) -> None:
        (slope,) = torch.autograd.grad(loss.sum(), self.place)
        self.place = (self.place - 0.1 * slope).detach().requires_grad_()


class Escaping(Wanderer):
    def ask(self) -> Tensor:
        return super().ask() + 0.6


class Flat(Wanderer):
    def ask(self) -> Tensor:
        return super().ask()[0]


class Unseeded(Wanderer):
    draws: ClassVar[list[int]] = []

    def ask(self) -> Tensor:
        self.draws.append(1)
        self.generator.manual_seed(len(self.draws))
        return super().ask()


class Stubborn(Wanderer):
    def ask(self) -> Tensor:
        return self.best[None]


class Scribbling(Wanderer):
    def tell(self, theta: Tensor, loss: Tensor) -> None:
        super().tell(theta, loss)
        loss.zero_()


@pytest.mark.parametrize("search", [Wanderer, Follower])
def test_a_sound_search_passes(search: Any) -> None:
    check_search(search)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (Escaping, "candidates reach from"),
        (Flat, "not for \\(n, 3\\)"),
        (Unseeded, "the same seed gives other candidates"),
        (Stubborn, "the best loss is"),
        (Scribbling, "modifies its arguments"),
    ],
)
def test_each_broken_rule_of_searches_is_named(broken: Any, complaint: str) -> None:
    with pytest.raises(ContractError, match=complaint):
        check_search(broken)
