"""What is installed, found by entry point and loaded when first used.

A distribution announces itself with one entry point in the group `stito.plugins`, whose object is a `Manifest`:

```toml
[project.entry-points."stito.plugins"]
my-plugins = "my_package.manifest:MANIFEST"
```

A manifest holds only strings, so that listing what is installed imports nothing heavy.
"""

from __future__ import annotations

import importlib.resources
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, get_args

from stito.errors import PluginError, UnknownNameError

__all__ = [
    "Kind",
    "Manifest",
    "Plugin",
    "Problem",
    "Role",
    "default",
    "load",
    "names",
    "parse_name",
    "plugins",
    "problems",
]

Kind = Literal[
    "effect",
    "encoder",
    "chain",
    "search",
    "method",
    "separator",
    "predictor",
    "converter",
    "manipulator",
    "fault",
    "metric",
    "exporter",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

Role = Literal[
    "chain of a mix",
    "chain of stems",
    "measured encoder",
    "trained encoder",
    "converter",
    "manipulator",
    "normalising compressor",
    "normalising limiter",
]
"""What a name may be the default for, where a user names none."""

GROUP = "stito.plugins"


def parse_name(text: str) -> tuple[str, str | None]:
    """The registered name in `text`, and what stands behind its colon, None without one.

    >>> parse_name("nevergrad:DE"), parse_name("cma")
    (('nevergrad', 'DE'), ('cma', None))
    """
    name, colon, argument = text.partition(":")
    return name, argument if colon else None


@dataclass(frozen=True)
class Manifest:
    """What a distribution offers: for each kind a mapping of names to `"module:attribute"`.

    Chains and predictors are mapped to `"package:file"`; a predictor has the name of its chain. `defaults` names
    what is used for a `Role` where the user names nothing.
    """

    effects: Mapping[str, str] = field(default_factory=dict)
    encoders: Mapping[str, str] = field(default_factory=dict)
    chains: Mapping[str, str] = field(default_factory=dict)
    searches: Mapping[str, str] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)
    separators: Mapping[str, str] = field(default_factory=dict)
    predictors: Mapping[str, str] = field(default_factory=dict)
    converters: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[Role, str] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    manipulators: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    exporters: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: Kind) -> Mapping[str, str]:
        """The names of one kind."""
        kinds: dict[Kind, Mapping[str, str]] = {
            "effect": self.effects,
            "encoder": self.encoders,
            "chain": self.chains,
            "search": self.searches,
            "method": {**self.methods, **self.searches},
            "separator": self.separators,
            "predictor": self.predictors,
            "converter": self.converters,
            "manipulator": self.manipulators,
            "fault": self.faults,
            "metric": self.metrics,
            "exporter": self.exporters,
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


@dataclass(frozen=True)
class _Installed:
    plugins: Mapping[tuple[Kind, str], list[Plugin]]
    defaults: Mapping[Role, str]
    problems: tuple[Problem, ...]


@lru_cache(maxsize=1)
def _scan() -> _Installed:
    found: dict[tuple[Kind, str], list[Plugin]] = {}
    defaults: dict[Role, str] = {}
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
        for role, name in manifest.defaults.items():
            defaults.setdefault(role, name)
        for kind in KINDS:
            for name, target in manifest.of(kind).items():
                entries = found.setdefault((kind, name), [])
                if not any(entry.target == target for entry in entries):  # a distribution seen twice on the path
                    entries.append(Plugin(kind, name, distribution, target))
    return _Installed(found, defaults, tuple(broken))


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "unknown"


def plugins(kind: Kind) -> list[Plugin]:
    """List everything of one kind that is installed; imports nothing but the manifests.

    Args:
        kind: `effect`, `encoder`, `chain`, `search`, `method`, `separator`, `predictor`, `converter`,
            `manipulator`, `fault`, `metric` or `exporter`.

    Returns:
        The plug-ins, sorted by name.
    """
    found = sorted(_scan().plugins.items())
    return [entry for (of, _), entries in found if of == kind for entry in entries]


def names(kind: Kind) -> list[str]:
    """The names of one kind, sorted."""
    return sorted({plugin.name for plugin in plugins(kind)})


def problems() -> tuple[Problem, ...]:
    """The plug-ins that could not be listed."""
    return _scan().problems


def default(role: Role) -> str:
    """The name that is used for this role where the user names none; `PluginError` if nothing installed has one."""
    found = _scan().defaults.get(role)
    if found is None:
        raise PluginError(f"Nothing that is installed is the {role}.", hint="Reinstall stito: pip install stito")
    return found


def find(kind: Kind, name: str) -> Plugin:
    """The one plug-in of that name; `UnknownNameError`, or `PluginError` if two distributions claim it."""
    entries = _scan().plugins.get((kind, name), [])
    if not entries:
        raise UnknownNameError.of(kind, name, names(kind))
    if len(entries) > 1:
        owners = " and ".join(entry.distribution for entry in entries)
        raise PluginError(f"The {kind} '{name}' is offered by both {owners}.", hint="Uninstall one of them.")
    return entries[0]


@lru_cache(maxsize=256)
def load(kind: Kind, name: str) -> Any:
    """The object behind a name: a class, factory or metric; a chain's TOML text; the path of a predictor's weights.

    Every search is a method too, so a search's class is found under either kind.
    """
    plugin = find(kind, name)
    try:
        if kind in ("chain", "predictor"):
            package, file = parse_name(plugin.target)
            path = importlib.resources.files(package).joinpath(file or "")
            return path.read_text(encoding="utf-8") if kind == "chain" else Path(str(path))
        return pkgutil.resolve_name(plugin.target)
    except (ImportError, AttributeError, ValueError, OSError) as error:
        raise PluginError(
            f"The {kind} '{name}' of {plugin.distribution} cannot be loaded: {error}",
            hint=f"Reinstall {plugin.distribution}, or uninstall it if you do not need it.",
        ) from error
