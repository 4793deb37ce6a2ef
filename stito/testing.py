"""The contracts of whatever plug-ins bring, as code that anyone can run on theirs.

```python
from stito.testing import check_effect

def test_my_effect_keeps_the_contract():
    check_effect(MyEffect())
```

A broken rule raises `ContractError`, which names the rule, the knob and the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch
from torch import Tensor

from stito.audio import resample
from stito.dsp.statistics import log_grid, long_term_spectrum
from stito.effects.effect import Effect
from stito.errors import PluginError
from stito.metrics import Better, Metric
from stito.models.converter import Converter, convert
from stito.models.encoder import Encoder

if TYPE_CHECKING:
    from stito.data.manipulation import Manipulator
    from stito.effects.chain import Chain
    from stito.engine.methods.base import Method
    from stito.engine.pairs import PairExcerpts
    from stito.engine.solution import Solution
    from stito.search import Search

__all__ = [
    "ContractError",
    "check_converter",
    "check_effect",
    "check_encoder",
    "check_manipulator",
    "check_method",
    "check_metric",
    "check_search",
    "probe",
]

IDENTITY = 1e-4
"""The largest deviation from the input at neutral settings."""
ROWS = 1e-5
"""The largest deviation, relative to the peak, of a row of a batch from that row alone."""
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
BLOCKS = 10**-4.5
"""The largest deviation, relative to the peak, of audio converted in blocks: -90 dB."""
METHOD_EVALUATIONS = 12
SEARCH_STEPS = 40
"""How many times a search is asked."""
MANIPULATIONS = 16
LEVEL = 1e-3
"""The largest relative change of the RMS level by an effect that keeps it."""


class ContractError(PluginError, AssertionError):
    """A plug-in breaks a rule of its contract."""


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


def probe(sample_rate: int, seconds: float = 0.8, dtype: torch.dtype = torch.float32) -> Tensor:
    """A test signal (1, 2, t) on which every knob is audible: hits, chords and noise, loud and soft, in stereo."""
    t = torch.arange(round(seconds * sample_rate), dtype=torch.float64) / sample_rate
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, len(t), generator=generator, dtype=torch.float64)
    hits = torch.exp(-((t % 0.2) / 0.02))
    swell = 0.1 + 0.9 * torch.sin(math.pi * t / seconds).square()
    bass = torch.sin(2 * math.pi * 55 * t) + 0.5 * torch.sin(2 * math.pi * 110 * t)
    chord = sum((torch.sin(2 * math.pi * hz * t) / k for k, hz in enumerate((220, 277, 1330, 5000), 1)), start=0 * t)
    left = 0.25 * bass + 0.30 * swell * chord + hits * noise[0] + 0.02 * noise[0]
    right = 0.25 * bass + 0.15 * swell * chord + 0.4 * hits * noise[0] + 0.2 * swell * noise[1]
    stereo = torch.stack([left, right])
    return (0.7 * stereo / stereo.abs().max())[None].to(dtype)


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


def check_encoder(encoder: Encoder) -> None:
    """Hold an encoder to its contract: quiet if it keeps every rule, `ContractError` at the first that it breaks.

    The rules: embeddings are float32 (b, dim); the same call twice is equal; a row of a batch equals that row alone;
    the input is not modified; finite on silence, at full scale and on half a second; the gradient to the input is
    finite.
    """
    name = getattr(encoder, "name", type(encoder).__name__)

    def require(kept: bool, rule: str) -> None:
        if not kept:
            raise ContractError(f"The encoder '{name}' breaks its contract: {rule}.")

    x = probe(encoder.sample_rate, 3.0)
    batch = torch.cat([x, 0.3 * x.flip(-1), x.flip(1)])
    before = batch.clone()
    with torch.no_grad():
        embedding = encoder.embed(batch)
        shape = tuple(embedding.shape)
        require(shape == (3, encoder.dim), f"3 signals become {shape}, and dim is {encoder.dim}")
        require(embedding.dtype == torch.float32, f"embeddings are {embedding.dtype}, not float32")
        require(torch.equal(batch, before), "the input is modified")
        require(torch.equal(embedding, encoder.embed(batch)), "the same call twice gives two embeddings")
        for row in range(3):
            apart = (embedding[row] - encoder.embed(batch[row : row + 1])[0]).abs().max().item()
            limit = 10 * ROWS * embedding[row].abs().max().item() + 1e-7
            require(apart <= limit, f"row {row} of a batch differs from that row alone by {apart:.2g}")
        short = x[..., : encoder.sample_rate // 2]
        odd = {"silence": torch.zeros_like(x), "full scale": torch.sign(x), "half a second": short}
        for kind, audio in odd.items():
            require(bool(torch.isfinite(encoder.embed(audio)).all()), f"the embedding of {kind} is not finite")
    for kind, audio in {"music": x, "silence": torch.zeros_like(x)}.items():
        input_ = audio.clone().requires_grad_()
        output = encoder.embed(input_)
        require(output.requires_grad, "no gradient flows from the embedding to the audio")
        (gradient,) = torch.autograd.grad(output.sum(), input_)
        require(bool(torch.isfinite(gradient).all()), f"the gradient to the audio is not finite on {kind}")


def check_converter(converter: Converter) -> None:
    """Hold a converter to its contract: quiet if it keeps every rule, `ContractError` at the first that it breaks.

    The rules: styles are float32 (b, dim), audio keeps its shape; the same call twice is equal; a row of a batch equals
    that row alone; the input is not modified; finite on silence and at full scale; in blocks as in one piece, within
    -90 dB of the peak.
    """

    def require(kept: bool, rule: str) -> None:
        if not kept:
            raise ContractError(f"The converter '{converter.name}' breaks its contract: {rule}.")

    x = probe(converter.sample_rate, 3.0)
    batch = torch.cat([x, 0.3 * x.flip(-1)])
    before = batch.clone()
    with torch.no_grad():
        style = converter.embed(batch)
        require(style.dtype == torch.float32 and style.dim() == 2 and len(style) == 2, f"styles are {style.shape}")
        made = converter.render(batch, style.flip(0), style)
        require(made.shape == batch.shape, f"{tuple(batch.shape)} becomes {tuple(made.shape)}")
        require(torch.equal(batch, before), "the input is modified")
        require(torch.equal(made, converter.render(batch, style.flip(0), style)), "the same call twice differs")
        alone = converter.render(x, style[1:], style[:1])
        apart = float((made[0] - alone[0]).abs().max())
        require(
            apart <= BLOCKS * float(alone.abs().max()), f"a row of a batch differs from that row alone by {apart:.2g}"
        )
        for kind, audio in {"silence": torch.zeros_like(x), "full scale": torch.sign(x)}.items():
            rendered = converter.render(audio, style[1:], style[:1])
            require(bool(torch.isfinite(rendered).all()), f"the rendering of {kind} is not finite")
        long = torch.cat([x[0]] * (1 + converter.reach // x.shape[-1]), dim=-1)
        pieces, whole = (
            convert(converter, long, style[1], style[0], block=block) for block in (long.shape[-1] // 3, long.shape[-1])
        )
        apart = float((pieces - whole).abs().max())
        require(apart <= BLOCKS * float(whole.abs().max()), f"in blocks it differs by {apart:.2g}")


def check_search(make_search: Callable[[int, int], Search]) -> None:
    """Hold a search, made by `make_search(dim, seed)`, to its contract, on a bowl in three dimensions.

    The rules: candidates are (n, dim) inside [0, 1]; the same seed gives the same candidates; what it asked for and
    the losses it got are not modified; its best candidate improves on its first ones. Raises `ContractError`.
    """
    name, asked, best = _driven(make_search, seed=0)
    _, again, _ = _driven(make_search, seed=0)
    same = len(asked) == len(again) and all(torch.equal(a, b) for a, b in zip(asked, again, strict=True))
    _require_search(same, name, "the same seed gives other candidates")
    _require_search(
        best[-1] < best[0], name, f"after {SEARCH_STEPS} steps the best loss is {best[-1]:.3g}, from {best[0]:.3g}"
    )


def _require_search(kept: bool, name: str, rule: str) -> None:
    if not kept:
        raise ContractError(f"The search '{name}' breaks its contract: {rule}.")


def check_method(method: Method, chain: str | Chain | None = None) -> None:
    """Hold a method to its contract, on two short sounds and a chain (by default the one for stems).

    The rules: it has `name`, `direct`, `joint`, `check` and `solve`; a solution has settings of the chain, or a
    conversion, for every stem of the pair, and finite distances; the same seed gives the same solution; excerpts are
    not modified; a direct method evaluates no candidates, a search no more than its budget, and none when it is
    interrupted. Raises `ContractError`.
    """
    from stito import registry
    from stito.effects.chain_files import load_chain
    from stito.engine.context import Context
    from stito.engine.methods.base import Method
    from stito.engine.networks import Networks
    from stito.engine.options import TransferOptions
    from stito.models.loading import load_encoder
    from stito.search.base import Budget

    def require(kept: bool, rule: str) -> None:
        if not kept:
            raise ContractError(f"The method '{getattr(method, 'name', method)}' breaks its contract: {rule}.")

    require(isinstance(method, Method), "it lacks one of name, direct, joint, check and solve")
    the_chain = load_chain(chain or registry.default("chain of stems"))
    encoder = load_encoder(registry.default("measured encoder"))
    options = TransferOptions(method=method, seed=1, budget=Budget(evaluations=METHOD_EVALUATIONS))
    context = Context(options, the_chain, encoder, Networks(the_chain), seed=1, budget=options.budget)
    pair = _short_pair(encoder.sample_rate)
    before = [excerpt.clone() for excerpt in (*pair.inputs, *pair.references)]
    method.check(context)
    first, again = method.solve(pair, context), method.solve(pair, context)
    interrupted = method.solve(pair, replace(context, interrupted=True))
    unchanged = all(torch.equal(a, b) for a, b in zip(before, (*pair.inputs, *pair.references), strict=True))
    require(unchanged, "excerpts are modified")
    for solution in (first, again, interrupted):
        stems = {*solution.strips, *solution.conversions}
        require(stems == set(pair.candidates), f"it solves {sorted(stems)} of {sorted(pair.candidates)}")
        finite = math.isfinite(solution.loss_before) and math.isfinite(solution.loss_after)
        require(finite, f"distances are {solution.loss_before} and {solution.loss_after}")
        for of, settings in solution.strips.values():
            require(of.settings(of.encode(settings)).keys() == settings.keys(), "settings are not those of the chain")
    require(_same_solution(first, again), "the same seed gives another solution")
    most = 0 if method.direct else METHOD_EVALUATIONS
    require(first.evaluations <= most, f"{first.evaluations} candidates are evaluated, {most} were granted")
    require(interrupted.evaluations == 0, "interrupted, it goes on to evaluate candidates")


def _short_pair(sample_rate: int) -> PairExcerpts:
    """Two seconds of noise, and other noise that is louder, duller and to the left."""
    from stito.engine.pairs import PairExcerpts

    x = probe(sample_rate, 2.0)[0]
    other = probe(sample_rate, 2.0)[0].flip(-1).cumsum(-1)
    reference = torch.tensor([[1.0], [0.5]]) * 0.5 * other / other.abs().max()
    return PairExcerpts("drums", {"drums": [x]}, [x], [reference], False, sample_rate)


def _same_solution(one: Solution, other: Solution) -> bool:
    """Whether both have the same settings and conversions."""
    strips = {stem: settings for stem, (_, settings) in one.strips.items()} == {
        stem: settings for stem, (_, settings) in other.strips.items()
    }
    return strips and all(
        torch.equal(conversion.reference, other.conversions[stem].reference)
        for stem, conversion in one.conversions.items()
    )


def _driven(make_search: Callable[[int, int], Search], seed: int) -> tuple[str, list[Tensor], list[float]]:
    """A search's name, everything it asked, and its best loss after each step."""
    dim = 3
    bottom = torch.tensor([0.31, 0.72, 0.58])
    search = make_search(dim, seed)
    name = type(search).__name__
    asked: list[Tensor] = []
    best: list[float] = []
    for _ in range(SEARCH_STEPS):
        theta = search.ask()
        shape = tuple(theta.shape)
        _require_search(theta.dim() == 2 and shape[1] == dim, name, f"it asks for {shape}, not for (n, {dim})")
        values = theta.detach().clone()
        inside = bool(((values >= 0) & (values <= 1)).all())
        _require_search(inside, name, f"candidates reach from {values.min():.3g} to {values.max():.3g}")
        loss = (theta - bottom.to(theta.dtype)).square().sum(dim=1)
        passed = loss if search.needs_gradient else loss.detach()
        losses = passed.detach().clone()
        search.tell(theta, passed)
        untouched = torch.equal(theta.detach(), values) and torch.equal(passed.detach(), losses)
        _require_search(untouched, name, "`tell` modifies its arguments")
        asked.append(values)
        best.append(min([*best[-1:], losses.min().item()]))
    return name, asked, best


