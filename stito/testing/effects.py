"""The contract of effects."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from stito.audio import resample
from stito.dsp.statistics import log_grid, long_term_spectrum
from stito.effects.aspects import ASPECTS
from stito.effects.effect import Effect
from stito.testing.probe import ROWS, ContractError, probe

__all__ = ["check_effect"]

IDENTITY = 1e-4
"""The largest deviation from the input at neutral settings."""
AUDIBLE = 1e-4
"""The least change, relative to the RMS level (-80 dB), that turning a knob must make."""
RATE_SPECTRUM_DB = 1.5
"""The largest mean difference between average spectra rendered at 44.1 and at 48 kHz."""
RATE_LEVEL_DB = 0.5
"""The largest difference in level between the two."""
GRADIENT = 1e-3
"""The largest relative deviation of a gradient from its finite difference."""
STEP = 1e-6
"""The step of that finite difference in theta."""


def check_effect(effect: Effect, *, sample_rate: int = 44_100) -> None:
    """Hold an effect to its contract: quiet if it keeps every rule, `ContractError` at the first that it breaks.

    The rules: shape, dtype and device kept; finite at every corner, on silence and at full scale; the same call twice
    is equal; a row of a batch equals that row alone; every knob is audible; sided knobs turn with the sound; neutral
    settings are the identity; input and settings are not modified; 44.1 and 48 kHz agree; gradients, if it is
    differentiable, are finite and right.
    """
    bench = _Bench(effect, sample_rate)
    _declares_itself(bench)
    _keeps_form(bench)
    _leaves_its_arguments_alone(bench)
    _is_a_function(bench)
    _stays_finite(bench)
    _is_neutral(bench)
    _treats_rows_alone(bench)
    _answers_every_knob(bench)
    _mirrors_what_is_sided(bench)
    _agrees_across_rates(bench)
    if effect.differentiable:
        _has_finite_gradients(bench)
        _has_right_gradients(bench)


@dataclass(frozen=True)
class _Bench:
    """One effect on the test bench, driven by theta."""

    effect: Effect
    sample_rate: int

    @property
    def knobs(self) -> int:
        return len(self.effect.params)

    @property
    def neutral(self) -> Tensor:
        return torch.tensor([param.to_unit(param.neutral) for param in self.effect.params], dtype=torch.float64)

    def settings(self, theta: Tensor) -> dict[str, Tensor]:
        """The physical values (b,) of theta (b, knobs)."""
        return {param.name: param.from_unit(theta[:, i]) for i, param in enumerate(self.effect.params)}

    def render(self, x: Tensor, theta: Tensor) -> Tensor:
        return self.effect.process(x, self.settings(theta.to(x.dtype)), self.sample_rate)

    def corners(self) -> Tensor:
        """Everything low, everything high, and each knob at either end with the others in the middle."""
        eye = torch.eye(self.knobs, dtype=torch.float64)
        ends = torch.stack([torch.zeros(self.knobs), torch.ones(self.knobs)]).double()
        return torch.cat([ends, 0.5 - 0.5 * eye, 0.5 + 0.5 * eye])

    def scattered(self, rows: int) -> Tensor:
        """Interior points of the unit cube, the same each time (the golden-ratio sequence)."""
        steps = torch.arange(1, rows * self.knobs + 1, dtype=torch.float64) * 0.6180339887498949
        return 0.15 + 0.7 * (steps % 1).reshape(rows, self.knobs)

    def place(self, theta: Tensor) -> str:
        """A row of theta as a person reads settings."""
        values = self.settings(theta[None])
        return ", ".join(f"{name}={value.item():.4g}" for name, value in values.items()) or "no settings"

    def require(self, kept: bool, rule: str, hint: str | None = None) -> None:
        if not kept:
            raise ContractError(f"The effect '{self.effect.name}' breaks its contract: {rule}.", hint=hint)


def _declares_itself(bench: _Bench) -> None:
    name = getattr(bench.effect, "name", None)
    if not isinstance(name, str) or not name:
        raise ContractError(f"{type(bench.effect).__name__} has no name.", hint="Set the class attribute `name`.")
    params = [param.name for param in bench.effect.params]
    bench.require(bool(params), "it has no knob")
    aspects = {bench.effect.aspect, *(param.aspect for param in bench.effect.params)} - {""}
    unknown = sorted(aspects - ASPECTS.keys())
    bench.require(
        not unknown, f"no aspect is called {', '.join(unknown)}", f"Use one of {', '.join(ASPECTS)}, or none."
    )
    named = [bench.effect.level, *bench.effect.thresholds, *(knob for band in bench.effect.bands for knob in band)]
    missing = sorted({knob for knob in named if knob is not None} - {*params})
    bench.require(not missing, f"`level`, `thresholds` or `bands` name {', '.join(missing)}, which is no knob of it")
    said = [move.text for move in bench.effect.describe(bench.effect.neutral())]
    bench.require(not said, f"at neutral settings it says: {' '.join(said)}")
    bench.require(len(set(params)) == len(params), f"two knobs share a name in {', '.join(params)}")


def _keeps_form(bench: _Bench) -> None:
    theta = bench.scattered(2)
    for dtype in (torch.float32, torch.float64) if bench.effect.differentiable else (torch.float32,):
        x = probe(bench.sample_rate, 0.2, dtype).expand(2, -1, -1).clone()
        y = bench.render(x, theta)
        bench.require(y.shape == x.shape, f"audio of shape {tuple(x.shape)} comes out as {tuple(y.shape)}")
        bench.require(y.dtype == x.dtype, f"{x.dtype} comes out as {y.dtype}")
        bench.require(y.device == x.device, f"audio on {x.device} comes out on {y.device}")


def _leaves_its_arguments_alone(bench: _Bench) -> None:
    for theta in (bench.scattered(2), bench.corners()[:2], bench.neutral.expand(2, -1)):
        x = probe(bench.sample_rate, 0.2).expand(2, -1, -1).clone()
        settings = bench.settings(theta.float())
        before, values = x.clone(), {name: value.clone() for name, value in settings.items()}
        bench.effect.process(x, settings, bench.sample_rate)
        bench.require(torch.equal(x, before), "the input is modified", "Work on a copy: no in-place operation on `x`.")
        bench.require(
            settings.keys() == values.keys() and all(torch.equal(settings[name], values[name]) for name in values),
            "the settings are modified",
        )


def _is_a_function(bench: _Bench) -> None:
    x, theta = probe(bench.sample_rate), bench.scattered(2)
    bench.require(
        torch.equal(bench.render(x, theta), bench.render(x, theta)),
        "the same call twice gives two results",
        "Keep no state, and draw random numbers from a generator with a fixed seed.",
    )


def _stays_finite(bench: _Bench) -> None:
    corners, few = bench.corners(), bench.corners()[:2]
    x = probe(bench.sample_rate, 0.4)
    trials = {
        "music": (x, corners),
        "full scale": (torch.sign(x), corners),
        "silence": (torch.zeros_like(x), torch.cat([few, bench.neutral[None]])),
        "one sample": (x[..., :1], few),
    }
    for kind, (audio, theta) in trials.items():
        finite = torch.isfinite(bench.render(audio, theta)).flatten(1).all(dim=1)
        worst = theta[int(finite.int().argmin())]
        bench.require(bool(finite.all()), f"the output is not finite on {kind} at {bench.place(worst)}")


def _is_neutral(bench: _Bench) -> None:
    x = probe(bench.sample_rate)
    error = (bench.render(x, bench.neutral[None]) - x).abs().max().item()
    bench.require(
        error < IDENTITY,
        f"neutral settings ({bench.place(bench.neutral)}) change the audio by up to {error:.2g}",
        "Choose neutral values at which the output equals the input, without delay.",
    )


def _treats_rows_alone(bench: _Bench) -> None:
    x, theta = probe(bench.sample_rate, 0.4), bench.scattered(3)
    different = torch.cat([x, 0.3 * x.flip(-1), 0.1 * x.flip(1)])
    shared = bench.render(x, theta)
    bench.require(
        len(shared) == len(theta), f"one input under {len(theta)} settings comes out as {len(shared)} candidates"
    )
    for batch, rows in ((shared, x.expand(3, -1, -1)), (bench.render(different, theta), different)):
        for i in range(len(theta)):
            alone = bench.render(rows[i : i + 1], theta[i : i + 1])[0]
            error = ((batch[i] - alone).abs().max() / alone.abs().max().clamp_min(1e-9)).item()
            bench.require(error < ROWS, f"row {i} of a batch differs from that row alone by {error:.2g} of its peak")


def _answers_every_knob(bench: _Bench) -> None:
    """A knob may need the others at a certain place, so the middle, both ends and scattered places are tried."""
    x = probe(bench.sample_rate)
    silent = list(range(bench.knobs))
    bases = torch.cat([torch.full((1, bench.knobs), 0.5, dtype=torch.float64), bench.corners()[:2], bench.scattered(2)])
    values = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    for base in bases:
        if not silent:
            return
        theta = base.repeat(len(silent), len(values), 1)
        for row, knob in enumerate(silent):
            theta[row, :, knob] = values
        y = bench.render(x, theta.flatten(0, 1)).reshape(len(silent), len(values), *x.shape[1:])
        change = (y[:, [0, 0, 1]] - y[:, [1, 2, 2]]).square().mean(dim=(2, 3)).sqrt().amax(dim=1)
        level = y.square().mean(dim=(2, 3)).sqrt().amax(dim=1).clamp_min(1e-9)
        silent = [
            knob for knob, audible in zip(silent, (change / level > AUDIBLE).tolist(), strict=True) if not audible
        ]
    names = ", ".join(bench.effect.params[knob].name for knob in silent)
    bench.require(not silent, f"turning {names} changes nothing", "Use every declared param in `process`, or drop it.")


def _mirrors_what_is_sided(bench: _Bench) -> None:
    sided = torch.tensor([param.sided for param in bench.effect.params])
    if not sided.any():
        return
    x, theta = probe(bench.sample_rate, 0.2).expand(2, -1, -1), bench.scattered(2)
    mirrored = bench.render(x.flip(1), torch.where(sided, 1 - theta, theta)).flip(1)
    error = (mirrored - bench.render(x, theta)).abs().max().item()
    names = ", ".join(param.name for param in bench.effect.params if param.sided)
    bench.require(error < IDENTITY, f"a mirror image with {names} turned round is no mirror image of the result")


def _agrees_across_rates(bench: _Bench) -> None:
    low, high = 44_100, 48_000
    x, grid = probe(low), log_grid(40.0, 15_000.0, 3)
    for theta in (torch.full((1, bench.knobs), 0.5, dtype=torch.float64), bench.scattered(1)):
        here = _Bench(bench.effect, low).render(x, theta)[0]
        faster = _Bench(bench.effect, high).render(resample(x, low, high), theta)[0]
        there = resample(faster, high, low)
        spectra = [long_term_spectrum(y, low, grid) for y in (here, there)]
        audible = spectra[0] > spectra[0].max() - 80
        apart = (spectra[0] - spectra[1]).abs()[audible].mean().item()
        where = f"at {bench.place(theta[0])}"
        bench.require(apart < RATE_SPECTRUM_DB, f"spectra at 44.1 and 48 kHz lie {apart:.1f} dB apart {where}")
        # power between the ends of the grid: at 48 kHz there is more above it
        power = [(10 ** (spectrum / 10) * grid).sum().item() for spectrum in spectra]
        level = abs(10 * math.log10(power[0] / power[1]))
        bench.require(level < RATE_LEVEL_DB, f"levels at 44.1 and 48 kHz lie {level:.1f} dB apart {where}")


def _loss(y: Tensor) -> Tensor:
    """A smooth number per row that depends on level, phase and balance."""
    ramp = torch.linspace(0.5, 1.5, y.shape[-1], dtype=y.dtype)
    sway = torch.cos(torch.arange(y.shape[-1], dtype=y.dtype) * 0.37)
    energy = (y.square() * ramp).mean(dim=-1)
    return energy[:, 0] + 2 * energy[:, 1] + (y[:, 0] * y[:, 1] * ramp).mean(dim=-1) + (y[:, 0] * sway).mean(dim=-1)


def _has_finite_gradients(bench: _Bench) -> None:
    corners = torch.cat([bench.neutral[None], bench.corners()])
    x = probe(bench.sample_rate, 0.2)
    for kind, audio, theta in (("music", x, corners), ("silence", torch.zeros_like(x), corners[:3])):
        knobs, input_ = theta.float().requires_grad_(), audio.clone().requires_grad_()
        loss = _loss(bench.render(input_, knobs)).sum()
        bench.require(loss.requires_grad, "it says that it is differentiable, and its output has no gradient")
        to_knobs, to_input = torch.autograd.grad(loss, [knobs, input_], allow_unused=True, materialize_grads=True)
        finite = torch.isfinite(to_knobs).all(dim=1)
        worst = theta[int(finite.int().argmin())]
        bench.require(bool(finite.all()), f"a gradient is not finite on {kind} at {bench.place(worst)}")
        bench.require(bool(torch.isfinite(to_input).all()), f"the gradient to the input is not finite on {kind}")


def _has_right_gradients(bench: _Bench) -> None:
    theta, x = 0.3 + 0.4 * bench.scattered(1), probe(bench.sample_rate, 0.2, torch.float64)
    knobs, input_ = theta.clone().requires_grad_(), x.clone().requires_grad_()
    loss = _loss(bench.render(input_, knobs)).sum()
    to_knobs, to_input = torch.autograd.grad(loss, [knobs, input_], allow_unused=True, materialize_grads=True)
    with torch.no_grad():
        steps = STEP * torch.eye(bench.knobs, dtype=torch.float64)
        measured = (_loss(bench.render(x, theta + steps)) - _loss(bench.render(x, theta - steps))) / (2 * STEP)
        along = probe(bench.sample_rate, 0.2, torch.float64).flip(-1).cos()
        ahead, behind = (_loss(bench.render(x + step * along, theta)).sum() for step in (STEP, -STEP))
    scale = max(measured.abs().max().item(), loss.abs().item())
    for param, analytic, finite in zip(bench.effect.params, to_knobs[0].tolist(), measured.tolist(), strict=True):
        close = abs(analytic - finite) <= GRADIENT * (abs(finite) + 1e-3 * scale)
        bench.require(close, f"the gradient of {param.name} is {analytic:.4g}, and {finite:.4g} by finite differences")
    analytic, finite = (to_input * along).sum().item(), ((ahead - behind) / (2 * STEP)).item()
    close = abs(analytic - finite) <= GRADIENT * (abs(finite) + 1e-3 * scale)
    bench.require(close, f"the gradient to the input is {analytic:.4g}, and {finite:.4g} by finite differences")
