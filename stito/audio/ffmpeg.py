"""Decoding with FFmpeg through PyAV: MP4 and its stems, AAC, ALAC, CAF, MP3.

MP3 is here and not with libsndfile because that guesses the length of a variable-rate file without a Xing header, and
loses what lies beyond its guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stito.audio.model import Decoded
from stito.errors import AudioError, MissingDependencyError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream

__all__ = ["decode_ffmpeg"]

_SLACK_S = 0.25
"""Containers may count encoder delay and padding, which the decoder removes, in the length that they state."""

_FIRST_S = 60
"""Where no length is stated, memory for so much is taken at first, and doubled when it is used up."""

_RAW_AAC = "Raw AAC does not state its encoder delay, so the sound may begin up to 50 ms late."


class _Collector:
    """The samples of one stream, planar float32, gathered in one buffer so that they are held once."""

    def __init__(self, path: Path, stream: AudioStream, *, states_length: bool, is_placed: bool) -> None:
        self.path = path
        self.stream = stream
        self.rate = 0
        self.stated: int | None = None
        self._states_length = states_length
        self._is_placed = is_placed
        self._filled = 0
        self._buffer = torch.empty(1, 0)
        self._converter: AudioResampler | None = None

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
    def samples(self) -> Tensor:
        """What was gathered: (channels, t)."""
        return self._buffer[:, : self._filled]


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
            is_mp4 = "mp4" in container.format.name.split(",")
            states_length = is_mp4 or (container.format.name == "mp3" and _has_mp3_length(path))
            collectors = {
                stream.index: _Collector(path, stream, states_length=states_length, is_placed=is_mp4)
                for stream in wanted
            }
            for packet in container.demux(wanted):
                for frame in packet.decode():
                    if isinstance(frame, av.AudioFrame):
                        collectors[packet.stream.index].add(frame)
            notes = (_RAW_AAC,) if container.format.name == "aac" else ()
            return [_decoded(path, collector, notes) for collector in collectors.values()]
    except av.FFmpegError as error:
        raise AudioError(
            f"{path} is not audio that can be read, or is truncated or damaged: {error.strerror}.",
            hint="Play it elsewhere; if that works, export it as WAV. If not, copy or export it again.",
        ) from error


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
    samples, rate, stated = collector.samples, collector.rate, collector.stated
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


def _has_mp3_length(path: Path) -> bool:
    """Whether the first frame of an MP3, after any ID3v2 tag, states the length; without it FFmpeg only estimates."""
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3" and len(head) == 10:
            size = sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
            file.seek(10 + size)
        frame = head + file.read(2048)
    return b"Xing" in frame or b"Info" in frame or b"VBRI" in frame
