"""A typical report, made of synthesised sounds: the same shape as a transfer hands over."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from stito.report import (
    Clip,
    Curve,
    EffectSettings,
    Fact,
    Findings,
    Headline,
    Knob,
    Measured,
    ReportData,
    ReportRow,
)
from stito.report.data import Array, Voice

RATE = 44_100


def beat(seconds: float, *, tone_hz: float, gain: float, seed: int) -> Array:
    """A plucked note and a noise burst, four times a second, in stereo: (2, t)."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    decay = np.exp(-9 * (t % 0.25)) * (0.6 + 0.4 * np.sin(2 * np.pi * 0.21 * t + seed))
    tone = np.sin(2 * np.pi * tone_hz * t) + 0.4 * np.sin(2 * np.pi * 3 * tone_hz * t)
    noise = np.cumsum(rng.standard_normal((2, t.size)), axis=1)
    noise -= np.stack([np.convolve(channel, np.ones(64) / 64, mode="same") for channel in noise])
    audio = decay * (0.5 * tone + noise / np.abs(noise).max())
    scaled: Array = (gain * audio / np.abs(audio).max()).astype(np.float32)
    return scaled


def spectrum(voice: Voice, level_db: float, tilt_db: float, bump_hz: float) -> Curve:
    """A tilted spectrum with a bump, as music has."""
    freq_hz = np.geomspace(30, 16_000, 108)
    octaves = np.log2(freq_hz / 1000)
    bump = 9 * np.exp(-2 * np.log2(freq_hz / bump_hz) ** 2)
    roll_off = 40 * np.clip(np.log2(45 / freq_hz), 0, None)
    ripple = 1.2 * np.sin(5 * octaves + level_db) + 0.7 * np.sin(13 * octaves)
    return Curve(voice, freq_hz, level_db + tilt_db * octaves + bump + ripple - roll_off)


def make_row(name: str, seconds: float, seed: int) -> ReportRow:
    sounds: dict[Voice, tuple[Array, float]] = {
        "input": (beat(seconds, tone_hz=110, gain=0.35, seed=seed), -23.4),
        "result": (beat(seconds, tone_hz=110, gain=0.8, seed=seed), -16.2),
        "reference": (beat(0.75 * seconds, tone_hz=165, gain=0.9, seed=seed + 50), -14.0),
    }
    rng = np.random.default_rng(seed)
    losses = 0.14 + 0.3 * np.exp(-np.arange(0, 2000, 16) / 420) + 0.05 * rng.random(125)
    return ReportRow(
        name=name,
        players=[Clip(voice, audio, RATE, lufs) for voice, (audio, lufs) in sounds.items()],
        spectra=[
            spectrum("input", -42, -4.5, 110),
            spectrum("result", -33, -2.6, 95),
            spectrum("reference", -31, -2.2, 70),
        ],
        metrics=[
            Measured("Integrated loudness", "LUFS", -23.4, -16.2, -14.0),
            Measured("Loudness range", "LU", 7.9, 5.2, 5.6),
            Measured("Crest factor", "dB", 17.3, 13.9, 12.1),
            Measured("True peak", "dBTP", -9.1, -1.0, -0.4),
            Measured("Stereo width", "%", 22.0, 22.4, 61.0),
            Measured("Spectral centroid", "Hz", 940.0, 2310.0, 1850.0),
            Measured("Correlation", "", 0.92, 0.95, 0.61),
        ],
        convergence=[(16 * (index + 1), float(loss)) for index, loss in enumerate(losses)],
        distances=(0.47, float(losses.min())),
        loss_before=0.47,
        loss_after=float(losses.min()),
        loss_start=0.33,
        settings=[
            EffectSettings(
                "equaliser",
                "Equaliser",
                False,
                [
                    Knob("low_shelf_hz", 94.0, 20, 500, 100, "Hz", "log", "Corner of the low shelf."),
                    Knob("low_gain_db", 4.2, -18, 18, 0, "dB"),
                    Knob("peak_hz", 632.0, 100, 10_000, 1000, "Hz", "log"),
                    Knob("peak_gain_db", -3.52, -18, 18, 0, "dB"),
                    Knob("peak_q", 1.37, 0.3, 8, 1, "", "log"),
                    Knob("high_shelf_hz", 2436.0, 1000, 18_000, 6000, "Hz", "log"),
                    Knob("high_gain_db", 6.04, -18, 18, 0, "dB"),
                ],
            ),
            EffectSettings(
                "compressor",
                "Compressor",
                False,
                [
                    Knob("threshold_db", -21.3, -60, 0, 0, "dB"),
                    Knob("ratio", 3.2, 1, 20, 1, "", "log"),
                    Knob("attack_ms", 12.2, 0.1, 200, 10, "ms", "log"),
                    Knob("release_ms", 143.0, 10, 1000, 100, "ms", "log"),
                    Knob("makeup_db", 7.6, 0, 24, 0, "dB"),
                ],
            ),
            EffectSettings("imager", "Stereo imager", True, [Knob("width", 1.0, 0, 2, 1)]),
            EffectSettings(
                "reverb",
                "Convolution reverb",
                False,
                [Knob("mix_percent", 18.0, 0, 100, 0, "%"), Knob("decay_s", 0.85, 0.1, 8, 1, "s", "log")],
            ),
            EffectSettings("gain", "Gain", True, [Knob("gain_db", 0.0, -24, 24, 0, "dB")]),
        ],
    )


@pytest.fixture(scope="session")
def make_report() -> Callable[..., ReportData]:
    """A function from row names and seconds to a full report."""

    def make(*names: str, seconds: float = 4.0, title: str = "funk → sodium") -> ReportData:
        return ReportData(
            title=title,
            headline=Headline(0.47, 0.155),
            facts=[
                Fact("Method", "cma"),
                Fact("Encoder", "fx-encoder"),
                Fact("Chain", "channel-strip"),
                Fact("Evaluations", "10,000"),
                Fact("Time", "3 min 12 s"),
                Fact("Seed", "0"),
                Fact("Stopped", "The budget of evaluations was spent"),
                Fact("stito", "0.1.0"),
            ],
            rows=[make_row(name, seconds, seed) for seed, name in enumerate(names)],
            findings=Findings(
                ("vocals are covered by other between 500 Hz and 2 kHz for 62 % of the time",),
                (),
                "stem was trained on: songs rendered from MIDI.",
            ),
            notes=[
                "Drums, bass and vocals were matched to the stems of the same name.",
                "The reference has no stem called other: it was left as it was.",
                "The output was turned down by 1.3 dB to keep its true peak at -1 dBTP.",
            ],
            provenance=[
                Fact("Input", "funk/ sha256:9f2c1e55a1b0c4d7e8f90123456789abcdef0123456789abcdef0123456789ab"),
                Fact("Reference", "sodium/ sha256:04be11c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d8e"),
                Fact("Versions", "stito 0.1.0, torch 2.13.0, numpy 2.3.1"),
            ],
            command="stito transfer funk sodium -o out --method cma --chain channel-strip --evaluations 2000 --seed 0",
        )

    return make


@pytest.fixture(scope="session")
def curve() -> Curve:
    """A flat spectrum."""
    return Curve("input", np.array([20.0, 20_000.0]), np.array([-30.0, -30.0]))
