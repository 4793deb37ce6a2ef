"""Files to audio: what is read, and what is refused with a reason."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import torch
from torch import Tensor

from stito.audio.chunks import Header, read_header
from stito.audio.ffmpeg import decode_ffmpeg
from stito.audio.model import Audio, AudioFormat, Decoded, peak_of, require_sane_peak
from stito.audio.sndfile import ForFFmpegError, UnknownFormatError, decode_sndfile
from stito.errors import AudioError, MissingFileError

__all__ = ["AUDIO_SUFFIXES", "as_audio", "check_file", "is_audio_file", "read_audio"]

_FFMPEG_SUFFIXES = frozenset(
    {".m4a", ".mp4", ".aac", ".mp2", ".mp3", ".caf", ".webm", ".mkv", ".mka", ".wv", ".wma", ".tta"}
)
_FFMPEG_HEADS = (b"\x1aE\xdf\xa3", b"wvpk", b"BW64", b"TTA1", b"0&\xb2u", b"MAC ")
"""How files begin that libsndfile does not know: Matroska and WebM, WavPack, BW64, True Audio, ASF, Monkey's Audio."""
AUDIO_SUFFIXES = _FFMPEG_SUFFIXES | {
    *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au"),
    *(".flac", ".ogg", ".oga", ".opus", ".ape", ".bw64"),
}
"""The file name endings, in small letters, by which a folder's audio is found among its other files."""

MIN_DURATION_S = 0.1
MIN_RATE, MAX_RATE = 4_000, 768_000
FULL_BAND_RATE = 44_100


def read_audio(path: str | os.PathLike[str]) -> Audio:
    """Read a file at any rate, channel count and depth: WAV, RF64, BW64, AIFF, FLAC, Ogg, MP3, M4A, MP4, AAC, WebM,
    Matroska, WavPack and what else FFmpeg reads of audio.

    Of a file with several audio streams the first is read. Lower rates than 44.1 kHz are read with a note.

    Raises:
        MissingFileError: nothing is there; the hint names similar files.
        AudioError: it is a folder, not audio, truncated, empty, shorter than 0.1 s, not finite, at an absurd rate or
            level.
    """
    path = Path(path)
    check_file(path)
    header = read_header(path)
    decoded = decode_ffmpeg(path)[0] if _is_for_ffmpeg(path) and not header.repairs else _decode(path, header)
    return as_audio(path, path.stem, decoded, header)


def _decode(path: Path, header: Header) -> Decoded:
    """What libsndfile makes of a file; of an Ogg that holds what it does not know, and of an MP3 in a WAV, FFmpeg."""
    try:
        return decode_sndfile(path, header.repairs)
    except UnknownFormatError as error:
        if _head(path)[:4] != b"OggS" and not isinstance(error, ForFFmpegError):
            raise
        return decode_ffmpeg(path)[0]


def is_audio_file(path: Path) -> bool:
    """Whether a file is audio by its name; what systems hide beside it (`._kick.wav`) is not."""
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".") and path.is_file()


def check_file(path: Path) -> None:
    """Raise unless `path` is a file with something in it that may be read."""
    if path.is_dir():
        raise AudioError(f"{path} is a folder where an audio file is expected.", hint="Name a file in it.")
    if path.is_symlink() and not path.exists():
        raise MissingFileError(f"{path} is a symbolic link to nothing.", hint="Give the file itself.")
    if not path.exists():
        raise MissingFileError(f"{path} does not exist.", hint=_similar(path))
    if not path.is_file():
        raise AudioError(f"{path} is not a regular file.", hint="Give an audio file.")
    if not path.stat().st_size:
        raise AudioError(f"{path} is empty (0 bytes).", hint="Copy or export it again.")
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path} may not be read: permission denied.", hint="Change the permissions of the file.")


def _similar(path: Path) -> str:
    """A suggestion from what is in the folder."""
    if not path.parent.is_dir():
        return f"There is no folder {path.parent} either."
    there = [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    by_lower_case = {name.lower(): name for name in there}
    similar = difflib.get_close_matches(path.name.lower(), by_lower_case, n=3, cutoff=0.5)
    if similar:
        return f"Did you mean {' or '.join(by_lower_case[name] for name in similar)}?"
    return f"Nothing in {path.parent} has a similar name."


def _is_for_ffmpeg(path: Path) -> bool:
    head = _head(path)
    return path.suffix.lower() in _FFMPEG_SUFFIXES or head[4:] == b"ftyp" or head.startswith(_FFMPEG_HEADS)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)


def as_audio(path: Path, name: str, decoded: Decoded, header: Header | None = None) -> Audio:
    """Check what was decoded from `path`; the `Audio` of that name, or `AudioError`."""
    header = header or Header()
    samples, rate = decoded.samples, decoded.sample_rate
    if header.missing_bytes > 0:
        raise AudioError(
            f"{path} is truncated: {header.missing_bytes} bytes of sound that its header promises are missing.",
            hint="Copy or export it again.",
        )
    _check_length(path, samples.shape[1], rate)
    _check_finite(path, samples, rate)
    require_sane_peak(path, samples)
    notes = [f"{name}: {note}" for note in (*header.notes, *decoded.notes)]
    if rate < FULL_BAND_RATE:
        notes.append(f"{name}: The sample rate is {rate} Hz, so everything above {rate / 2000:g} kHz is missing.")
    return Audio(
        samples,
        rate,
        AudioFormat(rate, samples.shape[0], decoded.subtype),
        name,
        tuple(notes),
        None if header.time_reference is None else header.time_reference / rate,
    )


def _check_length(path: Path, length: int, rate: int) -> None:
    if not length:
        raise AudioError(f"{path} holds no samples.", hint="It may have been cut short: copy or export it again.")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(
            f"{path} has an absurd sample rate of {rate} Hz.",
            hint=f"Rates from {MIN_RATE} to {MAX_RATE} Hz are read; its header may be damaged.",
        )
    if length < MIN_DURATION_S * rate:
        raise AudioError(
            f"{path} is too short: {length} {'sample' if length == 1 else 'samples'} ({1000 * length / rate:.3g} ms).",
            hint=f"Give at least {MIN_DURATION_S:g} s of audio.",
        )


def _check_finite(path: Path, samples: Tensor, rate: int) -> None:
    if peak_of(samples) < float("inf"):  # False for NaN too
        return
    bad = ~samples.isfinite().all(dim=0)
    first = int(torch.argmax(bad.to(torch.uint8)))
    count = int((~samples.isfinite()).sum())
    raise AudioError(
        f"{path} has {count} samples that are NaN or infinite, the first at {first / rate:.3f} s.",
        hint="Export it again; a plug-in in the session may be broken.",
    )
