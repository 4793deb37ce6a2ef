"""A Transformer on the log-mel spectrum of one stem, conditioned on structured mixing features.

```
stem ─▶ log-mel of its channels ─▶ patches of frames ─▶ blocks ─▶ mean over time ─▶ embedding
                                                          ▲
mixing features by family ─▶ MLP each ─▶ sum ─▶ FiLM ─────┘      (or tokens: prepended, or attended to)
```

Source: B. Cheng, "Mixing style representation learning: a stem-aware contrastive framework with structured mix
features". Patches of several frames, and that a block's FiLM acts on the input of its feed-forward, are our choice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from stito.dsp.stft import StereoBands, stereo_bands
from stito.errors import WeightsError
from stito.models.stem_batch import StemBatch
from stito_encoders.mixing_families import BROAD, FAMILIES, family_dims, mixing_families

__all__ = ["Mechanism", "StemTransformer"]

Mechanism = Literal["film", "prepend", "cross-attention"]
FLOOR = 1e-9
"""Mean square of a band that counts as silence: -90 dB."""
CENTRE_DB, SPREAD_DB = -55.0, 20.0
"""Where band levels of music at a usual level lie."""
CHANNELS = ("left", "right", "mid", "side")
PATCHES = "patches"
CLIP, LEAST_SPREAD = 6.0, 1e-3
REMEMBERED = 4000.0
"""Stems of a kind over which what is usual is averaged."""
SLOWEST = 10_000.0
"""Wavelength of the slowest position code, in tokens."""


class StemTransformer(nn.Module):
    """Stems of mixes (`StemBatch`, n rows) to embeddings (n, dim).

    Args:
        names: of the stems that it knows, one slot each.
        bands: mel bands per channel.
        n_fft: of the spectrum; the hop is a quarter.
        channels: which of left, right, mid and side are embedded.
        patch: frames per token.
        dim: of tokens and embedding.
        depth: blocks.
        heads: of the attention.
        families: which mixing features it is conditioned on; none for an encoder of the sound alone.
        mechanism: how.
        hidden: dims of h_mix, and of the MLP of each family.
        dropout: in the blocks.
        sample_rate: of the audio, in Hz.
    """

    def __init__(
        self,
        names: Sequence[str] = ("vocals", "drums", "bass", "other"),
        bands: int = 64,
        n_fft: int = 2048,
        channels: Sequence[str] = CHANNELS,
        patch: int = 8,
        dim: int = 128,
        depth: int = 4,
        heads: int = 4,
        families: Sequence[str] = FAMILIES,
        mechanism: Mechanism = "film",
        hidden: int = 256,
        dropout: float = 0.0,
        sample_rate: int = 44_100,
    ) -> None:
        super().__init__()
        _check(bands, channels, families, mechanism)
        self.names, self.channels, self.families = tuple(names), tuple(channels), tuple(families)
        self.bands, self.n_fft, self.patch, self.dim, self.sample_rate = bands, n_fft, patch, dim, sample_rate
        self.entry = nn.Linear(len(self.channels) * bands * patch, dim)
        self.kind = nn.Embedding(len(self.names) + 1, dim)
        """The last is that of a stem whose name is not given."""
        kinds = len(self.names) + 1
        sizes = family_dims(families)
        self.gamma = nn.ModuleDict({family: _Family(size, hidden, kinds) for family, size in sizes.items()})
        self.mechanism = mechanism if self.families else None
        self.tokens = nn.Linear(hidden, dim) if self.mechanism in ("prepend", "cross-attention") else None
        self.blocks = nn.ModuleList(_Block(dim, heads, dropout, hidden, self.mechanism) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        nn.init.normal_(self.kind.weight, std=0.02)

    def forward(self, batch: StemBatch) -> Tensor:
        """Embeddings (n, dim)."""
        analysis = batch.analysis or self._analysis(batch, self.families)
        found = {family: analysis[family] for family in self.families}
        kind = torch.where(batch.named, batch.slot, len(self.names))
        h = self.entry(analysis[PATCHES].float())[batch.row] + self.kind(kind)[:, None]
        h = h + _positions(h.shape[1], self.dim).to(h)
        conditions = [self.gamma[family](values, kind) for family, values in found.items()]
        tokens = None if self.tokens is None else self.tokens(torch.stack(conditions, dim=1))
        mix = torch.stack(conditions).sum(0) if self.mechanism == "film" else None
        first = 0
        if self.mechanism == "prepend" and tokens is not None:
            first = tokens.shape[1]
            h = torch.cat([tokens, h], dim=1)
        for block in self.blocks:
            h = block(h, mix, tokens)
        pooled: Tensor = self.norm(h[:, first:]).mean(1)
        return pooled

    def measured(self, batch: StemBatch) -> StemBatch:
        """The same stems with what is measured of them, through which gradients flow."""
        return replace(batch, analysis=self._analysis(batch, self.families))

    def analyse(self, batch: StemBatch) -> StemBatch:
        """The same stems as what is measured of them, levels in half precision: nothing in it is learnt.

        All families are in it, so that networks with other families can go on from it too.
        """
        with torch.no_grad():
            analysis = self._analysis(batch, FAMILIES)
        return batch.analysed({**analysis, PATCHES: analysis[PATCHES].half()})

    def _analysis(self, batch: StemBatch, families: Sequence[str]) -> dict[str, Tensor]:
        """Patches of levels (u, tokens, ...) of each sound, and the families (n, dims) of each stem."""
        with torch.autocast(batch.audio.device.type, enabled=False):
            bands = stereo_bands(batch.audio.float(), self.sample_rate, count=self.bands, n_fft=self.n_fft)
            found = mixing_families(batch, bands, self.sample_rate, families, len(self.names))
        return {PATCHES: self._patches(bands), **found}

    def _patches(self, bands: StereoBands) -> Tensor:
        """Scaled band levels, some frames side by side, (u, tokens, patch x channels x bands)."""
        energy = torch.cat([getattr(bands, channel) for channel in self.channels], dim=-1)
        level = (10 * torch.log10(energy + FLOOR) - CENTRE_DB) / SPREAD_DB
        frames = level.shape[1]
        if frames < self.patch:
            level = torch.nn.functional.pad(level.transpose(1, 2), (0, self.patch - frames), "replicate").transpose(
                1, 2
            )
        count = level.shape[1] // self.patch
        return level[:, : count * self.patch].reshape(len(level), count, -1)


class _Family(nn.Module):
    """A family's two-layer MLP, on features as they differ from those that stems of their kind usually have."""

    def __init__(self, size: int, hidden: int, kinds: int) -> None:
        super().__init__()
        self.usual = _Usual(size, kinds)
        self.layers = nn.Sequential(nn.Linear(size, hidden), nn.GELU(), nn.Linear(hidden, hidden))

    def forward(self, features: Tensor, kind: Tensor) -> Tensor:
        """Of stems (n, size) of kinds (n,): (n, hidden)."""
        result: Tensor = self.layers(self.usual(features, kind))
        return result


