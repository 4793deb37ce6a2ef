"""Decoding with FFmpeg through PyAV: MP4 and its stems, AAC, ALAC, CAF, MP3.

MP3 is here and not with libsndfile because that guesses the length of a variable-rate file without a Xing header, and
loses what lies beyond its guess.

What lies behind the last frame (padding, tags, pictures) is no sound and is passed over; what breaks off in a frame,
or goes on behind a damaged one, is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stito.audio.model import Decoded
from stito.audio.mp3 import stated_samples
from stito.errors import AudioError, MissingDependencyError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.error import FFmpegError
    from av.packet import Packet
    from av.stream import Stream

__all__ = ["decode_ffmpeg"]

_SLACK_S = 0.25
"""Containers may count encoder delay and padding, which the decoder removes, in the length that they state."""

_FIRST_S = 60
"""Where no length is stated, memory for so much is taken at first, and doubled when it is used up."""

_STATING = frozenset({"wv", "tta"})
"""Formats beside MP4 and MP3 whose header states the exact length, if it states any."""

_SYNC = 2
"""So many bytes at the beginning of a packet tell the frames of raw streams (MPEG audio, ADTS) from other bytes."""

_RAW_AAC = "Raw AAC does not state its encoder delay, so the sound may begin up to 50 ms late."


class _Collector:
    """The samples of one stream, planar float32, gathered in one buffer so that they are held once."""

    def __init__(
        self, path: Path, stream: AudioStream, form: str, *, promised: int | None, states_length: bool
    ) -> None:
        self.path = path
        self.stream = stream
        self.rate = 0
        self.promised = promised
        self.stated: int | None = None
        self._states_length = states_length
        self._is_placed = _is_mp4(form)
        self._filled = 0
        self._sync = b""
        self._error: FFmpegError | None = None
        self._filled_at_error = 0
        self._buffer = torch.empty(1, 0)
        self._converter: AudioResampler | None = None

    def decode(self, packet: Packet[Stream]) -> None:
        """Append what a packet holds; one that cannot be decoded is remembered, for it may lie behind the sound."""
        import av

        sync = bytes(packet)[:_SYNC]
        try:
            for frame in packet.decode():
                if isinstance(frame, av.AudioFrame):
                    self.add(frame)
            self._sync = self._sync or sync
        except av.FFmpegError as error:
            if not self._filled or (self._error is None and self._sync.startswith(sync)):
                raise  # no sound at all, or a frame that breaks off
            if self._error is None:
                self._error, self._filled_at_error = error, self._filled

    def add(self, frame: AudioFrame) -> None:
        """Append the samples of a frame, up to the stated length: what comes later pads the last packet."""
        if not self.rate:
            self._begin(frame)
        for planar in self._planar(frame):
            block = torch.from_numpy(planar.to_ndarray())
            if block.shape[0] != self._buffer.shape[0]:
                raise AudioError(
                    f"{self.path} changes its channel count on the way.", hint="Export it with one channel layout."
                )
            if self.stated is None and self._filled + block.shape[1] > self._buffer.shape[1]:
                self._grow()
            kept = block[:, : self._buffer.shape[1] - self._filled]
            self._buffer[:, self._filled : self._filled + kept.shape[1]] = kept
            self._filled += kept.shape[1]

    def _begin(self, frame: AudioFrame) -> None:
        stream, self.rate = self.stream, frame.sample_rate
        if self._is_placed and frame.pts and frame.time_base:  # an edit list may let a stream begin later than others
            self._filled = max(0, round(float(frame.pts * frame.time_base) * self.rate))
        if self._states_length and stream.duration and stream.time_base:
            self.stated = self._filled + round(float(stream.duration * stream.time_base) * self.rate)
        self._buffer = torch.empty(len(frame.layout.channels), self.stated or self._filled + _FIRST_S * self.rate)
        self._buffer[:, : self._filled] = 0

    def _grow(self) -> None:
        larger = torch.empty(self._buffer.shape[0], 2 * self._buffer.shape[1])
        larger[:, : self._filled] = self.samples
        self._buffer = larger

    def _planar(self, frame: AudioFrame) -> Sequence[AudioFrame]:
        if frame.format.name == "fltp":
            return [frame]
        if self._converter is None:
            from av.audio.resampler import AudioResampler

            self._converter = AudioResampler(format="fltp")
        return self._converter.resample(frame)

    @property
    def is_full(self) -> bool:
        """Whether all of the stated length is there."""
        return self.stated is not None and self._filled >= self.stated

    @property
    def samples(self) -> Tensor:
        """What was gathered: (channels, t)."""
        return self._buffer[:, : self._filled]

    def end(self) -> tuple[str, ...]:
        """Drop what foreign bytes behind the sound were taken for, and say so; raise if it is sound that goes on."""
        if self._error is None or self.is_full:
            return ()
        is_whole = self.promised is not None and self._filled_at_error >= self.promised
        if self._filled - self._filled_at_error > _SLACK_S * self.rate:
            if not is_whole:
                raise self._error
            return ()  # files that were joined, with tags between them
        if is_whole:
            self._filled = self.promised or 0
            return ()
        self._filled = self._filled_at_error
        return (f"What follows the sound at {self._filled / self.rate:.2f} s (padding or tags) was left out.",)


def decode_ffmpeg(path: Path, streams: Sequence[int] | None = None) -> list[Decoded]:
    """The first audio stream of a file, or those of the given numbers; encoder delay is removed, streams are aligned.

    Raises `AudioError` if the file is not audio, lacks such a stream, or ends before its stated length.
    """
    try:
        import av
    except ImportError as error:
        raise MissingDependencyError(f"Reading {path} needs PyAV.", hint="pip install av") from error
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            wanted = _select(path, container.streams.audio, streams)
            form = container.format.name
            promised = stated_samples(path) if form == "mp3" else None
            states_length = _is_mp4(form) or form in _STATING
            collectors = {
                stream.index: _Collector(path, stream, form, promised=promised, states_length=states_length)
                for stream in wanted
            }
            for packet in _packets(path, container, wanted):
                collectors[packet.stream.index].decode(packet)
                if all(collector.is_full for collector in collectors.values()):
                    break
            notes = (_RAW_AAC,) if form == "aac" else ()
            return [_decoded(path, collector, (*notes, *collector.end())) for collector in collectors.values()]
    except av.FFmpegError as error:
        raise AudioError(
            f"{path} is not audio that can be read, or is truncated or damaged: {error.strerror}.",
            hint="Play it elsewhere; if that works, export it as WAV. If not, copy or export it again.",
        ) from error


def _is_mp4(form: str) -> bool:
    return "mp4" in form.split(",")


def _packets(path: Path, container: InputContainer, wanted: Sequence[AudioStream]) -> Iterator[Packet[Stream]]:
    """The packets of a file; those of raw AAC end where foreign bytes follow that FFmpeg takes for a broken frame."""
    import av

    end, sync = 0, b""
    try:
        for packet in container.demux(wanted):
            if packet.size and packet.pos is not None:
                end, sync = packet.pos + packet.size, sync or bytes(packet)[:_SYNC]
            yield packet
    except av.FFmpegError:
        with path.open("rb") as file:
            file.seek(end)
            is_cut = file.read(_SYNC) == sync
        if container.format.name != "aac" or not end or is_cut:
            raise


def _select(path: Path, found: Sequence[AudioStream], streams: Sequence[int] | None) -> list[AudioStream]:
    if not found:
        raise AudioError(f"{path} holds no audio stream.", hint="Give a file with sound.")
    numbers = [0] if streams is None else streams
    if max(numbers) >= len(found):
        raise AudioError(
            f"{path} holds {len(found)} audio streams, and {max(numbers) + 1} are needed.",
            hint="A stem file holds the mixture, drums, bass, other and vocals, in that order.",
        )
    return [found[number] for number in numbers]


def _decoded(path: Path, collector: _Collector, notes: tuple[str, ...]) -> Decoded:
    samples, rate, stated = collector.samples, collector.rate, collector.stated or collector.promised
    if stated is not None and samples.shape[1] < stated - _SLACK_S * rate:
        raise AudioError(
            f"{path} is truncated: {samples.shape[1]} of {stated} samples can be read.",
            hint="Copy or export it again.",
        )
    return Decoded(samples, rate, _written_as(collector.stream), notes)


def _written_as(stream: AudioStream) -> str:
    """The subtype to write: the depth of a lossless codec, 24 bits for a lossy one."""
    codec, sample_format = stream.codec_context.name, stream.format.name
    if codec in ("alac", "flac") or codec.startswith("pcm_"):
        if sample_format.startswith(("flt", "dbl")):
            return "FLOAT"
        if codec.startswith("pcm_s32"):
            return "PCM_32"
        return "PCM_16" if sample_format.startswith(("u8", "s16")) else "PCM_24"
    return "PCM_24"
