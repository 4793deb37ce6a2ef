"""Which stems are matched to what of the reference, or of several.

Stems to the stems of the same name; a mix to a mix; stems to a mix jointly, so that their *sum* matches; a mix to
stems, which is a mix to their sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from stito.audio import is_silent
from stito.dsp.levels import SILENT_LUFS
from stito.engine.pairs import Target
from stito.errors import AudioError
from stito.mix import Mix

__all__ = ["Route", "Routes", "route"]


@dataclass(frozen=True, eq=False)
class Route:
    """The input stems (2, t) whose sum is to match a stem of references, or their sums (None), with their weights."""

    inputs: Mapping[str, Tensor]
    stem: str | None
    references: Sequence[tuple[Mix, float]]

    def targets(self) -> list[Target]:
        """What each reference has to be matched."""
        total = sum(weight for _, weight in self.references)
        return [
            Target(one.stereo_sum() if self.stem is None else one.stereo(self.stem), one.sample_rate, weight / total)
            for one, weight in self.references
        ]

    def loudness(self) -> float:
        """How loud the result is to be, in LUFS: the weighted mean of the references that are not silent."""
        found = [(one.levels(self.stem).balance_lufs, weight) for one, weight in self.references]
        found = [(lufs, weight) for lufs, weight in found if lufs > SILENT_LUFS] or found
        return sum(lufs * weight for lufs, weight in found) / sum(weight for _, weight in found)


@dataclass(frozen=True)
class Routes:
    """What is matched to what, by name: a stem, `mix`, or `sum` for stems that are matched jointly."""

    pairs: dict[str, Route]
    notes: list[str] = field(default_factory=list)


def route(mix: Mix, reference: Mix) -> Routes:
    """Which stems are matched to what; `AudioError` where there is nothing to match."""
    references = reference.blended
    inputs = {name: mix.stereo(name) for name in mix.stems}
    sounding = {name: x for name, x in inputs.items() if not is_silent(x)}
    notes = [*mix.notes, *(f"{_called(one, references)}: {note}" for one, _ in references for note in one.notes)]
    notes += [f"{name}: silent, left as it is." for name in inputs if name not in sounding]
    if len(references) > 1:
        shares = ", ".join(f"{one.name} {100 * weight:.0f} %" for one, weight in references)
        notes.append(f"The target is the weighted mean of {len(references)} references: {shares}.")
    if not sounding:
        raise AudioError(f"{mix.name} is silent.", hint="There is nothing to transfer a style to.")
    if mix.kind == "mix":
        return Routes({"mix": Route(sounding, None, references)}, notes)
    mixes = [one.name for one, _ in references if one.kind == "mix"]
    if 0 < len(mixes) < len(references):
        raise AudioError(
            f"Some references are mixes ({', '.join(mixes)}), others stems.",
            hint="Give all as stems or all as mixes, or choose a separator with --separator.",
        )
    if mixes:
        if len(sounding) > 1:
            notes.append("The reference is one mix: all stems were searched jointly, so that their sum matches it.")
        return Routes({"sum": Route(sounding, None, references)}, notes)
    return _route_stems(sounding, mix, references, notes)


def _called(one: Mix, references: Sequence[tuple[Mix, float]]) -> str:
    return "Reference" if len(references) == 1 else f"Reference {one.name}"


def _route_stems(
    sounding: Mapping[str, Tensor], mix: Mix, references: Sequence[tuple[Mix, float]], notes: list[str]
) -> Routes:
    """Stems to the stems of the same name."""
    pairs: dict[str, Route] = {}
    for name, x in sounding.items():
        having = [(one, weight) for one, weight in references if _sounds(one, name)]
        if having:
            pairs[name] = Route({name: x}, name, having)
            silent = [one.name for one, _ in references if not _sounds(one, name)]
            notes += [f"{name}: {other} has no such stem with sound; the others are its target." for other in silent]
        else:
            there = any(name in one.stems for one, _ in references)
            lacking = "this stem of the reference is silent" if there else "the reference has no such stem"
            notes.append(f"{name}: {lacking}; it was left as it is, at its place in the balance.")
    theirs = dict.fromkeys(name for one, _ in references for name in one.stems)
    notes += [f"{name}: only the reference has this stem." for name in theirs if name not in mix.stems]
    if not pairs:
        ours = ", ".join(sounding)
        heard = ", ".join(name for name in theirs if any(_sounds(one, name) for one, _ in references))
        raise AudioError(
            f"Input and reference share no stem with sound in both: {ours} against {heard}.",
            hint="Name the files alike (vocals, drums, bass, other), or give the reference as one mix.",
        )
    return Routes(pairs, notes)


def _sounds(one: Mix, stem: str) -> bool:
    return stem in one.stems and not is_silent(one.stems[stem])
