"""The open multitrack recipe: MIDI is read as written, parts find their stems, stretches of songs are the same."""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

DRUMS = 9
pytestmark = pytest.mark.usefixtures("open_multitrack")


def midi() -> Any:
    return import_module("midi")


def arrange() -> Any:
    return import_module("arrange")


def file_of(*tracks: bytes, division: int = 100, form: int = 1) -> bytes:
    """A MIDI file of these tracks."""
    head = struct.pack(">4sIHHH", b"MThd", 6, form, len(tracks), division)
    return head + b"".join(struct.pack(">4sI", b"MTrk", len(track)) + track for track in tracks)


def line(channel: int, program: int, keys: list[int], *, length: float = 0.4, step: float = 0.5) -> list[Any]:
    """Events of notes one after the other (together, where they are longer than a step)."""
    event = midi().Event
    out = [event(0.0, 0xC0 | channel, bytes([program]))]
    for number, key in enumerate(keys):
        out.append(event(number * step, 0x90 | channel, bytes([key, 100])))
        out.append(event(number * step + length, 0x80 | channel, bytes([key, 0])))
    return sorted(out, key=lambda one: one.time)


def band(*lines: list[Any]) -> list[Any]:
    return sorted((event for one in lines for event in one), key=lambda event: event.time)


def test_running_status_meta_and_sysex_are_read() -> None:
    track = bytes.fromhex(
        "00 f0 03 01 02 f7  00 90 3c 40  64 3c 00  32 ff 01 02 68 69  8148 c0 05  00 ff 2f 00  00 90 00 00"
    )
    events = midi().read_midi(file_of(track))
    assert [(event.status, event.data.hex()) for event in events] == [
        (0xF0, "0102f7"),
        (0x90, "3c40"),
        (0x90, "3c00"),
        (0xFF, "016869"),
        (0xC0, "05"),
        (0xFF, "2f"),
    ]
    assert [event.time for event in events] == pytest.approx([0, 0, 0.5, 0.75, 1.75, 1.75])


def test_tempo_counts_on_all_tracks_from_where_it_changes() -> None:
    tempo = bytes.fromhex("64 ff 51 03 0f 42 40  00 ff 2f 00")  # a second per quarter, after the first quarter
    notes = bytes.fromhex("8148 90 3c 40  00 ff 2f 00")  # after two quarters
    events = [event for event in midi().read_midi(file_of(tempo, notes)) if event.kind == 9]
    assert events[0].time == pytest.approx(0.5 + 1.0)


def test_what_is_written_is_read_again() -> None:
    events = band(line(0, 5, [60, 64, 200 % 128]), line(DRUMS, 0, [36, 38]))
    again = midi().read_midi(midi().write_midi(events, 10.0))
    assert [(event.status, event.data) for event in again[:-1]] == [(event.status, event.data) for event in events]
    assert [event.time for event in again[:-1]] == pytest.approx([event.time for event in events], abs=1 / 1920)
    assert again[-1].time == pytest.approx(10)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"RIFF....WAVE", "no MIDI header"),
        (file_of(b"", form=2), "format 2"),
        (file_of(b"", division=0xE728), "division"),
        (file_of(bytes.fromhex("00 90 3c")), "cut short"),
        (file_of(bytes.fromhex("00 3c 40")), "running status without"),
    ],
)
def test_what_is_no_midi_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(midi().MidiError, match=says):
        midi().read_midi(content)


def stems(events: list[Any]) -> dict[tuple[int, int], str]:
    return {(part.channel, part.program): stem for part, stem in arrange().stems_of(arrange().parts_of(events)).items()}


def test_parts_find_their_stems() -> None:
    chords = line(3, 0, [60, 64, 67, 60, 64, 67], length=2.0)
    solo = line(4, 65, [70, 72, 74])
    events = band(line(DRUMS, 0, [36, 38]), line(1, 33, [40, 43]), chords, solo, line(5, 52, [60, 64], length=2.0))
    assert stems(events) == {
        (DRUMS, 0): "drums",
        (1, 33): "bass",
        (3, 0): "other",
        (4, 65): "vocals",
        (5, 52): "vocals",
    }


def test_a_low_line_is_a_bass_and_a_chord_of_brass_no_voice() -> None:
    tuba, section = line(0, 58, [30, 33, 35]), line(1, 61, [60, 64, 67], length=2.0)
    assert stems(band(tuba, section)) == {(0, 58): "bass", (1, 61): "other"}


def test_without_a_lead_a_high_line_sings_if_something_is_left() -> None:
    chords, bells = line(0, 0, [60, 64, 67, 60], length=2.0), line(1, 11, [80, 82, 84, 85])
    assert stems(band(chords, bells)) == {(0, 0): "other", (1, 11): "vocals"}
    assert stems(bells) == {(1, 11): "other"}


