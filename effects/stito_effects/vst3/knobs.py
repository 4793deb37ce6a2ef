"""A plug-in's parameters as params: a host knows places in [0, 1], and what a plug-in would read there."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stito.effects.param import Param

__all__ = ["Knob", "knobs_of"]

UNIT = re.compile(r"_(db|hz|ms|s|percent)$")
NUMBER = re.compile(r"\s*([-+]?\d+(?:\.\d+)?)\s*(k(?=Hz|hz|\b))?")
OFF = 0.02
"""So far, as a share of the range, may readings be from a straight line: they are rounded."""
MOST_NAMED = 8
"""Readings of a switch that are worth a line."""
GEOMETRIC = ("Hz", "ms", "s")
DIGITS = 4
"""Of the range of a knob, so many digits are its own."""


@dataclass(frozen=True)
class Knob:
    """A param, and how the plug-in knows it.

    Attributes:
        param: with the values that the plug-in shows.
        key: the plug-in's name of it.
        steps: the number of positions of a switch.
        ratios: whether places at equal distances show values in equal ratios, and not in equal steps.
    """

    param: Param
    key: str
    steps: int | None = None
    ratios: bool = False

    def place(self, value: float) -> float:
        """Where the host puts it, in [0, 1]."""
        place = min(max(replace(self.param, scale="log" if self.ratios else "linear").to_unit(float(value)), 0.0), 1.0)
        return place if self.steps is None else round(place * (self.steps - 1)) / (self.steps - 1)


def knobs_of(parameters: Sequence[Mapping[str, Any]], taken: Collection[str]) -> list[Knob]:
    """The knobs of a plug-in, under names that are not taken.

    A knob whose readings rise in equal steps, or in equal ratios, has the values that it shows; any other switch has
    the numbers of its positions, from 0, and any other knob its place, from 0 to 1. Searches go through frequencies and
    times in equal ratios, however the plug-in does.
    """
    names, knobs = set(taken), list[Knob]()
    for parameter in parameters:
        knob = _knob(parameter, names)
        names.add(knob.param.name)
        knobs.append(knob)
    return knobs


def _knob(parameter: Mapping[str, Any], taken: Collection[str]) -> Knob:
    key, place = str(parameter["name"]), float(parameter["place"])
    title, readings = str(parameter["title"]), [str(text).strip() for text in parameter["readings"]]
    steps = int(parameter["steps"]) if int(parameter["steps"]) == len(readings) > 1 else None
    values = [_number(text) for text in readings]
    rising = [value for value in values if value is not None]
    shown = len(rising) == len(values) and rising[0] < rising[-1]
    ratios = shown and not _is_straight(rising) and rising[0] > 0 and _is_straight([math.log(at) for at in rising])
    if shown and (ratios or _is_straight(rising)):
        name, low, high, doc = _free(key, taken), rising[0], rising[-1], title
    elif steps is not None:
        named = ", ".join(f"{step} {text}" for step, text in enumerate(readings[:MOST_NAMED]))
        name, low, high = _free(UNIT.sub("", key), taken), 0.0, steps - 1.0
        doc = f"{title}: {named}{', ...' if steps > MOST_NAMED else ''}"
    else:
        name, low, high, doc = _free(UNIT.sub("", key), taken), 0.0, 1.0, f"{title}: {readings[0]} to {readings[-1]}"
    param = Param(name, low, high, low, "log" if ratios else "linear", doc)
    at = _short(min(max(param.from_unit(place), low), high), param)
    in_ratios = low > 0 and (ratios or param.unit in GEOMETRIC)
    return Knob(replace(param, neutral=at, scale="log" if in_ratios else "linear"), key, steps, ratios)


def _short(value: float, param: Param) -> float:
    """A default without the noise of single precision."""
    rounded = float(f"{round(value, DIGITS - math.floor(math.log10(param.high - param.low))):.6g}")
    return min(max(rounded, param.low), param.high)


def _is_straight(values: Sequence[float]) -> bool:
    low, high = values[0], values[-1]
    line = [low + (high - low) * index / (len(values) - 1) for index in range(len(values))]
    return all(abs(value - wanted) <= OFF * (high - low) for value, wanted in zip(values, line, strict=True))


def _number(text: str) -> float | None:
    """The number that a reading begins with; 1.2 kHz is 1200."""
    found = NUMBER.match(text)
    if not found:
        return None
    return float(found[1]) * (1000.0 if found[2] else 1.0)


def _free(name: str, taken: Collection[str]) -> str:
    """The name, or one that says whose it is."""
    return name if name not in taken else _free(f"own_{name}", taken)
