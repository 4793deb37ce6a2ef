"""Every error that stito raises on purpose.

```
StitoError                    .hint: what to do about it
├── AudioError                ValueError          a file or a tensor is not usable audio
├── MissingFileError          FileNotFoundError   nothing is at that path
├── OutputError               OSError             the result cannot be written there
├── OutputExistsError         FileExistsError     it would overwrite something
├── UnknownNameError          LookupError         no such effect, encoder, chain, search, stem
├── SettingsError             ValueError          a value outside what a param, budget or option allows
├── ChainError                ValueError          a chain that cannot be built
├── PresetError               ValueError          a preset that cannot be read
├── PluginError               RuntimeError        a plug-in that breaks its contract
├── RecipeError               ValueError          a training recipe that cannot be read
├── WeightsError              ValueError          a weights or checkpoint file that cannot be used
├── TrainingError             RuntimeError        a training that cannot go on
├── MissingDependencyError    ImportError         an optional package is not installed
└── SearchError               RuntimeError        a search that found nothing finite
```

Each also inherits the builtin that it specialises, so code that knows nothing of stito can catch it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AudioError",
    "ChainError",
    "MissingDependencyError",
    "MissingFileError",
    "OutputError",
    "OutputExistsError",
    "PluginError",
    "PresetError",
    "RecipeError",
    "SearchError",
    "SettingsError",
    "StitoError",
    "StitoWarning",
    "TrainingError",
    "UnknownNameError",
    "WeightsError",
]


class StitoWarning(UserWarning):
    """Something failed, and the work goes on without it: in one sentence, for a person."""


class StitoError(Exception):
    """The root of all errors that stito raises on purpose.

    Attributes:
        message: what is wrong, for a person.
        hint: what to do about it; None where there is nothing to suggest.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:  # KeyError and OSError would print something else
        return self.message


class AudioError(StitoError, ValueError):
    """A file or tensor is not usable audio: unreadable, empty, silent, not finite, too short."""


class MissingFileError(StitoError, FileNotFoundError):
    """Nothing is at that path."""


class OutputError(StitoError, OSError):
    """The result cannot be written there: read-only, full, or not a folder."""


class OutputExistsError(StitoError, FileExistsError):
    """Writing would overwrite something and `--force` was not given."""


class UnknownNameError(StitoError, LookupError):
    """No effect, encoder, chain, search or stem has that name; the hint suggests similar ones."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
        """The error for `name`, with a suggestion from the names that exist."""
        names = sorted(known)
        similar = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if similar:
            hint = f"Did you mean {' or '.join(similar)}?"
        else:
            hint = f"Known: {', '.join(names)}." if names else "None is installed."
        return cls(f"Unknown {kind} '{name}'.", hint=hint)


class SettingsError(StitoError, ValueError):
    """A value outside what a param, a budget or an option allows."""


class ChainError(StitoError, ValueError):
    """A chain that cannot be built from its text or file."""


class PresetError(StitoError, ValueError):
    """A preset that cannot be read: the message names file, key and line."""


class PluginError(StitoError, RuntimeError):
    """A plug-in that cannot be loaded or breaks its contract."""


class RecipeError(StitoError, ValueError):
    """A training recipe, or an option that changes it, that cannot be read: the message names file, key and line."""


class WeightsError(StitoError, ValueError):
    """A file of weights, or a checkpoint, that is missing its header, damaged, or made for something else."""


class TrainingError(StitoError, RuntimeError):
    """A training that cannot go on: a loss that is no number, data that does not suffice."""


class MissingDependencyError(StitoError, ImportError):
    """An optional package is needed and not installed; the hint is the pip command."""


class SearchError(StitoError, RuntimeError):
    """A search in which no candidate had a finite loss."""
