"""Singing and sampled basses of the open multitrack recipe: lines that can be sung, in time and in tune, by many."""

from __future__ import annotations

import json
import re
from importlib import import_module as module
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Tree

import numpy as np
import pytest
import soundfile

from stito.demo.synth import hertz

RATE = 44_100
pytestmark = pytest.mark.usefixtures("open_multitrack")


def notes(*keys: int, length: float = 0.5, step: float = 0.5, start: float = 0.0) -> list[Any]:
    """Notes one after the other."""
    note = module("arrange").Note
    return [note(start + at * step, start + at * step + length, key) for at, key in enumerate(keys)]


# --- Lines


def test_of_a_chord_the_highest_note_is_sung_until_the_next() -> None:
    note = module("arrange").Note
    chords = [note(0.0, 1.5, 60), note(0.01, 1.5, 67), note(0.02, 1.5, 64), note(1.0, 1.9, 65)]
    line = module("melody").line_of(chords)
    assert [(one.start, one.end, one.key) for one in line] == [(0.0, 1.0, 67), (1.0, 1.9, 65)]


def test_short_rests_are_sung_through_and_long_ones_are_rests() -> None:
    line = module("melody").line_of(notes(60, 62, length=0.3) + notes(64, start=2.0))
    assert [(one.start, one.end) for one in line] == [(0.0, 0.5), (0.5, 0.8), (2.0, 2.5)]


def test_a_run_too_fast_for_syllables_is_thinned_without_holes() -> None:
    line = module("melody").line_of(notes(*range(60, 70), length=0.06, step=0.06))
    assert line
    assert all(one.end - one.start >= module("melody").SHORTEST_S for one in line)
    assert all(a.end == b.start for a, b in pairwise(line))


@pytest.mark.parametrize("lowest", [24, 45, 60, 74, 96])
def test_a_line_is_moved_by_octaves_into_the_range_of_a_voice(lowest: int) -> None:
    melody = module("melody")
    keys = [lowest + step for step in (0, 4, 7, 11, 7, 4)]
    sung = [note.key for note in melody.sung_line(notes(*keys))]
    assert all(melody.LOWEST <= key <= melody.HIGHEST for key in sung)
    assert [key % 12 for key in sung] == [key % 12 for key in keys]
    assert len({a - b for a, b in zip(sung, keys, strict=True)}) == 1, "a melody that fits keeps its shape"


def test_a_long_phrase_gets_a_breath() -> None:
    line = module("melody").breathing(notes(*[60] * 30, length=1.0, step=1.0))
    rests = [b.start - a.end for a, b in pairwise(line)]
    assert max(rests) >= 0.2
    assert sum(rest > 0 for rest in rests) == pytest.approx(30 / 8, abs=1), "not more often than needed"


def test_the_melody_is_the_part_that_sounds_longest() -> None:
    part = module("arrange").Part
    parts = {part(0, 65): notes(70, 72), part(1, 52): notes(60, 64, 67), part(2, 0): notes(*[60] * 9)}
    stems = {part(0, 65): "vocals", part(1, 52): "vocals", part(2, 0): "other"}
    assert module("melody").sung_part(parts, stems) == part(1, 52)
    assert module("melody").sung_part(parts, dict.fromkeys(parts, "other")) is None


# --- Words and scores


def test_every_note_has_a_kana_and_long_ones_an_open_vowel() -> None:
    words = module("syllables")
    line = notes(*[60] * 200, length=1.0, step=1.0)
    manners = set()
    for seed in range(40):
        manner, kana = words.syllables(line, np.random.default_rng(seed))
        manners.add(manner)
        assert len(kana) == len(line)
        assert set(kana) <= words.KANA
        assert not set(kana) & set("いうきくしすちつにぬひふみむりる")
        assert (manner, kana) == words.syllables(line, np.random.default_rng(seed))
    assert manners == set(words.MANNERS)


