"""What a method is, and where methods come from."""

from __future__ import annotations

from functools import partial
from inspect import cleandoc
from typing import Protocol, runtime_checkable

from stito import registry
from stito.engine.context import Context
from stito.engine.methods.search import SearchMethod
from stito.engine.pairs import PairExcerpts
from stito.engine.solution import Solution
from stito.errors import PluginError, SettingsError
from stito.search.base import Search

__all__ = ["Method", "by_stem", "load_method", "method_names", "summary_of"]

APART = "Give the reference as stems, or choose a separator with --separator."


@runtime_checkable
class Method(Protocol):
    """How a pair of sounds becomes a solution: a third party inherits nothing.

    Attributes:
        name: its registered name.
        direct: whether it takes no budget: there is nothing to search.
        joint: whether it matches several stems to one mix at once.
    """

    name: str
    direct: bool
    joint: bool

    def check(self, context: Context) -> None:
        """Fail, with a `StitoError`, before anything long begins, if these options are not for this method."""
        ...

    def solve(self, pair: PairExcerpts, context: Context) -> Solution:
        """Settings for every stem of the pair, or what a converter renders of it."""
        ...


def method_names(*, direct: bool | None = None) -> list[str]:
    """The installed methods, sorted: all, those without a search, or the searches."""
    searches = registry.names("search")
    return [name for name in registry.names("method") if direct is None or (name not in searches) == direct]


def load_method(method: str | Method) -> Method:
    """A method by name, with what stands behind a colon (`nevergrad:DE`, `neural:FILE`), or as it is.

    Raises:
        UnknownNameError: none of that name is installed, or it takes nothing behind a colon.
        PluginError: a plug-in that is no method.
    """
    if not isinstance(method, str):
        return method
    name, argument = registry.parse_name(method)
    maker = registry.load("method", name)
    if isinstance(maker, type) and issubclass(maker, Search):
        return SearchMethod(method)
    try:
        made = (partial(maker, argument) if argument else maker)()
    except TypeError as error:
        raise SettingsError(f"The method '{name}' takes nothing behind a colon: {method}.") from error
    if not isinstance(made, Method):
        raise PluginError(f"The method '{name}' made a {type(made).__name__}.", hint="Run stito.testing.check_method.")
    return made


def by_stem(method: Method) -> SettingsError:
    """The error for several stems against one mix, of a method that cannot match them jointly."""
    return SettingsError(f"The method '{method.name}' works stem by stem, and the reference is one mix.", hint=APART)


def summary_of(name: str) -> str:
    """A method in a sentence: the first of its docstring."""
    return cleandoc(registry.load("method", name).__doc__ or "").split("\n\n")[0].replace("\n", " ")
