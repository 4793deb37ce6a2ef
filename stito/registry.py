"""What is installed, found by entry point and loaded when first used.

A distribution announces itself with one entry point in the group `stito.plugins`, whose object is a `Manifest`:

```toml
[project.entry-points."stito.plugins"]
my-plugins = "my_package.manifest:MANIFEST"
```

A manifest holds only strings, so that listing what is installed imports nothing heavy.
"""

from __future__ import annotations

import importlib
import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, get_args

from stito.errors import PluginError, UnknownNameError

__all__ = ["Kind", "Manifest", "Plugin", "Problem", "load", "names", "plugins", "problems"]

Kind = Literal["effect", "encoder", "chain", "search", "separator", "predictor", "converter", "metric"]
GROUP = "stito.plugins"


@dataclass(frozen=True)
class Manifest:
    """What a distribution offers: for each kind, names to `"module:attribute"`.

    Of chains and predictors it is `"package:file"`; a predictor has the name of its chain.
    """

    effects: Mapping[str, str] = field(default_factory=dict)
    encoders: Mapping[str, str] = field(default_factory=dict)
    chains: Mapping[str, str] = field(default_factory=dict)
    searches: Mapping[str, str] = field(default_factory=dict)
    separators: Mapping[str, str] = field(default_factory=dict)
    predictors: Mapping[str, str] = field(default_factory=dict)
    converters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: Kind) -> Mapping[str, str]:
        """The names of one kind."""
        kinds: dict[Kind, Mapping[str, str]] = {
            "effect": self.effects,
            "encoder": self.encoders,
            "chain": self.chains,
            "search": self.searches,
            "separator": self.separators,
            "predictor": self.predictors,
            "converter": self.converters,
            "metric": self.metrics,
        }
        return kinds[kind]


@dataclass(frozen=True)
class Plugin:
    """One name that is installed, who brought it, and where it is loaded from."""

    kind: Kind
    name: str
    distribution: str
    target: str


@dataclass(frozen=True)
class Problem:
    """A plug-in that was left out, and why."""

    distribution: str
    reason: str


@lru_cache(maxsize=1)
def _scan() -> tuple[dict[tuple[Kind, str], list[Plugin]], tuple[Problem, ...]]:
    found: dict[tuple[Kind, str], list[Plugin]] = {}
    broken: list[Problem] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (_distribution(point), point.name)):
        distribution = _distribution(point)
        try:
            manifest = point.load()
        except Exception as error:  # one broken plug-in never breaks the list
            broken.append(Problem(distribution, f"{point.value}: {type(error).__name__}: {error}"))
            continue
        if not isinstance(manifest, Manifest):
            broken.append(Problem(distribution, f"{point.value} is not a stito.registry.Manifest."))
            continue
        for kind in get_args(Kind):
            for name, target in manifest.of(kind).items():
                entries = found.setdefault((kind, name), [])
                if not any(entry.target == target for entry in entries):  # a distribution seen twice on the path
                    entries.append(Plugin(kind, name, distribution, target))
    return found, tuple(broken)


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "unknown"


def plugins(kind: Kind) -> list[Plugin]:
    """Everything of one kind, by name; imports nothing but the manifests."""
    found, _ = _scan()
    return [entry for (of, _name), entries in sorted(found.items()) if of == kind for entry in entries]


def names(kind: Kind) -> list[str]:
    """The names of one kind, sorted."""
    return sorted({plugin.name for plugin in plugins(kind)})


def problems() -> tuple[Problem, ...]:
    """The plug-ins that could not be listed."""
    return _scan()[1]


def find(kind: Kind, name: str) -> Plugin:
    """The one plug-in of that name; `UnknownNameError`, or `PluginError` if two distributions claim it."""
    entries = _scan()[0].get((kind, name), [])
    if not entries:
        raise UnknownNameError.of(kind, name, names(kind))
    if len(entries) > 1:
        owners = " and ".join(entry.distribution for entry in entries)
        raise PluginError(f"The {kind} '{name}' is offered by both {owners}.", hint="Uninstall one of them.")
    return entries[0]


@lru_cache(maxsize=256)
def load(kind: Kind, name: str) -> Any:
    """The object behind a name: a class, factory or metric; a chain's TOML text; the path of a predictor's weights."""
    plugin = find(kind, name)
    module, _, attribute = plugin.target.partition(":")
    try:
        if kind == "chain":
            return importlib.resources.files(module).joinpath(attribute).read_text(encoding="utf-8")
        if kind == "predictor":
            return Path(str(importlib.resources.files(module).joinpath(attribute)))
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, OSError) as error:
        raise PluginError(
            f"The {kind} '{name}' of {plugin.distribution} cannot be loaded: {error}",
            hint=f"Reinstall {plugin.distribution}, or uninstall it if you do not need it.",
        ) from error
