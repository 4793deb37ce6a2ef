"""Decoding with libsndfile: WAV, RF64, AIFF, FLAC, Ogg Vorbis and Opus."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import soundfile
import torch

from stito.audio.chunks import Repaired
from stito.audio.model import Decoded
from stito.errors import AudioError

__all__ = ["ForFFmpegError", "UnknownFormatError", "decode_sndfile"]

_BLOCK = 1 << 18
_MOST_FRAMES = 1 << 40
_VORBIS_BLOCK = 8192  # the longest of Vorbis I, section 4.2.2

_WRITTEN_AS = {
    "PCM_S8": "PCM_16",
    "PCM_U8": "PCM_16",
    "PCM_16": "PCM_16",
    "PCM_32": "PCM_32",
    "FLOAT": "FLOAT",
    "DOUBLE": "FLOAT",
}

# Vorbis I, section 4.3.9, puts the centre second and the LFE last: for each channel of a WAV its place in an Ogg.
_OGG_ORDER = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 5, 3, 4),
    7: (0, 2, 1, 6, 5, 3, 4),
    8: (0, 2, 1, 7, 5, 6, 3, 4),
}


class UnknownFormatError(AudioError):
    """libsndfile does not know what this is."""


class ForFFmpegError(UnknownFormatError):
    """libsndfile knows it, and does not read all of it."""


class _Stream(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from end to end: no seek after each block, which fails in a FLAC of unknown length."""

    def seekable(self) -> bool:
        return False


def decode_sndfile(path: Path, repairs: tuple[tuple[int, bytes], ...] = ()) -> Decoded:
    """All samples of a file, read block by block so that they are held once; `AudioError` if it is not audio.

    `repairs` are bytes of its header by their place, which are read instead of those that are there.
    """
    try:
        with contextlib.ExitStack() as stack:
            name = path if str(path).isprintable() else os.fsencode(path)
            file = stack.enter_context(_Stream(stack.enter_context(Repaired(path, repairs)) if repairs else name))
            if str(file.subtype).startswith("MPEG") and str(file.format) in ("WAV", "WAVEX"):
                raise ForFFmpegError(f"{path} is an MP3 in a WAV.")
            if file.frames > _MOST_FRAMES:  # a FLAC that was written into a pipe does not say how long it is
                samples = _gathered(file)
                filled = samples.shape[1]
            else:
                samples = torch.empty(file.channels, file.frames, dtype=torch.float32)
                filled = _fill(samples.numpy(), file)
            rate, subtype, container = int(file.samplerate), str(file.subtype), str(file.format)
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a `.raw` file, of which soundfile knows nothing
        raise UnknownFormatError(
            f"{path} is not audio that can be read.",
            hint="Give a WAV, AIFF, FLAC, Ogg, MP3 or M4A file.",
        ) from error
    # Some encoders count a little more than they write: where an Ogg says that it ends, what is there is all there is.
    is_ended = container == "OGG" and _is_ended(path)
    if filled < samples.shape[1] - (_VORBIS_BLOCK if is_ended else 0):
        raise AudioError(
            f"{path} is truncated or damaged: {filled} of {samples.shape[1]} samples can be read.",
            hint="Copy or export it again.",
        )
    samples = samples[:, :filled]
    notes: tuple[str, ...] = ()
    if container == "OGG":
        samples = samples[list(_OGG_ORDER[len(samples)])] if len(samples) in _OGG_ORDER else samples
        notes = () if is_ended else ("The Ogg stream has no end mark: the file may be cut short.",)
    return Decoded(samples, rate, _WRITTEN_AS.get(subtype, "PCM_24"), notes)


def _gathered(file: _Stream) -> torch.Tensor:
    """All that can be read of a stream of unknown length: (channels, frames)."""
    blocks = [np.empty((0, file.channels), dtype=np.float32)]
    try:
        while len(read := file.read(_BLOCK, dtype="float32", always_2d=True)):
            blocks.append(read)
    except soundfile.LibsndfileError:
        pass  # as where the length is known: what is there before a stream breaks off
    return torch.from_numpy(np.ascontiguousarray(np.concatenate(blocks).T))


def _fill(samples: np.ndarray, file: _Stream) -> int:
    """Read into (channels, frames); the number of frames that were there, fewer if the stream breaks off."""
    block = np.empty((min(_BLOCK, file.frames), file.channels), dtype=np.float32)
    filled = 0
    while filled < file.frames:
        try:
            read = file.read(out=block[: file.frames - filled])
        except soundfile.LibsndfileError:
            break
        if not len(read):
            break
        samples[:, filled : filled + len(read)] = read.T
        filled += len(read)
    return filled


def _is_ended(path: Path) -> bool:
    """Whether the last page of an Ogg file says that it is the last (RFC 3533, section 6: flag 4)."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - (1 << 16) - 512))  # no page is longer
        tail = file.read()
    page = tail.rfind(b"OggS")
    return page >= 0 and len(tail) > page + 5 and bool(tail[page + 5] & 4)
