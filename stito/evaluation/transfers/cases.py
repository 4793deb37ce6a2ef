"""One transfer whose truth is known: input, reference and truth of a stem, or of all stems of a song."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from typing import TYPE_CHECKING

from torch import Tensor

from stito import streams
from stito.audio import AudioFormat
from stito.console.strips import loudness
from stito.data.fxnorm.targets import Targets
from stito.errors import SettingsError
from stito.evaluation.encoders.cases import MULTITRACK, SAMPLE_RATE, Material, draw_cases
from stito.evaluation.transfers.plan import TransferPlan
from stito.metrics.levels import si_sdr
from stito.mix import Kind, Mix, add_up
from stito.separation import Separator, load_separator, separate_mix
from stito.streams import Purpose

if TYPE_CHECKING:
    from stito.data.manipulation import Manipulation, Manipulator

__all__ = ["Case", "Part", "as_mix", "as_stem", "draw_transfer"]


@dataclass(frozen=True)
class Part:
    """One stem of a transfer, each sound (2, t) at 44.1 kHz.

    Args:
        source: the input.
        reference: other music of the same kind of stem, under the same effects as the truth.
        given_reference: the reference as methods are given it: from a separator, if there is one.
        truth: the input under these effects.
        normal_lufs: the loudness of the normalised stem, in LUFS.
        own_lufs: the loudness of the input before effects of its own, in LUFS.
        effects: those of the truth (one row); None where several stems have been put together.
        reverb: whether the truth has any.
    """

    source: Tensor
    reference: Tensor
    given_reference: Tensor
    truth: Tensor
    normal_lufs: float
    own_lufs: float
    effects: Manipulation | None
    reverb: bool

    @property
    def asked_lufs(self) -> float:
        """How loud the reference asks the result to be."""
        return self.own_lufs + loudness(self.given_reference, SAMPLE_RATE) - self.normal_lufs

    def __add__(self, other: Part) -> Part:
        """Both in one stem."""
        return Part(
            self.source + other.source,
            self.reference + other.reference,
            self.given_reference + other.given_reference,
            self.truth + other.truth,
            _together(self.normal_lufs, other.normal_lufs),
            _together(self.own_lufs, other.own_lufs),
            None,
            self.reverb or other.reverb,
        )


@dataclass(frozen=True)
class Case:
    """One transfer: its stems, what they are called together, and how well the reference was separated, if it was."""

    number: int
    subject: str
    parts: Mapping[str, Part]
    sdr_db: float | None = None

    @property
    def source(self) -> Tensor:
        """The sum of the inputs."""
        return add_up(part.source for part in self.parts.values())

    @property
    def reference(self) -> Tensor:
        """The sum of the references as they are."""
        return add_up(part.reference for part in self.parts.values())

    @property
    def truth(self) -> Tensor:
        """The sum of the truths."""
        return add_up(part.truth for part in self.parts.values())

    @property
    def reverb(self) -> bool:
        """Whether the truth has any."""
        return any(part.reverb for part in self.parts.values())

    def inputs(self) -> Mix:
        """The inputs as the engine takes them."""
        return as_mix({name: part.source for name, part in self.parts.items()})

    def references(self) -> Mix:
        """The references as methods are given them."""
        return as_mix({name: part.given_reference for name, part in self.parts.items()})


def draw_transfer(material: Material, manipulator: Manipulator, plan: TransferPlan, number: int) -> Case:
    """The plan's case of that number.

    Args:
        material: the songs whose stems are used.
        manipulator: draws and renders the random effects.
        plan: what is run.
        number: of the case; the same plan and number give the same case.

    Raises:
        SettingsError: the plan's separator has no place for a kind of stem.
    """
    subject = MULTITRACK if plan.multitrack else material.stems[number % len(material.stems)]
    drawn = draw_cases(
        material,
        manipulator,
        subject,
        seed=plan.seed,
        place=("transfer", number),
        segments=2,
        configurations=1,
        seconds=plan.seconds,
    )
    targets = Targets.shipped()
    parts = {}
    for stem, segments in drawn.segments.items():
        effects = drawn.configurations[stem].milder(plan.strength)
        truth, reference = manipulator.render(segments, effects.rows([0, 0]))
        source, own_lufs = segments[0], loudness(segments[0], SAMPLE_RATE)
        if plan.mixed:
            own = manipulator.sample([stem], streams.generator(plan.seed, Purpose.CASE_OWN_EFFECTS, number, stem))
            source = manipulator.render(source[None], own.milder(plan.strength))[0]
        reverb = bool(effects.reverberant()[0])
        normal = targets.of(stem).loudness_lufs
        parts[stem] = Part(source, reference, reference, truth, normal, own_lufs, effects, reverb)
    case = Case(number, subject, parts)
    return case if plan.separator == "none" else _separated(case, plan.separator)


def as_stem(x: Tensor) -> Mix:
    """A stem (2, t) of a song, at 44.1 kHz, as the engine takes it."""
    return as_mix({"stem": x})


def as_mix(stems: Mapping[str, Tensor]) -> Mix:
    """Stems (2, t) of a song, at 44.1 kHz, as the engine takes them."""
    audio_format = AudioFormat(SAMPLE_RATE, 2, "FLOAT")
    kind: Kind = "stems" if len(stems) > 1 else "stem"
    return Mix(dict(stems), SAMPLE_RATE, audio_format, "case", (), kind, dict.fromkeys(stems, audio_format))


def _separated(case: Case, name: str) -> Case:
    """The case with its reference as a separator gives it. What the separator has no name for goes together."""
    separator = _separator(name)
    audio_format = AudioFormat(SAMPLE_RATE, 2, "FLOAT")
    found = separate_mix(Mix({"mix": case.reference}, SAMPLE_RATE, audio_format, "reference"), separator).stems
    left, unnamed = set(case.parts) - set(found), set(found) - set(case.parts)
    if left and len(unnamed) != 1:
        raise SettingsError(
            f"The separator '{name}' makes {', '.join(found)}, which has no place for {', '.join(sorted(left))}.",
            hint="Use one that makes vocals, drums, bass and other, or one of these and the rest.",
        )
    parts = {stem: part for stem, part in case.parts.items() if stem in found}
    if left:
        parts[unnamed.pop()] = reduce(Part.__add__, (case.parts[stem] for stem in sorted(left)))
    apart = [float(si_sdr(found[stem][None], part.reference[None])[0]) for stem, part in parts.items()]
    separated = {stem: replace(part, given_reference=found[stem]) for stem, part in parts.items()}
    return Case(case.number, case.subject, separated, sum(apart) / len(apart))


@lru_cache(maxsize=1)
def _separator(name: str) -> Separator:
    """Loaded once in each process."""
    separator = load_separator(name)
    assert separator is not None
    return separator


def _together(a_lufs: float, b_lufs: float) -> float:
    """How loud two independent sounds are together."""
    return 10 * math.log10(10 ** (a_lufs / 10) + 10 ** (b_lufs / 10))
