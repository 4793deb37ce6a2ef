"""Settings in words: sentences as an engineer would write them down, and how numbers stand in them.

An effect says what it does by `Effect.describe`; what is here is shared by all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stito.effects.param import Param

__all__ = [
    "AUDIBLE_DB",
    "DRY",
    "WHOLE_DB",
    "Move",
    "decibels",
    "echoes",
    "generic",
    "hertz",
    "milliseconds",
    "percent",
    "plain",
    "ratio",
    "time",
]

DRY = 0.015
"""Less of an effect than this is none."""
WHOLE_DB = 25.0
"""About how much a room, or an echo, changes that is all there is to hear."""
AUDIBLE_DB = 0.75
"""A band, and a gain, that moves less is not worth a word."""
SMALL = 0.02
"""A knob that is closer to its neutral place, as a share of its range, has not been moved."""
MOST_KNOBS = 4
LARGEST = 10.0


@dataclass(frozen=True)
class Move:
    """One thing to do, as a sentence.

    Attributes:
        text: begins with a capital and ends with a full stop.
        size_db: about how many dB of change it makes: sentences are in this order.
    """

    text: str
    size_db: float


def decibels(value: float, *, signed: bool = False) -> str:
    """A level or gain, in steps of half a dB where it is not small.

    >>> decibels(9.04), decibels(-23.9), decibels(0.42, signed=True)
    ('9 dB', '-24 dB', '+.4 dB')
    """
    step = 0.5 if abs(value) >= 1.5 else 0.1
    number = round(value / step) * step
    return f"{'+' if signed and number > 0 else ''}{_short(number, 1)} dB"


def hertz(value: float) -> str:
    """A frequency to two digits.

    >>> hertz(87.2), hertz(1718), hertz(12_340)
    ('87 Hz', '1.7 kHz', '12 kHz')
    """
    value = _two_digits(value)
    return f"{_short(value / 1000, 1)} kHz" if value >= 1000 else f"{_short(value, 0)} Hz"


def time(seconds: float) -> str:
    """A time to two digits.

    >>> time(0.61), time(0.0294), time(1.42)
    ('.61 s', '29 ms', '1.4 s')
    """
    value = _two_digits(seconds)
    return f"{_short(value, 2)} s" if value >= 0.1 else f"{_short(1000 * value, 1)} ms"


def milliseconds(value: float) -> str:
    """A short time to two digits: of attacks, releases and delays.

    >>> milliseconds(150.0), milliseconds(1240.0)
    ('150 ms', '1.2 s')
    """
    return time(value / 1000) if value >= 1000 else f"{_short(_two_digits(value), 1)} ms"


def percent(share: float) -> str:
    """A share of one.

    >>> percent(0.14)
    '14 %'
    """
    return f"{round(100 * share)} %"


def ratio(value: float) -> str:
    """A compression ratio.

    >>> ratio(2.02), ratio(3.46), ratio(1e6)
    ('2:1', '3.5:1', '∞:1')
    """
    return f"{_short(value, 1) if value < 100 else '∞'}:1"


def echoes(every_ms: float, feedback: float, mix: float, *, jumping: bool = False) -> list[Move]:
    """A delay in one sentence: how often, how loud, how many; none where it is dry.

    >>> [move.text for feedback in (0.3, 0.0) for move in echoes(250.0, feedback, 0.2)]
    ['An echo every 250 ms at 20 %, 30 % fed back.', 'An echo after 250 ms at 20 %.']
    """
    if mix < DRY:
        return []
    several = feedback >= 0.005
    text = f"An echo {'every' if several else 'after'} {milliseconds(every_ms)} at {percent(mix)}"
    text += f", {percent(feedback)} fed back" if several else ""
    text += ", from side to side" if jumping else ""
    return [Move(f"{text}.", WHOLE_DB * mix)]


def plain(value: float) -> str:
    """A number without a unit, to two digits.

    >>> plain(0.253), plain(3.0)
    ('.25', '3')
    """
    return _short(_two_digits(value), 2)


def _short(value: float, digits: int) -> str:
    """No zero that says nothing: .6, 9, -.4."""
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    if text in ("-0", "", "0"):
        return "0"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def _two_digits(value: float) -> float:
    return round(value, 1 - math.floor(math.log10(abs(value)))) if value else 0.0


def generic(name: str, params: Sequence[Param], settings: Mapping[str, float]) -> list[Move]:
    """What can be said of any effect: its name, and the knobs that are furthest from neutral.

    Nothing, where all amounts (`Param.depth`) are neutral, or no knob is moved.

    >>> knobs = (Param("rate_hz", 0.1, 10.0, 1.0, "log"), Param("mix", 0.0, 1.0, 0.0, depth=True))
    >>> [move.text for move in generic("wow_flutter", knobs, {"rate_hz": 5.0, "mix": 0.3})]
    ['Wow flutter: rate 5 Hz, mix .3.']
    >>> generic("wow_flutter", knobs, {"rate_hz": 5.0, "mix": 0.0})
    []
    """
    moved = {
        param.name: abs(param.to_unit(settings[param.name]) - param.to_unit(param.neutral))
        for param in params
        if param.name in settings
    }
    amounts = [moved[param.name] for param in params if param.depth and param.name in moved] or list(moved.values())
    if max(amounts, default=0.0) < SMALL:
        return []
    furthest = sorted(moved, key=lambda knob: -moved[knob])[:MOST_KNOBS]
    told = [
        f"{_label(param)} {_written(param, settings[param.name])}"
        for param in params
        if param.name in furthest and moved[param.name] >= SMALL
    ]
    return [Move(f"{_capital(name.replace('_', ' '))}: {', '.join(told)}.", LARGEST * max(amounts))]


def _label(param: Param) -> str:
    words = param.name.split("_")
    return " ".join(words[:-1] if param.unit and len(words) > 1 else words)


def _written(param: Param, value: float) -> str:
    match param.unit:
        case "dB":
            return decibels(value, signed=param.low < 0 < param.high)
        case "Hz":
            return hertz(value)
        case "ms":
            return milliseconds(value)
        case "s":
            return time(value)
        case "%":
            return percent(value / 100)
    return ratio(value) if param.name.rsplit("_", 1)[-1] == "ratio" else plain(value)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
