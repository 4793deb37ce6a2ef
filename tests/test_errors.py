"""The tree of errors: one root, hints, and the builtins that each specialises."""

from __future__ import annotations

import pytest

from stito import errors
from stito.errors import StitoError, UnknownNameError


def test_every_public_error_is_a_stito_error() -> None:
    for name in errors.__all__:
        root = errors.StitoWarning if name.endswith("Warning") else StitoError
        assert issubclass(getattr(errors, name), root)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("AudioError", ValueError),
        ("MissingFileError", FileNotFoundError),
        ("OutputError", OSError),
        ("OutputExistsError", FileExistsError),
        ("UnknownNameError", LookupError),
        ("MissingDependencyError", ImportError),
    ],
)
def test_each_is_its_builtin(name: str, builtin: type[Exception]) -> None:
    error = getattr(errors, name)("It is so.", hint="Do that.")
    assert isinstance(error, builtin)
    assert str(error) == "It is so."
    assert error.hint == "Do that."


def test_unknown_names_suggest_near_ones() -> None:
    assert UnknownNameError.of("effect", "compresor", ["compressor", "gain"]).hint == "Did you mean compressor?"
    assert "Known: compressor, gain" in (UnknownNameError.of("effect", "zzz", ["gain", "compressor"]).hint or "")