def test_a_score_says_what_is_sung_and_when() -> None:
    xml, line = module("musicxml"), notes(60, 61, 67, start=0.3, length=1.7, step=2.2)
    root = Tree.fromstring(xml.musicxml(line, ["ら", "な", "か"], 8.0))
    at, found = 0, []
    for bar in root.iter("measure"):
        ticks = [int(note.findtext("duration", "")) for note in bar.iter("note")]
        assert sum(ticks) == xml.BAR, "every bar is full"
        for note, length in zip(bar.iter("note"), ticks, strict=True):
            ties = {tie.get("type") for tie in note.iter("tie")}
            if note.find("pitch") is not None and "stop" not in ties:
                name = note.findtext("pitch/step", "") + "#" * int(note.findtext("pitch/alter", "0"))
                key = xml.STEPS.index(name) + 12 * (int(note.findtext("pitch/octave", "")) + 1)
                found.append([at, at + length, key, note.findtext("lyric/text")])
            elif note.find("pitch") is not None:
                assert note.find("lyric") is None, "a tied note is sung on"
                assert found[-1][1] == at
                found[-1][1] += length
            at += length
    assert at / xml.TICKS_PER_S >= 8.0
    assert [(key, word) for *_, key, word in found] == [(60, "ら"), (61, "な"), (67, "か")]
    times = [[start / xml.TICKS_PER_S, end / xml.TICKS_PER_S] for start, end, *_ in found]
    assert np.allclose(times, [[note.start, note.end] for note in line], atol=0.5 / xml.TICKS_PER_S)
    assert len(list(root.iter("tie"))) >= 2


# --- Voices


def voice(frames: int = 200, bins: int = 1025, formant_hz: float = 2000.0) -> Any:
    """A dull voice with one formant."""
    hz = np.linspace(0, RATE / 2, bins)
    envelope = np.exp(-(((hz - formant_hz) / 300) ** 2)) + 1e-3 * 10 ** (-hz / 2000)
    pitch = np.full(frames, 300.0)
    return module("frames").Frames(pitch, np.tile(envelope, (frames, 1)), np.full((frames, bins), 0.01), RATE)


def level(frames: Any, low: float, high: float) -> float:
    """Of a band, in dB."""
    inside = (frames.hz >= low) & (frames.hz < high)
    return float(10 * np.log10(frames.envelope[:, inside].mean()))


@pytest.mark.parametrize("factor", [0.85, 1.0, 1.15])
def test_a_smaller_mouth_has_higher_formants(factor: float) -> None:
    changed = module("frames").resized(voice(), factor)
    assert changed.hz[changed.envelope[0].argmax()] == pytest.approx(2000 * factor, abs=30)
    assert np.array_equal(changed.f0, voice().f0), "the pitch is another matter"


@pytest.mark.parametrize(("presence_db", "bright_db"), [(-20.0, -28.0), (-12.0, -18.0)])
def test_a_dull_voice_becomes_as_bright_as_asked(presence_db: float, bright_db: float) -> None:
    dull = voice(formant_hz=600.0)
    shaped = module("frames").shaped(dull, presence_db, bright_db)
    power = shaped.envelope.mean(0)
    bands = [power[(shaped.hz >= low) & (shaped.hz < 2 * low)].sum() / power.sum() for low in (2000, 4000)]
    assert 10 * np.log10(bands) == pytest.approx([presence_db, bright_db], abs=1)
    assert np.array_equal(shaped.envelope[:, shaped.hz < 1000], dull.envelope[:, shaped.hz < 1000])


def test_breath_is_noise_in_the_highs_only() -> None:
    changed = module("frames").breathed(voice(), 0.4)
    added = changed.aperiodicity[0] - voice().aperiodicity[0]
    assert added[changed.hz <= 1000] == pytest.approx(0)
    assert added[changed.hz >= 5000] == pytest.approx(0.4 * 0.99)


def test_air_is_noise_above_8_khz_as_loud_as_asked() -> None:
    frames = module("frames")
    dull = voice()
    airy = frames.aired(dull, -10.0)
    assert level(airy, 8500, 9000) - level(dull, 3000, 6500) == pytest.approx(-10, abs=2)
    assert level(airy, 8500, 9000) > level(dull, 8500, 9000) + 10
    assert np.allclose(airy.envelope[:, airy.hz < 6500], dull.envelope[:, dull.hz < 6500], rtol=1e-6)
    assert (airy.aperiodicity[:, airy.hz > 8500] == 1).all()
    whisper = frames.aired(frames.Frames(0 * dull.f0, dull.envelope, dull.aperiodicity, RATE), -10.0)
    assert level(whisper, 8500, 9000) == pytest.approx(level(airy, 8500, 9000) + 10, abs=0.5)