def check_metric(metric: Metric, *, sample_rate: int = 44_100) -> None:
    """Hold a metric to its contract: quiet if it keeps every rule, `ContractError` at the first that it breaks.

    The rules: a name, a way that is better, and a definition of one sentence; values are (b,) and finite, on silence
    and at full scale too; the same call twice is equal; a row of a batch equals that row alone; one reference serves a
    batch; the input is not modified; unless it is aligned, it takes a reference of another length; nothing is better
    than the reference itself; a property has one finite value a sound.
    """

    def require(kept: bool, rule: str) -> None:
        if not kept:
            raise ContractError(f"The metric '{metric.name}' breaks its contract: {rule}.")

    require(bool(metric.name) and bool(metric.doc.strip()), "it needs a name and a definition")
    require(metric.better in get_args(Better), f"'{metric.better}' is no way that is better")
    reference = probe(sample_rate, 3.0)
    batch = torch.cat([reference, 0.3 * reference.flip(-1), reference.flip(1).clamp(-0.1, 0.1)])
    before = batch.clone(), reference.clone()
    with torch.no_grad():
        values = metric(batch, reference, sample_rate)
        require(tuple(values.shape) == (3,), f"3 results become {tuple(values.shape)}")
        untouched = torch.equal(batch, before[0]) and torch.equal(reference, before[1])
        require(untouched, "the input is modified")
        again = metric(batch, reference, sample_rate)
        require(torch.equal(values, again), "the same call twice gives two values")
        paired = metric(batch, reference.repeat(3, 1, 1), sample_rate)
        for row in range(3):
            alone = float(metric(batch[row : row + 1], reference, sample_rate)[0])
            limit = 10 * ROWS * (1 + abs(alone))
            apart = max(abs(float(found[row]) - alone) for found in (values, paired))
            require(apart <= limit, f"row {row} of a batch differs from that row alone by {apart:.2g}")
        for kind, audio in {"silence": torch.zeros_like(reference), "full scale": torch.sign(reference)}.items():
            ends = torch.cat([metric(audio, reference, sample_rate), metric(reference, audio, sample_rate)])
            require(bool(torch.isfinite(ends).all()), f"it is not finite on {kind}")
        if not metric.aligned:
            shorter = reference[..., : 2 * reference.shape[-1] // 3]
            try:
                finite = bool(torch.isfinite(metric(reference, shorter, sample_rate)).all())
            except (RuntimeError, ValueError) as error:
                raise ContractError(
                    f"The metric '{metric.name}' refuses a reference of another length: {error}"
                ) from error
            require(finite, "it is not finite for a reference of another length")
        best = values[0] if metric.better == "less" else -values[0]
        others = values[1:] if metric.better == "less" else -values[1:]
        require(
            metric.better == "neither" or bool((best <= others).all()), "something is better than the reference itself"
        )
        if metric.property is not None:
            own = metric.property.function(batch, sample_rate)
            require(tuple(own.shape) == (3,), f"its property of 3 sounds is {tuple(own.shape)}")
            require(bool(torch.isfinite(own).all()), "its property is not finite")


def check_manipulator(manipulator: Manipulator) -> None:
    """Hold a manipulator to its contract: quiet if it keeps every rule, `ContractError` at the first that it breaks.

    The rules: each effect has a probability; the same seed draws the same, and probabilities do not move the settings
    that are drawn; factors lie in [0, 1]; rendering keeps shape and dtype, is finite, does not modify its input, and
    gives the same twice; a row of a batch equals that row alone; a row without effects, or with effects of no strength,
    is exactly the input; what is said to keep the level does.
    """

    def require(kept: bool, rule: str) -> None:
        if not kept:
            raise ContractError(f"The manipulator {type(manipulator).__name__} breaks its contract: {rule}.")

    effects, stems = manipulator.effects, ["vocals", "drums", "bass", "other"] * (MANIPULATIONS // 4)
    require(set(manipulator.probabilities) == set(effects), "its probabilities are not those of its effects")
    never, always = (manipulator.with_probabilities(dict.fromkeys(effects, p)) for p in (0.0, 1.0))
    rare, drawn, again = (it.sample(stems, np.random.default_rng(0)) for it in (never, always, always))
    require(tuple(drawn.specification.effects) == effects, "its specification is of other effects")
    settings = [[knob for of in it.settings.values() for knob in of.values()] for it in (rare, drawn, again)]
    require(all(map(torch.equal, settings[1], settings[2])), "the same seed draws other settings")
    require(all(map(torch.equal, settings[0], settings[1])), "probabilities move the settings that are drawn")
    factors, _ = drawn.vector()
    require(bool(((factors >= 0) & (factors <= 1)).all()), "a factor lies outside 0 to 1")
    x = 0.2 * probe(manipulator.sample_rate).repeat(len(stems), 1, 1)
    before = x.clone()
    y = manipulator.render(x, drawn)
    require(torch.equal(x, before), "the input is modified")
    require(y.shape == x.shape and y.dtype == x.dtype, f"{tuple(x.shape)} becomes {tuple(y.shape)} {y.dtype}")
    require(bool(torch.isfinite(y).all()), "the output is not finite")
    require(torch.equal(y, manipulator.render(x, drawn)), "the same call twice gives two outputs")
    for row in (0, len(stems) - 1):
        apart = float((manipulator.render(x[:1], drawn.rows([row]))[0] - y[row]).abs().max())
        require(apart <= 10 * ROWS * float(y.abs().max()), f"row {row} of a batch differs from it alone by {apart:.2g}")
    require(torch.equal(manipulator.render(x, rare), x), "rows without an effect are changed")
    require(torch.equal(manipulator.render(x, drawn.milder(0.0)), x), "effects of no strength do something")
    for effect, declared in drawn.specification.effects.items():
        one = manipulator.sample(stems, np.random.default_rng(1), only=effect)
        used = {name for name, active in one.active.items() if bool(active.any())}
        require(used == {effect}, f"of {effect} alone it draws {', '.join(sorted(used)) or 'nothing'}")
        if declared.keeps_level:
            now, then = (audio.square().mean((1, 2)).sqrt() for audio in (manipulator.render(x, one), x))
            require(bool(((now / then - 1).abs() < LEVEL).all()), f"{effect} does not keep the level")