class _Usual(nn.Module):
    """Features in units of their spread around the mean of the kind of stem, as far as `CLIP`; both are averaged while
    it is trained, so that a stem is compared with all of its kind and not with those of its batch."""

    mean: Tensor
    square: Tensor
    seen: Tensor

    def __init__(self, size: int, kinds: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(kinds, size))
        self.register_buffer("square", torch.ones(kinds, size))
        self.register_buffer("seen", torch.zeros(kinds, 1))

    def forward(self, features: Tensor, kind: Tensor) -> Tensor:
        """(n, size) of kinds (n,)."""
        if self.training:
            self._see(features.detach(), kind)
        spread = (self.square - self.mean.square()).clamp_min(LEAST_SPREAD**2).sqrt()
        return ((features - self.mean[kind]) / spread[kind]).clamp(-CLIP, CLIP)

    def _see(self, features: Tensor, kind: Tensor) -> None:
        rows = nn.functional.one_hot(kind, len(self.seen)).to(features).T  # (kinds, n)
        count = rows.sum(1, keepdim=True)
        self.seen += count
        share = torch.where(count > 0, count / self.seen.clamp_max(REMEMBERED).clamp_min(1), 0.0)
        for average, values in ((self.mean, features), (self.square, features.square())):
            average += share * (rows @ values / count.clamp_min(1) - average)


class _Block(nn.Module):
    """Attention and feed-forward, each on normalised input beside a bypass."""

    def __init__(self, dim: int, heads: int, dropout: float, hidden: int, mechanism: Mechanism | None) -> None:
        super().__init__()
        self.attention = _Attention(dim, heads)
        self.across = _Attention(dim, heads) if mechanism == "cross-attention" else None
        self.norm = nn.LayerNorm(dim)
        self.film = nn.Linear(hidden, 2 * dim) if mechanism == "film" else None
        self.feed = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim))

    def forward(self, h: Tensor, mix: Tensor | None, tokens: Tensor | None) -> Tensor:
        """Tokens (n, m, dim), with h_mix (n, hidden) or tokens of the families (n, families, dim)."""
        h = h + self.attention(h)
        if self.across is not None:
            h = h + self.across(h, tokens)
        a = self.norm(h)
        if self.film is not None and mix is not None:
            gamma, beta = self.film(mix)[:, None].chunk(2, dim=-1)
            a = (1 + gamma) * a + beta
        result: Tensor = h + self.feed(a)
        return result


class _Attention(nn.Module):
    """Multi-head attention of normalised tokens to themselves, or to others."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.query, self.both, self.out = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)

    def forward(self, h: Tensor, others: Tensor | None = None) -> Tensor:
        """Tokens (n, m, dim)."""
        a = self.norm(h)
        key, value = self.both(a if others is None else others).chunk(2, dim=-1)
        split = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query(a), key, value))
        attended = nn.functional.scaled_dot_product_attention(*split)
        result: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return result


def _positions(count: int, dim: int) -> Tensor:
    """Sine and cosine codes of the place of each token, (count, dim)."""
    rate = torch.exp(torch.arange(0, dim, 2) * (-math.log(SLOWEST) / dim))
    angle = torch.arange(count)[:, None] * rate
    return 0.1 * torch.cat([angle.sin(), angle.cos()], dim=-1)


def _check(bands: int, channels: Sequence[str], families: Sequence[str], mechanism: str) -> None:
    """`WeightsError` for options that mean nothing."""
    for given, known in ((channels, CHANNELS), (families, FAMILIES), ((mechanism,), get_args(Mechanism))):
        for name in given:
            if name not in known:
                raise WeightsError(f"A stem network knows no '{name}'.", hint=f"It knows {', '.join(known)}.")
    if bands % BROAD:
        raise WeightsError(f"{bands} bands are no multiple of {BROAD}.", hint="Use 64 or 128.")
