"""Aspects of a mix, in a mixing engineer's words, and how far a transfer goes in each.

An effect declares its aspect (`Effect.aspect`), or a knob its own (`Param.aspect`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from stito.errors import SettingsError, UnknownNameError

__all__ = ["ASPECTS", "BALANCE", "LEVEL", "Amount", "aspects_of", "check_aspect"]

LEVEL, BALANCE = "level", "balance"
"""The aspects that faders have."""

ASPECTS: Mapping[str, str] = MappingProxyType(
    {
        LEVEL: "how loud stems are: gains and faders",
        BALANCE: "how loud stems are against each other: faders; goes with level where it is not named",
        "pan": "where stems stand between left and right",
        "width": "how wide they are",
        "eq": "tone",
        "dynamics": "compressors, limiters, expanders, gates",
        "saturation": "distortion",
        "reverb": "rooms",
        "delay": "echoes",
        "modulation": "chorus, phaser, tremolo",
    }
)
"""Every aspect, and what belongs to it."""


def check_aspect(name: str) -> str:
    """The name of an aspect, or `UnknownNameError` with the nearest and all of them."""
    if name in ASPECTS:
        return name
    nearest = difflib.get_close_matches(name, ASPECTS, n=1, cutoff=0.5)
    meant = f"Did you mean {nearest[0]}? " if nearest else ""
    raise UnknownNameError(f"Unknown aspect '{name}'.", hint=f"{meant}Aspects are {', '.join(ASPECTS)}.")


def aspects_of(names: str | Iterable[str]) -> tuple[str, ...]:
    """Aspects by name, each once; a text has commas or spaces between them."""
    words = re.split(r"[,\s]+", names.strip()) if isinstance(names, str) else names
    return tuple(dict.fromkeys(check_aspect(word) for word in words if word))


@dataclass(frozen=True)
class Amount:
    """How far to go, from 0 (the input) to 1 (all of it): as a whole, and where it is named, in an aspect.

    >>> str(Amount.of("0.8 reverb=0"))
    '0.8 reverb=0'
    >>> Amount.of("0.8 reverb=0").in_aspect("eq")
    0.8

    Raises:
        SettingsError, UnknownNameError: a number outside 0 to 1, or an aspect that there is not.
    """

    whole: float = 1.0
    aspects: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.aspects:
            check_aspect(name)
        for what, value in [("amount", self.whole), *((f"amount of {name}", at) for name, at in self.aspects.items())]:
            if not 0 <= value <= 1:
                raise SettingsError(f"{what} = {value:g} is outside 0 to 1.", hint="0 is the input, 1 all of the way.")

    @classmethod
    def of(cls, value: float | str | Amount) -> Amount:
        """An amount from a number, or from text such as `0.8 reverb=0`; of what is said twice the last counts."""
        if isinstance(value, Amount):
            return value
        if not isinstance(value, str):
            return cls(float(value))
        found = cls()
        for word in re.split(r"[,\s]+", value.strip()):
            name, equals, number = word.rpartition("=")
            try:
                share = float(number)
            except ValueError as error:
                raise SettingsError(
                    f"'{word}' is no amount.", hint="Give a number from 0 to 1, or one of an aspect: 0.8 reverb=0"
                ) from error
            found = replace(found, aspects={**found.aspects, name: share}) if equals else replace(found, whole=share)
        return found

    def without(self, aspects: Iterable[str]) -> Amount:
        """The same with nothing of these aspects."""
        return replace(self, aspects={**self.aspects, **dict.fromkeys(aspects, 0.0)})

    def in_aspect(self, aspect: str) -> float:
        """How far to go in an aspect; "" is none."""
        return self.aspects.get(aspect, self.whole)

    @property
    def level(self) -> float:
        """How far loudness goes."""
        return self.in_aspect(LEVEL)

    @property
    def balance(self) -> float | None:
        """How far stems move against each other; None where neither that nor the level is named."""
        return self.aspects.get(BALANCE, self.aspects.get(LEVEL))

    @property
    def faders(self) -> float:
        """How far faders go that were found with a master."""
        return self.whole if self.balance is None else self.balance

    @property
    def is_all(self) -> bool:
        """Whether it is all of the way in everything."""
        return self.whole == 1 and all(value == 1 for value in self.aspects.values())

    def check_without_knobs(self) -> None:
        """`SettingsError` for aspects of knobs: what a network renders has none."""
        named = [name for name in self.aspects if name not in (LEVEL, BALANCE)]
        if named:
            raise SettingsError(
                f"A network renders audio and has no knobs: {', '.join(named)} cannot be told apart in it.",
                hint=f"Name {LEVEL} or {BALANCE} alone, or choose a method with settings, such as cma.",
            )

    def __str__(self) -> str:
        return " ".join([f"{self.whole:g}", *(f"{name}={value:g}" for name, value in self.aspects.items())])
