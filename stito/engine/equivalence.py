"""Equivalent settings: an equaliser's curve in as few bands as make it, and what it does to the level in the gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import torch
from torch import Tensor

from stito.dsp.stft import hann
from stito.effects.chain import Chain, ChainSettings, Slot
from stito.effects.effect import LinearEffect
from stito.effects.param import Param, Settings
from stito.search.adam import Adam

__all__ = ["FewerBands", "fewer_bands", "with_level_moved"]

POINTS = 2048
"""Of the FFT on whose bins curves are compared."""
PROBE_DB = 3.0
"""The boost at which each band's curve is measured, to be scaled."""
RIDGE = 0.01
QUIET = 0.02
"""The weight of bins in which there is nothing, beside the mean of 1: a curve is not to run wild there."""
MOST_BANDS = 8
"""An equaliser of more is left as it is: all choices of its bands would take too long."""
PLACES = (0.1, 0.5, 0.9)
"""Where in its range a band's frequency is tried, beside where it stands."""
MOST_PLACED = 4
"""Choices of more bands leave them where they stand."""
STEPS, RATE = 40, 0.04
EACH_DB = 0.03
"""What a dB of gain costs, in dB^2: of two curves that sound alike the one with less in it."""


@dataclass(frozen=True)
class FewerBands:
    """An equaliser's curve by fewer bands: its settings, and the level that is left to the gain, in dB."""

    settings: Settings
    level_db: float


@dataclass(frozen=True, eq=False)
class _Shape:
    """What 1 dB of a band does, in dB on the bins (f,), with its frequency and width at some place."""

    band: int
    place: Settings
    curve: Tensor


def fewer_bands(slot: Slot, settings: Mapping[str, float], x: Tensor, sample_rate: int) -> list[FewerBands]:
    """For each number of bands, from none to as many as are moved, the settings whose curves are closest, up to level.

    Curves are compared where the sound is that reaches the equaliser: their difference in dB is weighted by the average
    spectrum of `x` (2, t), and its mean is the level. Of each number there is one that mostly boosts and one that
    mostly cuts: with another gain they may sound alike.

    Returns:
        Fewest bands first, then what is closest: first none, where the level is all that the equaliser does to it.
        Nothing for a slot without bands (`Effect.bands`).
    """
    effect, free = slot.effect, {param.name: param for param in slot.free}
    bands = [band for band in effect.bands if band[0] in free and settings[band[0]] != free[band[0]].neutral]
    if not isinstance(effect, LinearEffect) or not 0 < len(bands) <= MOST_BANDS:
        return []
    weights = _weights(x)
    flat = {**settings, **{name: free[name].neutral for band in bands for name in band if name in free}}
    target, base = _curves(effect, _as_rows([dict(settings), flat]), sample_rate)
    shapes = _shapes(effect, free, flat, settings, bands, sample_rate)
    chosen = [
        (
            {**flat, **{name: value for i in choice for name, value in shapes[i].place.items()}}
            | {bands[shapes[i].band][0]: gain for i, gain in zip(choice, gains, strict=True)},
            [bands[shapes[i].band] for i in choice],
        )
        for choice, gains in _choices(shapes, target - base, weights)
    ]
    if len(bands) > 1:
        # what all have in common is level; their sum is nearly flat, so that this is close to a solution
        middle = float(torch.tensor([settings[band[0]] for band in bands]).median())
        chosen.append(({**settings, **{band[0]: settings[band[0]] - middle for band in bands}}, bands))
    moving = [{name for band in some for name in band if name in free} for _, some in chosen]
    found, errors, levels = _fitted(effect, free, [row for row, _ in chosen], moving, target, weights, sample_rate)
    ranked = sorted(range(len(chosen)), key=lambda row: (len(chosen[row][1]), errors[row]))
    return [FewerBands(found[row], levels[row]) for row in ranked]


def with_level_moved(
    chain: Chain, settings: Mapping[str, Mapping[str, float]], label: str, level_db: float
) -> ChainSettings:
    """Settings in which the gain does so many dB that the effect of that label did, as far as knobs go.

    Thresholds between the two go with the level of what reaches them. Without a gain only these and nothing else.
    """
    moved: ChainSettings = {name: dict(values) for name, values in settings.items()}
    labels = [slot.label for slot in chain.slots]
    here = labels.index(label)
    gains = [
        index for index, slot in enumerate(chain.slots) if slot.effect.level in {param.name for param in slot.free}
    ]
    there = min(gains, key=lambda index: abs(index - here), default=len(labels))
    between = chain.slots[here + 1 : there] if there > here else chain.slots[there + 1 : here]
    change = -level_db if there > here else level_db
    for slot in between:
        for param in slot.free:
            if param.name in slot.effect.thresholds:
                moved[slot.label][param.name] = _within(param, moved[slot.label][param.name] + change)
    if there < len(labels):
        slot = chain.slots[there]
        for param in slot.free:
            if param.name == slot.effect.level:
                moved[slot.label][param.name] = _within(param, moved[slot.label][param.name] + level_db)
    return moved


def _within(param: Param, value: float) -> float:
    return min(max(value, param.low), param.high)


