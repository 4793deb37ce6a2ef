"""What passes between a host and its worker: a line of JSON, and the audio that goes with it."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Audio", "receive", "send"]

Audio = NDArray[np.float32]
"""(channels, t)."""

LENGTHS = struct.Struct("<II")
NOTHING = np.zeros((0, 0), dtype=np.float32)


def send(stream: IO[bytes], message: Mapping[str, Any], audio: Audio = NOTHING) -> None:
    """Write one message."""
    text = json.dumps({**message, "shape": audio.shape}).encode()
    samples = np.ascontiguousarray(audio, dtype=np.float32)
    stream.write(LENGTHS.pack(len(text), samples.nbytes))
    stream.write(text)
    stream.write(samples.data.cast("B") if samples.size else b"")
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], Audio]:
    """Read one message; `EOFError` where the other side has gone."""
    of_text, of_audio = LENGTHS.unpack(_exactly(stream, LENGTHS.size))
    message: dict[str, Any] = json.loads(_exactly(stream, of_text))
    samples = np.frombuffer(bytearray(_exactly(stream, of_audio)), dtype=np.float32)  # which may be written to
    return message, samples.reshape(message.pop("shape"))


def _exactly(stream: IO[bytes], count: int) -> bytes:
    found = stream.read(count) if count else b""
    if len(found) < count:
        raise EOFError("The other side has gone.")
    return found
