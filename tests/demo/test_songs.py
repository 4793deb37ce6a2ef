"""The demo songs are music: in tune, in time, balanced, and the same each time."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import stft

from stito.data.fxnorm.normalize import features_of, normalize
from stito.demo import SONGS, STEMS, compose
from stito.demo.drums import Kit
from stito.demo.score import Score
from stito.demo.synth import Audio, electric_piano, hertz, picked_bass, pluck, sub_bass, upright_bass
from stito.demo.theory import Chord, nearest, scale_note, voice_lead
from stito.demo.voice import Voice
from stito.errors import SettingsError, UnknownNameError

RATE = 44_100
NAMES = sorted(SONGS)

Stems = dict[str, NDArray[np.float32]]
Sound = Callable[[int, float, float, np.random.Generator, int], Audio]


@lru_cache(maxsize=16)
def song(name: str, seed: int = 0) -> Stems:
    return compose(name, seed=seed)


def mono(audio: NDArray[np.floating]) -> Audio:
    return np.atleast_2d(audio).astype(np.float64).mean(axis=0)


def centroid_hz(audio: NDArray[np.floating]) -> float:
    power = np.abs(np.fft.rfft(mono(audio))) ** 2
    return float(power @ np.fft.rfftfreq(audio.shape[-1], 1 / RATE) / power.sum())


def correlation(audio: NDArray[np.float32]) -> float:
    return float(np.corrcoef(audio.astype(np.float64))[0, 1])


def pitch_hz(audio: Audio, near_hz: float) -> float:
    """The strongest partial within a semitone of `near_hz`, to a small fraction of a cent."""
    n = 1 << 20
    power = np.abs(np.fft.rfft(mono(audio) * np.hanning(audio.shape[-1]), n))
    frequency = np.fft.rfftfreq(n, 1 / RATE)
    inside = np.abs(np.log2(np.maximum(frequency, 1) / near_hz)) < 1 / 12
    return float(frequency[inside][np.argmax(power[inside])])


def tempo_bpm(drums: NDArray[np.float32]) -> float:
    """The strongest beat between 70 and 140 bpm: one octave, so that no half or double tempo can stand for it."""
    hop = 256
    _, _, spectrum = stft(mono(drums), RATE, nperseg=1024, noverlap=1024 - hop)
    rise = np.maximum(np.diff(np.log1p(300 * np.abs(spectrum)), axis=1), 0).sum(axis=0)
    rise -= rise.mean()
    n = len(rise)
    matches = np.fft.irfft(np.abs(np.fft.rfft(rise, 2 * n)) ** 2)[:n] / np.arange(n, 0, -1)
    bpm = np.linspace(70, 140, 1401)
    beat = 60 / bpm * RATE / hop
    lags = np.arange(n)
    strength = sum(np.interp(beats * beat, lags, matches) for beats in (1, 2, 3, 4))
    return float(bpm[np.argmax(strength)])


@pytest.mark.parametrize("name", NAMES)
def test_a_song_is_the_same_bytes_each_time(name: str) -> None:
    once, again = compose(name, seconds=4.0), compose(name, seconds=4.0)
    assert all(again[stem].tobytes() == audio.tobytes() for stem, audio in once.items())


@pytest.mark.parametrize("name", NAMES)
def test_stems_are_stereo_float32_of_one_length(name: str) -> None:
    stems = song(name)
    assert tuple(stems) == STEMS
    assert {audio.dtype for audio in stems.values()} == {np.dtype(np.float32)}
    assert {audio.shape for audio in stems.values()} == {(2, round(SONGS[name].seconds * RATE))}
    assert 11 < SONGS[name].seconds < 15


def test_songs_and_seeds_differ() -> None:
    stems = [song(name, seed)["other"][:, : 11 * RATE] for name in NAMES for seed in (0, 1)]
    for i, one in enumerate(stems):
        for other in stems[:i]:
            assert abs(np.corrcoef(mono(one), mono(other))[0, 1]) < 0.5


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_levels_are_those_of_a_raw_recording(name: str, seed: int) -> None:
    stems = song(name, seed)
    assert all(np.isfinite(audio).all() for audio in stems.values())
    peaks_db = [20 * np.log10(np.abs(audio).max()) for audio in stems.values()]
    assert min(peaks_db) >= -12.0
    assert max(peaks_db) <= -6.0
    assert np.abs(sum(stems.values())).max() < 0.9


@pytest.mark.parametrize("name", NAMES)
def test_no_stem_has_an_offset_or_ends_in_a_click(name: str) -> None:
    for audio in song(name).values():
        assert np.abs(audio.mean(axis=1, dtype=np.float64)).max() < 1e-3
        assert np.abs(audio[:, :44]).max() < 0.02
        assert np.abs(audio[:, -RATE // 100 :]).max() < 1e-3
        assert np.abs(audio[:, -1]).max() < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_every_stem_plays_most_of_the_time_and_the_singer_breathes(name: str) -> None:
    active = {}
    for stem, audio in song(name).items():
        frames = mono(audio**2)[: audio.shape[1] // 441 * 441].reshape(-1, 441).mean(axis=1)
        active[stem] = float((frames > 1e-4 * frames.max()).mean())
    assert min(active.values()) > 0.4
    assert active["vocals"] < 0.9


@pytest.mark.parametrize("name", NAMES)
def test_voice_and_drums_lead(name: str) -> None:
    power = {stem: float(np.mean(np.diff(audio.astype(np.float64)) ** 2)) for stem, audio in song(name).items()}
    assert power["vocals"] > power["bass"]
    assert power["drums"] > power["other"]


@pytest.mark.parametrize("name", NAMES)
def test_bass_lies_below_chords_and_chords_below_hats(name: str) -> None:
    hat = Kit(np.random.default_rng(0), RATE).hat(0.8)
    assert centroid_hz(song(name)["bass"]) < centroid_hz(song(name)["other"]) < centroid_hz(hat)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_drums_beat_at_the_declared_tempo(name: str, seed: int) -> None:
    assert tempo_bpm(song(name, seed)["drums"]) == pytest.approx(SONGS[name].bpm, rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_chords_are_wide_drums_a_little_and_the_voice_is_centred(name: str) -> None:
    stems = song(name)
    assert 0.2 < correlation(stems["other"]) < 0.95
    assert 0.8 < correlation(stems["drums"]) < 0.995
    assert correlation(stems["vocals"]) > 0.99
    balance_db = 20 * np.log10(stems["other"][0].std() / stems["other"][1].std())
    assert abs(balance_db) < 3


@pytest.mark.parametrize(("name", "seconds"), [("night", 0.5), ("street", 4.0), ("river", 8.0)])
def test_any_length_is_exact_and_ends_softly(name: str, seconds: float) -> None:
    for audio in compose(name, seconds=seconds).values():
        assert audio.shape == (2, round(seconds * RATE))
        assert np.abs(audio[:, -1]).max() < 1e-6


def test_a_second_lap_is_played_anew() -> None:
    lap = round(SONGS["night"].lap * 60 / SONGS["night"].bpm * RATE)
    vocals = mono(compose("night", seconds=24.6)["vocals"])
    assert abs(np.corrcoef(vocals[:lap], vocals[lap : 2 * lap])[0, 1]) < 0.5


def test_another_rate_is_the_same_song() -> None:
    here, there = compose("night", seconds=5.0)["bass"], compose("night", seconds=5.0, sample_rate=22_050)["bass"]
    assert there.shape[1] == pytest.approx(here.shape[1] / 2, abs=1)
    level_db = 20 * np.log10(here.std() / there.std())
    assert abs(level_db) < 1


def test_a_song_takes_little_time() -> None:
    start = time.process_time()
    compose("street", seconds=6.0)
    assert time.process_time() - start < 2.5  # 0.3 s, and room for a slow machine


@pytest.mark.parametrize(
    ("sound", "notes"),
    [
        (pluck, (40, 52, 67, 79)),
        (electric_piano, (52, 61, 74)),
        (picked_bass, (28, 35, 43)),
        (upright_bass, (28, 35, 43)),
        (sub_bass, (28, 35, 43)),
    ],
)
def test_instruments_are_in_tune(sound: Sound, notes: tuple[int, ...]) -> None:
    for note in notes:
        audio = sound(note, 1.5, 0.8, np.random.default_rng(1), RATE)
        cents = 1200 * np.log2(pitch_hz(audio, hertz(note)) / hertz(note))
        assert abs(cents) < 6


def test_a_plucked_string_decays_as_long_as_it_says() -> None:
    string = pluck(45, 2.0, 0.8, np.random.default_rng(0), RATE, t60_s=2.0, damping=0.02, bright_hz=300.0)
    early, late = (np.mean(string[round(s * RATE) : round((s + 0.2) * RATE)] ** 2) for s in (0.5, 1.5))
    assert 10 * np.log10(early / late) == pytest.approx(30, abs=4)


def test_no_two_hits_are_the_same() -> None:
    kit = Kit(np.random.default_rng(0), RATE)
    for hit in (kit.kick, kit.snare, kit.rim, kit.clap, kit.hat, kit.ride, kit.crash, kit.brush_tap):
        one, other = hit(0.8), hit(0.8)
        assert one.shape != other.shape or not np.array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_long_notes_of_the_melody_belong_to_their_chord(name: str) -> None:
    for seed in range(8):
        score = Score(SONGS[name], 30.0, seed, RATE)
        for sung in score.line()[:-1]:
            beat = next(b / 4 for b in range(400) if score.time((b + 1) / 4) > sung.at_s + 0.02)
            if sung.seconds > 1.01 * 60 / SONGS[name].bpm:
                tones = {(score.tonic + tone) % 12 for tone in score.chord_at(beat).tones(5)}
                assert sung.note % 12 in tones
        notes = [sung.note for sung in score.line()]
        assert max(notes) - min(notes) <= 19
        assert min(notes) >= 50
        assert max(notes) <= 79


@given(root=st.integers(0, 11), quality=st.sampled_from(["major", "m7", "m9", "13", "7sus4"]), voices=st.integers(3, 5))
@settings(max_examples=30)
def test_voice_leading_keeps_the_chord_and_moves_little(root: int, quality: str, voices: int) -> None:
    before = voice_lead(None, Chord(0, "m7", 4).tones(voices), 48, 74)
    tones = Chord(root, quality, 4).tones(voices)
    after = voice_lead(before, tones, 48, 74)
    assert sorted(note % 12 for note in after) == sorted(tone % 12 for tone in tones)
    assert len(set(after)) == voices
    assert sum(abs(a - b) for a, b in zip(before, after, strict=True)) <= 6 * voices


@given(note=st.integers(40, 80), degree=st.integers(-10, 20))
def test_scales_and_nearest_chord_tones(note: int, degree: int) -> None:
    assert scale_note(note, "major", degree + 7) == scale_note(note, "major", degree) + 12
    assert abs(nearest(note, (0, 4, 7)) - note) <= 2
    assert nearest(note, (note,)) == note


def test_the_session_plays_both_songs_alike_once_normalised() -> None:
    """Dry and FX-normalised, the stems of two songs have one spectrum within what their notes explain."""
    for stem in STEMS:
        night, street = (
            features_of(normalize(torch.from_numpy(compose(name, players="session", transpose=up)[stem]), stem), stem)
            for name, up in (("night", 3), ("street", 0))
        )
        sounding = torch.maximum(night.spectrum_db, street.spectrum_db) > night.spectrum_db.max() - 40
        apart_db = (night.spectrum_db - street.spectrum_db)[sounding].abs()
        assert float(apart_db.mean()) < 2
        assert night.loudness_lufs == pytest.approx(street.loudness_lufs, abs=0.1)
        assert night.mid_ratio == pytest.approx(street.mid_ratio, abs=0.01)


def test_other_players_play_the_same_notes_with_another_sound() -> None:
    own, other = song("street"), compose("street", players="night")
    assert tempo_bpm(other["drums"]) == pytest.approx(SONGS["street"].bpm, rel=0.01)
    assert centroid_hz(other["bass"]) < 0.5 * centroid_hz(own["bass"])
    assert np.array_equal(
        compose("street", seconds=4.0, players="street")["other"], compose("street", seconds=4.0)["other"]
    )


@pytest.mark.parametrize("semitones", [-2, 3])
def test_a_transposed_song_is_sung_higher_by_as_much(semitones: int) -> None:
    here, there = (compose("night", transpose=up)["vocals"] for up in (0, semitones))
    last_hz = pitch_hz(mono(here[:, -RATE:]), hertz(61))
    assert 1200 * np.log2(pitch_hz(mono(there[:, -RATE:]), hertz(61 + semitones)) / last_hz) == pytest.approx(
        100 * semitones, abs=40
    )


def test_a_singer_who_holds_less_leaves_more_silence() -> None:
    score = Score(SONGS["night"], 13.0, 0, RATE)
    shares = []
    for held in (1.0, 0.6):
        audio = Voice(held=held).sing(score.line(), 13.0, np.random.default_rng(0), RATE)
        level = np.sqrt((audio[: len(audio) // 441 * 441] ** 2).reshape(-1, 441).mean(axis=1))
        shares.append(float((level < 0.01 * level.max()).mean()))
    assert shares[1] > shares[0] + 0.1


def test_what_cannot_be_played_is_said() -> None:
    with pytest.raises(UnknownNameError, match="song 'nihgt'") as unknown:
        compose("nihgt")
    assert "night" in (unknown.value.hint or "")
    with pytest.raises(UnknownNameError, match="players 'sesion'"):
        compose("night", players="sesion")
    for bad in ({"seconds": 0.1}, {"seconds": float("nan")}, {"sample_rate": 8000}, {"seed": -1}):
        with pytest.raises(SettingsError):
            compose("night", **bad)  # type: ignore[arg-type]
