"""What is said of a mix in plain words is what was done to it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from stito.analysis.findings import coverings, fault_finder, find_faults, severities, trained_on
from stito.errors import AudioError, SettingsError
from stito.mix import Mix
from stito.models.combination import CombinedEncoder
from stito.models.loading import load_encoder
from stito.models.stem_batch import MixEmbedding

RATE = 44_100


def band(low: float, high: float, level: float, seed: int, seconds: float = 2.0) -> Tensor:
    """Noise between two frequencies, (2, t)."""
    n = round(seconds * RATE)
    spectrum = torch.fft.rfft(torch.randn(2, n, generator=torch.Generator().manual_seed(seed)))
    hz = torch.fft.rfftfreq(n, 1 / RATE)
    x = torch.fft.irfft(spectrum * ((hz >= low) & (hz < high)), n)
    return level * x / x.square().mean().sqrt()


def test_who_covers_whom_where_and_for_how_long() -> None:
    vocals, other, bass = band(600, 1900, 0.05, 0), band(600, 1900, 0.2, 1), band(40, 100, 0.1, 2)
    other[:, : RATE // 2] = 0  # a quarter of the time the voice is free
    found = coverings(Mix.from_arrays({"vocals": vocals, "other": other, "bass": bass}, RATE))
    assert len(found) == 1
    (covering,) = found
    assert (covering.stem, covering.by) == ("vocals", "other")
    assert (covering.low_hz, covering.high_hz) == (500.0, 2000.0)
    assert covering.share == pytest.approx(0.75, abs=0.05)
    assert str(covering).startswith("vocals are covered by other between 500 Hz and 2 kHz for 7")


def test_stems_in_their_own_ranges_and_a_single_stem_have_nothing_to_tell() -> None:
    apart = {"bass": band(30, 110, 0.1, 0), "other": band(2100, 4900, 0.1, 1)}
    assert coverings(Mix.from_arrays(apart, RATE)) == []
    assert coverings(Mix.from_arrays(apart["bass"], RATE, stem="bass")) == []


class Sure:
    """Finds the drums too loud, ever more so, and nothing else."""

    name, sample_rate, dim = "sure", RATE, 1
    stems, faults = ("drums", "bass"), ("gain", "tilt")

    def embed(self, x: Tensor) -> Tensor:
        return x.mean((1, 2))[:, None]

    def embed_mix(self, stems: Mapping[str, Tensor]) -> MixEmbedding:
        raise NotImplementedError

    def find_faults(self, stems: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
        return {
            name: {"gain": torch.tensor([0.8 if name == "drums" else 0.02]), "tilt": torch.tensor([0.3])}
            for name in stems
        }


def test_faults_are_named_most_severe_first_with_what_they_sound_like() -> None:
    mix = Mix.from_arrays(
        {"drums": band(50, 5000, 0.1, 0), "bass": torch.zeros(2, 2 * RATE), "choir": band(200, 900, 0.1, 1)}, RATE
    )
    found = find_faults(mix, Sure())
    assert [(fault.stem, fault.fault) for fault in found] == [("drums", "gain"), ("drums", "tilt")]
    assert str(found[0]).startswith("drums: gain of a severity of about 0.8 (too loud or too quiet")
    assert severities(mix, Sure())["drums"] == pytest.approx({"gain": 0.8, "tilt": 0.3})


def test_a_combination_finds_what_its_part_finds_and_says_what_that_was_trained_on() -> None:
    class Told(Sure):
        same_style_distance, header = 0.1, {"data": {"description": "songs from\nMIDI"}}

    both = CombinedEncoder([load_encoder("features"), Told()], [1, 1], "features+sure")
    finder = fault_finder(both)
    assert finder is both.parts[1]
    assert trained_on(finder) == "sure was trained on: songs from MIDI."
    assert fault_finder(load_encoder("features")) is None
    assert trained_on(load_encoder("features")) == ""


def test_an_encoder_that_finds_none_and_a_mix_without_stems_are_refused() -> None:
    mix = Mix.from_arrays(band(50, 5000, 0.1, 0), RATE)
    with pytest.raises(SettingsError, match="finds no faults"):
        find_faults(mix, load_encoder("features"))
    with pytest.raises(AudioError, match="none of the stems drums, bass"):
        find_faults(mix, Sure())
