"""DAWproject, the open exchange format of sessions: a zip of project.xml, metadata.xml and audio.

Written by its published schema, version 1.0. Units are those of its reference: dB, hertz, seconds; ratios in per cent,
100 (1 - 1 / ratio), so that 2:1 is 50 and a wall is 100; pans from 0 to 1; volumes as factors.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from xml.etree import ElementTree

from stito.audio import check_writable
from stito.console.strips import gain
from stito.effects.devices import Band, BandShape, Compressor, Device, Equalizer, Gate, Limiter
from stito.exporters.desk import Desk, DeskDevice, Track, audio_names, desk_of, write_track
from stito.exporters.exporter import Exported, require_suffix
from stito.exporters.session import Session, written
from stito.files.atomic import replacing
from stito.version import __version__

__all__ = ["DAWPROJECT", "DawProject"]

SHAPES: dict[BandShape, str] = {
    "low_shelf": "lowShelf",
    "bell": "bell",
    "high_shelf": "highShelf",
    "high_pass": "highPass",
    "low_pass": "lowPass",
}
LOUDEST = 2.0
"""The top of a fader, +6 dB; what is higher is written, and DAWs take it as they can."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of everything inside, so that the same session makes the same file."""
MAPPED = (
    "Devices are the format's Equalizer, Compressor, NoiseGate and Limiter: frequencies, gains, Q, thresholds and "
    "times are written as they are, ratios in per cent (2:1 is 50 %).",
    "DAWs put devices of their own in their place: correct thresholds by ear. Knees are not part of the format.",
)

Element = ElementTree.Element


