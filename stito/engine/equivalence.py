"""Equivalent settings: an equaliser's curve in as few bands as make it, and what it does to the level in the gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from stito.dsp.stft import hann
from stito.effects.chain import Chain, ChainSettings, Slot
from stito.effects.effect import LinearEffect
from stito.effects.param import Param, Settings, as_batch
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
TRIED = 2
"""Choices of bands of each number that are fitted closely."""
STEPS, RATE = 40, 0.04
EACH_DB = 0.03
"""What a dB of gain costs, in dB^2: of two curves that sound alike the one with less in it."""


@dataclass(frozen=True)
class FewerBands:
    """An equaliser's curve by fewer bands: its settings, and the level that is left to the gain, in dB."""

    settings: Settings
    level_db: float


def fewer_bands(slot: Slot, settings: Mapping[str, float], x: Tensor, sample_rate: int) -> list[FewerBands]:
    """For each number of bands, from none to as many as are moved, the settings whose curve is closest, up to level.

    Curves are compared where the sound is that reaches the equaliser: their difference in dB is weighted by the average
    spectrum of `x` (2, t), and its mean is the level.

    Returns:
        Fewest bands first; nothing for a slot without bands (`Effect.bands`).
    """
    effect, free = slot.effect, {param.name: param for param in slot.free}
    bands = [band for band in effect.bands if band[0] in free and settings[band[0]] != free[band[0]].neutral]
    if not isinstance(effect, LinearEffect) or not 0 < len(bands) <= MOST_BANDS:
        return []
    weights = _weights(x)
    flat = {**settings, **{name: free[name].neutral for band in bands for name in band if name in free}}
    target = _curves(effect, as_batch(settings), sample_rate)[0]
    base = _curves(effect, as_batch(flat), sample_rate)[0]
    probes = [{**settings, **{other[0]: flat[other[0]] for other in bands}, band[0]: PROBE_DB} for band in bands]
    shapes = torch.cat([_curves(effect, as_batch(probe), sample_rate) - base for probe in probes]) / PROBE_DB
    chosen = _choices(shapes, target - base, weights)
    rows = [
        {**flat, **{name: settings[name] for index in choice for name in bands[index]}}
        | {bands[index][0]: gain for index, gain in zip(choice, gains, strict=True)}
        for choice, gains in chosen
    ]
    moving = [{name for index in choice for name in bands[index] if name in free} for choice, _ in chosen]
    every = tuple(range(len(bands)))
    middle = float(torch.tensor([settings[band[0]] for band in bands]).median())
    if len(bands) > 1:
        # what all have in common is level; their sum is nearly flat, so that this is close to a solution
        rows.append({**settings, **{band[0]: settings[band[0]] - middle for band in bands}})
        moving.append({name for band in bands for name in band if name in free})
        chosen.append((every, []))
    found, errors, levels = _fitted(effect, free, rows, moving, target, weights, sample_rate)
    best: dict[int, int] = {}
    for row, (choice, _) in enumerate(chosen):
        held = best.setdefault(len(choice), row)
        if errors[row] < errors[held]:
            best[len(choice)] = row
    return [FewerBands(found[best[count]], levels[best[count]]) for count in sorted(best)]


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


def _choices(shapes: Tensor, target: Tensor, weights: Tensor) -> list[tuple[tuple[int, ...], list[float]]]:
    """For each number of bands the choices of them that fit best, by linear least squares, and their gains in dB."""
    shapes, target = _centred(shapes, weights), _centred(target, weights)
    products, wanted = (shapes * weights) @ shapes.T, (shapes * weights) @ target
    found: list[tuple[tuple[int, ...], list[float]]] = []
    for count in range(len(shapes) + 1):
        tried: list[tuple[float, tuple[int, ...], list[float]]] = []
        for choice in combinations(range(len(shapes)), count):
            at = torch.tensor(choice, dtype=torch.long)
            matrix = products[at][:, at] + RIDGE * torch.eye(count)
            gains = torch.linalg.solve(matrix, wanted[at])
            error = float((weights * (target - gains @ shapes[at]).square()).sum())
            tried.append((error, choice, gains.tolist()))
        found += [(choice, gains) for _, choice, gains in sorted(tried)[:TRIED]]
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
    frozen = {name: torch.tensor([row[name] for row in rows]) for name in rows[0] if name not in free}

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
