"""Searches by name: those that are installed, and nevergrad's."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor

from stito import registry
from stito.errors import PluginError, UnknownNameError
from stito.search.base import Search

__all__ = ["create", "known"]


def known() -> list[str]:
    """The names that `create` takes, sorted; imports nothing heavy. `nevergrad:NAME` names one of its optimisers."""
    return registry.names("search")


def create(name: str, dim: int, *, seed: int, start: Tensor | None = None, population: int | None = None) -> Search:
    """A fresh search by name: `cma`, `gradient`, `random`, `nevergrad`, `nevergrad:DE`, or a plug-in's.

    The other arguments are those of every `Search`.

    Raises:
        UnknownNameError: no search has that name.
        SettingsError: an argument is outside what the search allows.
        PluginError: a plug-in cannot be loaded, or makes something that is no search.
        MissingDependencyError: the library beneath is not installed.
    """
    search = _maker(name)(dim, seed=seed, start=start, population=population)
    if not isinstance(search, Search):
        raise PluginError(
            f"The search '{name}' made a {type(search).__name__}.", hint="Derive it from stito.search.Search."
        )
    return search


def _maker(name: str) -> Any:
    family, variant = registry.parse_name(name)
    maker = registry.load("search", family)
    if variant is None:
        return maker
    if not variant or maker.variant_option is None:
        raise UnknownNameError.of("search", name, known())
    return partial(maker, **{maker.variant_option: variant})
