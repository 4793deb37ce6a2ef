"""A preset in words: what an engineer would do at another desk to get there, the largest move first."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from stito.console.preset import Preset, StripPreset
from stito.dsp.reduction import GainReduction, gain_reduction
from stito.effects.chain import Chain, Slot
from stito.effects.param import Settings
from stito.effects.words import Move, decibels

__all__ = [
    "Placed",
    "Reductions",
    "StripMove",
    "StripWords",
    "as_document",
    "as_text",
    "explain",
    "gain_in_words",
    "placed",
    "reductions_in",
    "reductions_of",
    "words_of",
]

MOST_MOVES = 7
"""Nobody dials in more; the fader comes on top."""
WIDTH = 100
"""Of a line of text."""
SMALL_FADER_DB = 0.1
SMALL_GAIN_DB = 0.05

Reductions = Mapping[str, GainReduction]
"""How much the dynamic effects of one strip turn its sound down, by their labels."""


@dataclass(frozen=True)
class Placed:
    """An effect in its place in a strip, with its settings."""

    slot: Slot
    settings: Settings

    @property
    def bypass(self) -> bool:
        """Whether it is switched off."""
        return self.slot.bypass


@dataclass(frozen=True)
class StripMove:
    """One sentence, and the label of the effect that it is about (`fader` for the fader)."""

    label: str
    text: str
    size_db: float


@dataclass(frozen=True)
class StripWords:
    """What to do with one stem.

    Attributes:
        moves: the largest first, the fader last.
        reductions: what was measured of its dynamic effects.
        otherwise: what is to be said where there is no move.
    """

    moves: tuple[StripMove, ...]
    reductions: Reductions = field(default_factory=dict)
    otherwise: str = "Leave it as it is."

    @property
    def sentences(self) -> list[str]:
        """At least one."""
        return [move.text for move in self.moves] or [self.otherwise]

    @property
    def text(self) -> str:
        """All of it in one paragraph."""
        return " ".join(self.sentences)


def placed(strip: StripPreset) -> Iterator[Placed]:
    """The effects of a strip, those that are switched off included."""
    chain, settings = strip.build()
    for slot in chain.slots:
        yield Placed(slot, settings[slot.label])


def words_of(strip: StripPreset, reductions: Reductions | None = None) -> StripWords:
    """What a strip does, in words; with the gain reduction that was measured on the sound, if it was."""
    measured = dict(reductions or {})
    said: list[StripMove] = []
    for each in placed(strip):
        if not each.bypass:
            label = each.slot.label
            moves: list[Move] = each.slot.effect.describe(each.settings, measured.get(label))
            said += [StripMove(label, move.text, move.size_db) for move in moves]
    largest = sorted(said, key=lambda move: -move.size_db)[:MOST_MOVES]
    if abs(strip.fader_db) >= SMALL_FADER_DB:
        fader = f"Fader {decibels(strip.fader_db, signed=True)}."
        largest.append(StripMove("fader", fader, abs(strip.fader_db)))
    if strip.conversion is None:
        return StripWords(tuple(largest), measured)
    network = f"The network {Path(strip.conversion.converter).stem} renders it, which has no knobs."
    return StripWords((StripMove("conversion", network, 0.0), *largest), measured)


def explain(preset: Preset, reductions: Mapping[str, Reductions] | None = None) -> dict[str, StripWords]:
    """Every strip of a preset in words, the master's last, if there is one.

    Args:
        preset: the settings.
        reductions: by strip, what was measured of its dynamic effects.
    """
    measured = reductions or {}
    return {name: words_of(strip, measured.get(name)) for name, strip in preset.strips().items()}


def as_text(strips: Mapping[str, StripWords], preset: Preset) -> str:
    """Words as paragraphs, one for each strip, and what is done to the sum."""
    parts = [(name, strip.text) for name, strip in strips.items()]
    parts += [("sum", said)] if (said := gain_in_words(preset)) else []
    filled = [(name, textwrap.indent(textwrap.fill(text, WIDTH - 2), "  ")) for name, text in parts]
    return "\n\n".join(f"{name}\n{text}" for name, text in filled) + "\n"


def as_document(strips: Mapping[str, StripWords]) -> dict[str, Any]:
    """Words for JSON: by strip, its sentences, what each is about, and what was measured for them."""
    return {
        name: {
            "sentences": strip.sentences,
            "moves": [
                {"effect": move.label, "text": move.text, "size_db": round(move.size_db, 2)} for move in strip.moves
            ],
            "gain_reduction_db": {
                label: {"mean": round(found.mean_db, 3), "most": round(found.most_db, 3)}
                for label, found in strip.reductions.items()
            },
        }
        for name, strip in strips.items()
    }


def reductions_in(words: object) -> dict[str, Reductions]:
    """The gain reduction on record in what `as_document` made; nothing of what has another form."""
    found: dict[str, Reductions] = {}
    for name, strip in words.items() if isinstance(words, dict) else ():
        with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
            found[name] = {
                label: GainReduction(float(measured["mean"]), float(measured["most"]))
                for label, measured in strip["gain_reduction_db"].items()
            }
    return found


def gain_in_words(preset: Preset) -> str:
    """What is done to the sum so that it does not clip, or is as loud as was asked; "" for nothing."""
    if abs(preset.output_gain_db) < SMALL_GAIN_DB:
        return ""
    way, asked = "down" if preset.output_gain_db < 0 else "up", preset.delivery
    aim = "" if asked.loudness_lufs is None else f"its loudness comes to {asked.loudness_lufs:g} LUFS, and "
    peak = f"its true peak stays below {asked.ceiling_dbtp:g} dBTP."
    return f"Turn the sum {way} {decibels(abs(preset.output_gain_db))}: {aim}{peak}"


def reductions_of(strip: StripPreset, x: Tensor, sample_rate: int) -> dict[str, GainReduction]:
    """How much each dynamic effect of a strip turns audio (2, t) down, which comes in where the strip begins.

    What a network renders is not measured.
    """
    if strip.conversion is not None:
        return {}
    found: dict[str, GainReduction] = {}
    waiting: list[Placed] = []
    for each in placed(strip):
        if each.bypass:
            continue
        if not each.slot.effect.dynamic or each.settings == each.slot.effect.neutral():
            waiting.append(each)
            continue
        x = _rendered(waiting, x, sample_rate)
        made = _rendered([each], x, sample_rate)
        found[each.slot.label] = gain_reduction(x, made, sample_rate)
        x, waiting = made, []
    return found


def _rendered(parts: list[Placed], x: Tensor, sample_rate: int) -> Tensor:
    chain = Chain("part", tuple(part.slot for part in parts))
    return chain.render_one(x, {part.slot.label: part.settings for part in parts}, sample_rate)
