"""Which seconds of a song a search listens to: a few active excerpts, spread over the song.

Rendering a whole song for every candidate would cost minutes each; a few seconds in which the stem really plays carry
its style. Where input and reference are the same performance, excerpts are of the same places in both.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stito.audio import resample

__all__ = ["active_starts", "cut", "frame_levels_db", "same_performance"]

HOP_S = 0.1
RANGE_DB = 40.0
FRAME = 2048
COMPARED_S = 30.0
SAME_CORRELATION = 0.4
SAME_COHERENCE = 0.17
COHERENCE_FRAME = 512
LATEST_S = 0.1
"""How late one recording of a performance may be against the other: latencies of plug-ins, a bounce's offset."""


def frame_levels_db(x: Tensor, sample_rate: int) -> Tensor:
    """RMS level in dB of each 100 ms of (2, t): (frames,)."""
    hop = round(HOP_S * sample_rate)
    frames = max(1, x.shape[-1] // hop)
    if x.shape[-1] < hop:
        return 10 * torch.log10(x.square().mean() + 1e-12).reshape(1)
    power = torch.stack([channel[: frames * hop].reshape(frames, hop).square().mean(-1) for channel in x]).mean(0)
    return 10 * torch.log10(power + 1e-12)


def active_starts(
    x: Tensor, sample_rate: int, *, seconds: float, count: int, levels: Tensor | None = None
) -> list[int]:
    """Where the `count` best excerpts of (2, t) start, in samples, in the order of time; fewer in a short song.

    `levels` are its `frame_levels_db`, where they are known already.

    An excerpt is good when the stem plays all through it at its usual loud level: each is scored by the mean of its
    frame levels, floored 40 dB below the song's loud frames and capped at them, so that neither a single hit nor a
    long silence decides. Chosen are those that do not overlap and together score most; none is mostly silent, unless
    nothing better is there.
    """
    length = round(seconds * sample_rate)
    if x.shape[-1] <= length:
        return [0]
    levels = frame_levels_db(x, sample_rate) if levels is None else levels
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

    True when the lengths agree within 1 % and, over the loudest half minute,

    * the levels of all frequencies rise and fall together: the correlation of their log spectrograms, each bin's mean
      removed, is at least 0.4. Mixing moves levels, but not the moments at which notes sound. Different music stays
      below 0.2; two loops of one tempo and pattern do not.
    * the waveforms themselves agree: their coherence over frames of 12 ms, the mean over frequencies, is at least
      0.17. It stays above 0.2 under heavy equalisation, compression, saturation and most reverbs; other drums in the
      same pattern have at most 0.14, even where every hit is one sample.
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
    together = (a * b).sum() / (a.square().sum() * b.square().sum()).sqrt().clamp_min(1e-9)
    if float(together) < SAME_CORRELATION:
        return False
    first, second = (part[:, :samples] for part in parts)
    late = _lateness(first, second, round(LATEST_S * sample_rate))
    return _coherence(first[:, max(0, -late) :], second[:, max(0, late) :], sample_rate) >= SAME_COHERENCE


def _lateness(x: Tensor, y: Tensor, most: int) -> int:
    """By how many samples, at most `most`, `y` (2, t) comes after `x`: where their whitened correlation is highest."""
    n = 1 << (x.shape[-1] + most).bit_length()
    spectra = [torch.fft.rfft(audio[int(audio.square().sum(-1).argmax())], n) for audio in (x, y)]
    product = spectra[1] * spectra[0].conj()
    correlation = torch.fft.irfft(product / (product.abs() + 1e-3 * product.abs().max() + 1e-20), n).abs()
    return int(torch.cat([correlation[-most:], correlation[: most + 1]]).argmax()) - most


def _coherence(x: Tensor, y: Tensor, sample_rate: int) -> float:
    """The magnitude of the coherence of (2, t) and (2, t'), the mean over channels and from 60 Hz to 12 kHz, 0 to 1.

    Loud frames are weighed down, or a few hits alone would decide.
    """
    samples, window = min(x.shape[-1], y.shape[-1]), torch.hann_window(COHERENCE_FRAME)
    spectra = [
        torch.stft(audio[:, :samples], COHERENCE_FRAME, COHERENCE_FRAME // 2, window=window, return_complex=True)
        for audio in (x, y)
    ]
    powers = [spectrum.abs().square() for spectrum in spectra]
    floors = [power + 1e-4 * power.amax(-1, keepdim=True) + 1e-20 for power in powers]
    cross = (spectra[0] * spectra[1].conj() / (floors[0] * floors[1]).sqrt()).mean(-1).abs()
    own = [(power / floor).mean(-1) for power, floor in zip(powers, floors, strict=True)]
    coherence = cross / (own[0] * own[1]).sqrt().clamp_min(1e-9)
    hz = torch.arange(coherence.shape[-1]) * sample_rate / COHERENCE_FRAME
    return float(coherence[:, (hz > 60) & (hz < 12_000)].mean())


def _log_spectrogram(x: Tensor) -> Tensor:
    """Levels of (2, t), floored 90 dB below the loudest, without each bin's mean: (bins, frames)."""
    window = torch.hann_window(FRAME)
    power = torch.stft(x, FRAME, FRAME // 2, window=window, return_complex=True).abs().square().sum(0)
    levels = torch.log10(power + 1e-9 * power.max() + 1e-20)
    return levels - levels.mean(-1, keepdim=True)