def test_a_channel_may_change_its_program() -> None:
    event = midi().Event
    events = [*line(0, 33, [40]), event(1.0, 0xC0, bytes([0])), event(1.0, 0x90, bytes([60, 90]))]
    events.append(event(2.0, 0x90, bytes([60, 0])))
    parts = arrange().parts_of(events)
    assert {part.program: [(note.start, note.end, note.key) for note in notes] for part, notes in parts.items()} == {
        33: [(0.0, 0.4, 40)],
        0: [(1.0, 2.0, 60)],
    }


def test_an_excerpt_keeps_what_was_set_and_ends_its_notes() -> None:
    events = line(0, 5, list(range(60, 70)), length=0.75)
    cut = arrange().excerpt(events, 1.0, 1.0, speed=2.0)
    assert cut[0].kind == 0xC
    ons = [(event.time, event.data[0]) for event in cut if event.kind == 9]
    assert ons == [(0.0, 62), (0.25, 63), (0.5, 64), (0.75, 65)]
    assert {key: cut[-2:][at].time for at, key in enumerate(event.data[0] for event in cut[-2:])} == {
        64: 0.875,
        65: 1.0,
    }
    sounding: set[int] = set()
    for event in cut:
        (sounding.add if event.kind == 9 else sounding.discard)(event.data[0])
    assert not sounding


def test_one_stem_alone_is_transposed_and_plays_another_program() -> None:
    events = band(line(0, 33, [40, 41]), line(1, 0, [60, 61]), line(DRUMS, 0, [36, 38]))
    part = arrange().Part
    bass = arrange().only(events, {part(0, 33): 38}, semitones=2)
    notes = [event for event in bass if event.kind in (8, 9)]
    assert {event.channel for event in notes} == {0}
    assert [event.data[0] for event in notes] == [42, 42, 43, 43]
    assert [event.data[0] for event in bass if event.kind == 0xC] == [38]
    drums = arrange().only(events, {part(DRUMS, 0): 8}, semitones=2)
    assert [event.data[0] for event in drums if event.kind == 9] == [36, 38], "drums have no pitch to move"


def test_substitutes_stay_in_their_family() -> None:
    part = arrange().Part
    kinds = {part(0, 33): "bass", part(1, 0): "other", part(2, 11): "vocals", part(DRUMS, 0): "drums"}
    drawn = [arrange().substitutes(kinds, np.random.default_rng(seed)) for seed in range(50)]
    assert {one[part(0, 33)] for one in drawn} == set(range(32, 40))
    assert {one[part(1, 0)] for one in drawn} == set(range(8))
    assert {one[part(2, 11)] for one in drawn} <= set(arrange().SUNG)
    assert drawn[0] == arrange().substitutes(kinds, np.random.default_rng(0))
    assert sum(one[part(1, 0)] == 0 for one in drawn) > 20, "every second one stays"


def test_what_is_taken_of_a_song_does_not_depend_on_the_others(tmp_path: Path) -> None:
    (tmp_path / "game").mkdir()
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (30 * 44_100, 2))
    for name in ("a", "b"):
        soundfile.write(tmp_path / "game" / f"{name}.wav", x, 44_100)
    for out, pattern in (("all", "*.wav"), ("one", "b.wav")):
        import_module("collect").main(
            ["-o", str(tmp_path / out), "other", str(tmp_path / "game" / pattern), "--seconds", "12"]
        )
    both, alone = ({path.parent.name: path for path in tmp_path.glob(f"{out}/*/other.ogg")} for out in ("all", "one"))
    assert (set(both), set(alone)) == ({"game-a-wav", "game-b-wav"}, {"game-b-wav"})
    taken, again = (soundfile.read(files["game-b-wav"])[0] for files in (both, alone))
    assert len(taken) == 12 * 44_100
    assert np.array_equal(taken, again)


# --- Songs, without what plays and sings


