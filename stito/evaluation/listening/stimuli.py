"""From sounds to stimuli: the same excerpt of each, low-passed anchors, all equally loud."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from stito.console.strips import gain, headroom_db, loudness
from stito.engine.excerpts import active_starts
from stito.evaluation.listening.trials import ANCHORS, HIDDEN, REFERENCE, Trial

__all__ = ["stimuli"]

TARGET_LUFS = -23.0
FADE_S = 0.01
TRANSITION, ATTENUATION_DB = 0.13, 60.0
"""The anchors' transition band in parts of the cutoff: 25 dB down at 4 kHz and 50 dB at 4.5 kHz is asked for."""


def stimuli(trial: Trial, seconds: float) -> tuple[Tensor, Mapping[str, Tensor]]:
    """The open reference (2, t) and by name what is rated: systems, `hidden` and the anchors, each (2, t).

    All are cut at the most active place, faded in and out, and brought to one loudness (-23 LUFS, or less where
    something would clip).
    """
    rate = trial.sample_rate
    length = round(seconds * rate)
    place = _place(trial.hidden, length, rate)
    sounds = {HIDDEN: trial.hidden, **trial.systems}
    shared = min(length, trial.hidden.shape[-1])
    cut = {name: _fitted(sound, place, shared) for name, sound in sounds.items()}
    for name, cutoff in ANCHORS.items():
        cut[name] = _low_passed(cut[HIDDEN], cutoff, rate)
    own = min(length, trial.reference.shape[-1])
    cut[REFERENCE] = _fitted(trial.reference, _place(trial.reference, length, rate), own)
    if trial.hidden is trial.reference:
        cut[REFERENCE] = cut[HIDDEN]
    levelled = {name: sound * gain(TARGET_LUFS - loudness(sound, rate)) for name, sound in cut.items()}
    down = gain(headroom_db(levelled.values(), rate))
    ready = {name: _faded(sound * down, rate) for name, sound in levelled.items()}
    return ready.pop(REFERENCE), ready


def _place(x: Tensor, length: int, rate: int) -> int:
    """Where the most active part begins."""
    return active_starts(x, rate, seconds=length / rate, count=1)[0] if x.shape[-1] > length else 0


def _fitted(x: Tensor, start: int, length: int) -> Tensor:
    piece = x[:, start : start + length]
    return torch.nn.functional.pad(piece, (0, length - piece.shape[-1]))


def _faded(x: Tensor, rate: int) -> Tensor:
    samples = min(round(FADE_S * rate), x.shape[-1] // 2)
    ramp = 0.5 - 0.5 * torch.cos(torch.linspace(0, torch.pi, samples))
    envelope = torch.ones(x.shape[-1])
    envelope[:samples], envelope[x.shape[-1] - samples :] = ramp, ramp.flip(0)
    return x * envelope


def _low_passed(x: Tensor, cutoff_hz: float, rate: int) -> Tensor:
    """Through a linear-phase filter, without delay; as it is where there is nothing above."""
    if cutoff_hz * (1 + TRANSITION) >= rate / 2:
        return x
    from scipy import signal

    width = TRANSITION * cutoff_hz
    taps, beta = signal.kaiserord(ATTENUATION_DB, 2 * width / rate)
    kernel = signal.firwin(taps | 1, cutoff_hz + width / 2, window=("kaiser", beta), fs=rate)
    filtered = signal.fftconvolve(x.double().numpy(), kernel[None], mode="full", axes=-1)
    start = len(kernel) // 2
    return torch.from_numpy(filtered[:, start : start + x.shape[-1]]).float()
