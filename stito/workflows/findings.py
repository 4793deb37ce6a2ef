"""What can be said of input and result in plain words: who covers whom, and faults, if the encoder finds any."""

from __future__ import annotations

from dataclasses import replace

from stito.analysis.findings import coverings, fault_finder, find_faults, trained_on
from stito.compute.phases import phase
from stito.console.strips import Rendered
from stito.errors import AudioError
from stito.mix import Mix
from stito.models.encoder import Encoder
from stito.report.data import Findings

__all__ = ["findings_of"]

SECONDS = 20.0
"""Who covers whom is measured over so much of the song."""


def findings_of(mix: Mix, rendered: Rendered, encoder: Encoder) -> Findings:
    """The findings of a transfer's input and result; none of a released mix or a single stem by `coverings` alone."""
    finder = fault_finder(encoder)
    if len(mix.stems) < 2 and finder is None:
        return Findings()
    with phase("findings"):
        stems = dict(rendered.stems)
        result = Mix(stems, rendered.sample_rate, mix.format, mix.name, (), mix.kind, dict.fromkeys(stems, mix.format))
        found = Findings(_said(mix, finder), _said(result, finder))
    said = found.input or found.result
    return replace(found, about=trained_on(finder)) if finder and said else found


def _said(mix: Mix, finder: Encoder | None) -> tuple[str, ...]:
    said = [str(covering) for covering in coverings(mix, seconds=SECONDS)]
    if finder is not None:
        try:
            said += [str(fault) for fault in find_faults(mix, finder)]
        except AudioError:  # none of its stems
            return tuple(said)
    return tuple(said)
