"""FXencoder as published: residual one-dimensional convolutions on stereo waveforms.

Source: Koo et al., "Music mixing style transfer: a contrastive learning approach to disentangle audio effects",
ICASSP 2023, sec. 3.1; layer table of the authors' configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["Layer", "WaveformNet"]


class Layer(NamedTuple):
    """One residual block: its output channels, the kernel of both convolutions, the stride of the second."""

    channels: int
    kernel: int
    stride: int


PAPER = (
    Layer(16, 25, 4),
    Layer(32, 25, 4),
    Layer(64, 15, 2),
    Layer(128, 15, 2),
    Layer(256, 10, 2),
    Layer(256, 10, 2),
    Layer(512, 10, 2),
    Layer(512, 10, 2),
    Layer(1024, 5, 2),
    Layer(1024, 5, 2),
    Layer(2048, 5, 1),
    Layer(2048, 5, 1),
)
"""81.39 million parameters, 2048 dims, a stride of 4096 samples and a receptive field of 2.47 s."""


class WaveformNet(nn.Module):
    """Stereo waveforms (b, 2, t) of any length to the time average of the last block, (b, channels)."""

    def __init__(self, layers: Sequence[Layer] = PAPER) -> None:
        super().__init__()
        layers = [Layer(*layer) for layer in layers]  # from a recipe they come as lists
        inputs = (2, *(layer.channels for layer in layers[:-1]))
        self.blocks = nn.Sequential(*(_Block(before, layer) for before, layer in zip(inputs, layers, strict=True)))
        self.dim = layers[-1].channels

    def forward(self, x: Tensor) -> Tensor:
        """The embedding (b, dim)."""
        embedded: Tensor = self.blocks(x).mean(-1)
        return embedded


class _Block(nn.Module):
    def __init__(self, inputs: int, layer: Layer) -> None:
        super().__init__()
        self.inside = _Convolution(inputs, inputs, layer.kernel, 1)
        self.outward = _Convolution(inputs, layer.channels, layer.kernel, layer.stride)

    def forward(self, x: Tensor) -> Tensor:
        shaped: Tensor = self.outward(self.inside(x) + x)
        return shaped


class _Convolution(nn.Module):
    """Convolution that keeps ceil(t / stride) samples, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.before, self.after = (kernel - 1) // 2, kernel // 2
        self.convolution = nn.Conv1d(inputs, outputs, kernel, stride)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        # reflected as published; a signal shorter than the kernel has nothing to reflect
        mode = "reflect" if x.shape[-1] > self.after else "replicate"
        padded = nn.functional.pad(x, (self.before, self.after), mode=mode)
        return torch.relu(self.norm(self.convolution(padded)))
