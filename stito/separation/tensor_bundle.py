"""TensorFlow's checkpoints (`NAME.index`, `NAME.data-00000-of-00001`) without TensorFlow.

The index is a table of LevelDB: sorted keys in blocks, each key written as what it adds to the one before. A value is a
protocol buffer that says type, shape and place of a tensor in the data file.

Source: LevelDB's table format; `tensor_bundle.proto` of TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stito.errors import MissingFileError, WeightsError

__all__ = ["read_tensor_bundle"]

MAGIC = 0xDB4775248B80FB57
FOOTER = 48
FLOAT = 1
DTYPE, SHAPE, SHARD, OFFSET, SIZE = 1, 2, 3, 4, 5
"""Fields of a `BundleEntryProto`."""


def read_tensor_bundle(prefix: Path) -> dict[str, Tensor]:
    """The float tensors of a checkpoint by name; `prefix` is its path without `.index`.

    Raises `MissingFileError`, or `WeightsError` for what is not such a checkpoint or has several data files.
    """
    index, data = (prefix.with_name(prefix.name + ending) for ending in (".index", ".data-00000-of-00001"))
    for path in (index, data):
        if not path.is_file():
            raise MissingFileError(f"{path}: no checkpoint there.")
    try:
        entries = list(_entries(index.read_bytes()))
        values = np.memmap(data, dtype=np.uint8, mode="r")
        return {
            key.decode(): torch.from_numpy(_values(values, fields).reshape(_shape(fields)).copy())
            for key, fields in entries
            if key and fields.get(DTYPE) == FLOAT
        }
    except (IndexError, ValueError) as error:
        raise WeightsError(f"{prefix} is no checkpoint of TensorFlow, or is damaged: {error}.") from error


def _values(data: np.ndarray, fields: dict[int, int | bytes]) -> np.ndarray:
    if fields.get(SHARD, 0) != 0:
        raise ValueError("it has several data files")
    offset, size = int(fields.get(OFFSET, 0)), int(fields[SIZE]) if SIZE in fields else 0
    if offset + size > len(data):
        raise ValueError("its data file is cut short")
    return data[offset : offset + size].view("<f4")


def _shape(fields: dict[int, int | bytes]) -> list[int]:
    """The sizes of a `TensorShapeProto`."""
    shape = fields.get(SHAPE, b"")
    assert isinstance(shape, bytes)
    return [int(dict(_message(dim)).get(1, 0)) for _, dim in _message(shape) if isinstance(dim, bytes)]


def _entries(table: bytes) -> Iterator[tuple[bytes, dict[int, int | bytes]]]:
    """Keys and messages of a LevelDB table."""
    footer = table[-FOOTER:]
    if len(footer) < FOOTER or int.from_bytes(footer[-8:], "little") != MAGIC:
        raise ValueError("its index is no LevelDB table")
    _, place = _varint(footer, 0)
    _, place = _varint(footer, place)
    for _, handle in _block(table, *_handle(footer, place)):
        for key, value in _block(table, *_handle(handle, 0)):
            yield key, dict(_message(value))


def _handle(data: bytes, place: int) -> tuple[int, int]:
    """Offset and size of a block."""
    offset, place = _varint(data, place)
    size, _ = _varint(data, place)
    return offset, size


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block."""
    if table[offset + size] != 0:
        raise ValueError("its index is compressed")
    block = table[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    end, place, key = size - 4 * (restarts + 1), 0, b""
    while place < end:
        shared, place = _varint(block, place)
        added, place = _varint(block, place)
        length, place = _varint(block, place)
        key = key[:shared] + block[place : place + added]
        place += added
        yield key, block[place : place + length]
        place += length


def _message(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values of a protocol buffer."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == 0:
            value: int | bytes
            value, place = _varint(data, place)
        elif kind == 2:
            length, place = _varint(data, place)
            value, place = data[place : place + length], place + length
        elif kind in (1, 5):
            width = 8 if kind == 1 else 4
            value, place = int.from_bytes(data[place : place + width], "little"), place + width
        else:
            raise ValueError(f"a field of kind {kind}")
        yield tag >> 3, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place after it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