class Studio:
    """Folders of songs, of noise that depends on what is played, by what, and on nothing else."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.sung: list[str] = []
        rendering = import_module("rendering")
        monkeypatch.setattr(rendering, "synthesise", lambda song, font: noise(song, font.name.encode()))
        monkeypatch.setattr(rendering, "keys_of", lambda path, sample_rate: True)
        monkeypatch.setattr(rendering, "play", lambda path, line, *_: noise(repr(line).encode(), path.name.encode()))
        monkeypatch.setattr(rendering, "sing", self.sing)

    def sing(self, line: list[Any], *_: object) -> tuple[torch.Tensor, dict[str, object]]:
        self.sung.append(repr(line))
        return noise(repr(line).encode()), {"sung": "by somebody"}

    def build(self, out: str, *songs: str, held_out: tuple[str, ...] = (), **options: object) -> None:
        """Songs into a folder."""
        files = [(name, self.folder / f"{name}.mid") for name in songs]
        for number, (_, path) in enumerate(files):
            keys = [60 + number, 64, 67, 72, 67, 64, 60, 62] * 2
            lead, choir = line(1, 65, [key + 12 for key in keys]), line(2, 52, keys)
            players = [lead, choir, line(DRUMS, 0, [36] * 16), line(3, 33, [33] * 16), line(4, 0, keys, length=2.0)]
            path.write_bytes(midi().write_midi(band(*players), 8.0))
        chosen = {"output": self.folder / out, "seed": 0, "seconds": 6.0, "workers": 2, "sing": 0.0, "sfz_bass": []}
        chosen |= {"soundfont": [Path("a.sf2"), Path("b.sf2")], "sfz_share": 1.0, **options}
        import_module("build").render_all(files, argparse.Namespace(**chosen), held_out)

    def render(self, out: str, *songs: str, **options: Any) -> dict[str, Any]:
        """What is written down of the stems of songs, and what each of their files contains."""
        self.build(out, *songs, **options)
        return {
            name: {
                stem: (about, (self.folder / out / name / f"{stem}.flac").read_bytes())
                for stem, about in json.loads((self.folder / out / name / "song.json").read_text())["stems"].items()
            }
            for name in songs
        }


def noise(*played: bytes) -> torch.Tensor:
    """A tenth of a second of noise, (2, t)."""
    rng = np.random.default_rng(list(hashlib.sha256(b" ".join(played)).digest()))
    return torch.from_numpy(rng.uniform(-0.5, 0.5, (2, 4410))).float()


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    return Studio(tmp_path, monkeypatch)


LEARNT = ("song-c", "song-d", "song-e")
"""Names that are not held out by their hash."""


def test_drums_and_bass_are_the_same_with_and_without_singing(studio: Studio) -> None:
    plain, sung = studio.render("plain", *LEARNT), studio.render("sung", *LEARNT, sing=1.0)
    assert len(studio.sung) == len(LEARNT)
    for name in LEARNT:
        assert set(plain[name]) == set(sung[name]) == {"vocals", "drums", "bass", "other"}
        same = {stem for stem in sung[name] if plain[name][stem] == sung[name][stem]}
        assert same == {"drums", "bass"}, "the second lead joins what is other"
        assert sung[name]["vocals"][0] == {"sung": "by somebody", "seconds": 0.1}


def test_a_share_of_the_songs_is_sung_and_the_others_are_as_without(studio: Studio) -> None:
    names = [f"tune-{chr(97 + number)}" for number in range(12)]
    plain, some = studio.render("plain", *names), studio.render("some", *names, sing=0.5)
    told = {name for name in names if "sung" in some[name]["vocals"][0]}
    assert 0 < len(told) < len(names)
    assert {name for name in names if plain[name] != some[name]} == told


def test_held_out_songs_are_never_sung_nor_have_a_sampled_bass(studio: Studio) -> None:
    build = import_module("build")
    by_hash = next(name for name in (f"x{number}-y" for number in range(1000)) if build.is_held_out(name, ()))
    names, named = (*LEARNT, by_hash), LEARNT[0]
    plain = studio.render("plain", *names)
    made = studio.render("made", *names, held_out=(named,), sing=1.0, sfz_bass=[Path("some/bass.sfz")])
    assert len(studio.sung) == 2
    for name in names:
        same = name in (named, by_hash)
        assert (made[name] == plain[name]) == same
        assert (made[name]["bass"][0].get("sfz") == "some/bass.sfz") != same


def test_where_the_singer_fails_the_song_is_as_without(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise import_module("hmm_singer").SingingError("3 of 9 notes burst")

    plain = studio.render("plain", "song-c")["song-c"]
    for out, sing, why in (
        ("failed", fail, "singing: 3 of 9 notes burst"),
        ("silent", lambda *_: (torch.zeros(2, 4410), {"sung": "by somebody"}), "singing: silent"),
    ):
        monkeypatch.setattr(import_module("rendering"), "sing", sing)
        failed = studio.render(out, "song-c", sing=1.0)["song-c"]
        assert {stem: content for stem, (_, content) in failed.items()} == {
            stem: content for stem, (_, content) in plain.items()
        }
        assert failed["vocals"][0] == {**plain["vocals"][0], "instead of": why}
        assert f"song-c: vocals (instead of {why}) drums bass other" in capsys.readouterr().out


def test_where_a_sampled_bass_is_silent_a_soundfont_plays(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(import_module("rendering"), "play", lambda *_: torch.zeros(2, 4410))
    plain, silent = studio.render("plain", "song-c"), studio.render("sfz", "song-c", sfz_bass=[Path("a/b.sfz")])
    assert silent["song-c"]["bass"][1] == plain["song-c"]["bass"][1]
    assert "bass (instead of a/b.sfz: silent)" in capsys.readouterr().out


def test_a_song_that_cannot_be_rendered_is_left_out_and_said(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("the file is another one now")

    monkeypatch.setattr(import_module("rendering"), "play", fail)
    studio.build("out", "song-c", sfz_bass=[Path("a/b.sfz")])
    assert "song-c: left out, the file is another one now" in capsys.readouterr().out
    assert not (studio.folder / "out" / "song-c").exists()
