"""Three short songs that stito composes and plays itself, as raw stems: dry, unprocessed, unmastered.

`night` is slow and minor (electric piano, sub-bass, swung hats), `street` quick and mixolydian (two guitars, picked
bass, claps), `river` a waltz (strings, double bass, brushes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import butter, iirpeak, lfilter, sosfilt

from stito.demo import band
from stito.demo.drums import Kit
from stito.demo.score import Score, Song
from stito.demo.synth import Audio, Tape, gate, picked_bass, sub_bass, upright_bass
from stito.demo.theory import Chord
from stito.demo.voice import Voice
from stito.errors import SettingsError, UnknownNameError

__all__ = ["SONGS", "STEMS", "compose"]

STEMS = ("drums", "bass", "other", "vocals")

LOUDEST_SUM = 0.88
"""Peak of the sum above which all stems are turned down together."""

SHORTEST_S = 0.5
FADE_S = 0.4

NIGHT = Song(
    name="night",
    bpm=84.0,
    beats_per_bar=4,
    tonic=59,
    scale="minor",
    swing=0.24,
    progressions=(
        (
            Chord(0, "m9", 4), Chord(8, "maj9", 4), Chord(5, "m9", 2), Chord(10, "13", 2),
            Chord(3, "maj9", 2), Chord(7, "7alt", 2),
        ),
        (
            Chord(5, "m9", 4), Chord(0, "m9", 4), Chord(8, "maj9", 2), Chord(3, "maj9", 2),
            Chord(5, "m9", 2), Chord(7, "7alt", 2),
        ),
        (
            Chord(0, "m9", 4), Chord(5, "m9", 2), Chord(10, "13", 2), Chord(3, "maj9", 4),
            Chord(8, "maj9", 2), Chord(7, "7alt", 2),
        ),
    ),
    melody=(
        (0.5, 0.5, 4), (1.0, 0.5, 6), (1.5, 1.25, 4), (3.0, 0.5, 2), (3.5, 0.5, 3), (4.0, 1.5, 2),
        (5.5, 0.5, 1), (6.0, 1.25, 0), (8.5, 0.5, 3), (9.0, 0.5, 4), (9.5, 1.0, 5), (10.5, 0.5, 4),
        (11.0, 0.75, 6), (12.0, 1.0, 4), (13.0, 0.5, 3), (13.5, 0.5, 2), (14.0, 1.25, 1),
    ),
    ending=("m9", 0),
    syllables="la no so mi ha lu ne ho sa mo no ti la ma lo so la",
)  # fmt: skip

STREET = Song(
    name="street",
    bpm=118.0,
    beats_per_bar=4,
    tonic=57,
    scale="mixolydian",
    swing=0.04,
    progressions=(
        (
            Chord(0, "major", 4), Chord(10, "major", 2), Chord(5, "major", 2), Chord(0, "major", 4),
            Chord(10, "major", 2), Chord(5, "major", 2), Chord(10, "major", 4), Chord(5, "sus2", 2),
            Chord(7, "7sus4", 2),
        ),
        (
            Chord(0, "major", 2), Chord(7, "m7", 2), Chord(5, "major", 4), Chord(0, "major", 2), Chord(7, "m7", 2),
            Chord(10, "major", 4), Chord(5, "major", 4), Chord(10, "sus2", 2), Chord(7, "7sus4", 2),
        ),
        (
            Chord(5, "major", 4), Chord(0, "major", 4), Chord(10, "major", 4), Chord(5, "major", 2),
            Chord(0, "major", 2), Chord(9, "m7", 4), Chord(10, "major", 2), Chord(7, "7sus4", 2),
        ),
    ),
    melody=(
        (0.0, 0.5, 4), (0.5, 0.5, 4), (1.0, 0.5, 5), (1.5, 1.0, 4), (3.0, 0.5, 4), (3.5, 0.5, 5),
        (4.0, 1.0, 6), (5.0, 0.5, 5), (5.5, 0.5, 4), (6.0, 1.25, 3), (8.0, 0.5, 4), (8.5, 0.5, 4),
        (9.0, 0.5, 5), (9.5, 0.75, 7), (10.5, 0.5, 7), (11.0, 0.5, 8), (11.5, 0.5, 7), (12.0, 1.0, 8),
        (13.0, 0.5, 6), (13.5, 0.5, 4), (14.0, 1.25, 5), (16.0, 0.75, 6), (17.0, 0.5, 6), (17.5, 0.5, 7),
        (18.0, 1.5, 8), (20.0, 1.0, 7), (21.0, 0.5, 5), (21.5, 0.5, 3), (22.0, 1.5, 4),
    ),
    ending=("major", 7),
    syllables="ta ka he la da ti so ma ka la di ta he ka na do ti sa la ma to he la ka so da li na ta",
)  # fmt: skip

RIVER = Song(
    name="river",
    bpm=92.0,
    beats_per_bar=3,
    tonic=58,
    scale="major",
    swing=0.0,
    progressions=(
        (
            Chord(0, "major", 3), Chord(7, "major", 3, bass=11), Chord(9, "m7", 3), Chord(4, "m7", 3),
            Chord(5, "maj7", 3), Chord(7, "7sus4", 1.5), Chord(7, "7", 1.5),
        ),
        (
            Chord(0, "major", 3), Chord(9, "m7", 3), Chord(5, "maj7", 3), Chord(0, "major", 3, bass=4),
            Chord(2, "m7", 3), Chord(7, "7sus4", 1.5), Chord(7, "7", 1.5),
        ),
        (
            Chord(9, "m7", 3), Chord(4, "m7", 3), Chord(5, "maj7", 3), Chord(0, "major", 3, bass=4),
            Chord(2, "m7", 3), Chord(7, "7sus4", 1.5), Chord(7, "7", 1.5),
        ),
    ),
    melody=(
        (0.0, 1.5, 2), (1.5, 0.5, 3), (2.0, 1.0, 4), (3.0, 2.25, 6), (6.0, 1.5, 7), (7.5, 0.5, 6),
        (8.0, 1.0, 5), (9.0, 2.25, 4), (12.0, 1.0, 5), (13.0, 1.0, 4), (14.0, 1.0, 3), (15.0, 0.9, 3),
        (16.0, 1.5, 1),
    ),
    ending=("major", 2),
    syllables="so la mi no ha lo ne mu sa li ma wo ne la",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """What a song gives its players: patterns, and how its drummer plays them."""

    drums: tuple[band.Row, ...]
    spread_s: float
    crash: float
    bass: band.Row
    chords: band.Row
    levels_db: tuple[float, float, float, float]
    """Peaks at which the stems were recorded, in dBFS."""


@dataclass(frozen=True)
class Players:
    """Who plays a song: a kit, a bass from its lowest note up, what plays the chords, and a singer."""

    kit: Callable[[Generator, int], Kit]
    bass: band.BassSound
    low: int
    chords: Callable[[Score, band.Row], Tape]
    voice: Voice


def _piano(score: Score, rows: band.Row) -> Tape:
    return band.piano(score, score.generator("other"), rows)


def _guitars(score: Score, rows: band.Row) -> Tape:
    """Two guitarists play the same part, one on each side and one with a capo, and never quite together."""
    tape = score.tape()
    for name, pan, low, bright_hz in (("left", -0.75, 45, 3600.0), ("right", 0.75, 50, 4800.0)):
        take = band.guitar(score, score.generator(name), rows, pan=pan, low=low, bright_hz=bright_hz)
        tape.lay(_wooden(take.audio, score.sample_rate), 0.0)
    return tape


def _strings_and_harp(score: Score, rows: band.Row) -> Tape:
    """Held and broken chords, whatever the pattern."""
    del rows
    tape = band.strings(score, score.generator("strings"))
    plucked = band.harp(score, score.generator("harp"), pan=0.35)
    tape.lay(_wooden(plucked.audio, score.sample_rate), 0.0, gain=0.9)
    return tape


def _wooden(audio: Audio, sample_rate: int) -> Audio:
    """A guitar's body: two resonances under the string."""
    total = 0.8 * audio
    for centre_hz, q, level in ((105.0, 6.0, 0.5), (215.0, 7.0, 0.45), (430.0, 5.0, 0.25)):
        b, a = iirpeak(centre_hz, q, fs=sample_rate)
        total += level * lfilter(b, a, audio)
    return total


PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "night": Part(
            drums=(
                (("K.....k...K.....", "K.....k..kK....."), "K.....k...K..k.."),
                (("....s..g.g..s..g", "....s..g....s.g."), "....s..g..s.gss."),
                (("h.Hih.hih.Hih.hi", "h.Hih.hih.Hih.o-"), "h.Hih.hih...12.3"),
            ),
            spread_s=0.005,
            crash=0.4,
            bass=(("R-----.R--8-..a-", "R-----.R-.R-5-a-"), "R----.R-8-R-5.a-"),
            chords=(("X-----.x--------", "X-------.x--x---"), "X-----.xX-----x-"),
            levels_db=(-6.5, -11.0, -9.5, -11.5),
        ),
        "street": Part(
            drums=(
                (("K.....K.k.K.....", "K.....K.k.K..k.."), "K.....K.K...k..."),
                (("....S.......S..g", "....S..g....S..."), "....S..gS.ssS.SS"),
                (("............C...", "....C.......C..."), "....C...C......."),
                (("H.h.H.hiH.h.H.o-", "H.h.H.h.H.hiH.o-"), "H.h.H.h.....1123"),
            ),
            spread_s=0.003,
            crash=0.8,
            bass=(("R-.RR-R.R-.RR-a-", "R-.RR-8.R-.R5-a-"), "R-R-R-R-R-8-R-a-"),
            chords=(("D---d-u--uD-d-u-", "D---d-u--ud-D-u-"), "D-d-d-u-D---D-uu"),
            levels_db=(-6.5, -10.0, -9.5, -10.0),
        ),
        "river": Part(
            drums=(
                (("k...........", "k.........k."), "k.........k."),
                (("~-------~---", "~-------~---"), "~-------~---"),
                (("....B...B.b.", "....B..bB..."), "....B.b.B.BB"),
                (("r...r.r.r...", "r...r...r.r."), "r...r...1.2."),
            ),
            spread_s=0.006,
            crash=0.35,
            bass=(("R-------5-..", "R-------R-a-"), "R-----R---a-"),
            chords=(("X-----------",), "X-----------"),
            levels_db=(-6.5, -8.5, -10.5, -11.0),
        ),
    }
)
"""What is played, by song."""

