"""How values are written for people: rounded as an engineer would round them, with their unit."""

from __future__ import annotations

import math
from typing import Literal

from stito.report.data import EffectSettings, Knob, Measured

__all__ = [
    "Movement",
    "knob_label",
    "moved_knobs",
    "movement",
    "unit_heads_line",
    "written",
    "written_cell",
    "written_knob",
    "written_reduction",
]

Movement = Literal["closer", "further", "unchanged"]

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
MOVED = 0.005
"""A knob closer to its neutral place, as a share of its range, stands there."""
UNIT_SUFFIXES = frozenset({"db", "hz", "ms", "s", "percent"})


def written(value: float | None, unit: str = "", *, signed: bool = False) -> str:
    """A value with its unit, such as "2.4 kHz", "−3.5 dB", "12 ms", "35%" or "3.2:1" (whose unit is ":1").

    Args:
        value: None and NaN are written as a dash.
        unit: `dB`, `LUFS`, `LU`, `Hz`, `ms`, `s`, `%`, `:1` or any other, which is only appended.
        signed: write a plus before positive values.

    >>> written(2436.0, "Hz"), written(0.35, "s"), written(3.24, ":1")
    ('2.4 kHz', '350 ms', '3.2:1')
    """
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        number = "∞"
    else:
        value, unit = _readable(value, unit)
        number = f"{abs(value):.{_decimals(value, unit)}f}"
    is_zero = not any(digit in number for digit in "123456789∞")
    sign = "" if is_zero else MINUS if value < 0 else "+" if signed else ""
    gap = "" if unit in ("", "%", ":1") else " "
    return f"{sign}{number}{gap}{unit}"


def unit_heads_line(unit: str) -> bool:
    """Whether a table names the unit once, beside the metric, rather than in each cell."""
    return unit not in ("", "Hz", "ms", "s", "%", ":1")  # these change with the size, or are part of the number


def written_cell(value: float | None, unit: str) -> str:
    """A value as a table's cell, where the line may already name the unit."""
    text = written(value, unit)
    return text.removesuffix(f" {unit}") if unit_heads_line(unit) else text


def _readable(value: float, unit: str) -> tuple[float, str]:
    """The same quantity in the unit that people use at that size; three digits are kept so that 999.9 Hz is 1 kHz."""
    size = float(f"{abs(value):.3g}")
    if unit == "Hz" and size >= 1000:
        return value / 1000, "kHz"
    if unit == "ms" and size >= 1000:
        return value / 1000, "s"
    if unit == "s" and 0 < size < 1:
        return value * 1000, "ms"
    return value, unit


def _decimals(value: float, unit: str) -> int:
    if unit == "%":
        return 0
    if unit in ("Hz", "ms"):
        return 0 if abs(value) >= 9.95 else 1 if abs(value) >= 0.995 else 2
    if unit == "":
        return 2 if abs(value) < 100 else 0
    return 1


def written_reduction(percent: float) -> str:
    """A reduction in whole per cent: "99 %" until it is complete, "\N{MINUS SIGN}50 %" where the distance grew."""
    size = abs(percent)
    whole = math.floor(size) if 99 < size < 100 else round(size)
    return f"{MINUS if whole and percent < 0 else ''}{whole} %"


def written_knob(knob: Knob, value: float | None = None) -> str:
    """A knob's value with its unit, or `value` as that knob would show it; gains that go both ways carry their sign."""
    unit = knob.unit or (":1" if knob.name.rsplit("_", 1)[-1] == "ratio" else "")
    shown = knob.value if value is None else value
    return written(shown, unit, signed=knob.low < 0 < knob.high)


def knob_label(name: str) -> str:
    """A param's name as words, without the unit that its value already carries: `low_gain_db` is "low gain"."""
    words = name.split("_")
    if len(words) > 1 and words[-1] in UNIT_SUFFIXES:
        words = words[:-1]
    return " ".join(words)


def moved_knobs(effect: EffectSettings) -> list[list[Knob]]:
    """The knobs of an effect that matter: not those at their neutral place, nor those of a band that does nothing.

    Those of one band are together; they begin with the name of its amount: those of `low_mid_gain_db` with `low_mid`.
    """
    amounts = {_band(knob): knob for knob in effect.knobs if knob.depth and _band(knob)}
    groups: dict[str, list[Knob]] = {}
    for knob in effect.knobs:
        band = max((name for name in amounts if knob.name.startswith(f"{name}_")), key=len, default="")
        if _is_moved(amounts[band] if band else knob):
            groups.setdefault(band or knob.name, []).append(knob)
    return list(groups.values())


def _band(knob: Knob) -> str:
    return knob.name.partition("_gain_")[0] if "_gain_" in knob.name else ""


def _is_moved(knob: Knob) -> bool:
    return abs(knob.place(knob.value) - knob.place(knob.neutral)) >= MOVED


def movement(metric: Measured) -> Movement | None:
    """Whether the result is closer to the reference than the input was; None where one of them is missing.

    What reads the same in the table counts as unchanged.
    """
    values = (metric.input, metric.result, metric.reference)
    if any(value is None or not math.isfinite(value) for value in values):
        return None
    before, after, goal = (float(value) for value in values if value is not None)
    if written(before, metric.unit) == written(after, metric.unit):
        return "unchanged"
    return "closer" if abs(after - goal) < abs(before - goal) else "further"
