"""A small FXencoder: statistics over time of learned functions of band energies.

What effects do to a sound is a matter of statistics: the average of each band, how much it moves, how fast it falls,
how left and right agree. The network reads the band energies of left, right, mid and side, looks at them with a few
residual convolutions over time, and pools mean and standard deviation at every depth: from the input's own, which are
the long-term spectrum and its dynamics, to those of learned patterns. It costs a hundredth of the published network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stito.dsp.stft import StereoBands, stereo_bands

__all__ = ["SpectralNet"]

FLOOR = 1e-9
"""Mean square of a band that counts as silence: -90 dB."""
CENTRE_DB, SPREAD_DB = -55.0, 20.0
"""Where band levels of music at a usual level lie; brings them to about zero mean and unit spread."""


class SpectralNet(nn.Module):
    """Stereo audio (b, 2, t) of any length to an embedding (b, dim).

    Args:
        bands: mel bands per channel.
        width: channels of the convolutions.
        depth: residual blocks; each but the last halves the frame rate.
        hidden: width of the layer between the pooled statistics and the embedding.
        dim: of the embedding.
        rectified: whether the embedding's codes are not negative, as the published network's are.
        sample_rate: of the audio, in Hz.
    """

    def __init__(
        self,
        bands: int = 64,
        width: int = 256,
        depth: int = 3,
        hidden: int = 1024,
        dim: int = 512,
        rectified: bool = False,
        sample_rate: int = 44_100,
    ) -> None:
        super().__init__()
        self.bands, self.dim, self.sample_rate = bands, dim, sample_rate
        inputs = 4 * bands
        self.entry = nn.Sequential(
            nn.Conv1d(inputs, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm1d(width), nn.ReLU()
        )
        self.blocks = nn.ModuleList(_Residual(width) for _ in range(depth))
        pooled = 2 * (inputs + (depth + 1) * width)
        self.head = nn.Sequential(
            nn.BatchNorm1d(pooled),
            nn.Linear(pooled, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, dim),
            *([nn.ReLU()] if rectified else []),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The embedding (b, dim)."""
        return self.from_levels(self.levels(x))

    def levels(self, x: Tensor) -> Tensor:
        """Scaled band levels of left, right, mid and side, (b, 4 bands, frames)."""
        return self._scaled(stereo_bands(x.float(), self.sample_rate, count=self.bands))

    def embed_mirrored(self, x: Tensor) -> Tensor:
        """The embeddings (2 b, dim) of audio and, behind them, of its mirror image, left and right swapped."""
        return self.from_levels(self._scaled(stereo_bands(x.float(), self.sample_rate, count=self.bands).with_mirror()))

    @staticmethod
    def _scaled(bands: StereoBands) -> Tensor:
        energy = torch.cat([bands.left, bands.right, bands.mid, bands.side], dim=-1)
        level = 10 * torch.log10(energy + FLOOR)
        return ((level - CENTRE_DB) / SPREAD_DB).transpose(1, 2)

    def from_levels(self, levels: Tensor) -> Tensor:
        """The embedding (b, dim) of what `levels` gave."""
        h = self.entry(levels)
        pooled = [_statistics(levels), _statistics(h)]
        for index, block in enumerate(self.blocks):
            h = block(h)
            pooled.append(_statistics(h))
            if index + 1 < len(self.blocks):
                h = nn.functional.avg_pool1d(h, 2, ceil_mode=True)
        embedded: Tensor = self.head(torch.cat(pooled, dim=1))
        return embedded


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            nn.Conv1d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm1d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.inside(x))


def _statistics(x: Tensor) -> Tensor:
    """Mean and standard deviation over time of (b, c, frames): (b, 2 c)."""
    mean = x.mean(-1, keepdim=True)
    variance = (x - mean).square().mean(-1)  # in two passes: torch's own takes several times as long
    return torch.cat([mean.squeeze(-1), (variance + 1e-5).sqrt()], dim=1)