NIGHT_PLAYERS = Players(
    kit=partial(Kit, kick_hz=46.0, snare_hz=172.0, dry=0.9),
    bass=sub_bass,
    low=28,
    chords=_piano,
    voice=Voice(size=1.02, effort=0.35, vibrato_cents=30.0, breath=0.08),
)
STREET_PLAYERS = Players(
    kit=partial(Kit, kick_hz=54.0, snare_hz=205.0, dry=1.35),
    bass=picked_bass,
    low=29,
    chords=_guitars,
    voice=Voice(size=1.14, effort=0.85, vibrato_cents=22.0, breath=0.03),
)
RIVER_PLAYERS = Players(
    kit=partial(Kit, kick_hz=48.0, snare_hz=180.0, dry=1.0),
    bass=upright_bass,
    low=28,
    chords=_strings_and_harp,
    voice=Voice(size=1.08, effort=0.5, vibrato_cents=36.0, breath=0.06),
)
SESSION_PLAYERS = replace(STREET_PLAYERS, chords=RIVER_PLAYERS.chords, voice=replace(RIVER_PLAYERS.voice, held=0.6))
"""A full-range bass, chords as dense whatever the song, and a singer who leaves rests: dry, songs sound alike."""

PLAYERS: Mapping[str, Players] = MappingProxyType(
    {"night": NIGHT_PLAYERS, "street": STREET_PLAYERS, "river": RIVER_PLAYERS, "session": SESSION_PLAYERS}
)
"""Who plays: the players of each song, and those of the sessions, who play any song alike."""

