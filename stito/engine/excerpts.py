"""Which seconds of a song a search listens to: a few active excerpts, spread over the song.

Rendering a whole song for every candidate would cost minutes each; a few seconds in which the stem really plays carry
its style. Where input and reference are the same performance, excerpts are of the same places in both.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stito.audio import resample

__all__ = ["active_starts", "cut", "same_performance"]

HOP_S = 0.1
RANGE_DB = 40.0
FRAME = 2048
COMPARED_S = 30.0
SAME_CORRELATION = 0.4


def _levels_db(x: Tensor, sample_rate: int) -> Tensor:
    """RMS level in dB of each 100 ms of (2, t): (frames,)."""
    hop = round(HOP_S * sample_rate)
    frames = max(1, x.shape[-1] // hop)
    if x.shape[-1] < hop:
        return 10 * torch.log10(x.square().mean() + 1e-12).reshape(1)
    power = torch.stack([channel[: frames * hop].reshape(frames, hop).square().mean(-1) for channel in x]).mean(0)
    return 10 * torch.log10(power + 1e-12)


def active_starts(x: Tensor, sample_rate: int, *, seconds: float, count: int) -> list[int]:
    """Where the `count` best excerpts of (2, t) start, in samples, in the order of time; fewer in a short song.

    An excerpt is good when the stem plays all through it at its usual loud level: each is scored by the mean of its
    frame levels, floored 40 dB below the song's loud frames and capped at them, so that neither a single hit nor a
    long silence decides. Chosen are those that do not overlap and together score most; none is mostly silent, unless
    nothing better is there.
    """
    length = round(seconds * sample_rate)
    if x.shape[-1] <= length:
        return [0]
    levels = _levels_db(x, sample_rate)
    loud = float(torch.quantile(levels, 0.9))
    window = max(1, min(round(seconds / HOP_S), len(levels)))
    clipped = levels.double().clamp(loud - RANGE_DB, loud)
    scores = torch.nn.functional.avg_pool1d(clipped[None, None], window, stride=1)[0, 0]
    chosen = _best_apart(scores - (loud - RANGE_DB / 2), window, count) or [int(scores.argmax())]
    hop = round(HOP_S * sample_rate)
    return [min(start * hop, x.shape[-1] - length) for start in chosen]


def _best_apart(scores: Tensor, window: int, count: int) -> list[int]:
    """At most `count` places (of n), at least `window` apart, whose scores (n,) add up to most; in order."""
    nothing = torch.zeros(1, dtype=scores.dtype)
    totals, ends = [torch.cat([nothing, torch.zeros_like(scores)])], []  # [k][t]: the best of k places below t
    for _ in range(count):
        before = totals[-1][(torch.arange(len(scores)) - window + 1).clamp_min(0)]
        total, end = torch.cat([nothing, scores + before]).cummax(0)
        totals.append(total)
        ends.append(end)
    places: list[int] = []
    stop = len(scores)
    for end in reversed(ends):
        if stop > 0 and end[stop] > 0:
            places.append(int(end[stop]) - 1)
            stop = max(0, places[-1] - window + 1)
    return places[::-1]


def cut(x: Tensor, sample_rate: int, starts: Sequence[int], *, seconds: float) -> list[Tensor]:
    """The excerpts (2, n) of (2, t) at `starts`, each a contiguous copy."""
    length = round(seconds * sample_rate)
    return [x[:, start : start + length].clone() for start in starts]


def same_performance(x: Tensor, y: Tensor, sample_rate: int, other_rate: int | None = None) -> bool:
    """Whether two recordings (2, t) are the same performance under other processing, in time with each other.

    The second is at `other_rate`, if that is another.

    True when the lengths agree within 1 % and, over the loudest half minute, the levels of all frequencies rise and
    fall together: the correlation of their log spectrograms, each bin's mean removed, is at least 0.4. Mixing moves
    levels, but not the moments at which notes sound: the same performance stays above 0.5 under heavy compression and
    reverb, different music below 0.2.
    """
    other_rate = other_rate or sample_rate
    lengths = x.shape[-1] / sample_rate, y.shape[-1] / other_rate
    if max(lengths) - min(lengths) > 0.01 * max(lengths):
        return False
    (start,) = active_starts(x, sample_rate, seconds=COMPARED_S, count=1)
    begin = start / sample_rate
    end = min(begin + COMPARED_S, *lengths)
    parts = [
        resample(audio[:, round(begin * rate) : round(end * rate)], rate, sample_rate)
        for audio, rate in ((x, sample_rate), (y, other_rate))
    ]
    samples = min(part.shape[-1] for part in parts)
    if samples < 8 * FRAME:
        return False
    a, b = (_log_spectrogram(part[:, :samples]) for part in parts)
    sounding = (a.std(-1) > 1e-3) & (b.std(-1) > 1e-3)
    a, b = a[sounding], b[sounding]
    return float((a * b).sum()) >= SAME_CORRELATION * float(
        (a.square().sum() * b.square().sum()).sqrt().clamp_min(1e-9)
    )


def _log_spectrogram(x: Tensor) -> Tensor:
    """Levels of (2, t), floored 90 dB below the loudest, without each bin's mean: (bins, frames)."""
    window = torch.hann_window(FRAME)
    power = torch.stft(x, FRAME, FRAME // 2, window=window, return_complex=True).abs().square().sum(0)
    levels = torch.log10(power + 1e-9 * power.max() + 1e-20)
    return levels - levels.mean(-1, keepdim=True)
