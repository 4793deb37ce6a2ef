"""Audio to WAV files.

The header is written here rather than by libsndfile, whose float files carry the time of day and whose errors do not
say whether the disk is full.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from torch import Tensor

from stito.audio.model import SUBTYPES, peak_of
from stito.audio.read import is_audio_file
from stito.errors import AudioError, OutputError, SettingsError
from stito.files.atomic import replacing

__all__ = ["keep_inputs", "wav_header", "write_audio"]

_BLOCK = 1 << 16
_DITHER_SEED = 16
_ROUNDING = 1e-6
"""How far beyond full scale counts as the rounding of a limiter, about ten steps of float32."""

_BYTES = {"PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4}
_PCM, _IEEE_FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_SPEAKERS = {3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}
_MAX_RIFF = 0xFFFFFFFF


def keep_inputs(results: Iterable[Path], *inputs: Path) -> None:
    """`OutputError` if results would be written over what they are made of, `--force` or not."""
    written = {result.resolve() for result in results}
    for source in inputs:
        inside = filter(is_audio_file, source.iterdir()) if source.is_dir() else ()
        files = [source, source.absolute().parent, *inside]
        lost = [file for file in files if written & {place := file.resolve(), *place.parents}]
        if lost:
            raise OutputError(
                f"The results would overwrite {lost[0]}, which is an input.", hint="Name another place with -o."
            )


def write_audio(
    path: str | os.PathLike[str],
    samples: Tensor,
    sample_rate: int,
    *,
    subtype: str = "PCM_24",
    overwrite: bool = False,
) -> None:
    """Write samples (channels, t) as WAV, or RF64 beyond 4 GB; the file is there whole or not at all.

    `subtype` is one of `SUBTYPES`. 16 bits are dithered (triangular, from a fixed seed, so that equal audio makes equal
    files) unless every sample already fits in 16 bits. The same call writes the same bytes.

    Raises:
        AudioError: samples beyond full scale in a PCM subtype, not finite, or none at all.
        OutputExistsError: the file exists and may not be overwritten.
        OutputError: the folder or disk does not take it, or the name does not end in `.wav`.
        SettingsError: no such subtype.
    """
    path = Path(path)
    if subtype not in SUBTYPES:
        raise SettingsError(f"There is no subtype {subtype!r}.", hint=f"Known: {', '.join(SUBTYPES)}.")
    if path.suffix.lower() not in (".wav", ".wave"):
        raise OutputError(f"{path} would hold WAV.", hint=f"Name it {path.with_suffix('.wav').name}.")
    _check(path, samples, subtype)
    audio = samples.detach().cpu().numpy()
    channels, frames = audio.shape
    dither = None
    if subtype == "PCM_16" and not _fits_16_bits(audio):
        dither = np.random.default_rng(_DITHER_SEED)
    with replacing(path, overwrite) as file:
        file.write(wav_header(subtype, channels, sample_rate, frames))
        for start in range(0, frames, _BLOCK):
            file.write(_encoded(audio[:, start : start + _BLOCK], subtype, dither))
        if channels * frames * _BYTES[subtype] % 2:
            file.write(b"\0")


def _check(path: Path, samples: Tensor, subtype: str) -> None:
    if samples.dim() != 2 or not samples.numel():
        raise AudioError(
            f"{path}: no audio of shape {tuple(samples.shape)} can be written.", hint="Give (channels, t)."
        )
    peak = peak_of(samples)
    if not math.isfinite(peak):
        count = int((~samples.isfinite()).sum())
        raise AudioError(f"{path}: {count} samples are NaN or infinite.", hint="Nothing was written.")
    if subtype != "FLOAT" and peak > 1 + _ROUNDING:
        excess = max(20 * math.log10(peak), 0.01)
        raise AudioError(
            f"{path}: the audio goes {excess:.2f} dB beyond full scale, which {subtype} cannot hold.",
            hint=f"Turn it down by {excess:.2f} dB or more, or write FLOAT.",
        )


def wav_header(subtype: str, channels: int, sample_rate: int, frames: int) -> bytes:
    """All that comes before the samples: RIFF, or RF64 (EBU Tech 3306) if the sizes exceed 32 bits."""
    width = _BYTES[subtype]
    tag = _IEEE_FLOAT if subtype == "FLOAT" else _PCM
    layout = struct.pack("<HIIHH", channels, sample_rate, sample_rate * channels * width, channels * width, 8 * width)
    if channels > 2:  # only the extensible form says which speaker is which
        extension = struct.pack("<HHIH", 22, 8 * width, _SPEAKERS.get(channels, 0), tag) + _GUID_TAIL
        chunks = _chunk(b"fmt ", struct.pack("<H", _EXTENSIBLE) + layout + extension)
    elif tag == _IEEE_FLOAT:
        chunks = _chunk(b"fmt ", struct.pack("<H", tag) + layout + struct.pack("<H", 0))
    else:
        chunks = _chunk(b"fmt ", struct.pack("<H", tag) + layout)
    if tag == _IEEE_FLOAT:
        chunks += _chunk(b"fact", struct.pack("<I", min(frames, _MAX_RIFF)))
    size = channels * frames * width
    riff_size = 4 + len(chunks) + 8 + size + size % 2
    if not _is_beyond_riff(riff_size):
        return struct.pack("<4sI4s", b"RIFF", riff_size, b"WAVE") + chunks + struct.pack("<4sI", b"data", size)
    sizes = _chunk(b"ds64", struct.pack("<QQQI", riff_size + 36, size, frames, 0))
    opening = struct.pack("<4sI4s", b"RF64", _MAX_RIFF, b"WAVE")
    return opening + sizes + chunks + struct.pack("<4sI", b"data", _MAX_RIFF)


def _is_beyond_riff(size: int) -> bool:
    return size > _MAX_RIFF


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content


def _fits_16_bits(audio: np.ndarray) -> bool:
    for start in range(0, audio.shape[1], _BLOCK):
        scaled = audio[:, start : start + _BLOCK] * np.float32(2**15)
        if not np.array_equal(scaled, np.rint(scaled)):
            return False
    return True


def _encoded(block: np.ndarray, subtype: str, dither: np.random.Generator | None) -> bytes:
    """The bytes of samples (channels, n): interleaved, little-endian, rounded to the nearest step."""
    if subtype == "FLOAT":
        return np.ascontiguousarray(block.T, dtype="<f4").tobytes()
    width = _BYTES[subtype]
    full_scale = 2.0 ** (8 * width - 1)
    steps = np.ascontiguousarray(block.T, dtype=np.float64) * full_scale
    if dither is not None:
        steps += dither.random(steps.shape) - dither.random(steps.shape)
    whole = np.clip(np.rint(steps), -full_scale, full_scale - 1).astype("<i4")
    return whole.view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