class _Project:
    """The document while it is written: every element that others refer to has a number."""

    def __init__(self, desk: Desk) -> None:
        self._numbers = count(1)
        self.desk = desk
        self.master_id = self._id()
        self.files: dict[str, Track] = {}

    def _id(self) -> str:
        return f"id{next(self._numbers)}"

    def document(self) -> Element:
        root = Element("Project", version="1.0")
        ElementTree.SubElement(root, "Application", name="stito", version=__version__)
        transport = ElementTree.SubElement(root, "Transport")
        self._real(transport, "Tempo", 120.0, "bpm", name="Tempo")
        attributes = {"id": self._id(), "denominator": "4", "numerator": "4"}
        ElementTree.SubElement(transport, "TimeSignature", attributes)
        structure = ElementTree.SubElement(root, "Structure")
        arrangement = ElementTree.SubElement(root, "Arrangement", id=self._id())
        lanes = ElementTree.SubElement(arrangement, "Lanes", id=self._id(), timeUnit="seconds")
        for track, file in zip(self.desk.tracks, audio_names(self.desk), strict=True):
            self._clip(lanes, track, file, self._track(structure, track, "regular"))
        self._track(structure, self.desk.master, "master")
        return root

    def _track(self, structure: Element, track: Track, role: str) -> str:
        """A track with its channel; returns its id."""
        identity = self._id()
        attributes = {"id": identity, "name": track.name, "contentType": "audio", "loaded": "true"}
        parent = ElementTree.SubElement(structure, "Track", attributes)
        to = {"id": self.master_id} if role == "master" else {"id": self._id(), "destination": self.master_id}
        attributes = {**to, "audioChannels": "2", "role": role, "solo": "false"}
        channel = ElementTree.SubElement(parent, "Channel", attributes)
        if track.devices:
            devices = ElementTree.SubElement(channel, "Devices")
            for device in track.devices:
                self._device(devices, device)
        self._bool(channel, "Mute", track.muted)
        self._real(channel, "Pan", (track.pan + 1) / 2, "normalized", low=0.0, high=1.0)
        volume = gain(track.volume_db)
        self._real(channel, "Volume", volume, "linear", low=0.0, high=max(LOUDEST, volume))
        return identity

    def _device(self, parent: Element, placed: DeskDevice) -> None:
        kind = _KINDS[type(placed.device)]
        attributes = {"id": self._id(), "name": placed.label, "deviceName": kind, "deviceRole": "audioFX"}
        element = ElementTree.SubElement(parent, kind, attributes)
        self._bool(element, "Enabled", placed.enabled)
        match placed.device:
            case Equalizer() as equalizer:
                for band in equalizer.bands:
                    self._band(element, band)
            case Compressor() as compressor:
                self._real(element, "Attack", compressor.attack_ms / 1000, "seconds")
                self._bool(element, "AutoMakeup", False)
                self._real(element, "InputGain", placed.input_gain_db, "decibel")
                self._real(element, "Ratio", _percent(compressor.ratio), "percent", low=0.0, high=100.0)
                self._real(element, "Release", compressor.release_ms / 1000, "seconds")
                self._real(element, "Threshold", compressor.threshold_db, "decibel")
            case Gate() as gate:
                self._real(element, "Attack", gate.attack_ms / 1000, "seconds")
                if gate.range_db is not None:
                    self._real(element, "Range", -gate.range_db, "decibel")
                self._real(element, "Ratio", _percent(gate.ratio), "percent", low=0.0, high=100.0)
                self._real(element, "Release", gate.release_ms / 1000, "seconds")
                self._real(element, "Threshold", gate.threshold_db, "decibel")
            case Limiter() as limiter:
                if limiter.attack_ms is not None:
                    self._real(element, "Attack", limiter.attack_ms / 1000, "seconds")
                self._real(element, "InputGain", placed.input_gain_db, "decibel")
                self._real(element, "Release", limiter.release_ms / 1000, "seconds")
                self._real(element, "Threshold", limiter.threshold_db, "decibel")

    def _band(self, parent: Element, band: Band) -> None:
        element = ElementTree.SubElement(parent, "Band", type=SHAPES[band.shape])
        self._real(element, "Freq", band.hz, "hertz")
        if "pass" not in band.shape:
            self._real(element, "Gain", band.gain_db, "decibel")
        self._real(element, "Q", band.q, "linear")
        self._bool(element, "Enabled", True)

    def _clip(self, lanes: Element, track: Track, name: str, track_id: str) -> None:
        """The audio of a track, from its start to its end."""
        if track.audio is None:
            return
        file = f"audio/{name}"
        self.files[file] = track
        seconds = f"{track.seconds:.9f}"
        own = ElementTree.SubElement(lanes, "Lanes", id=self._id(), track=track_id)
        clips = ElementTree.SubElement(own, "Clips", id=self._id())
        attributes = {"time": "0.0", "duration": seconds, "contentTimeUnit": "seconds", "playStart": "0.0"}
        clip = ElementTree.SubElement(clips, "Clip", {**attributes, "name": track.name})
        attributes = {"id": self._id(), "channels": str(len(track.audio)), "sampleRate": str(track.sample_rate)}
        audio = ElementTree.SubElement(clip, "Audio", {**attributes, "duration": seconds})
        ElementTree.SubElement(audio, "File", path=file)

    def _real(
        self,
        parent: Element,
        tag: str,
        value: float,
        unit: str,
        *,
        name: str = "",
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        ends = {end: f"{bound:.6f}" for end, bound in (("max", high), ("min", low)) if bound is not None}
        named = {"name": name} if name else {}
        attributes = {"id": self._id(), **named, **ends, "unit": unit, "value": f"{value:.6f}"}
        ElementTree.SubElement(parent, tag, attributes)

    def _bool(self, parent: Element, tag: str, value: bool) -> None:
        ElementTree.SubElement(parent, tag, id=self._id(), value="true" if value else "false")


_KINDS: dict[type[Device], str] = {
    Equalizer: "Equalizer",
    Compressor: "Compressor",
    Gate: "NoiseGate",
    Limiter: "Limiter",
}


def _percent(ratio: float) -> float:
    return 100 * (1 - 1 / ratio)


def _text(root: Element) -> bytes:
    ElementTree.indent(root)
    for element in root.iter():  # names may hold what XML cannot
        for key, value in element.attrib.items():
            element.set(key, written(value))
        if element.text and element.text.strip():
            element.text = "\n".join(written(line) for line in element.text.split("\n"))
    found: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return found + b"\n"


def _metadata(session: Session, notes: Iterator[str]) -> bytes:
    root = Element("MetaData")
    ElementTree.SubElement(root, "Title").text = session.name
    ElementTree.SubElement(root, "Comment").text = "\n".join(notes)
    return _text(root)


@dataclass(frozen=True)
class DawProject:
    """Writes a `.dawproject`: inputs with devices, faders and pans, rendered stems muted beside them, the master."""

    name: str = "dawproject"
    suffix: str = ".dawproject"

    def export(self, session: Session, out: Path, *, force: bool = False) -> Exported:
        """Write it; without audio there are devices and faders, and no clips."""
        require_suffix(out, self.suffix)
        check_writable(out, overwrite=force)
        desk = desk_of(session)
        project = _Project(desk)
        document, notes = _text(project.document()), (*MAPPED, *desk.notes, *desk.device_notes)
        words = (f"{name}: {strip.text}" for name, strip in session.words.items())
        with replacing(out, force) as file, zipfile.ZipFile(file, "w") as archive:
            _add(archive, "project.xml", document)
            _add(archive, "metadata.xml", _metadata(session, iter((*words, *notes))))
            with tempfile.TemporaryDirectory() as folder:
                for name, track in project.files.items():
                    path = Path(folder) / Path(name).name
                    write_track(path, track)
                    with path.open("rb") as source, archive.open(_entry(name), "w", force_zip64=True) as target:
                        while block := source.read(1 << 20):
                            target.write(block)
                    path.unlink()
        return Exported((out,), notes)


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, date_time=EPOCH)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_entry(name), content, compress_type=zipfile.ZIP_DEFLATED)


DAWPROJECT = DawProject()
