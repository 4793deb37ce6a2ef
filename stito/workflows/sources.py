"""Input and reference: read from files or folders, and separated if a separator is named."""

from __future__ import annotations

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
    stem: str | None = None,
    separator: str | Separator = "none",
    on_step: OnStep | None = None,
) -> tuple[Mix, Mix]:
    """Input and reference, read from files or folders, and separated if a separator is named."""
    with phase("read", str(source)):
        the_separator = load_separator(separator)  # before anything long is read
    return separated(_read(source, stem), _read(reference, stem), the_separator, on_step)


def separated(mix: Mix, reference: Mix, separator: Separator | None, on_step: OnStep | None = None) -> tuple[Mix, Mix]:
    """Input and reference with every mix among them separated into stems; as they are without a separator."""
    if separator is None:
        return mix, reference
    mixes = [one for one in (mix, reference) if one.kind == "mix"]
    apart = []
    for index, one in enumerate(mixes):

        def report(share: float, name: str = one.name, index: int = index) -> None:
            if on_step:
                on_step(Progress("separate", name, index, len(mixes), share=share))

        report(0.0)
        with phase("separate", one.name):
            apart.append(separate_mix(one, separator, on_progress=report))
    left = iter(apart)
    return (next(left) if mix.kind == "mix" else mix), (next(left) if reference.kind == "mix" else reference)


def in_stereo(mix: Mix, reference: Mix) -> tuple[Mix, Mix]:
    """Mono input in stereo, where the reference has a width that mono could never come to."""
    if mix.is_mono and reference.levels().side_over_mid_db > HARDLY_WIDE_DB:
        return mix.in_stereo(f"{mix.name} is mono and the reference is not: it goes out in stereo."), reference
    return mix, reference


def _read(source: Source, stem: str | None) -> Mix:
    if isinstance(source, Mix):
        return source
    with phase("read", str(source)):
        return read_mix(source, stem=stem)
