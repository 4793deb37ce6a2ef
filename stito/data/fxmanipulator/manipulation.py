"""Random effect settings as data: what was done to each row of a batch, to be done again to other content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from stito import registry
from stito.effects.param import Param

__all__ = ["EFFECTS", "ORDERS", "RANGES", "Manipulation", "knobs"]

EFFECTS = ("eq", "compressor", "panner", "imager", "reverb", "gain")

ORDERS = {"eq_first": ("eq", "compressor"), "panner_first": ("panner", "imager")}
"""The two pairs that come in either order: true is the order given here."""

_KNOBS: Mapping[str, tuple[Param, ...]] = {
    "compressor": (
        Param("threshold_db", -80.0, 0.0, neutral=0.0, doc="peak level above which gain is reduced"),
        Param("ratio", 1.0, 40.0, neutral=1.0, scale="log", doc="dB in for each dB out above the threshold"),
        Param("attack_ms", 1.0, 20.0, neutral=5.0, scale="log", doc="time to 63 % of a gain reduction"),
        Param("release_ms", 50.0, 500.0, neutral=150.0, scale="log", doc="time to 37 % of it once the level drops"),
    ),
    "panner": (
        Param("pan", -1.0, 1.0, neutral=0.0, doc="-1 is left, 1 is right"),
        Param("centre_db", -6.0, -3.0, neutral=-3.0, doc="the law: linear at -6, -4.5, constant power at -3"),
    ),
    "imager": (Param("width", 0.0, 2.0, neutral=1.0, doc="0 is mono, 2 is widest"),),
    "reverb": (
        Param("decay_s", 0.05, 6.0, neutral=0.05, scale="log", doc="the room's time to -60 dB"),
        Param("dry", 0.0, 1.0, neutral=1.0, doc="weight of the input; the room has the rest"),
    ),
    "gain": (
        Param("gain_db", -6.0, 9.0, neutral=0.0, doc="level change"),
        Param("inverted", 0.0, 1.0, neutral=0.0, doc="1 turns the polarity"),
    ),
}

RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "compressor": {"threshold_db": (-80.0, -5.0), "ratio": (4.0, 40.0)},
}
"""Where only a part of a knob's range is drawn: an active compressor is never neutral."""


STRENGTHS: Mapping[str, tuple[str, ...]] = {
    "eq": ("low_gain_db", "low_mid_gain_db", "mid_gain_db", "high_mid_gain_db", "high_gain_db"),
    "panner": ("pan",),
    "imager": ("width",),
    "reverb": ("dry", "low_dry"),
    "gain": ("gain_db",),
}
"""The knobs that take an effect from nothing to all that it does; of a compressor it is the slope of its curve."""


@lru_cache(maxsize=1)
def knobs() -> Mapping[str, tuple[Param, ...]]:
    """The knobs of each effect that vary independently; the equaliser's are those of the effect `eq`."""
    return {effect: _KNOBS.get(effect) or registry.load("effect", effect).params for effect in EFFECTS}


