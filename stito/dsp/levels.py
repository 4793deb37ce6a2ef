"""The level of one sound, measured once: what balances stems, keeps a sum from clipping, and stands in reports."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stito.dsp.loudness import ABSOLUTE_GATE, FLOOR, Loudness, decibels, measure, true_peak_db

__all__ = ["SILENT_LUFS", "Levels", "balance_lufs"]

SILENT_LUFS = -90.0
"""What is quieter is taken for silence, or for noise that nobody wants to hear."""

BLOCK = 1 << 17


@dataclass(frozen=True, eq=False)
class Levels:
    """All that is reported of how loud one sound is. Whatever a gain does to it needs no audio.

    Attributes:
        loudness: its K-weighted energy (BS.1770), batch of one.
        highest: the largest value of the waveform between samples.
        power: the mean over time of the energy E(t) of all channels.
        highest_power: the largest E(t).
        cross_power: the mean over time of twice the product of left and right: all of `power` in mono, minus all of it
            where one channel is the other upside down.
    """

    loudness: Loudness
    highest: float
    power: float
    highest_power: float
    cross_power: float

    @classmethod
    def of(cls, x: Tensor, sample_rate: int, *, written: Tensor | None = None) -> Levels:
        """Those of audio (1 or 2, t) as it sounds in stereo: mono from both sides.

        Where it is `written` with more channels (channels, t), the highest value is that of any of them.
        """
        sides, mean, most, cross = 2 / x.shape[0], 0.0, 0.0, 0.0
        for block in torch.split(x.detach(), BLOCK, dim=-1):
            most = max(most, float(torch.linalg.vecdot(block, block, dim=0).max()))
            mean += sum(float(torch.dot(channel, channel)) for channel in block)
            cross += float(torch.dot(block[0], block[-1]))  # summed likewise: of equal channels nothing is left
        with torch.no_grad():
            peak = float(true_peak_db((x if written is None else written)[None], sample_rate)[0])
            loudness = measure(x[None], sample_rate)
        energy = replace(loudness, energy=loudness.energy * sides)
        samples = x.shape[-1]
        return cls(energy, 10 ** (peak / 20), sides * mean / samples, sides * most, 2 * cross / samples)

    @property
    def integrated_lufs(self) -> float:
        """Gated loudness in LUFS (BS.1770-4); -70 where nothing passes the gate."""
        return float(self.loudness.integrated()[0])

    @property
    def balance_lufs(self) -> float:
        """`balance_lufs` of its loudness."""
        return balance_lufs(self.loudness)

    @property
    def range_lu(self) -> float:
        """The inter-quartile range of the short-term loudness in LU."""
        return float(self.loudness.range()[0])

    @property
    def crest_db(self) -> float:
        """10 log10(max E / mean E), in dB."""
        most, mean = decibels(torch.tensor([self.highest_power, self.power], dtype=torch.float64)).tolist()
        return float(most - mean)

    @property
    def side_over_mid_db(self) -> float:
        """The level of left minus right over that of left plus right: 0 for unrelated channels, within +-120 dB."""
        side, mid = max(0.0, self.power - self.cross_power), max(0.0, self.power + self.cross_power)
        floor = FLOOR * self.power + FLOOR**2
        return 10 * math.log10((side + floor) / (mid + floor))

    @property
    def true_peak_db(self) -> float:
        """In dBTP."""
        return float(decibels(torch.tensor(self.highest, dtype=torch.float64).square(), FLOOR))

    def amplified(self, db: float) -> Levels:
        """Those of the same sound under a gain in dB."""
        factor = 10 ** (db / 10)
        return replace(
            self,
            loudness=replace(self.loudness, energy=self.loudness.energy * factor),
            highest=self.highest * factor**0.5,
            power=self.power * factor,
            highest_power=self.highest_power * factor,
            cross_power=self.cross_power * factor,
        )


def balance_lufs(loudness: Loudness) -> float:
    """The loudness of one sound in LUFS, by which it is balanced against others; at least -90.

    It is the integrated loudness; of a take so quiet that its absolute gate of -70 LUFS leaves nothing, the same with
    that gate at -90, so that quiet takes can be brought to level too.
    """
    usual = float(loudness.integrated()[0])
    return usual if usual > ABSOLUTE_GATE else float(loudness.integrated(SILENT_LUFS)[0])
