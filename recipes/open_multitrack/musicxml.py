"""A sung line as MusicXML: one voice, 4/4 at 120, a kana a note, notes tied across bar lines.

The tempo is a ruler, not the song's: at 960 ticks a quarter a tick is half a millisecond, and notes begin when they do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as Tree

from arrange import Note

__all__ = ["TICKS_PER_S", "musicxml"]

TEMPO = 120
DIVISIONS = 960
BEATS = 4
TICKS_PER_S = DIVISIONS * TEMPO // 60
BAR = DIVISIONS * BEATS
STEPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

Piece = tuple[Note | None, str, int, bool, bool]
"""A note or a rest, its syllable, its ticks, and whether it is tied to the piece before and to the one behind."""


def musicxml(line: Sequence[Note], words: Sequence[str], seconds: float) -> bytes:
    """A document of whole bars in which a line is sung on these words, at least so many seconds long.

    Notes are in order and do not overlap.
    """
    root = Tree.Element("score-partwise", version="2.0")
    part = Tree.SubElement(Tree.SubElement(root, "part-list"), "score-part", id="P1")
    Tree.SubElement(part, "part-name").text = "voice"
    music = Tree.SubElement(root, "part", id="P1")
    for number, bar in enumerate(_bars(line, words, round(seconds * TICKS_PER_S)), 1):
        measure = Tree.SubElement(music, "measure", number=str(number))
        if number == 1:
            _begin(measure)
        for piece in bar:
            _write(measure, piece)
    return bytes(Tree.tostring(root, encoding="UTF-8", xml_declaration=True))


def _bars(line: Sequence[Note], words: Sequence[str], length: int) -> Iterator[list[Piece]]:
    """Notes and the rests between them, cut at bar lines."""
    bar: list[Piece] = []
    room = BAR
    for note, word, ticks in _spans(line, words, length):
        left = ticks
        while left:
            piece = min(left, room)
            bar.append((note, word if left == ticks else "", piece, left != ticks, left != piece))
            left, room = left - piece, room - piece
            if not room:
                yield bar
                bar, room = [], BAR


def _spans(line: Sequence[Note], words: Sequence[str], length: int) -> Iterator[tuple[Note | None, str, int]]:
    """Notes and rests with their ticks, up to the end of the last bar."""
    at = 0
    for note, word in zip(line, words, strict=True):
        start, end = round(note.start * TICKS_PER_S), round(note.end * TICKS_PER_S)
        if start > at:
            yield None, "", start - at
        if end > start:
            yield note, word, end - start
        at = max(at, end)
    yield None, "", max(BAR, -(-length // BAR) * BAR, -(-at // BAR) * BAR + BAR) - at


def _begin(measure: Tree.Element) -> None:
    """Divisions, key, time and tempo."""
    attributes = Tree.SubElement(measure, "attributes")
    Tree.SubElement(attributes, "divisions").text = str(DIVISIONS)
    key = Tree.SubElement(attributes, "key")
    Tree.SubElement(key, "fifths").text = "0"
    Tree.SubElement(key, "mode").text = "major"
    time = Tree.SubElement(attributes, "time")
    Tree.SubElement(time, "beats").text = str(BEATS)
    Tree.SubElement(time, "beat-type").text = "4"
    Tree.SubElement(Tree.SubElement(measure, "direction"), "sound", tempo=str(TEMPO))


def _write(measure: Tree.Element, piece: Piece) -> None:
    """A note or a rest."""
    note, word, ticks, tied, goes_on = piece
    element = Tree.SubElement(measure, "note")
    if note is None:
        Tree.SubElement(element, "rest")
        Tree.SubElement(element, "duration").text = str(ticks)
        return
    pitch = Tree.SubElement(element, "pitch")
    step = STEPS[note.key % 12]
    Tree.SubElement(pitch, "step").text = step[0]
    if len(step) > 1:
        Tree.SubElement(pitch, "alter").text = "1"
    Tree.SubElement(pitch, "octave").text = str(note.key // 12 - 1)
    Tree.SubElement(element, "duration").text = str(ticks)
    for there, kind in ((tied, "stop"), (goes_on, "start")):
        if there:
            Tree.SubElement(element, "tie", type=kind)
    if word:
        lyric = Tree.SubElement(element, "lyric", number="1")
        Tree.SubElement(lyric, "syllabic").text = "single"
        Tree.SubElement(lyric, "text").text = word
