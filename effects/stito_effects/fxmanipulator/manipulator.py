"""FXmanipulator: random mixing styles, drawn per row and rendered on a whole batch.

    shuffle{EQ, compressor} -> shuffle{panner, imager} -> reverb, in parallel -> gain

Source: Koo et al., "Music mixing style transfer" (ICASSP 2023): order, probabilities and ranges are the published ones.
Knobs are drawn evenly along their own scale: frequencies, ratios and times in their logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stito.compute.cores import each_slice
from stito.data.manipulation import Manipulation
from stito.effects.param import Param
from stito.errors import SettingsError, UnknownNameError
from stito_effects.compressor import Compressor
from stito_effects.eq import Equaliser
from stito_effects.fxmanipulator.effect_table import EFFECTS, ORDERS, RANGES, SPECIFICATION, STEPS
from stito_effects.fxmanipulator.impulses import Impulses
from stito_effects.fxmanipulator.split_reverb import split_reverb
from stito_effects.imager import Imager
from stito_effects.panner import Panner

__all__ = ["EFFECTS", "PROBABILITIES", "REVERB_PROBABILITIES", "FXmanipulator"]

ROOMS = 64
"""How many are made up where nobody says how many."""

PROBABILITIES: Mapping[str, float] = {
    "eq": 0.9,
    "compressor": 0.9,
    "panner": 0.3,
    "imager": 0.8,
    "reverb": 1.0,
    "gain": 0.5,
}
"""How often each effect is in a chain; of the reverb, a factor on `REVERB_PROBABILITIES`."""

REVERB_PROBABILITIES: Mapping[str, float] = {"vocals": 0.9, "drums": 0.5, "bass": 0.01, "other": 0.7}
"""By kind of stem; any other kind counts as `other`."""

MOST_DRY = 0.5
"""The dry weight is anything from zero to this, except for drums:"""
DRUMS_DRY = 0.6
"""theirs above the crossover,"""
DRUMS_LOW_DRY = 0.8
"""theirs below it, where"""
DRUMS_LOW_SHARE = 0.01
"""so few of the reverberated drums have any reverb; the others' lows stay dry."""

POWER_CENTRE_DB = 3.0
"""What the constant-power law takes from each channel at the centre; the linear law takes twice as much."""

REMOVED = 1e-5
"""What an effect takes down by 100 dB it has removed: its level is not brought back, for only noise would be."""