def _weights(x: Tensor) -> Tensor:
    """The average amplitude spectrum of (2, t) on the bins of curves, of mean 1, with a floor: (f,)."""
    frames = x.detach().cpu().float().unfold(-1, min(POINTS, x.shape[-1]), max(1, min(POINTS, x.shape[-1]) // 2))
    spectra = torch.fft.rfft(frames * hann(frames.shape[-1], frames.dtype, frames.device), n=POINTS)
    amplitude = spectra.abs().square().mean((0, 1)).sqrt()
    amplitude = amplitude / amplitude.mean().clamp_min(1e-20) + QUIET
    weights: Tensor = amplitude / amplitude.sum()
    return weights


def _curves(effect: LinearEffect, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
    """The responses (b, f) of settings (b,), in dB."""
    response = effect.response(p, POINTS, sample_rate).flatten(1, -2)[:, 0]
    curves: Tensor = 10 * torch.log10(response.abs().square() + 1e-12)
    return curves


def _centred(curves: Tensor, weights: Tensor) -> Tensor:
    return curves - (curves * weights).sum(-1, keepdim=True)


def _shapes(
    effect: LinearEffect,
    free: Mapping[str, Param],
    flat: Settings,
    settings: Mapping[str, float],
    bands: Sequence[Sequence[str]],
    sample_rate: int,
) -> list[_Shape]:
    """Of every band, where it stands and then at some places of its range; `flat` has all bands at neutral."""
    places: list[tuple[int, Settings]] = []
    for index, (_, *others) in enumerate(bands):
        places.append((index, {name: settings[name] for name in others}))
        for frequency in [free[name] for name in others if name in free][:1]:
            neutral = {name: flat[name] for name in others}
            places += [(index, {**neutral, frequency.name: frequency.from_unit(place)}) for place in PLACES]
    probes = [{**flat, **there, bands[index][0]: PROBE_DB} for index, there in places]
    curves = _curves(effect, _as_rows([flat, *probes]), sample_rate)
    found = zip(places, (curves[1:] - curves[0]) / PROBE_DB, strict=True)
    return [_Shape(index, there, curve) for (index, there), curve in found]


def _as_rows(rows: Sequence[Settings]) -> dict[str, Tensor]:
    """Settings of several candidates as the (b,)-tensors that effects take."""
    return {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}


def _choices(shapes: Sequence[_Shape], target: Tensor, weights: Tensor) -> list[tuple[list[int], list[float]]]:
    """For each number of bands the shapes that fit best, by linear least squares, and their gains in dB.

    Of each number one choice in which gains go up altogether, and one in which they go down.
    """
    curves, target = _centred(torch.stack([shape.curve for shape in shapes]), weights), _centred(target, weights)
    products, wanted = (curves * weights) @ curves.T, (curves * weights) @ target
    places: dict[int, list[int]] = {}
    for index, shape in enumerate(shapes):
        places.setdefault(shape.band, []).append(index)
    found: list[tuple[list[int], list[float]]] = [([], [])]
    for count in range(1, len(places) + 1):
        of_bands = [at if count <= MOST_PLACED else at[:1] for at in places.values()]
        choices = torch.tensor([choice for some in combinations(of_bands, count) for choice in product(*some)])
        matrices, aims = products[choices[:, :, None], choices[:, None, :]], wanted[choices]
        gains = torch.linalg.solve(matrices + RIDGE * torch.eye(count), aims)
        # what of the target's energy is left, but for a constant
        left = torch.einsum("ci,cij,cj->c", gains, matrices, gains) - 2 * (gains * aims).sum(-1)
        costs = left + EACH_DB * gains.abs().sum(-1)
        upwards = gains.sum(-1) > 0
        for some in (upwards, ~upwards):
            if bool(some.any()):
                best = int(torch.where(some, costs, torch.inf).argmin())
                found.append((choices[best].tolist(), gains[best].tolist()))
    return found


def _fitted(
    effect: LinearEffect,
    free: Mapping[str, Param],
    rows: Sequence[Settings],
    moving: Sequence[set[str]],
    target: Tensor,
    weights: Tensor,
    sample_rate: int,
) -> tuple[list[Settings], list[float], list[float]]:
    """Settings close to `rows` whose curves are closest to the target up to level, their errors in dB^2 with what
    gains cost, and levels.
    """
    places = torch.tensor([[p.to_unit(_within(p, row[name])) for name, p in free.items()] for row in rows])
    mask = torch.tensor([[float(name in moved) for name in free] for moved in moving])
    frozen = {name: column for name, column in _as_rows(rows).items() if name not in free}

    def physical(theta: Tensor) -> dict[str, Tensor]:
        return frozen | {name: p.from_unit(theta[:, i]) for i, (name, p) in enumerate(free.items())}

    def errors(p: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        off = target - _curves(effect, p, sample_rate)
        level = (off * weights).sum(-1)
        return (weights * (off - level[:, None]).square()).sum(-1), level

    gains = [band[0] for band in effect.bands if band[0] in free]

    theta, adam = places, Adam(places)
    for _ in range(STEPS):
        with torch.enable_grad():
            theta = theta.detach().clone().requires_grad_(True)
            p = physical(theta)
            loss = errors(p)[0].sum() + EACH_DB * torch.stack([p[name].abs().sum() for name in gains]).sum()
            (gradient,) = torch.autograd.grad(loss, theta)
        theta = (theta.detach() - adam.step(gradient * mask, RATE)).clamp(0, 1)
    with torch.no_grad():
        theta = torch.where(mask > 0, theta, places)
        p = physical(theta)
        apart, level = errors(p)
        apart = apart + EACH_DB * torch.stack([p[name].abs() for name in gains]).sum(0)
    found: list[Settings] = []
    for i, row in enumerate(rows):
        at = {
            name: param.check(float(param.from_unit(theta[i, j].item())))
            for j, (name, param) in enumerate(free.items())
        }
        found.append({name: at[name] if name in moving[i] else value for name, value in row.items()})
    return found, apart.tolist(), level.tolist()
