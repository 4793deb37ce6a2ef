"""The compression step of FX normalisation: strong onsets stand out of a stem as far as is usual for its kind.

Published (FxNorm-automix, ISMIR 2022; Koo et al., ICASSP 2023): with the peak at -10 dBFS, onsets above the usual range
are compressed until they are in it, by level, before any make-up gain; turning down would do as well. Here the peak is
counted as -10 dBFS after compression too, which says whether dynamics changed, and there are two cases:

* too high, every strong onset about as loud as the loudest: a compressor with a low threshold, whose attack lets what
  comes after a pause through, makes those stand out again;
* too low, a few peaks stand out: a limiter takes off what is too much of them. Compression often leaves such peaks, at
  the first note after a pause.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from stito import registry
from stito.data.fxnorm.onsets import find_onsets, onset_levels, onset_peak_db
from stito.data.fxnorm.statistics import peaks_of
from stito.data.fxnorm.targets import StemTargets
from stito.dsp.envelope import control_hop

__all__ = ["compress"]

SETTINGS = {
    "vocals": {"attack_ms": 7.5, "release_ms": 400.0, "ratio": 4.0},
    "drums": {"attack_ms": 10.0, "release_ms": 180.0, "ratio": 6.0},
    "bass": {"attack_ms": 10.0, "release_ms": 500.0, "ratio": 5.0},
    "other": {"attack_ms": 15.0, "release_ms": 666.0, "ratio": 4.0},
}
"""The published settings; a kind of stem that is none of these is compressed as `other`."""
DEPTHS_DB = tuple(range(3, 33, 3))
"""Thresholds that are tried, below the peak: the published range."""
INSIDE = 0.75
"""Onsets outside one standard deviation are brought to within this of it, so that doing it twice changes nothing."""
LIMIT_DB = 12.0
RELEASE_MS = 50.0
"""A limiter that lets go this quickly leaves the next onset alone."""
HALVINGS = 12


def compress(x: Tensor, goal: StemTargets, stem: str, sample_rate: int) -> Tensor:
    """Audio (2, t) with as little compression as brings its strong onsets to their usual level: (2, t).

    Where they are there already, or nothing brings them there, the audio is what it was.
    """
    onsets, peaks = find_onsets(x, sample_rate), peaks_of(x, sample_rate)
    levels = onset_levels(peaks, onsets, sample_rate)
    excess = onset_peak_db(levels) - goal.onset_peak_db
    if abs(excess) <= goal.onset_peak_std_db:
        return x
    top_db = float(20 * torch.log10(peaks.amax()))
    if excess < 0:
        ceiling = top_db - _limit(levels, goal)
        return _through("limiter", x, {"threshold_db": ceiling, "release_ms": RELEASE_MS}, sample_rate)
    knobs = SETTINGS.get(stem, SETTINGS["other"])
    depth = _depth(peaks, onsets, goal, knobs, sample_rate)
    return _through("compressor", x, {**knobs, "threshold_db": top_db - depth}, sample_rate) if depth else x


def _limit(levels: Tensor, goal: StemTargets) -> float:
    """How far to limit, in dB: onsets above the ceiling come down to it, and all rise by as much as the peak falls."""
    wanted = goal.onset_peak_db - INSIDE * goal.onset_peak_std_db
    low, high = 0.0, LIMIT_DB
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if onset_peak_db(levels.clamp_max(-middle) + middle) < wanted:
            low = middle
        else:
            high = middle
    return high


def _depth(peaks: Tensor, onsets: Tensor, goal: StemTargets, knobs: Mapping[str, float], sample_rate: int) -> float:
    """The smallest depth of the compressor's threshold below the peak that brings onsets to their usual level, in dB.

    0 if none does: music played evenly, without pauses, stays even. The compressor is given the peaks of control
    steps: at their rate the track is sixteen times shorter, and the gains are the same.
    """
    rate = round(sample_rate / control_hop(sample_rate))
    top_db = float(20 * torch.log10(peaks.amax()))
    for depth in DEPTHS_DB:
        compressed = _through("compressor", peaks.expand(2, -1), {**knobs, "threshold_db": top_db - depth}, rate)[0]
        reached = onset_peak_db(onset_levels(compressed, onsets, sample_rate))
        if abs(reached - goal.onset_peak_db) <= INSIDE * goal.onset_peak_std_db:
            return depth
    return 0.0


def _through(name: str, x: Tensor, knobs: Mapping[str, float], sample_rate: int) -> Tensor:
    """Audio (2, t) through one effect, neutral but for `knobs`: (2, t)."""
    effect = registry.load("effect", name)()
    values = effect.neutral() | dict(knobs)
    p = {knob: torch.tensor([value], dtype=x.dtype, device=x.device) for knob, value in values.items()}
    out: Tensor = effect.process(x[None], p, sample_rate)[0]
    return out