@dataclass(frozen=True, eq=False)
class Manipulation:
    """b random configurations of the FXmanipulator, one per row.

    Attributes:
        stems: the kind of each row, (b,).
        active: per effect, whether it is in the row's chain, (b,) bool.
        settings: per effect and param, physical values (b,), drawn for inactive effects too. Beside `knobs()`, the
            reverb has `impulse`, the number of a room in the bank, and `low_dry`, the weight of the input below the
            crossover, which differs from `dry` for drums.
        order: per shuffled pair (`ORDERS`), which way round it is, (b,) bool.
    """

    stems: tuple[str, ...]
    active: Mapping[str, Tensor]
    settings: Mapping[str, Mapping[str, Tensor]]
    order: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.stems)

    def rows(self, index: Sequence[int] | Tensor | slice) -> Manipulation:
        """A choice of rows, in the order given; repeats are fine."""
        if isinstance(index, slice):
            return self._mapped(self.stems[index], lambda values: values[index])
        chosen = torch.arange(len(self))[torch.as_tensor(index).cpu()]
        stems = tuple(self.stems[row] for row in chosen.tolist())
        place = chosen.to(self.order["eq_first"].device)
        return self._mapped(stems, lambda values: values[place])

    def to(self, device: torch.device | str) -> Manipulation:
        """The same configurations on a device."""
        return self._mapped(self.stems, lambda values: values.to(device))

    @classmethod
    def join(cls, parts: Iterable[Manipulation]) -> Manipulation:
        """The rows of all parts, one after the other."""
        first, *others = parts = list(parts)
        if not others:
            return first
        return cls(
            tuple(stem for part in parts for stem in part.stems),
            {effect: torch.cat([part.active[effect] for part in parts]) for effect in first.active},
            {
                effect: {name: torch.cat([part.settings[effect][name] for part in parts]) for name in values}
                for effect, values in first.settings.items()
            },
            {pair: torch.cat([part.order[pair] for part in parts]) for pair in first.order},
        )

    def with_effect(self, effect: str, other: Manipulation) -> Manipulation:
        """The same rows, but for this effect, which is used and set as in `other`."""
        return replace(
            self,
            active={**self.active, effect: other.active[effect]},
            settings={**self.settings, effect: other.settings[effect]},
        )

    def milder(self, strength: Tensor | float) -> Manipulation:
        """The same configurations with effects of that strength (or one each, (b,)): 0 does nothing, 1 is all.

        What says how much an effect does goes that part of the way from neutral, along its own scale; a compressor
        takes that part of the decibels away.
        """
        share = torch.as_tensor(strength, device=self.order["eq_first"].device)
        settings = {effect: dict(values) for effect, values in self.settings.items()}
        for effect, names in STRENGTHS.items():
            params = {param.name: param for param in knobs()[effect]}
            for name in names:
                param = params[name.removeprefix("low_") if effect == "reverb" else name]
                whole = settings[effect][name]
                none = param.to_unit(torch.full_like(whole, param.neutral))
                part = param.from_unit(torch.lerp(none, param.to_unit(whole), share.to(whole)))
                settings[effect][name] = torch.where(share == 1, whole, part)
        ratio = settings["compressor"]["ratio"]
        settings["compressor"]["ratio"] = torch.where(share == 1, ratio, 1 / (1 - share.to(ratio) * (1 - 1 / ratio)))
        active = {effect: values & (share > 0) for effect, values in self.active.items()}
        return replace(self, active=active, settings=settings)

    def vector(self) -> tuple[Tensor, tuple[str, ...]]:
        """The generative factors (b, k), each from 0 to 1 along its knob's own scale, and their names.

        An inactive effect stands at its neutral settings. Names are as `eq.low_gain_db`. This is what disentanglement
        is measured against.
        """
        columns, names = [], []
        for effect, params in knobs().items():
            for param in params:
                value = self.settings[effect][param.name]
                neutral = torch.full_like(value, param.neutral)
                placed = param.to_unit(torch.where(self.active[effect], value, neutral).clamp(param.low, param.high))
                columns.append(placed)
                names.append(f"{effect}.{param.name}")
        return torch.stack(columns, dim=1), tuple(names)

    def describe(self, row: int) -> dict[str, Any]:
        """One row in words and numbers, for JSON: its effects in the order of the signal, with their settings."""
        return {
            "stem": self.stems[row],
            "chain": [
                {"effect": effect}
                | {name: round(float(values[row]), 6) for name, values in self.settings[effect].items()}
                for effect in self._sequence(row)
                if self.active[effect][row]
            ],
        }

    def _sequence(self, row: int) -> list[str]:
        sequence = list(EFFECTS)
        for pair, effects in ORDERS.items():
            if not self.order[pair][row]:
                start = sequence.index(effects[0])
                sequence[start : start + 2] = reversed(effects)
        return sequence

    def _mapped(self, stems: tuple[str, ...], function: Callable[[Tensor], Tensor]) -> Manipulation:
        return Manipulation(
            stems,
            {effect: function(values) for effect, values in self.active.items()},
            {effect: {name: function(v) for name, v in values.items()} for effect, values in self.settings.items()},
            {pair: function(values) for pair, values in self.order.items()},
        )
