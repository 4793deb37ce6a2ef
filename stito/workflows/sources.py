"""Input and reference: read from files or folders, and separated if a separator is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stito.compute.phases import phase
from stito.engine.result import OnStep, Progress
from stito.mix import Mix, read_mix
from stito.separation import Separator, load_separator, separate_mix

__all__ = ["Source", "in_stereo", "read_pair", "separated"]

HARDLY_WIDE_DB = -40.0
"""Less of left minus right is what an encoder or a tape left of mono."""

Source = Mix | str | Path
"""A `Mix`, an audio file, or a folder of stems."""


def read_pair(
    source: Source,
    reference: Source,
    *,
    also: Sequence[tuple[Source, float]] = (),
    stem: str | None = None,
    separator: str | Separator = "none",
    on_step: OnStep | None = None,
) -> tuple[Mix, Mix]:
    """Input and reference, read from files or folders, and separated if a separator is named.

    `also` are further references and their weights; the reference carries them (`Mix.also`).
    """
    with phase("read", str(source)):
        the_separator = load_separator(separator)  # before anything long is read
    mix, target = _read(source, stem), _read(reference, stem)
    if also:
        target = replace(target, also=(*target.also, *((_read(one, stem), weight) for one, weight in also)))
    return separated(mix, target, the_separator, on_step)


def separated(mix: Mix, reference: Mix, separator: Separator | None, on_step: OnStep | None = None) -> tuple[Mix, Mix]:
    """Input and reference with every mix among them separated into stems; as they are without a separator."""
    if separator is None:
        return mix, reference
    everyone = [mix, reference, *(one for one, _ in reference.also)]
    mixes = [one for one in everyone if one.kind == "mix"]
    apart = []
    for index, one in enumerate(mixes):

        def report(share: float, name: str = one.name, index: int = index) -> None:
            if on_step:
                on_step(Progress("separate", name, index, len(mixes), share=share))

        report(0.0)
        with phase("separate", one.name):
            apart.append(separate_mix(one, separator, on_progress=report))
    left = iter(apart)
    mix, reference_apart, *others = [next(left) if one.kind == "mix" else one for one in everyone]
    weights = [weight for _, weight in reference.also]
    return mix, replace(reference_apart, also=tuple(zip(others, weights, strict=True)))


def in_stereo(mix: Mix, reference: Mix) -> tuple[Mix, Mix]:
    """Mono input in stereo, where the reference has a width that mono could never come to."""
    if not mix.is_mono or max(one.levels().side_over_mid_db for one, _ in reference.blended) <= HARDLY_WIDE_DB:
        return mix, reference
    return mix.in_stereo(f"{mix.name} is mono and the reference is not: it goes out in stereo."), reference


def _read(source: Source, stem: str | None) -> Mix:
    if isinstance(source, Mix):
        return source
    with phase("read", str(source)):
        return read_mix(source, stem=stem)