def sung_pitch(line: list[Any], cents: float) -> np.ndarray:
    """The pitch of a line, so many cents too high in the mean, more at one end than at the other, every 5 ms."""
    f0 = np.zeros(round((line[-1].end + 0.2) * 200))
    for at, note in enumerate(line):
        inside = slice(round(note.start * 200), round(note.end * 200))
        f0[inside] = hertz(note.key) * 2 ** ((cents + 20 * (at - len(line) / 2)) / 1200)
    return f0


def test_notes_come_to_where_they_should_be() -> None:
    intonation, line = module("intonation"), notes(60, 64, 67, 62)
    f0 = sung_pitch(line, 150.0)
    assert intonation.cents_off(f0, line) == pytest.approx([110, 130, 150, 170], abs=1)
    off = np.array([5.0, -5.0, 0.0, 10.0])
    tuned = intonation.in_tune(f0, line, off)
    assert intonation.cents_off(tuned, line) == pytest.approx(off, abs=0.5)
    assert ((tuned > 0) == (f0 > 0)).all(), "what has no pitch gets none"
    silent = intonation.in_tune(np.zeros(100), line, off)
    assert not silent.any()


def test_vibrato_begins_when_a_note_has_stood() -> None:
    line = notes(60, length=3.0)
    bend = module("intonation").vibrato(600, line, 5.5, 40.0, 0.0)
    assert not bend[:30].any()
    assert np.abs(bend[200:]).max() == pytest.approx(40, rel=0.05)
    spectrum = np.abs(np.fft.rfft(bend[200:] * np.hanning(400), 4096))
    assert spectrum.argmax() * 200 / 4096 == pytest.approx(5.5, abs=0.1)


def test_singers_differ_and_the_same_seed_is_the_same_singer() -> None:
    singers = module("singers")
    many = [singers.another(np.random.default_rng(seed)) for seed in range(100)]
    assert many[3] == singers.another(np.random.default_rng(3))
    assert len({one.formants for one in many}) == 100
    assert all(0.85 <= one.formants <= 1.15 and 5 <= one.vibrato_hz <= 6 for one in many)
    low, high = ([one for one in many if one.register == register] for register in (-12, 0))
    assert min(len(low), len(high)) > 30
    assert max(one.formants for one in low) <= 0.95, "low voices are larger"


def test_a_low_voice_sings_an_octave_down() -> None:
    singers, line = module("singers"), notes(60, 64)
    one = voice(frames=220)
    frames = module("frames").Frames(sung_pitch(line, 50.0)[:220], one.envelope, one.aperiodicity, RATE)
    low = singers.another(np.random.default_rng(0), singers.LOW)
    made = singers.sung_by(frames, line, low, np.random.default_rng(1))
    off = module("intonation").cents_off(made.f0, line) + 1200
    assert np.abs(off).max() < 3 * low.off_cents + low.vibrato_cents


def test_bursts_are_found_and_sung_on_other_words() -> None:
    singer, line = module("hmm_singer"), notes(60, 62, 64, 65)
    x = 0.3 * np.sin(np.arange(2 * 1000))
    assert singer.loud_notes(x, line, 1000) == []
    x[1200] = 1e9
    assert singer.loud_notes(x, line, 1000) == [2]
    x[1450] = -1e9
    assert singer.loud_notes(x, line, 1000) == [2, 3], "a consonant belongs to its note"
    x[700:] = np.nan
    assert singer.loud_notes(x, line, 1000) == [1], "what comes behind is not known yet"
    x[1990:] = np.inf
    for at in range(0, 2000, 7):
        assert len(singer.loud_notes(np.where(np.arange(2000) == at, 3.0, 0.0), line, 1000)) == 1, "all has a note"
    words = ["と", "た", "ら", "か"]
    assert singer.calmer(words, [1, 2]) == ["と", "ら", "あ", "か"]


# --- Sampled basses


def tone(hz: float, seconds: float = 0.6) -> np.ndarray:
    """A low string: hardly any fundamental, many overtones, (t,)."""
    t = np.arange(round(seconds * RATE)) / RATE
    return sum(0.1 * np.sin(2 * np.pi * hz * n * t + n) / (1 if n > 1 else 8) for n in range(1, 9)) * np.exp(-t)


