"""Reading TOML and JSON documents that people edit: an error names the file, the key and the line."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from stito.errors import StitoError

__all__ = ["parse_json", "parse_toml", "read_document"]

Model = TypeVar("Model", bound=BaseModel)
Path = Sequence[str | int]


_NO_DOCUMENT = "Is it the right file, and whole? Mend it at that place, or make it again."


def read_document(path: FilePath, *, error: type[StitoError]) -> str:
    """The text of a document: UTF-8, with or without the byte-order mark that some editors put in front.

    Raises an `error` that names the file if it cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as cause:
        raise error(f"{path} is not text.", hint="Save it as UTF-8.") from cause
    except OSError as cause:
        hint = "Check its name." if isinstance(cause, FileNotFoundError) else "Check its permissions."
        raise error(f"{path} cannot be read: {cause.strerror}.", hint=hint) from cause


def parse_json(text: str, model: type[Model], *, source: str, error: type[StitoError]) -> Model:
    """The document as `model`; else an `error` that says where in `source` it goes wrong."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as cause:
        raise error(f"{source}, line {cause.lineno}: not valid JSON: {cause.msg}.", hint=_NO_DOCUMENT) from cause
    except (RecursionError, ValueError) as cause:
        raise error(f"{source}: {_unreadable(cause)}.", hint=_NO_DOCUMENT) from cause
    return _validate(document, model, source, error, lambda path: _line(text, _json_position(text, path)))


def parse_toml(text: str, model: type[Model], *, source: str, error: type[StitoError]) -> Model:
    """The document as `model`; else an `error` that says where in `source` it goes wrong."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        place = re.search(r"line (\d+)", str(cause))
        where = f"{source}, line {place[1]}" if place else source
        raise error(f"{where}: not valid TOML: {str(cause).split(' (at')[0]}.", hint=_NO_DOCUMENT) from cause
    except (RecursionError, ValueError) as cause:
        raise error(f"{source}: {_unreadable(cause)}.", hint=_NO_DOCUMENT) from cause
    return _validate(document, model, source, error, lambda path: _toml_line(text, path))


def _unreadable(cause: Exception) -> str:
    return "nested too deeply to be read" if isinstance(cause, RecursionError) else "it holds a number of absurd length"


def line_of_toml(text: str, path: Path) -> int:
    """The line on which a key of a TOML document stands (the nearest that can be told)."""
    return _toml_line(text, path)


def line_of_json(text: str, path: Path) -> int:
    """The line on which a key of a JSON document stands (the nearest that can be told)."""
    return _line(text, _json_position(text, path))


def _validate(
    document: object, model: type[Model], source: str, error: type[StitoError], line_of: Callable[[Path], int]
) -> Model:
    try:
        return model.model_validate(document)
    except ValidationError as cause:
        first = cause.errors()[0]
        path = [part for part in first["loc"] if not (isinstance(part, str) and "[" in part)]
        key = ".".join(str(part) for part in path) or "the document"
        hint = f"{cause.error_count()} problem(s) in this file; this is the first."
        if key == "version":
            hint = "Another version of stito wrote this: update stito, or make the file again."
        raise error(f"{source}, line {line_of(path)}: {key}: {first['msg']}.", hint=hint) from cause


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _json_position(text: str, path: Path) -> int:
    """The position of the value at `path`, or of the deepest container on the way to it."""
    decoder = json.JSONDecoder()
    space = re.compile(r"[\s,:]*")

    def skip(at: int) -> int:
        match = space.match(text, at)
        return match.end() if match else at

    position = skip(0)
    for part in path:
        at, index = skip(position + 1), 0
        while at < len(text) and text[at] not in "]}":
            name: str | int = index
            start = at
            if text[position] == "{":
                name, at = decoder.raw_decode(text, at)
                at = skip(at)
            if name == part:
                position = at if text[at] in "[{" else start
                break
            at, index = skip(decoder.raw_decode(text, at)[1]), index + 1
        else:
            return position
        if text[position] not in "[{":
            return position
    return position


def _toml_line(text: str, path: Path) -> int:
    """Follow the path's names downwards; a list index skips to that `[[table]]`."""
    lines = text.splitlines()
    at = 0
    name: str | None = None
    for part in path:
        if isinstance(part, int):
            headers = [
                i for i, line in enumerate(lines) if re.match(rf"\s*\[\[\s*{re.escape(name or '')}\s*\]\]", line)
            ]
            at = headers[part] if part < len(headers) else at
            continue
        name = part
        key = re.compile(rf"(^\s*|[{{,.\[]\s*)[\"']?{re.escape(part)}[\"']?\s*([=.\]])")
        at = next((i for i in range(at, len(lines)) if key.search(lines[i])), at)
    return at + 1
