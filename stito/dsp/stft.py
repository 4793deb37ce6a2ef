"""Short-time spectra: magnitudes, and the band energies that loudness, features and encoders all read.

One analysis serves both channels and everything linear in them: with the energies of left and right and their
cross-energy, those of mid and side follow without another transform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from stito.dsp.fourier import rfft
from stito.dsp.loudness import Loudness, k_weighting
from stito.errors import AudioError

__all__ = ["MelBank", "StereoBands", "hann", "magnitude", "mel_bank", "stereo_bands"]

CHUNK = 512
"""Frames analysed at once on a CPU: small enough to stay in its cache, and to keep a whole song's spectra small."""
STRETCH_S = 0.1
SLICE_BANDS = 16
"""Bands whose filters share one matrix product: few enough that most of their common zeros are skipped, and as many as
two registers hold."""


@lru_cache(maxsize=32)
def hann(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The periodic Hann window of `n` samples."""
    return torch.hann_window(n, dtype=dtype, device=device)


def magnitude(x: Tensor, n_fft: int, hop: int, *, eps: float = 1e-7) -> Tensor:
    """The magnitude of the short-time spectrum of audio (..., t): (..., n_fft // 2 + 1, frames).

    Hann window, frames centred on multiples of `hop`, zeros beyond both ends, no normalisation. `eps` is added to the
    power before the root, so that silence has a gradient.
    """
    flat = x.reshape(-1, x.shape[-1])
    window = hann(n_fft, x.dtype, x.device)
    spectrum = torch.stft(flat, n_fft, hop, window=window, pad_mode="constant", return_complex=True)
    power = torch.view_as_real(spectrum).square().sum(-1)
    return (power + eps).sqrt().reshape(*x.shape[:-1], *power.shape[-2:])


@dataclass(frozen=True)
class MelBank:
    """Triangular bands, evenly spaced on the mel scale.

    Attributes:
        filters: (n_fft // 2 + 1, k). They sum to one at every frequency covered: the outer flanks of the first and
            the last band are flat.
        centre_hz: (k,).
        width_hz: (k,), the area of each filter.
    """

    filters: Tensor
    centre_hz: Tensor
    width_hz: Tensor


@lru_cache(maxsize=32)
def mel_bank(sample_rate: int, n_fft: int, count: int, low_hz: float = 20.0, high_hz: float = 20_000.0) -> MelBank:
    """The bank of `count` bands between two frequencies (the upper one at most Nyquist), in float64.

    Mel scale of O'Shaughnessy (1987): 2595 log10(1 + f / 700).
    """
    ends = 2595 * torch.log10(1 + torch.tensor([low_hz, min(high_hz, sample_rate / 2)], dtype=torch.float64) / 700)
    mels = torch.linspace(float(ends[0]), float(ends[1]), count + 2, dtype=torch.float64)
    edges = 700 * (10 ** (mels / 2595) - 1)
    hz = torch.arange(n_fft // 2 + 1, dtype=torch.float64)[:, None] * sample_rate / n_fft
    rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    rising[:, 0] = (hz[:, 0] >= edges[0]).double()
    falling[:, -1] = (hz[:, 0] <= edges[-1] + 1e-6).double()  # Nyquist itself, whatever rounding made of it
    filters = torch.minimum(rising, falling).clamp(0, 1)
    return MelBank(filters, edges[1:-1], filters.sum(0) * sample_rate / n_fft)


@dataclass(frozen=True)
class StereoBands:
    """The energy of stereo audio per frame and band, as mean squares of the waveform.

    Attributes:
        left, right: energies of the channels, (b, frames, k).
        cross: the mean product of left and right, (b, frames, k).
        weighted: K-weighted energy of both channels and all bands, (b, frames).
        centre_hz, width_hz: of the bands, (k,).
        hop_s: seconds from frame to frame, a quarter of a frame.
        duration_s: of the audio.
    """

    left: Tensor
    right: Tensor
    cross: Tensor
    weighted: Tensor
    centre_hz: Tensor
    width_hz: Tensor
    hop_s: float
    duration_s: float

    @property
    def total(self) -> Tensor:
        """Energy of both channels, (b, frames, k)."""
        return self.left + self.right

    @property
    def mid(self) -> Tensor:
        """Energy of (left + right) / sqrt 2, (b, frames, k); with `side` it adds up to `total`."""
        return (self.total / 2 + self.cross).clamp_min(0)

    @property
    def side(self) -> Tensor:
        """Energy of (left - right) / sqrt 2, (b, frames, k); trusted to 60 dB below the total in float32."""
        return (self.total / 2 - self.cross).clamp_min(0)

    @property
    def loudness(self) -> Loudness:
        """Loudness read off the frames instead of the filtered waveform.

        An approximation of `stito.dsp.loudness.measure`: the K-weighting multiplies power spectra, and a frame's energy
        counts as spread evenly over one hop around its centre. Music agrees within .3 LU.
        """
        return Loudness(_stretches(self.weighted, self.hop_s, self.duration_s), STRETCH_S)

    def over_time(self) -> StereoBands:
        """The mean over all frames, as a single frame."""
        left, right, cross = (part.mean(1, keepdim=True) for part in (self.left, self.right, self.cross))
        weighted = self.weighted.mean(1, keepdim=True)
        return replace(self, left=left, right=right, cross=cross, weighted=weighted, duration_s=self.hop_s)

    def with_mirror(self) -> StereoBands:
        """These (b), and behind them (2 b) those of the same audio with left and right swapped."""
        left, right = torch.cat([self.left, self.right]), torch.cat([self.right, self.left])
        cross, weighted = torch.cat([self.cross] * 2), torch.cat([self.weighted] * 2)
        return replace(self, left=left, right=right, cross=cross, weighted=weighted)

    def grouped(self, count: int) -> StereoBands:
        """Broader bands: each sums `count` neighbours; their number must divide."""
        left, right, cross = (
            part.reshape(*part.shape[:-1], -1, count).sum(-1) for part in (self.left, self.right, self.cross)
        )
        centre = self.centre_hz.reshape(-1, count).log().mean(-1).exp()
        width = self.width_hz.reshape(-1, count).sum(-1)
        return replace(self, left=left, right=right, cross=cross, centre_hz=centre, width_hz=width)

    def whole(self) -> StereoBands:
        """All bands as one."""
        return self.grouped(self.centre_hz.shape[0])


def stereo_bands(x: Tensor, sample_rate: int, *, count: int = 48, n_fft: int | None = None) -> StereoBands:
    """The energies of audio (b, 2, t) in `count` mel bands from 20 Hz to 20 kHz.

    Hann frames of 2048 samples at 44.1 and 48 kHz, of about as many seconds at other rates, or of `n_fft`; the hop is
    a quarter. Only whole frames count, and shorter audio is one zero-padded frame. A stationary signal of mean square
    m within that range has energies that sum to m over the bands, in each channel. A row has the same energies alone
    and in a batch, and under autocast too: a faint side is the small difference of large products.
    `AudioError` if the audio is not (b, 2, t).
    """
    if x.dim() != 3 or x.shape[1] != 2 or x.shape[-1] == 0:
        raise AudioError(
            f"Band energies need audio of shape (b, 2, t), not {tuple(x.shape)}.",
            hint="Convert mono to stereo by repeating its channel, and add a batch dimension.",
        )
    n_fft = n_fft or _frame_length(sample_rate)
    hop = n_fft // 4
    duration = x.shape[-1] / sample_rate
    if x.shape[-1] < n_fft:
        x = torch.nn.functional.pad(x, (0, n_fft - x.shape[-1]))
    filters = _filters(sample_rate, n_fft, count, x.dtype, x.device)
    rows = 1 if x.device.type == "cpu" else x.shape[0]
    with torch.autocast(x.device.type, enabled=False):
        energies = [_energies(part, filters, n_fft, hop) for part in torch.split(x, rows)]
    joined = energies[0] if len(energies) == 1 else torch.cat(energies, dim=1)
    left, right, cross = joined[..., :count]
    bank = mel_bank(sample_rate, n_fft, count)
    centre, width = (part.to(x) for part in (bank.centre_hz, bank.width_hz))
    weighted = joined[0, ..., count] + joined[1, ..., count]
    return StereoBands(left, right, cross, weighted, centre, width, hop / sample_rate, duration)


def _stretches(energy: Tensor, hop_s: float, duration_s: float) -> Tensor:
    """From frames (b, frames) to the mean energy of successive stretches of 100 ms, (b, n)."""
    frames = torch.arange(energy.shape[-1], device=energy.device)
    start = (frames + 1.5) * hop_s / STRETCH_S  # the first centre is two hops in, its hop starts half of one earlier
    count = max(1, int(duration_s / STRETCH_S + 1e-6))
    first = start.floor()
    share = ((first + 1 - start) * STRETCH_S / hop_s).clamp_max(1)
    index = torch.cat([first, first + 1]).long().clamp_max(count)  # one stretch more takes what is left over
    share = torch.cat([share, 1 - share]).to(energy.dtype)
    total = energy.new_zeros(energy.shape[0], count + 1).index_add(1, index, energy.repeat(1, 2) * share)
    covered = energy.new_zeros(count + 1).index_add(0, index, share)
    return (total / covered.clamp_min(1e-3))[:, :count]


def _frame_length(sample_rate: int) -> int:
    """The power of two nearest to 46 ms."""
    return 1 << round(math.log2(2048 / 44_100 * sample_rate))


@dataclass(frozen=True)
class _Slice:
    """The filters (bands, columns) of a few neighbouring bands, on the columns where they are not zero."""

    start: int
    stop: int
    weights: Tensor


def _energies(x: Tensor, filters: tuple[_Slice, ...], n_fft: int, hop: int) -> Tensor:
    """Band energies of left, right and their product, then their K-weighted energy: (3, b, frames, k + 1)."""
    window = hann(n_fft, x.dtype, x.device)
    frames_of_all = x.unfold(-1, n_fft, hop)
    chunks = -(-frames_of_all.shape[2] // (CHUNK if x.device.type == "cpu" else 1 << 16))
    done = []
    for frames in torch.chunk(frames_of_all, chunks, dim=2):  # all about as long
        spectrum = torch.view_as_real(rfft(frames * window)).flatten(-2)
        left, right = spectrum.unbind(1)
        done.append(torch.stack([_banded(part, filters) for part in (left * left, right * right, left * right)]))
    return done[0] if len(done) == 1 else torch.cat(done, dim=2)


def _banded(products: Tensor, filters: tuple[_Slice, ...]) -> Tensor:
    """Sum products of spectra (..., frames, n_fft + 2) into bands (..., frames, k + 1)."""
    banded: Tensor = _Banded.apply(products, filters)  # type: ignore[no-untyped-call]
    return banded


class _Banded(torch.autograd.Function):
    """A matrix product that skips the zeros of the mel filters, four fifths of them, on the way back too."""

    @staticmethod
    def forward(ctx: Any, products: Tensor, filters: tuple[_Slice, ...]) -> Tensor:
        ctx.filters, ctx.columns = filters, products.shape[-1]
        return torch.cat([linear(products[..., part.start : part.stop], part.weights) for part in filters], dim=-1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        out = grad.new_zeros(*grad.shape[:-1], ctx.columns)
        pieces = torch.split(grad, [len(part.weights) for part in ctx.filters], dim=-1)
        for piece, part in zip(pieces, ctx.filters, strict=True):
            out[..., part.start : part.stop] += piece @ part.weights
        return out, None


@lru_cache(maxsize=16)
def _filters(sample_rate: int, n_fft: int, count: int, dtype: torch.dtype, device: torch.device) -> tuple[_Slice, ...]:
    """The mel bank for spectra whose real and imaginary parts are interleaved, scaled to mean squares.

    Repeating each bin's row for both parts makes |X|^2 and Re X conj(Y) plain products, without a complex pass.
    """
    sides = torch.full((n_fft // 2 + 1, 1), 2.0, dtype=torch.float64)
    sides[0] = sides[-1] = 1.0
    window_power = hann(n_fft, torch.float64, torch.device("cpu")).square().sum()
    weights = (mel_bank(sample_rate, n_fft, count).filters * sides / (n_fft * window_power)).repeat_interleave(2, dim=0)
    response = k_weighting(n_fft, sample_rate, torch.float64).abs().square().flatten()
    weighted = weights.sum(1, keepdim=True) * response.repeat_interleave(2)[:, None]
    slices = []
    for columns in (*torch.split(weights, SLICE_BANDS, dim=1), weighted):
        used = columns.any(dim=1).nonzero()
        start, stop = (int(used.min()), int(used.max()) + 1) if len(used) else (0, 1)
        slices.append(_Slice(start, stop, columns[start:stop].T.to(device, dtype).contiguous()))
    return tuple(slices)