class FXmanipulator:
    """The `Manipulator` of Koo et al.; see `stito.data.manipulation`.

    `probabilities` may be given in part and re-set at any time: every row draws the same numbers whatever they are.
    `impulses` is a bank of rooms at the same sample rate, or a folder of recorded ones; without either, `rooms` of them
    are made up.
    """

    effects = EFFECTS

    def __init__(
        self,
        impulses: Impulses | Path | None = None,
        *,
        sample_rate: int = 44_100,
        rooms: int | None = None,
        probabilities: Mapping[str, float] | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.probabilities: dict[str, float] = dict(PROBABILITIES) | dict(probabilities or {})
        self._check()
        if isinstance(impulses, Impulses):
            self.impulses = impulses
        elif impulses is not None:
            self.impulses = Impulses.read(impulses, sample_rate)
        else:
            self.impulses = Impulses.synthetic(sample_rate, count=rooms or ROOMS)
        self._eq, self._compressor, self._panner, self._imager = Equaliser(), Compressor(), Panner(), Imager()
        self._banks: dict[torch.device, Impulses] = {}

    def with_probabilities(self, probabilities: Mapping[str, float]) -> FXmanipulator:
        """One in the same rooms; effects that are left out are used as often as was published."""
        other = copy(self)
        other.probabilities = dict(PROBABILITIES) | dict(probabilities)
        other._check()
        return other

    def sample(self, stems: Sequence[str], generator: np.random.Generator, *, only: str | None = None) -> Manipulation:
        """A random configuration for each of `stems`; with `only`, that effect is in every chain and alone there.

        Raises `UnknownNameError` for an effect that is none of `EFFECTS`, `SettingsError` for probabilities outside
        0 to 1.
        """
        self._check()
        if only is not None and only not in EFFECTS:
            raise UnknownNameError.of("effect", only, EFFECTS)
        columns = len(EFFECTS) + len(ORDERS) + sum(len(of.params) for of in SPECIFICATION.effects.values()) + 1
        draws = iter(generator.random((len(stems), columns)).T)
        active = {effect: next(draws) < self._probability(effect, stems, only) for effect in EFFECTS}
        order = {pair: next(draws) < 0.5 for pair in ORDERS}
        settings = {
            effect: {param.name: _drawn(effect, param, next(draws)) for param in declared.params}
            for effect, declared in SPECIFICATION.effects.items()
            if effect != "reverb"
        }
        settings["reverb"] = self._room(stems, next(draws), next(draws), next(draws))
        return Manipulation(SPECIFICATION, tuple(stems), _tensors(active), settings, _tensors(order))

    def between(self, start: Manipulation, end: Manipulation, amount: float) -> Manipulation:
        """The configurations that lie `amount` (0 to 1) of the way from `start` to `end`, row by row.

        Every knob goes along its own scale, and the room along the times that rooms ring; which effects are in the
        chain, their order and what can only stand on steps stay as at `start`.
        """
        settings = {
            effect: {param.name: _between(param, start, end, effect, amount) for param in declared.params}
            for effect, declared in SPECIFICATION.effects.items()
        }
        here, there = start.settings["reverb"], end.settings["reverb"]
        room = torch.lerp(here["impulse"], there["impulse"], amount).round()
        dry = settings["reverb"]["dry"]
        settings["reverb"] |= {
            "impulse": room,
            "decay_s": self.impulses.decay_s.to(room.device)[room.long()],
            "low_dry": torch.where(here["low_dry"] == here["dry"], dry, here["low_dry"]),
        }
        return replace(start, settings=settings)

    def describe(self, manipulation: Manipulation, row: int) -> dict[str, Any]:
        """One row in words and numbers, for JSON; its room by name too."""
        described = manipulation.describe(row)
        for entry in described["chain"]:
            if entry["effect"] == "reverb":
                entry["room"] = self.impulses.names[int(entry["impulse"])]
        return described

    def render(self, x: Tensor, manipulation: Manipulation) -> Tensor:
        """Audio (b, 2, t) under b configurations, on the device of `x`; (1, 2, t) is one input under all of them.

        After every effect but gain each row has the RMS that it had before it. A row without an effect comes out
        exactly as it came in, `x` is never modified, and no gradient passes. `SettingsError` if the rows do not agree.
        """
        rows = len(manipulation)
        if x.dim() != 3 or x.shape[1] != 2 or len(x) not in (1, rows):
            raise SettingsError(
                f"{rows} configurations cannot be rendered on audio of shape {tuple(x.shape)}.",
                hint="Give audio (b, 2, t), one row for each configuration.",
            )
        if not rows:
            return x.new_empty(0, *x.shape[1:])
        audio = x.detach().expand(rows, -1, -1)
        # matrix products inside the compressor must not be rounded to the precision of a training step
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            return each_slice(lambda part: self._rendered(audio[part], manipulation.rows(part)), rows, x.device)

    def _rendered(self, x: Tensor, manipulation: Manipulation) -> Tensor:
        # which rows is decided on the processor, where it waits for nothing
        active = {effect: values.cpu() for effect, values in manipulation.active.items()}
        eq_first = manipulation.order["eq_first"].cpu()
        lows_apart = (manipulation.settings["reverb"]["low_dry"] != manipulation.settings["reverb"]["dry"]).cpu()
        here = manipulation.to(x.device)
        level = _rms(x)
        x = _changed(x, active["eq"] & eq_first, self._equalised, here, level)
        x = _changed(x, active["compressor"], self._compressed, here, level)
        x = _changed(x, active["eq"] & ~eq_first, self._equalised, here, level)
        x = _changed(x, active["panner"] | active["imager"], self._placed, here, level)
        x = _changed(x, active["reverb"] & ~lows_apart, self._reverberated, here, level)
        x = _changed(x, active["reverb"] & lows_apart, self._reverberated_above, here, level)
        return x * _gain(here)[:, None, None]

    def _equalised(self, x: Tensor, here: Manipulation) -> Tensor:
        return self._eq.process(x, here.settings["eq"], self.sample_rate)

    def _compressed(self, x: Tensor, here: Manipulation) -> Tensor:
        """A hard knee, and each channel by itself."""
        p = here.settings["compressor"]
        none = torch.zeros_like(p["ratio"])
        return self._compressor.process(x, {**p, "knee_db": none, "link": none}, self.sample_rate)

    def _placed(self, x: Tensor, here: Manipulation) -> Tensor:
        """Panner and imager as one matrix; the level is brought back once, for it commutes with both."""
        p = here.settings["panner"]
        pan = {"pan": _power_law_pan(p["pan"], p["centre_db"])}
        panner = self._panner.response(pan, 0, self.sample_rate)[..., 0]
        imager = self._imager.response(here.settings["imager"], 0, self.sample_rate)[..., 0]
        panner = torch.where(here.active["panner"][:, None], panner, torch.ones_like(panner))
        imager = torch.where(here.active["imager"][:, None, None], imager, torch.eye(2).to(imager))
        # the panner scales channels: the columns of what follows it, the rows of what comes before
        after, before = imager * panner[:, None, :], panner[:, :, None] * imager
        matrix = torch.where(here.order["panner_first"][:, None, None], after, before)
        return matrix[:, :, :1] * x[:, :1] + matrix[:, :, 1:] * x[:, 1:]

    def _reverberated(self, x: Tensor, here: Manipulation) -> Tensor:
        return split_reverb(x, self._impulses(here), here.settings["reverb"]["dry"], self.sample_rate)

    def _reverberated_above(self, x: Tensor, here: Manipulation) -> Tensor:
        p = here.settings["reverb"]
        return split_reverb(x, self._impulses(here), p["dry"], self.sample_rate, low_dry=p["low_dry"])

    def _impulses(self, here: Manipulation) -> Tensor:
        """The answer of each row's room (b, 2, samples), on the row's device, as long as the longest of them."""
        chosen = here.settings["reverb"]["impulse"].long()
        bank = self._banks.get(chosen.device)
        if bank is None:
            bank = self._banks[chosen.device] = self.impulses.to(chosen.device)
        longest = max(bank.lengths[room] for room in chosen.tolist())
        return bank.audio[chosen, :, :longest]

    def _room(
        self, stems: Sequence[str], room: NDArray[np.float64], dry: NDArray[np.float64], lows: NDArray[np.float64]
    ) -> dict[str, Tensor]:
        """The reverb's settings of three draws (b,) each: which room, how much of it, and whether lows have it."""
        impulse = np.floor(room * len(self.impulses)).astype(np.int64)
        drums = np.array([stem == "drums" for stem in stems], dtype=bool)
        weight = np.where(drums, DRUMS_DRY, MOST_DRY * dry)
        low_weight = np.where(drums, np.where(lows < DRUMS_LOW_SHARE, DRUMS_LOW_DRY, 1.0), weight)
        return {
            "decay_s": self.impulses.decay_s.cpu()[torch.from_numpy(impulse)],
            **_settings({"dry": weight, "impulse": impulse, "low_dry": low_weight}),
        }

    def _probability(self, effect: str, stems: Sequence[str], only: str | None) -> NDArray[np.float64]:
        """How often an effect is in the chain of each of `stems`: (b,)."""
        if only is not None:
            return np.full(len(stems), float(effect == only))
        own = np.full(len(stems), self.probabilities[effect])
        if effect != "reverb":
            return own
        usual = REVERB_PROBABILITIES["other"]
        return own * np.array([REVERB_PROBABILITIES.get(stem, usual) for stem in stems], dtype=np.float64)

    def _check(self) -> None:
        for effect, probability in self.probabilities.items():
            if effect not in EFFECTS:
                raise UnknownNameError.of("effect", effect, EFFECTS)
            if not 0 <= probability <= 1:
                raise SettingsError(
                    f"The probability of {effect} is {probability:g}.", hint="Probabilities go from 0 to 1."
                )


def _drawn(effect: str, param: Param, draw: NDArray[np.float64]) -> Tensor:
    """Values (b,) of a knob at places in [0, 1): anywhere in its range, or on one of its `STEPS`."""
    if param.name in RANGES.get(effect, {}):
        param = param.narrowed(*RANGES[effect][param.name])
    if param.name in STEPS:
        draw = np.floor(draw * STEPS[param.name]) / (STEPS[param.name] - 1)
    return param.from_unit(torch.from_numpy(draw)).float()


def _between(param: Param, start: Manipulation, end: Manipulation, effect: str, amount: float) -> Tensor:
    """Values (b,) of a knob on the way from one to the other."""
    here, there = (manipulation.settings[effect][param.name] for manipulation in (start, end))
    return (
        here if param.name in STEPS else param.from_unit(torch.lerp(param.to_unit(here), param.to_unit(there), amount))
    )


def _settings(values: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value).float() for name, value in values.items()}


