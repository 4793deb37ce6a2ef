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

    def narrowed(self, low: float, high: float) -> Param:
        """The same knob on a smaller range; its neutral value moves to the nearest allowed one."""
        low, high = self.check(low), self.check(high)
        if low >= high:
            raise SettingsError(f"{self.name}: the range {low:g} to {high:g} is not a range.")
        return replace(self, low=low, high=high, neutral=min(max(self.neutral, low), high))


def as_batch(settings: Mapping[str, float], *, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Settings of one candidate as the (1,)-tensors that `Effect.process` takes."""
    return {name: torch.tensor([value], dtype=dtype) for name, value in settings.items()}
