"""VST3 plug-ins as an effect: which one is an option, and its knobs are the plug-in's."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from stito.compute.cores import side_by_side
from stito.dsp.reduction import GainReduction
from stito.effects.effect import Effect, batch_of
from stito.effects.param import Param, Settings
from stito.effects.words import Move, generic
from stito.errors import SettingsError, StitoWarning
from stito_effects.vst3.folders import installed, located
from stito_effects.vst3.host import Host, PluginDiedError
from stito_effects.vst3.knobs import Knob, knobs_of

__all__ = ["Vst3"]

MIX = Param("mix", 0.0, 1.0, 0.0, doc="from dry (0) to the plug-in alone (1)", depth=True)

ASPECTS = {
    "eq": "eq",
    "filter": "eq",
    "dynamics": "dynamics",
    "compressor": "dynamics",
    "limiter": "dynamics",
    "distortion": "saturation",
    "reverb": "reverb",
    "delay": "delay",
    "modulation": "modulation",
    "spatial": "width",
}
"""By the words of VST3 categories (`Fx|EQ|Mono`); the last that is known counts, as the most special."""


class Vst3(Effect):
    """Any VST3 plug-in, in a process of its own: `vst3:FILE`, or `vst3:NAME` for one in the usual folders.

    Its knobs are those of the plug-in, at the values that it shows, and neutral is where they stand when it opens. If
    it changes the sound there, a knob `mix` stands before them, which blends it with what goes in: so that at neutral
    every effect is a wire. What can be asked of other people's software is asked when it is opened: whether it takes
    two channels (else left and right go through it apart), and whether it renders a sound twice the same. Where it
    crashes or hangs, the candidate counts as the worst, and the search goes on.

    Args:
        plugin: the file or bundle, or its name.
        name: which plug-in, where a file has several.
        preset: a `.vstpreset` file that it begins with: knobs that stand at neutral are as there.

    Raises:
        MissingFileError: there is no such plug-in.
        PluginError: it cannot be opened.
    """

    name: ClassVar[str] = "vst3"
    params: ClassVar[tuple[Param, ...]] = (MIX,)
    file_options: ClassVar[frozenset[str]] = frozenset({"plugin", "preset"})
    argument: ClassVar[str | None] = "plugin"

    host_of: ClassVar[Host]
    knobs: ClassVar[tuple[Knob, ...]] = ()
    title: ClassVar[str] = "VST3 plug-in"

    _options: tuple[str, str | None, str | None]

    def __new__(cls, plugin: str | None = None, name: str | None = None, preset: str | None = None) -> Vst3:
        """One effect of the class that this plug-in has."""
        if plugin is None:
            raise SettingsError("vst3 needs a plug-in.", hint="vst3:FILE or vst3:NAME; stito effects vst3 lists them.")
        made = object.__new__(_class_of(str(located(plugin)), name, preset))
        made._options = (plugin, name, preset)
        return made

    def __init__(self, plugin: str | None = None, name: str | None = None, preset: str | None = None) -> None:
        """All is done by then."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the plug-in for itself."""
        return Vst3, self._options

    @property
    def label(self) -> str:
        """The plug-in's name, as chains write names."""
        return re.sub(r"\W+", "_", self.title).strip("_").lower() or self.name

    @classmethod
    def file_of(cls, option: str, value: str) -> str:
        """Plug-ins are found by name too."""
        return str(located(value)) if option == "plugin" else super().file_of(option, value)

    @classmethod
    def arguments(cls) -> list[str]:
        """The plug-ins in the usual folders."""
        return [path.stem for path in installed()]

    @classmethod
    def describe(cls, settings: Mapping[str, float], reduction: GainReduction | None = None) -> list[Move]:
        """Its name, and the knobs that are furthest from where they stood."""
        return generic(cls.title, cls.params, settings)

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        """Each candidate through the plug-in, on as many cores as torch may use; not a number where it crashed."""
        source = x.detach().to("cpu", torch.float32)
        columns: dict[str, list[float]] = {name: value.detach().tolist() for name, value in p.items()}

        def rendered(row: int) -> Tensor:
            of = {name: values[row if len(values) > 1 else 0] for name, values in columns.items()}
            dry = source[row if len(source) > 1 else 0]
            if self._is_wire(of):
                return dry
            wet = self._wet(dry, of, sample_rate)
            return torch.lerp(dry, wet, of[MIX.name]) if MIX in self.params else wet

        rows = list(side_by_side(rendered, range(batch_of(x, p))))
        return torch.stack(rows).to(x.device, x.dtype)

    def _is_wire(self, of: Settings) -> bool:
        """Whether it would do nothing: `mix` is, or all its knobs are, at neutral."""
        deciding = (MIX,) if MIX in self.params else self.params
        return all(math.isclose(of[param.name], param.neutral, rel_tol=1e-6, abs_tol=1e-9) for param in deciding)

    def _wet(self, dry: Tensor, of: Settings, sample_rate: int) -> Tensor:
        places = {knob.key: knob.place(of[knob.param.name]) for knob in self.knobs}
        try:
            return torch.from_numpy(self.host_of.render(dry.numpy(), places, sample_rate))
        except PluginDiedError as failure:
            warnings.warn(f"{failure.message} Such settings count as the worst.", StitoWarning, stacklevel=2)
            return torch.full_like(dry, torch.nan)


@lru_cache(maxsize=64)
def _class_of(file: str, name: str | None, preset: str | None) -> type[Vst3]:
    """The class of one plug-in: params belong to classes."""
    host = Host(file, name, preset)
    said = host.described
    blended = () if said["wire"] else (MIX,)
    knobs = tuple(knobs_of(said["parameters"], {param.name for param in blended}))
    maker = f" by {said['maker']}" if said["maker"] else ""
    notes = [f"{said['name']} {said['version']}{maker}, a VST3 plug-in ({Path(file).name})."]
    if said["channels"] == 1:
        notes.append("It has one channel: left and right go through it apart.")
    if not said["same"]:
        notes.append("It renders a sound differently each time: a search sees noise.")
    known = [ASPECTS[word] for word in str(said["category"]).lower().split("|") if word in ASPECTS]
    return type(
        "Vst3",
        (Vst3,),
        {
            "__doc__": " ".join(notes),
            "__module__": __name__,
            "params": (*blended, *(knob.param for knob in knobs)),
            "host_of": host,
            "knobs": knobs,
            "title": str(said["name"]),
            "aspect": known[-1] if known else "",
        },
    )
