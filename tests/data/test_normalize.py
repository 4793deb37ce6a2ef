"""FX normalisation: it reduces the distance between processings of one stem, and to the usual stem."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stito.data.fxnorm.compression import compress
from stito.data.fxnorm.imaging import image
from stito.data.fxnorm.normalize import StemStatistics, StemTargets, Targets, features_of, fit_targets, normalize
from stito.data.fxnorm.onsets import find_onsets, onset_levels, onset_peak_db
from stito.data.fxnorm.pieces import filter_pieces
from stito.data.fxnorm.statistics import covariance, mid_ratio, peaks_of, smoothed_db
from stito.data.fxnorm.targets import spectrum_grid
from stito.demo import compose
from stito.effects.chain_files import load_chain
from stito.errors import AudioError, MissingFileError, SettingsError, UnknownNameError
from stito.stems import STEMS

RATE = 44_100
PROCESSINGS: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "none": {},
    "equalised": {"eq": {"low_gain_db": 8.0, "mid_gain_db": -8.0, "high_gain_db": 8.0}},
    "compressed": {"compressor": {"threshold_db": -50.0, "ratio": 20.0, "attack_ms": 15.0, "release_ms": 500.0}},
    "summed": {"imager": {"width": 0.3}},
    "widened": {"imager": {"width": 1.8}},
    "panned": {"panner": {"pan": 0.6}},
    "quieter": {"gain": {"gain_db": -12.0}},
}


def processed(x: Tensor) -> dict[str, Tensor]:
    """One stem under every processing."""
    chain = load_chain("eq | compressor | panner | imager | gain")
    return {
        name: chain.render_one(x.clone(), chain.settings(chain.encode(settings)), RATE)
        for name, settings in PROCESSINGS.items()
    }


def difference(a: StemStatistics, b: StemStatistics) -> dict[str, float]:
    """How far two stems are apart, feature by feature."""
    return {
        "spectrum": float((a.spectrum_db - b.spectrum_db).abs().mean()),
        "compression": abs(a.onset_peak_db - b.onset_peak_db),
        "imaging": abs(a.mid_ratio - b.mid_ratio),
        "panning": abs(a.balance_db - b.balance_db),
        "loudness": abs(a.loudness_lufs - b.loudness_lufs),
    }


def mean_differences(measured: Mapping[str, StemStatistics]) -> dict[str, float]:
    """The mean over all pairs of versions."""
    pairs = [difference(a, b) for a, b in itertools.combinations(measured.values(), 2)]
    return {name: sum(pair[name] for pair in pairs) / len(pairs) for name in pairs[0]}


@pytest.fixture(scope="module")
def stems() -> dict[str, Tensor]:
    return {stem: torch.from_numpy(audio.copy()) for stem, audio in compose("night", seconds=4.0).items()}


@pytest.fixture(scope="module")
def versions() -> dict[str, Tensor]:
    """Strums of many strengths, as noise that falls by 4 dB an octave, a little wider than usual."""
    generator = torch.Generator().manual_seed(10)
    noise = torch.randn(2, 6 * RATE, generator=generator)
    spectrum = torch.fft.rfft(noise)
    hz = torch.arange(spectrum.shape[1]) / 6
    coloured = torch.fft.irfft(spectrum * (hz.clamp_min(60) / 60) ** -0.67)
    strengths = 10 ** (-torch.rand(18, generator=generator) * 12 / 20)
    strum = torch.exp(-torch.arange(RATE // 3) / (0.08 * RATE))
    x = coloured * (strengths[:, None] * strum).flatten()
    mid, side = (x[0] + x[1]) / 2, (x[0] - x[1]) / 2
    x = torch.stack([mid + 0.8 * side, mid - 0.8 * side])
    return processed(0.7 * x / x.abs().max())


@pytest.fixture(scope="module")
def normalized(versions: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: normalize(x, "other") for name, x in versions.items()}


@pytest.fixture(scope="module")
def before(versions: dict[str, Tensor]) -> dict[str, StemStatistics]:
    return {name: features_of(x, "other", RATE) for name, x in versions.items()}


@pytest.fixture(scope="module")
def after(normalized: dict[str, Tensor]) -> dict[str, StemStatistics]:
    return {name: features_of(x, "other", RATE) for name, x in normalized.items()}


def test_different_processings_come_closer_in_each_feature(
    before: dict[str, StemStatistics], after: dict[str, StemStatistics]
) -> None:
    apart, remaining = mean_differences(before), mean_differences(after)
    for feature in apart:
        assert remaining[feature] < 0.6 * apart[feature], (feature, apart, remaining)


@pytest.mark.parametrize(
    ("name", "feature"),
    [
        ("equalised", "spectrum"),
        ("compressed", "compression"),
        ("summed", "imaging"),
        ("widened", "imaging"),
        ("panned", "panning"),
        ("quieter", "loudness"),
    ],
)
def test_what_an_effect_changed_is_evened_out(
    before: dict[str, StemStatistics], after: dict[str, StemStatistics], name: str, feature: str
) -> None:
    apart, remaining = (difference(measured["none"], measured[name])[feature] for measured in (before, after))
    assert remaining < 0.6 * apart


@pytest.mark.parametrize("stem", STEMS)
def test_targets_are_met(stems: dict[str, Tensor], stem: str) -> None:
    goal = Targets.shipped().of(stem)
    found = features_of(normalize(stems[stem], stem), stem, RATE)
    assert found.loudness_lufs == pytest.approx(goal.loudness_lufs, abs=0.1)
    assert found.mid_ratio == pytest.approx(goal.mid_ratio, abs=0.002)
    assert found.balance_db == pytest.approx(0.0, abs=0.01)


def test_the_spectrum_meets_its_target_within_what_the_equaliser_may() -> None:
    goal = torch.tensor(Targets.shipped().of("other").spectrum_db)
    noise = 0.1 * torch.randn(2, 6 * RATE, generator=torch.Generator().manual_seed(1))
    found = features_of(normalize(noise, "other"), "other", RATE).spectrum_db
    within = (goal - features_of(noise, "other", RATE).spectrum_db).abs() < 18  # the equaliser goes to 20
    assert (found - goal)[within].abs().mean() < 1.0


def test_doing_it_twice_changes_little(normalized: dict[str, Tensor]) -> None:
    once = normalized["none"]
    again = normalize(once, "other")
    assert 10 * math.log10(float((again - once).square().mean() / once.square().mean())) < -12


def test_the_input_stays_and_the_same_comes_out(stems: dict[str, Tensor]) -> None:
    x = stems["drums"].clone()
    assert torch.equal(normalize(x, "drums"), normalize(x, "drums"))
    assert torch.equal(x, stems["drums"])


def test_mono_becomes_as_wide_as_usual_and_sums_back_to_itself(stems: dict[str, Tensor]) -> None:
    mono = stems["vocals"].mean(0, keepdim=True)
    wide = image(mono.expand(2, -1), 0.918, RATE)
    assert mid_ratio(covariance(wide)) == pytest.approx(0.918, abs=1e-3)
    summed, was = wide.mean(0), mono[0]
    gain = float((summed @ was) / (was @ was))
    assert float((summed - gain * was).square().mean() / summed.square().mean()) < 0.01
    assert normalize(mono, "vocals").shape == (2, mono.shape[1])


@pytest.mark.parametrize("gains", [(1.0, 0.0), (1.0, 0.2), (1.0, -1.0)])
def test_a_stem_at_one_side_or_upside_down_comes_to_the_middle(
    stems: dict[str, Tensor], gains: tuple[float, float]
) -> None:
    x = stems["other"].mean(0) * torch.tensor(gains)[:, None]
    image_of = covariance(image(x, 0.794, RATE))
    assert float(image_of[0, 0] / image_of[1, 1]) == pytest.approx(1.0, abs=1e-4)
    assert mid_ratio(image_of) == pytest.approx(0.794, abs=2e-3)


def test_a_panner_is_undone_exactly(stems: dict[str, Tensor]) -> None:
    x = stems["other"]
    a, b = image(x, 0.794, RATE), image(x * torch.tensor([[1.3], [0.5]]), 0.794, RATE)
    scale = a.square().mean().sqrt() / b.square().mean().sqrt()
    torch.testing.assert_close(b * scale, a, atol=1e-4, rtol=1e-3)


def hits(levels_db: list[float]) -> Tensor:
    """Decaying bursts of noise at given peaks, four a second."""
    noise = torch.randn(RATE // 4, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    hit = noise * torch.exp(-torch.arange(RATE // 4) / (0.03 * RATE))
    hit = hit / hit.abs().max()
    return torch.cat([10 ** (level / 20) * hit for level in levels_db]).expand(2, -1).clone()


def onset_peak(x: Tensor) -> float:
    return onset_peak_db(onset_levels(peaks_of(x, RATE), find_onsets(x, RATE), RATE))


def goal(onset_peak_db: float) -> StemTargets:
    return Targets.shipped().of("drums").model_copy(update={"onset_peak_db": onset_peak_db, "onset_peak_std_db": 1.0})


def test_every_hit_is_an_onset() -> None:
    found = find_onsets(hits([-10.0, -13.0, -16.0, -10.0] * 6), RATE)
    expected = torch.arange(24) * (RATE // 4)
    assert len(found) == 24
    assert (found - expected).abs().max() < 0.03 * RATE


def test_onsets_are_counted_under_the_peak() -> None:
    assert onset_peak(hits([-20.0] * 16)) == pytest.approx(-10.0, abs=0.01), "all as loud as the loudest"
    assert onset_peak(hits([-3.0] + [-12.0] * 60)) == pytest.approx(-18.5, abs=0.5), "one stands out by 9 dB"


def test_a_peak_that_stands_out_is_limited_and_nothing_else() -> None:
    x = hits([-3.0] + [-12.0] * 30)
    y = compress(x, goal(-13.5), "drums", RATE)
    assert onset_peak(y) == pytest.approx(-14.0, abs=0.5), "half a deviation inside"
    torch.testing.assert_close(y[:, RATE:], x[:, RATE:])


def test_even_hits_after_a_pause_are_compressed() -> None:
    x = torch.cat([hits([-3.0] * 12), torch.zeros(2, RATE)], dim=1).repeat(1, 3)
    y = compress(x, goal(-13.5), "drums", RATE)
    assert onset_peak(y) < onset_peak(x) - 1


def test_usual_dynamics_are_left_alone() -> None:
    x = hits([-3.0, -7.0, -6.0, -5.0] * 8)
    assert compress(x, goal(onset_peak(x) + 0.9), "drums", RATE) is x


def test_pieces_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 5000, generator=torch.Generator().manual_seed(2))
    taps = torch.tensor([0.25, -1.0, 0.5, 2.0, 0.1])

    def response(n: int) -> Tensor:
        centred: Tensor = torch.fft.rfft(torch.nn.functional.pad(taps, (0, n - 5)).roll(-2))
        return centred

    direct: Tensor = torch.nn.functional.conv1d(x[:, None], taps.flip(0)[None, None], padding=2)[:, 0]
    monkeypatch.setattr("stito.data.fxnorm.pieces.PIECE", 700)
    torch.testing.assert_close(filter_pieces(x, response, before=2, after=2), direct, atol=1e-5, rtol=1e-5)


def test_a_spectrum_is_of_one_loudness_and_smooth() -> None:
    flat = smoothed_db(torch.ones(32_769), RATE)
    torch.testing.assert_close(flat, flat[:1].expand(256), atol=1e-3, rtol=0)
    torch.testing.assert_close(smoothed_db(7 * torch.ones(32_769), RATE), flat)
    line = torch.full((32_769,), 1e-6)
    line[round(1000 / RATE * 65_536)] = 1
    near = spectrum_grid()[smoothed_db(line, RATE) > -60]
    assert float(near.max() / near.min()) == pytest.approx(2 ** (1 / 3), rel=0.05)


def test_the_rate_does_not_matter() -> None:
    x = hits([-3.0, -9.0, -6.0, -12.0] * 6)
    slow, fast = features_of(x, "drums", RATE), features_of(torch.repeat_interleave(x, 2, dim=1), "drums", 2 * RATE)
    assert slow.onset_peak_db == pytest.approx(fast.onset_peak_db, abs=0.2)
    low = spectrum_grid() < 5000
    assert (slow.spectrum_db - fast.spectrum_db)[low].std() < 0.5
    assert normalize(x[:, : 3 * RATE], "drums", sample_rate=22_050).isfinite().all()


def test_fitting_gives_back_what_was_measured(stems: dict[str, Tensor], tmp_path: Path) -> None:
    targets = fit_targets([*stems.items(), ("vocals", torch.zeros(2, RATE))], RATE, source="Demo")
    found = features_of(stems["drums"], "drums", RATE)
    assert targets.of("drums").loudness_lufs == pytest.approx(found.loudness_lufs, abs=0.01)
    assert targets.of("drums").mid_ratio == pytest.approx(found.mid_ratio, abs=1e-4)
    assert (torch.tensor(targets.of("drums").spectrum_db) - found.spectrum_db).abs().max() < 0.01
    targets.save(tmp_path / "targets.json")
    assert Targets.load(tmp_path / "targets.json") == targets
    again = features_of(normalize(stems["drums"], "drums", targets=targets), "drums", RATE)
    assert max(difference(found, again).values()) < 0.5, "a song is normal for its own targets"


def test_the_shipped_targets_are_the_published_ones() -> None:
    targets = Targets.shipped()
    assert tuple(targets.stems) == STEMS
    assert "MIT License" in targets.source
    vocals = targets.of("vocals")
    assert (vocals.onset_peak_db, vocals.mid_ratio, vocals.loudness_lufs) == (-14.24, 0.918, -25.37)
    loudest = {stem: float(spectrum_grid()[torch.tensor(targets.of(stem).spectrum_db).argmax()]) for stem in STEMS}
    assert loudest["bass"] < 130 < loudest["vocals"] < 800


def test_what_cannot_be_normalised_is_said(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="silent"):
        normalize(torch.zeros(2, RATE), "vocals")
    with pytest.raises(AudioError, match="silent"):
        features_of(torch.zeros(2, RATE), "vocals")
    with pytest.raises(AudioError, match="No audio"):
        normalize(torch.full((2, RATE), math.nan), "vocals")
    with pytest.raises(UnknownNameError, match="vocal"):
        normalize(torch.ones(2, RATE), "vocal")
    with pytest.raises(AudioError, match="no sound"):
        fit_targets([("bass", torch.zeros(2, RATE))], RATE)
    with pytest.raises(MissingFileError):
        Targets.load(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{\n"source": "x",\n"stems": {"drums": {"mid_ratio": 2}}\n}')
    with pytest.raises(SettingsError, match=r"bad.json, line 3"):
        Targets.load(tmp_path / "bad.json")