@pytest.mark.parametrize("key", [24, 33, 40, 55])
def test_the_pitch_of_a_string_is_its_period(key: int) -> None:
    x = tone(hertz(key))
    assert module("sampled").key_of(x, RATE) == pytest.approx(key, abs=0.1)


def test_noise_and_silence_have_no_pitch() -> None:
    assert module("sampled").key_of(np.random.default_rng(0).normal(size=20_000), RATE) is None
    assert module("sampled").key_of(np.zeros(20_000), RATE) is None


def test_the_range_of_an_instrument_is_its_longest_row_in_tune() -> None:
    sampled = module("sampled")
    sounding: dict[int, float | None] = {key: key - 12 + 0.1 for key in range(34, 70)}
    sounding |= {45: None, 33: 30.0, 70: None, 71: None, 72: None, 73: 41.3, 84: 84.0, 85: 85.0}
    assert sampled.range_of(sounding) == sampled.Range(34, 69, -1)
    assert sampled.range_of({60: 60.0, 61: 61.0}) is None, "two keys are no instrument"
    assert sampled.range_of({}) is None


def test_a_line_fits_an_instrument_by_octaves() -> None:
    sampled = module("sampled")
    fitted = sampled.fitted(notes(28, 33, 40), sampled.Range(34, 79, -1))
    assert [note.key for note in fitted] == [40, 45, 52], "an instrument that sounds an octave low is played higher"
    high = sampled.fitted(notes(52, 57, 80), sampled.Range(28, 50, 0))
    assert [note.key for note in high] == [40, 45, 44], "80 is E, 44 too far down is folded on its own"


def sfz(folder: Path, text: str) -> Path:
    """An SFZ file."""
    (folder / "some.sfz").write_text(text)
    return folder / "some.sfz"


def test_what_takes_turns_at_random_takes_turns_in_order(tmp_path: Path) -> None:
    text = """<control>
default_path=sounds/
<group> lokey=20 amp_random=6
<region> sample=a.wav hirand=0.250
<region> sample=b.wav lorand=0.250 hirand=0.500
<region> sample=c.wav lorand=0.750
<region> sample=d.wav lovel=10
<region> sample=e.wav hirand=0.33
<region> sample=f.wav lorand=0.33 hirand=0.67
"""
    settled = module("sampled").settled(sfz(tmp_path, text))
    assert not any(word in settled for word in ("lorand", "hirand", "_random"))
    assert f"default_path={tmp_path.resolve().as_posix()}/sounds/" in settled
    places = [re.findall(r"seq_\w+=(\d+)", region) for region in settled.split("<region>")[1:]]
    assert places == [["4", "1"], ["4", "2"], ["4", "4"], [], ["3", "1"], ["3", "2"]]
    assert "sample=d.wav lovel=10" in settled


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('#include "other.sfz"', "include"),
        ("<region> hirand=0.4 <region> lorand=0.4", "unequal shares, one from 0 to 0.4 among 2"),
        ("<region> hirand=.5 <region> lorand=.5 hirand=.75 <region> lorand=.75", "unequal shares"),
    ],
)
def test_an_instrument_that_cannot_play_the_same_each_time_is_refused(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=says):
        module("sampled").settled(sfz(tmp_path, text))
    assert says in refused(monkeypatch, capsys, "-o", str(tmp_path / "out"), "--sfz-bass", str(tmp_path))
    assert not (tmp_path / "out").exists()


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """What `build.py` says of options that it refuses."""
    monkeypatch.setattr(module("build"), "find_spec", lambda name: True)
    monkeypatch.setattr("sys.argv", ["build.py", *options])
    with pytest.raises(SystemExit):
        module("build").main()
    return capsys.readouterr().err


def test_folders_without_instruments_and_split_files_that_are_none_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["-o", str(tmp_path / "out")]
    assert "no SFZ file" in refused(monkeypatch, capsys, *out, "--sfz-bass", str(tmp_path))
    assert "does not exist" in refused(monkeypatch, capsys, *out, "--hold-out", str(tmp_path / "no.json"))


# --- Songs


