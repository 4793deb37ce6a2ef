"""Faults do what they say, more the more severe, and their label says it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from stito.data.degradation.degradation import degrade, draw_faults
from stito.data.degradation.degrade_files import LABEL_FILE, degrade_files
from stito.data.degradation.fault import Fault, fault_names, load_fault
from stito.demo import compose
from stito.dsp.loudness import rms_db
from stito.dsp.statistics import balance_db, width_db
from stito.dsp.stft import stereo_bands
from stito.errors import AudioError, OutputExistsError, SettingsError, UnknownNameError
from stito.features.spectrum import tilt
from stito.testing import ContractError, check_fault

RATE = 44_100
SEVERITIES = (0.0, 0.3, 0.6, 1.0)
NAMES = {"bandwidth", "collapse", "compression", "expansion", "gain", "peak", "placement", "reverb", "shelf", "tilt"}


@pytest.fixture(scope="module")
def song() -> dict[str, Tensor]:
    composed = compose("night", seconds=4.0)
    return {name: torch.from_numpy(np.ascontiguousarray(x)).float() for name, x in composed.items()}


@pytest.fixture(scope="module")
def wide() -> Tensor:
    """Bursts of noise, most of it in the middle."""
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(3 * RATE) / RATE
    level = 0.02 + 0.3 * torch.exp(-6 * (time % 0.5))
    both, own = torch.randn(1, 3 * RATE, generator=generator), torch.randn(2, 3 * RATE, generator=generator)
    return 0.2 * level * (both + 0.5 * own)


def at_each_severity(name: str, x: Tensor, seed: int = 0) -> list[Tensor]:
    fault = load_fault(name)
    worst = fault.worst(x, RATE, np.random.default_rng(seed))
    return [fault.render(x, RATE, fault.settings(worst, severity)) for severity in SEVERITIES]


def test_all_kinds_of_faults_are_installed() -> None:
    assert set(fault_names()) >= NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_fault_keeps_its_contract(name: str) -> None:
    check_fault(load_fault(name))


def test_the_contract_finds_a_fault_that_does_nothing() -> None:
    idle = Fault("idle", "nothing", "gain", lambda x, sample_rate, generator: {}, keeps_level=False)
    with pytest.raises(ContractError, match="changes less"):
        check_fault(idle)


def spectral_tilt(x: Tensor) -> float:
    bands = stereo_bands(x[None], RATE)
    return float(tilt(bands.over_time().total[:, 0], bands))


def high_share_db(x: Tensor) -> float:
    mean = stereo_bands(x[None], RATE).over_time()
    energy = mean.total[0, 0]
    high = (mean.centre_hz > 8000) | (mean.centre_hz < 100)
    return float(10 * torch.log10(energy[high].sum() / energy.sum()))


def level_spread_db(x: Tensor) -> float:
    """How far loud and soft tenths of a second lie apart."""
    levels = rms_db(x.unfold(-1, RATE // 10, RATE // 10).transpose(0, 1))
    return float(levels.std())


MEASURES: dict[str, Callable[[Tensor], float]] = {
    "gain": lambda x: float(rms_db(x[None])[0]),
    "placement": balance_db,
    "collapse": width_db,
    "compression": level_spread_db,
    "expansion": level_spread_db,
    "tilt": spectral_tilt,
    "bandwidth": high_share_db,
}


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_what_an_engineer_measures_moves_one_way_with_severity(name: str, wide: Tensor) -> None:
    values = [MEASURES[name](x) for x in at_each_severity(name, wide)]
    steps = np.diff(values)
    assert (steps > 0).all() or (steps < 0).all(), values


def test_directions_are_those_that_the_names_say(wide: Tensor) -> None:
    def change(name: str, measure: Callable[[Tensor], float]) -> float:
        first, *_, last = at_each_severity(name, wide)
        return measure(last) - measure(first)

    assert abs(change("gain", MEASURES["gain"])) == pytest.approx(9.0, abs=1e-3)
    assert change("compression", level_spread_db) < -3
    assert change("expansion", level_spread_db) > 3
    assert change("collapse", width_db) < -40
    assert abs(change("placement", balance_db)) > 15
    assert change("bandwidth", high_share_db) < -6


def test_reverb_rings_on_where_the_music_pauses(wide: Tensor) -> None:
    paused = wide.clone()
    paused[:, RATE:] = 0
    tails = [float(y[:, RATE + RATE // 5 :].square().mean()) for y in at_each_severity("reverb", paused)]
    assert tails[0] < 1e-12
    assert tails == sorted(tails)
    assert tails[-1] > 1e-6


def test_too_loud_is_not_too_quiet(wide: Tensor) -> None:
    fault = load_fault("gain")
    ways = {}
    for way in (-9.0, 9.0):
        ways[way] = {fault.moved(fault.settings({"gain_db": way}, severity))[0] for severity in (0.1, 1.0)}
    assert ways == {-9.0: {"gain_db-"}, 9.0: {"gain_db+"}}
    assert fault.moved(fault.settings({"gain_db": 9.0}, 0.0)) == []
    tilted = load_fault("tilt")
    worst = tilted.worst(wide, RATE, np.random.default_rng(0))
    assert {move[-1] for move in tilted.moved(tilted.settings(worst, 0.5))} == {"+", "-"}


def test_a_severity_beyond_one_is_refused() -> None:
    with pytest.raises(SettingsError, match="severity"):
        load_fault("gain").settings({"gain_db": 9.0}, 1.5)


def test_the_label_is_what_was_done(song: dict[str, Tensor]) -> None:
    generator = np.random.default_rng(1)
    drawn = draw_faults(song, RATE, generator, count=2)
    degraded, done = degrade(song, RATE, drawn, generator)
    assert len({damage.fault for damage in done}) == 2
    touched = {damage.stem for damage in done}
    for name, x in song.items():
        assert (degraded[name] is x) == (name not in touched)
    again = dict(song)
    for damage in done:  # the label alone is enough to do it again
        again[damage.stem] = load_fault(damage.fault).render(again[damage.stem], RATE, damage.settings)
    assert all(torch.equal(again[name], degraded[name]) for name in song)


def test_all_faults_occur_and_most_mixes_have_one(song: dict[str, Tensor]) -> None:
    generator = np.random.default_rng(0)
    drawn = [draw_faults(song, RATE, generator) for _ in range(300)]
    counts = np.bincount([len(each) for each in drawn])
    assert counts[1] > counts[2] > counts[3] > 0
    assert {fault.fault.name for each in drawn for fault in each} >= NAMES
    assert all(0.1 <= fault.severity <= 1 for each in drawn for fault in each)


def test_what_is_mono_cannot_collapse_and_what_is_silent_has_no_faults(wide: Tensor) -> None:
    mono = wide.mean(0, keepdim=True).repeat(2, 1)
    with pytest.raises(AudioError, match="collapse"):
        draw_faults({"bass": mono}, RATE, np.random.default_rng(0), faults=["collapse"])
    stems = {"bass": mono, "other": wide, "drums": torch.zeros_like(wide)}
    for seed in range(8):
        (drawn,) = draw_faults(stems, RATE, np.random.default_rng(seed), faults=["collapse"], count=1)
        assert drawn.stem == "other"
    assert all(
        fault.stem != "drums"
        for seed in range(8)
        for fault in draw_faults(stems, RATE, np.random.default_rng(seed), count=3)
    )


@pytest.fixture
def folder(tmp_path: Path, song: dict[str, Tensor]) -> Path:
    out = tmp_path / "song"
    out.mkdir()
    for name, x in song.items():
        soundfile.write(out / f"{name}.wav", x.T.numpy(), RATE, subtype="PCM_24")
    return out


def test_files_get_stems_mix_and_label(folder: Path, tmp_path: Path) -> None:
    done = degrade_files(folder, tmp_path / "out", seed=4, fault="gain", severity=0.5, stem="drums")
    label = json.loads((tmp_path / "out" / LABEL_FILE).read_text())
    assert label == done.label
    assert [(fault["stem"], fault["fault"], fault["severity"]) for fault in label["faults"]] == [("drums", "gain", 0.5)]
    gain_db = label["faults"][0]["settings"]["gain_db"]
    assert abs(gain_db) == pytest.approx(4.5)
    written = {path.stem: soundfile.read(path)[0] for path in (tmp_path / "out").glob("*.wav")}
    assert set(written) == {"vocals", "drums", "bass", "other", "mix"}
    before = soundfile.read(folder / "drums.wav")[0]
    factor = 10 ** ((gain_db + label["output_gain_db"]) / 20)
    assert np.abs(written["drums"] - factor * before).max() < 1e-5
    total = sum(written[name] for name in ("vocals", "drums", "bass", "other"))
    assert np.abs(written["mix"] - total).max() < 1e-5
    assert soundfile.info(tmp_path / "out" / "drums.wav").subtype == "PCM_24"


def test_same_seed_same_files_and_nothing_is_overwritten(folder: Path, tmp_path: Path) -> None:
    outs = [tmp_path / name for name in "abc"]
    labels = [degrade_files(folder, out, seed=seed).label for out, seed in zip(outs, (1, 1, 2), strict=True)]
    first, again, other = ((out / "mix.wav").read_bytes() for out in outs)
    assert first == again != other
    assert labels[0] == labels[1] != labels[2]
    with pytest.raises(OutputExistsError):
        degrade_files(folder, outs[0], seed=5)
    assert (outs[0] / "mix.wav").read_bytes() == first


def test_what_is_not_there_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="choir"):
        degrade_files(folder, tmp_path / "out", stem="choir")
    with pytest.raises(UnknownNameError, match="wobble"):
        degrade_files(folder, tmp_path / "out", fault="wobble")
    assert not (tmp_path / "out").exists()
