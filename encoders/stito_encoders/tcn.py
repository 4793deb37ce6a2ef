"""MixFXcloner as published: a temporal convolutional network on waveforms, conditioned on a style in every block.

Source: Koo et al., "Music mixing style transfer: a contrastive learning approach to disentangle audio effects",
ICASSP 2023, sec. 3.2; layer table of the authors' configuration. FiLM: Perez et al., AAAI 2018.
"""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["FilmBlock", "WaveformTCN"]


class FilmBlock(nn.Module):
    """Dilated convolution, batch norm, leaky ReLU, FiLM from a style; beside it a grouped 1 x 1 convolution."""

    def __init__(self, inputs: int, width: int, kernel: int, dilation: int, style: int) -> None:
        super().__init__()
        padding = dilation * (kernel - 1) // 2
        self.convolution = nn.Conv1d(inputs, width, kernel, padding=padding, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.film = nn.Linear(style, 2 * width)
        nn.init.ones_(self.film.bias[:width])  # begins as a network without FiLM
        self.beside = nn.Conv1d(inputs, width, 1, groups=inputs, bias=False)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(b, inputs, t) and a style (b, s) to (b, width, t)."""
        scale, shift = self.film(style)[..., None].chunk(2, dim=1)
        inside = nn.functional.leaky_relu(self.norm(self.convolution(x)), 0.01)
        out: Tensor = inside * scale + shift + self.beside(x)
        return out


class WaveformTCN(nn.Module):
    """Stereo waveforms (b, 2, t) and a style to waveforms within [-1, 1]; the input's own style is not used.

    Args:
        style: dims of the style.
        blocks: how many; their dilations are 1, 2, 4, ...
        kernel: of each block, odd.
        width: channels between the blocks, an even number.

    The published network has 10.55 million parameters with a style of 2,048 dims, and a receptive field of 5.2 s.
    """

    step = 1

    def __init__(self, style: int, blocks: int = 14, kernel: int = 15, width: int = 128) -> None:
        super().__init__()
        inputs = [2, *[width] * (blocks - 1)]
        self.blocks = nn.ModuleList(
            FilmBlock(before, width, kernel, 2**index, style) for index, before in enumerate(inputs)
        )
        self.out = nn.Conv1d(width, 2, 1)
        self.reach = (kernel - 1) // 2 * (2**blocks - 1)

    def forward(self, x: Tensor, reference: Tensor, own: Tensor) -> Tensor:
        """Audio (b, 2, t) in the style `reference` (b, style)."""
        del own
        for block in self.blocks:
            x = block(x, reference)
        out: Tensor = self.out(x)
        return out.clamp(-1, 1)
