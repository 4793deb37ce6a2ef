"""A small MixFXcloner: the same kind of network, at the rate of frames instead of samples.

It does not output the waveform but gains: for every frame and band how loud mid and side are, how much of each goes
into the other, and how much of three rooms is added. Untrained it passes the input on, and it keeps the input's detail.

```
x ─▶ STFT ─▶ mid, side ───────────────▶ (2 x 2 matrix) ──┐
 │                                                        +─▶ ISTFT ─▶ result
 ├─▶ three rooms ─▶ STFT ─▶ mid, side ─▶ (6 gains) ──────┘
 └─▶ band levels ─▶ TCN with FiLM from both styles ─▶ per frame and band: matrix and gains
```
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stito.dsp.spectrum import fast_length
from stito.dsp.stft import hann, mel_bank
from stito_encoders.tcn import FilmBlock

__all__ = ["BandTCN"]

N_FFT, HOP = 2048, 512
FLOOR = 1e-9
CENTRE_DB, SPREAD_DB = -55.0, 20.0
"""Where band levels of music at a usual level lie."""
LOUDEST = 4.0
"""Of a gain, as its natural logarithm: 35 dB."""
QUIETEST = -7.0
FAINT = -3.0
"""Where the rooms stand before training: -26 dB."""
ROOMS_S = (0.3, 0.8, 2.0)
MATRIX = 4


class BandTCN(nn.Module):
    """Stereo audio (b, 2, t) and two styles to stereo audio.

    Args:
        style: dims of a style.
        bands: mel bands in which gains are predicted.
        width: channels between the blocks.
        blocks: how many; their dilations are 1, 2, 4, ... frames.
        kernel: of each block, odd.
        hidden: dims of the conditioning, which is computed from both styles.
        dropout: share of the conditioning that training leaves out.
        rooms: seconds to -60 dB of the rooms.
        sample_rate: of the audio, in Hz.
    """

    step = HOP
    filters: Tensor
    impulses: Tensor

    def __init__(
        self,
        style: int,
        bands: int = 64,
        width: int = 128,
        blocks: int = 7,
        kernel: int = 5,
        hidden: int = 256,
        dropout: float = 0.1,
        rooms: Sequence[float] = ROOMS_S,
        sample_rate: int = 44_100,
    ) -> None:
        super().__init__()
        self.bands, self.rooms, self.sample_rate = bands, tuple(rooms), sample_rate
        self.conditioning = nn.Sequential(
            nn.BatchNorm1d(2 * style), nn.Linear(2 * style, hidden), nn.ReLU(), nn.Dropout(dropout)
        )
        self.entry = nn.Conv1d(4 * bands, width, 1)
        self.blocks = nn.ModuleList(FilmBlock(width, width, kernel, 2**index, hidden) for index in range(blocks))
        self.out = nn.Conv1d(width, (MATRIX + 2 * len(self.rooms)) * bands, 1)
        for values in self.out.parameters():
            nn.init.zeros_(values)  # begins as a wire with a trace of room
        self.register_buffer("filters", mel_bank(sample_rate, N_FFT, bands).filters.float(), persistent=False)
        self.register_buffer("impulses", _impulses(self.rooms, sample_rate), persistent=False)
        frames = (kernel - 1) // 2 * (2**blocks - 1)
        self.reach = frames * HOP + 2 * N_FFT + self.impulses.shape[-1]

    def forward(self, x: Tensor, reference: Tensor, own: Tensor) -> Tensor:
        """Audio (b, 2, t) in the style `reference` (b, style), where `own` is its own."""
        x = x.float()
        with torch.no_grad():
            dry, wet = self._spectra(x), self._spectra(self._in_rooms(x))
            levels = self._levels(dry)
        controls = self._controls(levels, torch.cat([reference, own], dim=-1))
        # row by row, so that a row's spectra are still in the cache when the next gain needs them
        made = [self._mixed(*row) for row in zip(dry, wet, controls, strict=True)]
        spectrum = torch.stack([torch.complex(*part.unbind(0)) for row in made for part in row]).transpose(1, 2)
        window = hann(N_FFT, torch.float32, x.device)
        pair = torch.istft(spectrum, N_FFT, HOP, window=window, length=x.shape[-1])
        return _crossed(pair.view(x.shape))

    def _mixed(self, dry: Tensor, wet: Tensor, controls: Tensor) -> tuple[Tensor, Tensor]:
        """Mid and side as they shall be of those of the input, of those in rooms, and gains; spectra as parts (2, ...).

        Real and imaginary parts lie apart, which makes the derivative cheap.
        """
        mid, side = dry
        with torch.autocast(controls.device.type, enabled=False):
            gains = (controls.float() @ self.filters.T).unbind(0)
        new_mid = torch.addcmul(gains[0] * mid, gains[2], side)
        new_side = torch.addcmul(gains[1] * side, gains[3], mid)
        for room in range(len(self.rooms)):
            new_mid = torch.addcmul(new_mid, gains[MATRIX + 2 * room], wet[2 * room])
            new_side = torch.addcmul(new_side, gains[MATRIX + 2 * room + 1], wet[2 * room + 1])
        return new_mid, new_side

    def _controls(self, levels: Tensor, styles: Tensor) -> Tensor:
        """Of band levels (b, frames, 4 bands): (b, 4 matrix and 2 n room gains, frames, bands)."""
        conditioning = self.conditioning(styles)
        h = self.entry(((levels - CENTRE_DB) / SPREAD_DB).transpose(1, 2))
        for block in self.blocks:
            h = block(h, conditioning)
        output = self.out(h).reshape(len(h), -1, self.bands, h.shape[-1]).transpose(2, 3)
        own = output[:, :2].clamp(QUIETEST, LOUDEST).exp()
        rooms = (output[:, MATRIX:] + FAINT).clamp(QUIETEST, LOUDEST).exp()
        return torch.cat([own, output[:, 2:MATRIX], rooms], dim=1)

    def _spectra(self, x: Tensor) -> Tensor:
        """Of stereo audio (b, 2 n, t) real and imaginary parts of mid and side, (b, 2 n, 2, frames, bins)."""
        pairs = _crossed(x.reshape(-1, 2, x.shape[-1])).flatten(0, 1)
        window = hann(N_FFT, x.dtype, x.device)
        spectrum = torch.stft(pairs, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True)
        parts = torch.view_as_real(spectrum).permute(0, 3, 2, 1).contiguous()
        return parts.view(*x.shape[:2], *parts.shape[1:])

    def _levels(self, spectrum: Tensor) -> Tensor:
        """Levels in dB of the bands of left, right, mid and side: (b, frames, 4 bands)."""
        power = torch.cat([_crossed(spectrum), spectrum], dim=1).square().sum(2) * (4 / N_FFT) ** 2
        with torch.autocast(power.device.type, enabled=False):
            energy = power @ self.filters
        return (10 * torch.log10(energy + FLOOR)).transpose(1, 2).flatten(2)

    def _in_rooms(self, x: Tensor) -> Tensor:
        """Audio (b, 2, t) in each room: (b, 2 rooms, t)."""
        n = fast_length(x.shape[-1] + self.impulses.shape[-1])
        spectrum = torch.fft.rfft(x, n)[:, None] * torch.fft.rfft(self.impulses, n)
        wet: Tensor = torch.fft.irfft(spectrum, n)[..., : x.shape[-1]].flatten(1, 2)
        return wet


def _crossed(pair: Tensor) -> Tensor:
    """Mid and side of left and right, or left and right of mid and side: (b, 2, ...)."""
    one, other = pair.unbind(1)
    crossed: Tensor = torch.stack([one + other, one - other], dim=1) * 0.5**0.5
    return crossed


def _impulses(rooms: Sequence[float], sample_rate: int) -> Tensor:
    """Noise that decays at the rates of rooms, unit energy per channel, (rooms, 2, t); always the same."""
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(round(max(rooms) * sample_rate)) / sample_rate
    noise = torch.randn(len(rooms), 2, len(time), generator=generator)
    impulses = noise * torch.stack([10 ** (-3 * time / seconds) for seconds in rooms])[:, None]
    levelled: Tensor = impulses / impulses.square().sum(-1, keepdim=True).sqrt()
    return levelled
