"""What is drawn: the effects in their order, their knobs, and the ranges of these."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from torch import Tensor

from stito.data.manipulation import ManipulatedEffect, Specification, towards_neutral
from stito.effects.param import Param
from stito_effects.eq import Equaliser

__all__ = ["EFFECTS", "ORDERS", "RANGES", "SPECIFICATION", "STEPS"]


def _slope(ratio: Tensor, strength: Tensor) -> Tensor:
    """The ratio that takes that part of the decibels away."""
    return 1 / (1 - strength * (1 - 1 / ratio))


_DRY = Param("dry", 0.0, 1.0, neutral=1.0, doc="weight of the input; the room has the rest", depth=True)

ORDERS = {"eq_first": ("eq", "compressor"), "panner_first": ("panner", "imager")}
"""The two pairs that come in either order: true is the order given here."""

SPECIFICATION = Specification(
    {
        "eq": ManipulatedEffect(Equaliser.params),
        "compressor": ManipulatedEffect(
            (
                Param("threshold_db", -80.0, 0.0, neutral=0.0, doc="peak level above which gain is reduced"),
                Param(
                    "ratio",
                    1.0,
                    40.0,
                    neutral=1.0,
                    scale="log",
                    doc="dB in for each dB out above the threshold",
                    depth=True,
                ),
                Param("attack_ms", 1.0, 20.0, neutral=5.0, scale="log", doc="time to 63 % of a gain reduction"),
                Param(
                    "release_ms", 50.0, 500.0, neutral=150.0, scale="log", doc="time to 37 % of it once the level drops"
                ),
            ),
            weaken={"ratio": _slope},
        ),
        "panner": ManipulatedEffect(
            (
                Param("pan", -1.0, 1.0, neutral=0.0, doc="-1 is left, 1 is right", sided=True, depth=True),
                Param("centre_db", -6.0, -3.0, neutral=-3.0, doc="the law: linear at -6, -4.5, constant power at -3"),
            )
        ),
        "imager": ManipulatedEffect((Param("width", 0.0, 2.0, neutral=1.0, doc="0 is mono, 2 is widest", depth=True),)),
        "reverb": ManipulatedEffect(
            (Param("decay_s", 0.05, 6.0, neutral=0.05, scale="log", doc="the room's time to -60 dB"), _DRY),
            weaken={"low_dry": partial(towards_neutral, _DRY)},
            reverberates=True,
        ),
        "gain": ManipulatedEffect(
            (
                Param("gain_db", -6.0, 9.0, neutral=0.0, doc="level change", depth=True),
                Param("inverted", 0.0, 1.0, neutral=0.0, doc="1 turns the polarity"),
            ),
            keeps_level=False,
        ),
    },
    ORDERS,
)
"""Beside its knobs the reverb has `impulse`, the number of a room in the bank, and `low_dry`, the weight of the input
below the crossover, which differs from `dry` for drums."""

EFFECTS = tuple(SPECIFICATION.effects)

RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "compressor": {"threshold_db": (-80.0, -5.0), "ratio": (4.0, 40.0)},
}
"""Where only a part of a knob's range is drawn: an active compressor is never neutral."""

STEPS: Mapping[str, int] = {"centre_db": 3, "inverted": 2}
"""Knobs that stand on one of so many places, all equally likely."""
