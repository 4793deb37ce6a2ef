"""FX normalisation: whatever was done to a stem, it comes out like the average stem of its kind.

Stems that were mixed by many hands differ in processing before any is added. Brought to one average spectrum,
compression, width, place and loudness, they are a common ground on which random effects mean the same everywhere.

Source: Martínez-Ramírez et al., "Automatic music mixing with deep learning and out-of-domain data", ISMIR 2022
(FxNorm-automix); Koo et al., "Music mixing style transfer", ICASSP 2023, for image and compression.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stito.audio import is_silent, peak_of, to_stereo
from stito.data.fxnorm.compression import compress
from stito.data.fxnorm.imaging import image
from stito.data.fxnorm.onsets import REFERENCE_DB
from stito.data.fxnorm.pieces import filter_pieces
from stito.data.fxnorm.statistics import (
    StemStatistics,
    average_spectrum,
    features_of,
    fit_targets,
    smoothed_db,
)
from stito.data.fxnorm.targets import StemTargets, Targets, spectrum_grid
from stito.dsp.loudness import integrated_loudness
from stito.errors import AudioError

__all__ = ["StemStatistics", "StemTargets", "Targets", "features_of", "fit_targets", "normalize"]

EQ_LIMIT_DB = 20.0
EQ_TAPS_S = 0.37
"""Long enough to turn the lowest third of an octave: 2.7 Hz."""
NOISE_DB = (60.0, 80.0)
"""From the first to the second of these below the loudest band, boosts end: there is hiss, or nothing."""
EDGES_HZ = (20.0, 20_000.0)
"""Beyond the grid of spectra, boosts end here and cuts go on."""


def normalize(x: Tensor, stem: str, *, sample_rate: int = 44_100, targets: Targets | None = None) -> Tensor:
    """Bring a whole track (2, t), or (1, t) as both channels, to the usual sound of its kind: (2, t).

    Equaliser, compression, imaging, panning and loudness, each towards `targets`, by default those of MUSDB18. The
    image is set before compression too, so that onsets are measured alike wherever a stem was panned. Nothing is
    clipped: a quiet, spiky stem may come out beyond full scale. The same track gives the same samples.

    Raises:
        AudioError: the track is silent, empty or not finite.
        UnknownNameError: there are no targets for that kind of stem.
    """
    goal = (targets or Targets.shipped()).of(stem)
    peak = peak_of(x)
    if x.dim() != 2 or not x.numel() or not peak < float("inf"):
        raise AudioError(f"No audio of shape {tuple(x.shape)} can be normalised.", hint="Give finite audio (2, t).")
    if is_silent(x):
        raise AudioError(f"This {stem} stem is silent: there is nothing to normalise.", hint="Leave it out.")
    x = to_stereo(x.detach().float()) * (10 ** (REFERENCE_DB / 20) / peak)
    x = equalise(x, goal, sample_rate)
    x = image(x, goal.mid_ratio, sample_rate)
    x = compress(x, goal, stem, sample_rate)
    x = image(x, goal.mid_ratio, sample_rate)  # compression moves what is wide and loud
    gain_db = goal.loudness_lufs - float(integrated_loudness(x[None], sample_rate))
    return x * 10 ** (gain_db / 20)


def equalise(x: Tensor, goal: StemTargets, sample_rate: int) -> Tensor:
    """Audio (2, t) filtered towards the target's average spectrum, in third octaves and by at most 20 dB: (2, t).

    The filter has no phase, as published, and the length of the audio does not matter to its cost in memory.
    """
    ours = smoothed_db(average_spectrum(x, sample_rate), sample_rate)
    wanted = (torch.tensor(goal.spectrum_db, dtype=torch.float64) - ours).clamp(-EQ_LIMIT_DB, EQ_LIMIT_DB)
    first, last = NOISE_DB
    audible = ((ours - ours.max() + last) / (last - first)).clamp(0, 1)
    gain_db = torch.where(wanted > 0, wanted * audible, wanted)
    taps = _zero_phase(gain_db, sample_rate)
    half = len(taps) // 2

    def response(n: int) -> Tensor:
        centred = torch.nn.functional.pad(taps, (0, n - len(taps))).roll(-half)
        real: Tensor = torch.fft.rfft(centred).real.to(x.dtype)
        return real

    return filter_pieces(x, response, before=half, after=half)


def _zero_phase(gain_db: Tensor, sample_rate: int) -> Tensor:
    """A symmetric FIR filter (taps,) with gains (256,) at the frequencies of `spectrum_grid`: float64."""
    half = round(EQ_TAPS_S * sample_rate / 2)
    size = 4 * half
    low, high = EDGES_HZ
    octaves = torch.cat([torch.tensor([low]).double(), spectrum_grid(), torch.tensor([high]).double()]).log2()
    curve = torch.cat([gain_db[:1].clamp_max(0), gain_db, gain_db[-1:].clamp_max(0)])
    bins = (torch.arange(size // 2 + 1, dtype=torch.float64) * sample_rate / size).clamp(low, high).log2()
    after = torch.searchsorted(octaves, bins).clamp(1, len(octaves) - 1)
    share = (bins - octaves[after - 1]) / (octaves[after] - octaves[after - 1])
    response = 10 ** (torch.lerp(curve[after - 1], curve[after], share) / 20)
    taps = torch.fft.irfft(response.to(torch.complex128)).roll(half)[: 2 * half + 1]
    tapered: Tensor = taps * torch.hann_window(len(taps), periodic=False, dtype=torch.float64)
    return tapered
