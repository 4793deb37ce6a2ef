"""Which stems are matched to what of the reference.

Stems to the stems of the same name; a mix to a mix; stems to a mix jointly, so that their *sum* matches; a mix to
stems, which is a mix to their sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from stito.audio import is_silent
from stito.errors import AudioError
from stito.mix import Mix

__all__ = ["Routes", "route"]


@dataclass(frozen=True)
class Routes:
    """For each name the input stems and the reference audio that their sum is to match.

    `loudness_targets` say how loud it is to be: as the reference's stem of that name, or, where that is None, its sum.
    """

    pairs: dict[str, tuple[dict[str, Tensor], Tensor]]
    loudness_targets: dict[str, str | None]
    notes: list[str] = field(default_factory=list)


def route(mix: Mix, reference: Mix) -> Routes:
    """Which stems are matched to what; `AudioError` where there is nothing to match."""
    inputs = {name: mix.stereo(name) for name in mix.stems}
    sounding = {name: x for name, x in inputs.items() if not is_silent(x)}
    notes = [*mix.notes, *(f"Reference: {note}" for note in reference.notes)]
    notes += [f"{name}: silent, left as it is." for name in inputs if name not in sounding]
    if not sounding:
        raise AudioError(f"{mix.name} is silent.", hint="There is nothing to transfer a style to.")
    if mix.kind == "mix":
        target = reference.stereo_sum()
        return Routes({"mix": (sounding, target)}, {"mix": None}, notes)
    if reference.kind == "mix":
        target = reference.stereo_sum()
        if len(sounding) > 1:
            notes.append("The reference is one mix: all stems were searched jointly, so that their sum matches it.")
        return Routes({"sum": (sounding, target)}, {"mix": None}, notes)
    return _route_stems(sounding, mix, reference, notes)


def _route_stems(sounding: Mapping[str, Tensor], mix: Mix, reference: Mix, notes: list[str]) -> Routes:
    """Stems to the stems of the same name."""
    pairs: dict[str, tuple[dict[str, Tensor], Tensor]] = {}
    targets: dict[str, str | None] = {}
    for name, x in sounding.items():
        if name in reference.stems and not is_silent(reference.stems[name]):
            pairs[name], targets[name] = ({name: x}, reference.stereo(name)), name
        else:
            lacking = (
                "this stem of the reference is silent" if name in reference.stems else "the reference has no such stem"
            )
            notes.append(f"{name}: {lacking}; it was left as it is, at its place in the balance.")
    notes += [f"{name}: only the reference has this stem." for name in reference.stems if name not in mix.stems]
    if not pairs:
        ours = ", ".join(sounding)
        theirs = ", ".join(name for name, x in reference.stems.items() if not is_silent(x))
        raise AudioError(
            f"Input and reference share no stem with sound in both: {ours} against {theirs}.",
            hint="Name the files alike (vocals, drums, bass, other), or give the reference as one mix.",
        )
    return Routes(pairs, targets, notes)