def test_who_sings_depends_on_the_song_alone() -> None:
    band = module("rendering").Band([], seed=1, sing_share=0.5)
    names = [f"song-{number}" for number in range(200)]
    sings = [band.sings(name) for name in names]
    assert 70 < sum(sings) < 130
    assert sings == [band.sings(name) for name in names]
    assert not any(module("rendering").Band([], seed=1).sings(name) for name in names)
    assert all(module("rendering").Band([], seed=1, sing_share=1.0).sings(name) for name in names)


def test_what_is_held_out_is_written_down(tmp_path: Path) -> None:
    build = module("build")
    for name in ("freedoom-a", "named", "voice-people-one", "voice-people-two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "song.json").write_text("{}")
    (tmp_path / "album").mkdir()
    rendered = next(name for name in (f"x{number}-y" for number in range(1000)) if build.is_held_out(name, ()))
    (tmp_path / rendered).mkdir()
    (tmp_path / rendered / "song.json").write_text("{}")
    split = tmp_path / "some.json"
    split.write_text('{"test": ["named"], "valid": ["album"], "train": ["voice-people-two"]}')
    held_out = set(build.named([str(split), "not there"]))
    assert held_out == {"named", "album", "not there"}
    build.write_split(tmp_path, held_out)
    assert json.loads((tmp_path / "split.json").read_text())["valid"] == sorted(["album", "named", rendered])


def test_beside_a_made_singer_people_are_held_out_also_those_that_were_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, songs = module("build"), tmp_path / "songs"
    monkeypatch.setattr(build, "find_spec", lambda name: True)

    def valid(folder: str, *options: str) -> list[str]:
        """What is held out once the voices in a folder have been built."""
        arguments = ["build.py", "-o", str(songs), "--voices", str(tmp_path / folder), *options]
        monkeypatch.setattr("sys.argv", arguments)
        build.main()
        found: list[str] = json.loads((songs / "split.json").read_text())["valid"]
        return found

    for folder, name in (("spoken", "word-one"), ("sung", "anna-note"), ("sung", "berta-note")):
        (tmp_path / folder).mkdir(exist_ok=True)
        soundfile.write(tmp_path / folder / f"{name}.wav", np.random.default_rng(len(name)).normal(size=4000) / 9, 8000)
    assert valid("spoken") == []
    assert valid("sung") == []
    there = (songs / "voice-sung-anna" / "vocals.flac").stat().st_mtime_ns
    for _ in range(2):
        assert valid("sung", "--sing") == ["voice-sung-anna", "voice-sung-berta"]
    assert (songs / "voice-sung-anna" / "vocals.flac").stat().st_mtime_ns == there, "they are not built again"


def test_minutes_are_counted_by_who_made_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = {"vocals": {"sung": "someone", "seconds": 90.0}, "bass": {"sfz": "a/b.sfz", "seconds": 60.0}}
    for name, stems in (("one", made), ("two", {"vocals": {"soundfont": "x.sf2", "seconds": 30.0}}), ("album", {})):
        (tmp_path / name).mkdir()
        for stem in stems or ("vocals",):
            soundfile.write(tmp_path / name / f"{stem}.wav", np.zeros((6 * 8000, 2)), 8000)
        if stems:
            (tmp_path / name / "song.json").write_text(json.dumps({"stems": stems}))
    module("build").report(tmp_path)
    printed = capsys.readouterr().out
    assert "vocals: SoundFont 0.5, recorded 0.1, sung 1.5\n" in printed
    assert "bass: sampled bass 1.0\n" in printed


def listened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure what is in a folder of songs."""
    monkeypatch.setattr(module("listen"), "HALF_S", 2.0)
    monkeypatch.setattr("sys.argv", ["listen.py", str(folder), "--encoder", "features"])
    module("listen").main()


def test_where_nothing_was_sung_people_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in enumerate(("anna", "berta", "caesar")):
        (tmp_path / name).mkdir()
        x = 0.3 * np.random.default_rng(number).uniform(-1, 1, (5 * RATE, 2)) * (number < 2)
        soundfile.write(tmp_path / name / "vocals.wav", x, RATE)
    listened(tmp_path, monkeypatch)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "pitch and time: there is nothing that one voice sings alone"
    assert said[1].startswith("levels in dB, recorded (2): "), "silence has no levels"
    assert said[2].startswith("features, recorded (2): ")
    assert len(said) == 3


# --- With what is optional


def test_a_sampled_bass_plays_a_line_in_tune_and_the_same_each_time(tmp_path: Path) -> None:
    pytest.importorskip("pysfizz", reason="pysfizz plays SFZ")
    regions = ["<global> ampeg_release=0.1"]
    for key in range(36, 60, 3):  # each sounds an octave lower than it is named
        for turn in (1, 2):
            x = tone(hertz(key - 12), 2.0) / turn
            soundfile.write(tmp_path / f"{key}-{turn}.wav", x, RATE)
            bounds = "hirand=0.5" if turn == 1 else "lorand=0.5"
            regions.append(
                f"<region> sample={key}-{turn}.wav lokey={key} hikey={key + 2} pitch_keycenter={key} {bounds}"
            )
    (tmp_path / "bass.sfz").write_text("\n".join(regions))
    sampled = module("sampled")
    assert sampled.instruments([tmp_path]) == [tmp_path / "bass.sfz"]
    keys = sampled.keys_of(tmp_path / "bass.sfz", RATE)
    assert (keys.octaves, keys.low >= 36, keys.high <= 61) == (-1, True, True)
    line = notes(28, 31, 35, length=0.4)
    x = sampled.play(tmp_path / "bass.sfz", line, 2.0, RATE)
    assert x.shape == (2, 2 * RATE)
    for note in line:
        part = x[0, round((note.start + 0.05) * RATE) : round(note.end * RATE)].numpy()
        assert module("sampled").key_of(part, RATE) == pytest.approx(note.key, abs=0.3)
    assert np.array_equal(x.numpy(), sampled.play(tmp_path / "bass.sfz", line, 2.0, RATE).numpy())


def test_a_line_is_sung_in_time_and_in_tune() -> None:
    pytest.importorskip("pysinsy", reason="pysinsy sings")
    pytest.importorskip("pyworld", reason="pyworld makes one voice into many")
    line = notes(60, 65, 72, 67, start=0.5)
    x, about = module("singing").sing(line, 3.3, RATE, np.random.default_rng(3))
    again, _ = module("singing").sing(line, 3.3, RATE, np.random.default_rng(3))
    assert x.shape == (2, round(3.3 * RATE))
    assert np.array_equal(x.numpy(), again.numpy())
    assert [module("singing").read(text)[0] for text in about["notes"]] == line
    mono = x.mean(0).double().numpy()
    assert np.sqrt(np.mean(mono[: round(0.35 * RATE)] ** 2)) < 0.1 * np.sqrt(np.mean(mono**2)), "it begins in time"
    register = about["singers"][0]["register"]
    import pyworld

    f0, times = pyworld.harvest(mono, RATE, f0_floor=60.0)
    for note in line:
        inside = f0[(times > note.start + 0.12) & (times < note.end - 0.1)]
        key = 69 + 12 * np.log2(np.median(inside[inside > 0]) / 440) - register
        assert key == pytest.approx(note.key, abs=0.3)


def test_what_was_sung_is_measured_against_its_melody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyworld", reason="pyworld measures pitch")
    line = notes(60, 65, 72, 67, length=1.0, step=1.0)
    hz = np.repeat([hertz(note.key - 12) for note in line], RATE)
    x = sum(0.1 / n * np.sin(2 * np.pi * n * np.cumsum(hz) / RATE) for n in range(1, 12))
    about = {"sung": "somebody", "cast": "one", "singers": [{"register": -12}]}
    about["notes"] = [module("singing").written(note, "ら") for note in line]
    (tmp_path / "song").mkdir()
    soundfile.write(tmp_path / "song" / "vocals.wav", x, RATE)
    (tmp_path / "song" / "song.json").write_text(json.dumps({"stems": {"vocals": about}}))
    listened(tmp_path, monkeypatch)
    pitch, time, levels, apart = capsys.readouterr().out.splitlines()
    assert re.match(r"pitch: 4 notes, [0-3] cents off in the median, .* 100 % within 50", pitch)
    assert re.match(r"time: 3 leaps, [+-]\d ms late", time)
    assert levels.startswith("levels in dB, sung (1): ")
    assert apart == "features, sung: fewer than two voices of 4 s"
