"""Params: one knob each, and the map between the search's unit cube and physical settings.

A param is written once, beside its effect: range, scale and neutral value. Everything else (theta, presets, tables,
help, schemas) is read from there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import torch
from torch import Tensor

from stito.errors import SettingsError

__all__ = ["Param", "Settings"]

Settings = dict[str, float]
"""Physical values of one effect, by param name."""

Value = TypeVar("Value", float, Tensor)

SIXTHS = (1.0, 1.12, 1.25, 1.4, 1.6, 1.8, 2.0, 2.24, 2.5, 2.8, 3.15, 3.55, 4.0, 4.5, 5.0, 5.6, 6.3, 7.1, 8.0, 9.0)
USUAL = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
FINE = tuple(step / 10 for step in range(10, 100))
LINEAR_STEPS = {"dB": 0.5, "ms": 5.0, "%": 1.0}
"""The steps in which people turn knobs: within a decade on a log scale, and on a linear one by unit."""

_UNITS = {"db": "dB", "hz": "Hz", "ms": "ms", "s": "s", "percent": "%"}


@dataclass(frozen=True)
class Param:
    """One knob of an effect.

    Args:
        name: ends in its unit (`threshold_db`, `attack_ms`, `cutoff_hz`); a name without a unit is a plain number.
        low: the least physical value.
        high: the largest physical value.
        neutral: the value at which the knob does nothing, or its usual place where another knob bypasses it.
        scale: on the `log` scale equal steps of theta are equal ratios, which suits frequencies and times.
        doc: one line on what it does.
        sided: whether it turns to the other end of its range when left and right change places, as a pan does.
        depth: whether it is the amount of the effect, or of one of its bands: at neutral that does nothing, wherever
            the other knobs stand.
        aspect: of a mix to which it belongs (`stito.effects.aspects`), if that is another than its effect's.

    Raises:
        SettingsError: the range is empty or not finite, or the neutral value lies outside it.

    >>> round(Param("cutoff_hz", 20.0, 20_000.0, neutral=1000.0, scale="log").from_unit(0.5), 3)
    632.456
    """

    name: str
    low: float
    high: float
    neutral: float
    scale: Literal["linear", "log"] = "linear"
    doc: str = ""
    sided: bool = False
    depth: bool = False
    aspect: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise SettingsError(f"{self.name}: the range {self.low} to {self.high} is not a range.")
        if not self.low <= self.neutral <= self.high:
            raise SettingsError(
                f"{self.name}: the neutral value {self.neutral} lies outside {self.low} to {self.high}."
            )
        if self.scale == "log" and self.low <= 0:
            raise SettingsError(f"{self.name}: a log scale needs a positive range, not one from {self.low}.")

    @property
    def unit(self) -> str:
        """The unit, read off the name: `dB`, `Hz`, `ms`, `s`, `%`, or nothing."""
        return _UNITS.get(self.name.rsplit("_", 1)[-1], "")

    def from_unit(self, u: Value) -> Value:
        """The physical value at `u` in [0, 1]; a float or a tensor of any shape."""
        if self.scale == "log":
            ratio = math.log(self.high / self.low)
            grown = torch.exp(u * ratio) if isinstance(u, Tensor) else math.exp(u * ratio)
            return self.low * grown
        return self.low + u * (self.high - self.low)

    def to_unit(self, value: Value) -> Value:
        """The place in [0, 1] of a physical value: the inverse of `from_unit`."""
        if self.scale == "log":
            ratio = math.log(self.high / self.low)
            logged = torch.log(value / self.low) if isinstance(value, Tensor) else math.log(value / self.low)
            return logged / ratio
        return (value - self.low) / (self.high - self.low)

    def check(self, value: float) -> float:
        """`value` itself if the knob can stand there (rounding at the ends forgiven); else `SettingsError`."""
        slack = 1e-6 * (self.high - self.low)
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise SettingsError(f"{self.name} must be a number, not {value!r}.")
        if not self.low - slack <= value <= self.high + slack:
            raise SettingsError(
                f"{self.name} = {value:g} is outside its range.",
                hint=f"{self.name} goes from {self.low:g} to {self.high:g}{' ' + self.unit if self.unit else ''}.",
            )
        return min(max(float(value), self.low), self.high)

    def rounded(self, value: float, *, finely: bool = False) -> float:
        """The value of the knob's usual steps that is nearest to `value`; the neutral value is one of them.

        Half dB, sixths of an octave (the preferred numbers of ISO 3), .05 of a plain knob (.01 close to neutral), and
        for ratios, times and widths 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8 and their decades. `finely` is in fifths of a
        linear step, and in two digits on a log scale.

        >>> Param("cutoff_hz", 20.0, 20_000.0, neutral=1000.0, scale="log").rounded(2436.0)
        2500.0
        """
        if self.scale == "log":
            decade = 10.0 ** math.floor(math.log10(value))
            series = FINE if finely else SIXTHS if self.unit == "Hz" else USUAL
            steps = [decade * step for step in (*series, 10.0)]
            nearest = min((*steps, self.neutral), key=lambda step: abs(math.log(step / value)))
        else:
            step = LINEAR_STEPS.get(self.unit, 0.01 if abs(value - self.neutral) < 0.1 else 0.05) / (5 if finely else 1)
            nearest = min((round(value / step) * step, self.neutral), key=lambda place: abs(place - value))
        return float(f"{min(max(nearest, self.low), self.high):.10g}")

    def narrowed(self, low: float, high: float) -> Param:
        """The same knob on a smaller range; its neutral value moves to the nearest allowed one."""
        low, high = self.check(low), self.check(high)
        if low >= high:
            raise SettingsError(f"{self.name}: the range {low:g} to {high:g} is not a range.")
        return replace(self, low=low, high=high, neutral=min(max(self.neutral, low), high))


def as_batch(settings: Mapping[str, float], *, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Settings of one candidate as the (1,)-tensors that `Effect.process` takes."""
    return {name: torch.tensor([value], dtype=dtype) for name, value in settings.items()}
