"""Degraded mixes to evaluate with: what a head learns from, and what it is tried on.

A head learns from songs of one split, under random faults; it is tried on songs of another: at each place the mix as it
is, and with each fault at each severity, with the same settings at all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stito import streams
from stito.data.degradation.degradation import Drawn, degrade, draw_faults
from stito.data.degradation.fault import fault_names
from stito.data.mixes import Excerpt, MixSource
from stito.errors import AudioError
from stito.streams import Place, Purpose

__all__ = ["GOOD", "Plan", "Version", "learnt_from", "tried_on"]

GOOD = ""
"""The fault of a mix as it is."""


@dataclass(frozen=True)
class Plan:
    """How much is evaluated.

    Attributes:
        places: of each song that the head is tried on.
        severities: at which each fault is tried.
        learning_places: of each song that the head learns from.
        learning_versions: degraded mixes at each of these.
        excerpts: one after the other, that are heard of a place: embeddings and predictions are their means.
        seconds: of an excerpt.
        seed: of all that is drawn.
    """

    places: int = 2
    severities: tuple[float, ...] = (0.25, 0.5, 1.0)
    learning_places: int = 2
    learning_versions: int = 4
    excerpts: int = 1
    seconds: float = 5.0
    seed: int = 0

    def samples(self, rate: int) -> int:
        """The length of what is heard of a place."""
        return self.excerpts * round(self.seconds * rate)


@dataclass(frozen=True)
class Version:
    """One mix: its song, the place in it, the fault that it has and how severe; several faults are joined by `+`."""

    song: str
    place: int
    fault: str
    severity: float
    stems: Excerpt


def learnt_from(source: MixSource, plan: Plan, rate: int) -> Iterator[Version]:
    """Good and degraded mixes, one to three faults each of any severity: that of the worst counts."""
    for song, place, excerpt, here in _places(source, plan, rate, "learning", plan.learning_places):
        yield Version(song, place, GOOD, 0.0, excerpt)
        for _ in range(plan.learning_versions):
            stems, done = degrade(excerpt, rate, draw_faults(excerpt, rate, here), here)
            worst = max(damage.severity for damage in done)
            yield Version(song, place, "+".join(sorted(damage.fault for damage in done)), worst, stems)


def tried_on(source: MixSource, plan: Plan, rate: int) -> Iterator[Version]:
    """Each place as it is, and with each fault at each severity; a fault that does nothing there is left out."""
    for song, place, excerpt, here in _places(source, plan, rate, "trial", plan.places):
        yield Version(song, place, GOOD, 0.0, excerpt)
        for fault in fault_names():
            try:
                (drawn,) = draw_faults(excerpt, rate, here, faults=[fault], severity=1.0, count=1)
            except AudioError:
                continue
            for severity in plan.severities:
                settings = streams.generator(plan.seed, Purpose.DEGRADED_CASES, "settings", song, place, fault)
                stems, _ = degrade(excerpt, rate, [Drawn(drawn.stem, drawn.fault, severity)], settings)
                yield Version(song, place, fault, severity, stems)


def _places(
    source: MixSource, plan: Plan, rate: int, use: Place, count: int
) -> Iterator[tuple[str, int, Excerpt, np.random.Generator]]:
    """Places of every song, and what is drawn there; the same for all encoders."""
    for number, song in enumerate(source.songs):
        for place in range(count):
            here = streams.generator(plan.seed, Purpose.DEGRADED_CASES, use, song, place)
            yield song, place, source.excerpt(number, plan.samples(rate), here), here
