"""One strip with fewer moves: knobs return to neutral as long as the rendering stays the same within a tolerance.

As in the pruning of mixing graphs (Lee et al., "Searching for music mixing graphs: a pruning approach", DAFx 2024) what
costs least goes first: whole effects return to neutral, equalisers get fewer bands, single knobs return while those
that are left make up for them, and these are rounded to steps that people use.

```
full settings ─▶ fewer effects ─▶ fewer bands ─▶ fewer knobs, refitted ─▶ rounded ─▶ bypass
      └──────────────── each within the tolerance of this rendering ────────────┘
```
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor

from stito.compute.cores import each_row
from stito.console.strips import gain
from stito.dsp.fourier import rfft
from stito.dsp.loudness import k_weighting
from stito.effects.chain import Chain, ChainSettings, Slot
from stito.effects.param import Param
from stito.engine.elimination import elimination_path
from stito.engine.equivalence import FewerBands, fewer_bands, with_level_moved
from stito.search.objective import Candidates, MonoCandidates, StemCandidates

__all__ = ["Strip"]

INAUDIBLE_DB = 0.4
"""A change of the rendering that is no larger on average than one of so many dB in its level is none."""
EFFECTS_SHARE, BANDS_SHARE, KNOBS_SHARE = 0.7, 0.8, 0.9
"""What may be used up of the tolerance by fewer effects, then bands, then knobs; the rest is for rounding."""
AGAINST_DB = 3.0
"""An equaliser and the gain behind it may take so much of the level from each other, in dB."""
BEYOND = 2.0
"""So many times the tolerance may be used up for an equaliser and a gain that do not, if the reference allows it."""
ROUNDS = 2
"""How often knobs return to neutral while those that are left make up for them."""
HEARD_S = 1.5
"""Seconds of each excerpt on which renderings are compared."""
POINTS, FRAMES, BANDS = 2048, 64, 32
"""Renderings are compared in frames of so many samples, so many of them, in so many bands."""
COMPRESSED = 0.6
"""The power of amplitudes that are compared, as of loudness (Stevens' law): at 1 only the loudest would count."""
UNCHANGED = 1e-3
"""Samples that differ by less are the same."""


Rounding = Callable[[Param, float], float]


class Strip:
    """One stem's chain and its full settings, ready to be simplified on excerpts (2, t)."""

    def __init__(
        self,
        chain: Chain,
        settings: ChainSettings,
        excerpts: Sequence[Tensor],
        sample_rate: int,
        *,
        mono: bool = False,
        device: str = "cpu",
    ) -> None:
        self.chain, self.full = chain, settings
        self._rate, self._mono, self._device = sample_rate, mono, torch.device(device)
        self._x = torch.cat([_middle(excerpt, round(HEARD_S * sample_rate)) for excerpt in excerpts], dim=-1)
        whole = self._candidates(chain)
        (target,) = whole(chain.encode(settings)[None].to(self._device))
        self._measure = _AtOneLoudness(target[0], sample_rate)
        self._renderings = {frozenset[str](): _Renderings(whole, self._measure, self._device)}
        self._fewer_bands: dict[str, list[FewerBands]] = {}
        self._neutral = chain.encode({})
        self._span = self._without_some().distances(self._neutral[None])[0]
        self._inaudible = self._measure.inaudible(INAUDIBLE_DB)
        self._of_level = [
            index for index, knob in enumerate(chain.knobs) if knob.param.name == self._slot(knob.label).effect.level
        ]

    def simplified(self, tolerance: float, part: float = 1.0) -> ChainSettings:
        """Settings with few moves.

        Args:
            tolerance: the rendering changes by no more than this share of what the full settings change, or by what
                nobody hears.
            part: of that change.
        """
        allowed = part * max(tolerance * self._span, self._inaudible)
        theta = self._with_fewer_effects(self.chain.encode(self.full), EFFECTS_SHARE * allowed)
        idle = {
            label
            for label in self._certainly_idle(self.chain.settings(theta))
            if self._slot(label).effect.level is None
        }
        left = self._without_some(idle)
        theta = self._with_fewer_bands(left, theta, BANDS_SHARE * allowed, beyond=BEYOND if part == 1 else 1.0)
        theta = self._without(theta, [index for index, knob in enumerate(self.chain.knobs) if knob.label in idle])
        allowed = max(allowed, left.distances(theta[None])[0] / BANDS_SHARE)
        for _ in range(ROUNDS):
            theta = self._with_fewer_knobs(left, theta, KNOBS_SHARE * allowed)
        return self._at_level(left, self._rounded(left, theta, allowed))

    def playing(self, settings: ChainSettings) -> Chain:
        """The chain with all that does nothing bypassed."""
        idle = self._certainly_idle(settings)
        theta = self.chain.encode(settings)[None].to(self._device)
        for slot in self.chain.slots:
            # without a depth, such as a limiter at 0 dBFS, it may still work on what is loud
            at_neutral = all(
                math.isclose(settings[slot.label][name], value, rel_tol=1e-6)
                for name, value in slot.effect.neutral().items()
            )
            if slot.label not in idle and at_neutral:
                ((now,), (without,)) = (
                    self._candidates(self.chain.bypassing(some))(theta) for some in (idle, idle | {slot.label})
                )
                if float((now - without).abs().max()) < UNCHANGED:
                    idle = idle | {slot.label}
        return self.chain.bypassing(idle)

    def _certainly_idle(self, settings: ChainSettings) -> set[str]:
        """The effects whose depths are all at neutral."""
        return {
            slot.label
            for slot in self.chain.slots
            if (depths := [param for param in slot.effect.params if param.depth])
            and all(settings[slot.label][param.name] == param.neutral for param in depths)
        }

    def _without_some(self, bypassed: Collection[str] = ()) -> _Renderings:
        """Renderings with these effects bypassed."""
        labels = frozenset(bypassed)
        if labels not in self._renderings:
            candidates = self._candidates(self.chain.bypassing(labels))
            self._renderings[labels] = _Renderings(candidates, self._measure, self._device)
        return self._renderings[labels]

    def _candidates(self, chain: Chain) -> Candidates:
        rendered = StemCandidates([chain.prepare(self._x, self._rate, wrapped=True)])
        return MonoCandidates(rendered) if self._mono else rendered

    def _slot(self, label: str) -> Slot:
        return next(slot for slot in self.chain.slots if slot.label == label)

    def _with_fewer_bands(self, left: _Renderings, theta: Tensor, allowed: float, *, beyond: float) -> Tensor:
        """Theta with each equaliser's curve in the fewest bands that are allowed, and its level in the gain.

        Where equaliser and gain would fight, it is one with which they do not, if need be the closest within `beyond`
        times what is allowed.
        """
        settings = self.chain.settings(theta)
        for index, slot in enumerate(self.chain.slots):
            if fewer := self._bands_of(index, settings):
                found = [
                    {**with_level_moved(self.chain, settings, slot.label, one.level_db), slot.label: one.settings}
                    for one in fewer
                ]
                distances = left.distances(torch.stack([self.chain.encode(other) for other in found]))
                whole_db = fewer[0].level_db
                sane = [not self._fights(whole_db - one.level_db, at) for one, at in zip(fewer, found, strict=True)]
                reach = beyond * allowed if self._fights(whole_db, settings) else allowed
                chosen = _fewest(distances, sane, allowed, reach)
                settings = settings if chosen is None else found[chosen]
        return self.chain.encode(settings)

    def _bands_of(self, index: int, settings: ChainSettings) -> list[FewerBands]:
        """What fewer bands can make of an equaliser, worked out once for what stands there and before."""
        slot, before = self.chain.slots[index], Chain("before", self.chain.slots[:index])
        if not slot.effect.bands:
            return []
        known = repr([settings[each.label] for each in (*before.slots, slot)])
        if known not in self._fewer_bands:
            x = before.render_one(self._x.cpu(), settings, self._rate)
            self._fewer_bands[known] = fewer_bands(slot, settings[slot.label], x, self._rate)
        return self._fewer_bands[known]

    def _fights(self, level_db: float, settings: ChainSettings) -> bool:
        """Whether an equaliser changes the level by so much and the gain takes it back: nobody would set them so."""
        knobs = [self.chain.knobs[index] for index in self._of_level]
        gain_db = sum(settings[knob.label][knob.param.name] for knob in knobs)
        return level_db * gain_db < 0 and min(abs(level_db), abs(gain_db)) > AGAINST_DB

    def _with_fewer_effects(self, theta: Tensor, allowed: float) -> Tensor:
        """Theta with as many effects at neutral as are allowed, those that cost least alone first; never the gain."""
        by_label: dict[str, list[int]] = {}
        for index in self._moved(theta):
            by_label.setdefault(self.chain.knobs[index].label, []).append(index)
        effects = list(by_label.values())
        if not effects:
            return theta
        whole = self._without_some()
        costs = whole.distances(torch.stack([self._without(theta, effect) for effect in effects]))
        ranked = sorted(zip(costs, effects, strict=True))
        order = [effect for cost, effect in ranked if cost <= allowed]
        for count in range(len(order), 0, -1):
            fewer = self._without(theta, [index for effect in order[:count] for index in effect])
            if count == 1 or whole.distances(fewer[None])[0] <= allowed:
                return fewer
        return theta

    def _with_fewer_knobs(self, left: _Renderings, theta: Tensor, allowed: float) -> Tensor:
        """Theta with as many knobs at neutral as are allowed, while those that are left make up for them."""
        moved = self._moved(theta)
        if not moved:
            return theta
        rows = torch.stack([theta, *(self._without(theta, [index]) for index in moved)])
        features = left.features(rows)
        path = elimination_path(features[1:] - features[0], features[0] - self._measure.wanted.cpu())
        ways = (self._neutral - theta)[moved]
        thetas = []
        for shares in path:
            changed = theta.clone()
            changed[moved] = (theta[moved] + shares.to(theta) * ways).clamp(0, 1)
            done = [index for index, share in zip(moved, shares.tolist(), strict=True) if share == 1]
            thetas.append(self._without(changed, done))

        count = _last_allowed(len(thetas), lambda count: left.distances(thetas[count][None])[0] <= allowed)
        return theta if count is None else thetas[count]

    def _moved(self, theta: Tensor) -> list[int]:
        """The knobs off neutral, but for the gain, which the fader could as well be."""
        return [index for index in (theta != self._neutral).nonzero()[:, 0].tolist() if index not in self._of_level]

    def _without(self, theta: Tensor, knobs: Sequence[int]) -> Tensor:
        """Theta with these knobs at neutral."""
        changed = theta.clone()
        changed[list(knobs)] = self._neutral[list(knobs)]
        return changed

    def _rounded(self, left: _Renderings, theta: Tensor, allowed: float) -> ChainSettings:
        """Settings at the knobs' usual steps; where that is not allowed some stand finely, at worst as they were."""
        exact = self.chain.settings(theta)
        moved = [index for index in range(self.chain.dim) if theta[index] != self._neutral[index]]

        def settings(usual: Sequence[int], others: Rounding) -> ChainSettings:
            made = self.chain.neutral()
            for index in moved:
                knob = self.chain.knobs[index]
                rounding = _usual if index in usual else others
                made[knob.label][knob.param.name] = rounding(knob.param, exact[knob.label][knob.param.name])
            return made

        def distances(choices: Sequence[ChainSettings]) -> list[float]:
            return left.distances(torch.stack([self.chain.encode(choice) for choice in choices]))

        choices = [settings(moved, _usual), settings([], _finely)]
        usual, finely = (distance <= allowed for distance in distances(choices))
        if usual or not moved:
            return choices[0]
        others = _finely if finely else _hardly
        costs = distances([settings([index], others) for index in moved])
        order = [index for _, index in sorted(zip(costs, moved, strict=True))]
        choices = [settings(order[:count], others) for count in range(len(order))]
        count = _last_allowed(len(choices), lambda count: distances([choices[count]])[0] <= allowed)
        return choices[count or 0]

    def _at_level(self, left: _Renderings, settings: ChainSettings) -> ChainSettings:
        """The same with the gain, if there is one, where the rendering is as loud as the full one."""
        for index in self._of_level[-1:]:
            knob = self.chain.knobs[index]
            with torch.no_grad():
                theta = self.chain.encode(settings)[None].to(self._device)
                lift = float(self._measure.lift_db(left.candidates(theta))[0])
            value = min(max(settings[knob.label][knob.param.name] + lift, knob.param.low), knob.param.high)
            settings = {**settings, knob.label: {**settings[knob.label], knob.param.name: knob.param.rounded(value)}}
        return settings


def _usual(param: Param, value: float) -> float:
    return param.rounded(value)


def _finely(param: Param, value: float) -> float:
    return param.rounded(value, finely=True)


def _hardly(param: Param, value: float) -> float:
    return min(max(float(f"{value:.4g}"), param.low), param.high)


def _middle(x: Tensor, samples: int) -> Tensor:
    begin = max(0, x.shape[-1] - samples) // 2
    return x[:, begin : begin + samples].contiguous()


def _fewest(distances: Sequence[float], sane: Sequence[bool], allowed: float, reach: float) -> int | None:
    """Of choices, fewest bands first: the first sane one that is allowed, else the closest sane one within reach.

    Else the first that is allowed; None where there is none.
    """
    within = [index for index, distance in enumerate(distances) if distance <= allowed]
    near = [index for index, distance in enumerate(distances) if sane[index] and distance <= reach]
    if both := [index for index in within if sane[index]]:
        return both[0]
    return min(near, key=distances.__getitem__) if near else next(iter(within), None)


def _last_allowed(count: int, is_allowed: Callable[[int], bool]) -> int | None:
    """The last of 0, 1, ... `count` - 1 that is allowed, by halving: the cost rises along them, nearly always."""
    last, beyond = -1, count
    while beyond - last > 1:
        middle = (last + beyond) // 2
        last, beyond = (middle, beyond) if is_allowed(middle) else (last, middle)
    return None if last < 0 else last


class _Renderings:
    """What candidates sound like; what was rendered before is not rendered again."""

    def __init__(self, candidates: Candidates, measure: _AtOneLoudness, device: torch.device) -> None:
        self.candidates, self._measure, self._device = candidates, measure, device
        self._known: dict[bytes, Tensor] = {}

    def features(self, thetas: Tensor) -> Tensor:
        """The sound of theta (n, dim), on the CPU: (n, d)."""
        keys = [theta.numpy().tobytes() for theta in thetas]
        new = {key: theta for key, theta in zip(keys, thetas, strict=True) if key not in self._known}
        if new:
            rows = torch.stack(list(new.values())).to(self._device)
            found = each_row(lambda rows: self._measure.features(self.candidates(rows)), rows)
            self._known.update(zip(new, found.cpu(), strict=True))
        return torch.stack([self._known[key] for key in keys])

    def distances(self, thetas: Tensor) -> list[float]:
        """How far each sound is from the target."""
        found: list[float] = (self.features(thetas) - self._measure.wanted.cpu()).abs().mean(-1).tolist()
        return found


class _AtOneLoudness:
    """The distance of a sound to a target (2, t), each candidate as loud as that: level is one knob, and a fader.

    Of the amplitudes of left, right, mid and side in bands of frequency and moments, compressed, the mean absolute
    difference: finer, a room's echoes would count that nobody can tell apart, and without the side the width would not.
    """

    def __init__(self, target: Tensor, sample_rate: int) -> None:
        starts = torch.linspace(0, max(0, target.shape[-1] - POINTS), FRAMES).round().long()
        places = (starts[:, None] + torch.arange(POINTS)).clamp_max(target.shape[-1] - 1)
        self._places, self._window = places.to(target.device), torch.hann_window(POINTS, device=target.device)
        edges = torch.linspace(1, (POINTS / 2) ** 0.5, BANDS + 1).square()  # finer in the lows, yet highs count
        bins = torch.arange(POINTS // 2 + 1)[:, None]
        within = (bins >= edges[:-1]) & (bins < edges[1:])
        loud = k_weighting(POINTS, sample_rate, target.dtype, target.device).abs().square().reshape(-1, 1)
        self._weights = torch.cat([(within / within.sum(0).clamp_min(1)).to(target), loud], dim=1)
        """Of bins in bands, and behind these in loudness."""
        bands, self._loudness = self._measured(target[None])
        self.wanted = self._compressed(bands)[0]

    def features(self, excerpts: Sequence[Tensor]) -> Tensor:
        """The sound of candidates (b, 2, t), each as loud as the target: (b, d)."""
        (excerpt,) = excerpts
        bands, loudness = self._measured(excerpt)
        return self._compressed(bands * self._lift(loudness)[:, None, None, None])

    def inaudible(self, change_db: float) -> float:
        """The distance of the target to itself at another level."""
        return float(self.wanted.mean() * (gain(change_db) ** COMPRESSED - 1))

    def lift_db(self, excerpts: Sequence[Tensor]) -> Tensor:
        """The gains (b,) in dB that make candidates (b, 2, t) as loud as the target."""
        (excerpt,) = excerpts
        return 10 * torch.log10(self._lift(self._measured(excerpt)[1]))

    def _measured(self, excerpt: Tensor) -> tuple[Tensor, Tensor]:
        """Of audio (b, 2, t) the energy of left, right, mid and side, (b, 4, frames, bands), and the loudness (b,)."""
        left, right = torch.view_as_real(rfft(excerpt[..., self._places] * self._window)).unbind(1)
        mid_side = (left + right) * math.sqrt(0.5), (left - right) * math.sqrt(0.5)
        energy = torch.stack([left, right, *mid_side], dim=1).square().sum(-1) @ self._weights
        return energy[..., :-1], energy[:, :2, :, -1].sum((1, 2))

    def _lift(self, loudness: Tensor) -> Tensor:
        return (self._loudness + 1e-9) / (loudness + 1e-9)

    @staticmethod
    def _compressed(bands: Tensor) -> Tensor:
        return (bands + 1e-9).pow(COMPRESSED / 2).flatten(1)
