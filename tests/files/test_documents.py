"""Documents: an error names the file, the key and the line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from stito.errors import ChainError, PresetError
from stito.files.documents import line_of_json, parse_json, parse_toml


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    values: dict[str, float] = {}


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: str = ""
    parts: list[Part]


JSON = """{
  "title": "a",
  "parts": [
    {"name": "one"},
    {
      "name": "two",
      "values": {
        "good": 1.0,
        "bad": "x"
      }
    }
  ]
}
"""


def test_json_errors_name_file_key_and_line() -> None:
    with pytest.raises(PresetError, match=r"p\.json, line 9: parts\.1\.values\.bad"):
        parse_json(JSON, Whole, source="p.json", error=PresetError)


def test_broken_json_names_the_line() -> None:
    with pytest.raises(PresetError, match=r"p\.json, line 3: not valid JSON"):
        parse_json('{\n"a": 1,\n}', Whole, source="p.json", error=PresetError)


def test_toml_errors_name_file_key_and_line() -> None:
    text = 'title = "t"\n\n[[parts]]\nname = "one"\n\n[[parts]]\nname = "two"\nnmae = 3\n'
    with pytest.raises(ChainError, match=r"c\.toml, line 8: parts\.1\.nmae"):
        parse_toml(text, Whole, source="c.toml", error=ChainError)


def test_broken_toml_names_the_line() -> None:
    with pytest.raises(ChainError, match=r"c\.toml, line 2: not valid TOML"):
        parse_toml("a = 1\nb = = 2\n", Whole, source="c.toml", error=ChainError)


@given(st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_every_leaf_is_found_on_its_own_line(document: object) -> None:
    """With one value a line, the line of a path is where the indented document says it."""
    text = json.dumps(document, indent=1)
    lines = text.split("\n")

    def walk(value: object, path: list[str | int]) -> None:
        line = lines[line_of_json(text, path) - 1]
        if path and isinstance(path[-1], str) and not isinstance(value, dict | list):
            assert line.strip().startswith(json.dumps(path[-1]))
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, [*path, key])
        if isinstance(value, list):
            for index, inner in enumerate(value):
                walk(inner, [*path, index])

    walk(document, [])
