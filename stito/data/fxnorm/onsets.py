"""Where notes and hits begin, and how high they rise: by these the compression of a stem is measured."""

from __future__ import annotations

import torch
from torch import Tensor

from stito.dsp.envelope import control_hop
from stito.dsp.spectrum import fast_length

__all__ = ["REFERENCE_DB", "find_onsets", "onset_levels", "onset_peak_db"]

REFERENCE_DB = -10.0
"""Levels of onsets are counted with the peak of the whole here, in dBFS, as the published targets are."""
WINDOW_S = 0.023
"""1024 samples at 44.1 kHz, half overlapped: hits 50 ms apart are resolved."""
COMPRESSION = 100.0
"""The flux is that of log(1 + 100 |X|) with the peak at -10 dBFS: quiet partials count, hiss does not."""
ACTIVE_DB = 50.0
"""Frames further than this below the loudest hold no onset."""
REACH, BEFORE, AFTER, THRESHOLD = 3, 9, 3, 0.5
"""An onset is the highest in `REACH` frames either side and stands this many deviations over its neighbourhood."""
RISE_S = 0.1
"""An onset's level is the highest within this time."""
REGULAR_S = 0.2
"""A sound without onsets is measured at these intervals."""
STRONG = 0.75
"""Strong onsets are the quarter above this quantile."""
CHUNK = 2048


def find_onsets(x: Tensor, sample_rate: int) -> Tensor:
    """The samples at which something begins in audio (2, t) that has sound, int64 (n,); evenly spaced if nothing does.

    Spectral flux with a logarithm, picked where it is a local maximum above the mean of its neighbourhood (Dixon,
    "Onset Detection Revisited", DAFx 2006). The published detector is aubio's high-frequency content.
    """
    size = fast_length(round(WINDOW_S * sample_rate))
    hop = size // 2
    scale = 10 ** (REFERENCE_DB / 20) / x.abs().amax()
    mono = torch.nn.functional.pad(x.mean(0) * scale, (size, size))  # from silence: the first note is an onset too
    flux, power = _flux(mono.unfold(0, size, hop))
    active = power > power.max() * 10 ** (-ACTIVE_DB / 10)
    if active.sum() < 2:  # channels that cancel, or one click
        return _regular(x, sample_rate)
    height = (flux - flux[active].mean()) / (flux[active].std() + 1e-9)
    around = torch.nn.functional.max_pool1d(height[None], 2 * REACH + 1, 1, padding=REACH)[0]
    padded = torch.nn.functional.pad(height[None, None], (BEFORE, AFTER), mode="replicate")
    usual = torch.nn.functional.avg_pool1d(padded, BEFORE + AFTER + 1, 1)[0, 0]
    found = ((height >= around) & (height >= usual + THRESHOLD) & active).nonzero().flatten()
    onsets = ((found + 1) * hop - size).clamp(0, x.shape[-1] - 1)
    return onsets if len(onsets) else _regular(x, sample_rate)


def _flux(frames: Tensor) -> tuple[Tensor, Tensor]:
    """The rise of the log spectrum into each frame but the first, and the power of those frames: each (frames - 1,)."""
    window = torch.hann_window(frames.shape[-1], dtype=frames.dtype, device=frames.device)
    rises, powers = [], []
    for start in range(0, len(frames) - 1, CHUNK):
        piece = frames[start : start + CHUNK + 1] * window
        spectrum = torch.log1p(COMPRESSION * torch.fft.rfft(piece).abs())
        rises.append(spectrum.diff(dim=0).clamp_min(0).mean(1))
        powers.append(piece[1:].square().mean(1))
    return torch.cat(rises), torch.cat(powers)


def _regular(x: Tensor, sample_rate: int) -> Tensor:
    return torch.arange(0, x.shape[-1], round(REGULAR_S * sample_rate), device=x.device)


def onset_levels(peaks: Tensor, onsets: Tensor, sample_rate: int) -> Tensor:
    """The highest level within 100 ms of each onset, under the peak of the whole: (n,) in dB, at most 0.

    `peaks` (m,) are linear peaks of control steps (`stito.dsp.envelope`), `onsets` (n,) sample positions.
    """
    hop = control_hop(sample_rate)
    reach = max(1, round(RISE_S * sample_rate / hop))
    ahead = torch.nn.functional.max_pool1d(torch.nn.functional.pad(peaks, (0, reach - 1))[None], reach, 1)[0]
    highest = ahead[torch.div(onsets, hop, rounding_mode="floor").clamp_max(len(peaks) - 1)]
    return 20 * torch.log10((highest / peaks.amax()).clamp_min(1e-6))


def onset_peak_db(levels: Tensor) -> float:
    """How high strong onsets rise when the whole peaks at -10 dBFS, in dB, of the levels (n,) under that peak.

    The mean of what lies above the 75th percentile: close to -10, every strong hit is as loud as the loudest; far
    below, a few stand out.
    """
    return float(levels[levels >= levels.quantile(STRONG)].mean()) + REFERENCE_DB