SONGS: Mapping[str, Song] = MappingProxyType({song.name: song for song in (NIGHT, STREET, RIVER)})
"""The songs by name."""


def compose(
    name: str,
    *,
    sample_rate: int = 44_100,
    seconds: float | None = None,
    seed: int = 0,
    players: str | None = None,
    transpose: int = 0,
) -> dict[str, NDArray[np.float32]]:
    """A song as raw stems: `drums`, `bass`, `other` and `vocals`, each float32 (2, t), that sum to its mix.

    The same arguments give the same bytes on the same machine. Stems peak between -12 and -6 dBFS and their sum below
    0.9, as a careful multitrack recording does.

    Args:
        name: `night`, `street` or `river`.
        sample_rate: in Hz, from 16,000 up.
        seconds: how long; the song goes round as often as fits. By default about 13 s, once round.
        seed: 0 is the song as written; others transpose it, change its chords, bend its melody and play it anew.
        players: who plays and sings: a song's name for its own players, the default, or `session`.
        transpose: semitones by which the song is played and sung higher.

    Raises:
        UnknownNameError: no such song, or no such players.
        SettingsError: a length, rate or seed that cannot be played.
    """
    if name not in SONGS:
        raise UnknownNameError.of("song", name, SONGS)
    players = players or name
    if players not in PLAYERS:
        raise UnknownNameError.of("players", players, PLAYERS)
    written, part = SONGS[name], PARTS[name]
    song = replace(written, tonic=written.tonic + transpose)
    length_s = song.seconds if seconds is None else seconds
    _check(length_s, sample_rate, seed)
    score = Score(song, length_s, seed, sample_rate)
    tapes = _played(score, part, PLAYERS[players])
    stems = [_recorded(tape, level_db) for tape, level_db in zip(tapes, part.levels_db, strict=True)]
    loudest = float(np.max(np.abs(np.sum(stems, axis=0))))
    gain = min(1.0, LOUDEST_SUM / loudest)
    return {stem: (gain * audio).astype(np.float32) for stem, audio in zip(STEMS, stems, strict=True)}


def _played(score: Score, part: Part, players: Players) -> tuple[Tape, Tape, Tape, Tape]:
    """The tapes of a song, in the order of the stems."""
    rng = score.generator("drums")
    kit = players.kit(rng, score.sample_rate)
    vocals = score.tape()
    vocals.lay(players.voice.sing(score.line(), score.seconds, score.generator("vocals"), score.sample_rate), 0.0)
    return (
        band.drums(score, rng, kit, part.drums, spread_s=part.spread_s, crash=part.crash),
        band.bass(score, score.generator("bass"), players.bass, part.bass, low=players.low),
        players.chords(score, part.chords),
        vocals,
    )


def _check(seconds: float, sample_rate: int, seed: int) -> None:
    if not SHORTEST_S <= seconds < float("inf"):
        raise SettingsError(f"A song of {seconds:g} s is too short.", hint=f"Ask for {SHORTEST_S:g} s or more.")
    if sample_rate < 16_000:
        raise SettingsError(f"sample_rate = {sample_rate} Hz is too low for a song.", hint="Use 16000 Hz or more.")
    if seed < 0:
        raise SettingsError(f"seed = {seed} is negative.", hint="Seeds are 0, 1, 2, …")


def _recorded(tape: Tape, level_db: float) -> Audio:
    """The tape without rumble and offset, faded at its end, at its peak level."""
    rate = tape.sample_rate
    audio = sosfilt(butter(2, 25.0, "highpass", fs=rate, output="sos"), tape.audio)
    audio *= gate(audio.shape[1], rate, 0.001, FADE_S)
    return np.asarray(audio * (10 ** (level_db / 20) / np.max(np.abs(audio))))