def _tensors(values: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value) for name, value in values.items()}


def _changed(
    x: Tensor,
    rows: Tensor,
    function: Callable[[Tensor, Manipulation], Tensor],
    manipulation: Manipulation,
    level: Tensor,
) -> Tensor:
    """`x` with those `rows` (b,) changed by `function` and brought back to their `level`, the others as they are."""
    index = rows.nonzero().flatten()
    if not len(index):
        return x
    place = index.to(x.device)
    changed = function(x[place], manipulation.rows(index))
    now, before = _rms(changed), level[place]
    changed = changed * torch.where(now > REMOVED * before, before / now, torch.ones_like(now))
    return changed if len(index) == len(x) else x.index_copy(0, place, changed)


def _rms(x: Tensor) -> Tensor:
    """The level of each row of (b, 2, t), both channels together: (b, 1, 1)."""
    return x.square().mean(dim=(1, 2), keepdim=True).sqrt()


def _power_law_pan(pan: Tensor, centre_db: Tensor) -> Tensor:
    """The place under the constant-power law where left and right stand as at `pan` under the law of `centre_db`.

    The linear law scales left and right by 1 - p and p, the constant-power law by cos and sin of p quarter turns, and
    that of -4.5 dB by the root of their product. How loud both are together is left to the level that is kept.
    """
    place = (pan + 1) / 2
    linear = -centre_db / POWER_CENTRE_DB - 1
    angle = place * (math.pi / 2)
    left = (1 - place) ** linear * angle.cos().clamp_min(0) ** (1 - linear)
    right = place**linear * angle.sin() ** (1 - linear)
    return torch.atan2(right, left) * (4 / math.pi) - 1


def _gain(manipulation: Manipulation) -> Tensor:
    """The factor of each row, (b,): one where there is no gain."""
    p = manipulation.settings["gain"]
    factor = 10 ** (p["gain_db"] / 20) * (1 - 2 * p["inverted"])
    return torch.where(manipulation.active["gain"], factor, torch.ones_like(factor))
