"""Where chains come from: a name, a line of text, or a TOML file.

```toml
name = "my vocal chain"

[[effects]]
effect = "compressor"
label = "glue"                      # optional; the effect's name otherwise
freeze = { link = 1.0 }             # the search leaves this knob alone
narrow = { ratio = [1.0, 4.0] }     # the search stays in this range

[prior]                             # optional: what real settings look like, as mean and standard deviation in theta
"glue.ratio" = [0.3, 0.2]
```
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from stito import registry
from stito.effects.chain import Chain, Slot
from stito.errors import ChainError, MissingFileError, StitoError, UnknownNameError
from stito.files.documents import line_of_toml, parse_toml, read_document

__all__ = ["load_chain", "parse_chain"]


class _Effect(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    effect: str
    label: str | None = None
    freeze: dict[str, int | float] = Field(default_factory=dict)
    narrow: dict[str, tuple[int | float, int | float] | list[int | float]] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str | None = None
    description: str = ""
    effects: list[_Effect] = Field(min_length=1)
    prior: dict[str, tuple[float, float]] = Field(default_factory=dict)


def load_chain(source: str | Path | Chain) -> Chain:
    """Load a chain by name (`mixing`), as text (`"eq | compressor | reverb"`), or from a `.toml` file.

    Args:
        source: the name of an installed chain or effect, names of effects with `|` between them, or the path of a file;
            a `Chain` is returned as it is. An effect may take something behind a colon: `"eq | vst3:ZamCompX2"`.

    Raises:
        UnknownNameError: no chain, effect or knob has that name.
        MissingFileError: there is no such file.
        ChainError: the text or file cannot be read; the message names file, key and line.
        SettingsError: a frozen value or a narrowed range lies outside the knob's range.
    """
    if isinstance(source, Chain):
        return source
    text = str(source)
    if text.endswith(".toml"):
        path = Path(text)
        if not path.is_file():
            raise MissingFileError(f"There is no chain file {path}.", hint="Name a chain, or the path of a .toml file.")
        text = read_document(path, error=ChainError)
        return parse_chain(text, source=str(path), name=path.stem, folder=path.parent)
    if "|" in text:
        return _from_text(text)
    if text in registry.names("chain"):
        return parse_chain(registry.load("chain", text), source=f"chain {text}", name=text)
    if registry.parse_name(text)[0] in registry.names("effect"):
        return _from_text(text)
    raise UnknownNameError.of("chain", text, [*registry.names("chain"), *registry.names("effect")])


def parse_chain(text: str, *, source: str, name: str, folder: Path | None = None) -> Chain:
    """A chain from the text of a TOML file; `ChainError` names file, key and line.

    Files that options name are looked for in the `folder`, then where the program runs.
    """
    document = parse_toml(text, _Document, source=source, error=ChainError)
    slots: list[Slot] = []
    for index, entry in enumerate(document.effects):
        try:
            narrow = {knob: _pair(knob, limits) for knob, limits in entry.narrow.items()}
            slot = Slot.of(
                entry.effect, label=entry.label, freeze=entry.freeze, narrow=narrow, options=_options(entry, folder)
            )
            slots.append(slot if entry.label else _with_free_label(slot, slots))
        except StitoError as error:
            word = next((word for word in (*entry.freeze, *entry.narrow) if word in error.message), "effect")
            line = line_of_toml(text, ["effects", index, word])
            raise ChainError(f"{source}, line {line}: {error.message}", hint=error.hint) from error
    chain = Chain(document.name or name, tuple(slots), document.prior)
    known = {str(knob) for knob in chain.knobs}
    for knob in document.prior:
        if knob not in known:
            line = line_of_toml(text, ["prior", knob])
            unknown = UnknownNameError.of("knob", knob, known)
            raise ChainError(f"{source}, line {line}: prior: {unknown.message}", hint=unknown.hint)
    return chain


def _options(entry: _Effect, folder: Path | None) -> dict[str, Any]:
    """The options, with files beside the document by their paths."""
    files: frozenset[str] = registry.load("effect", entry.effect).file_options
    found = dict(entry.options)
    for option in files & found.keys():
        if not isinstance(found[option], str):
            raise ChainError(f"{option} = {found[option]!r} is no path.", hint=f'{option} = "a file"')
        if folder is not None and found[option] and (folder / found[option]).exists():
            found[option] = str(folder / found[option])
    return found


def _pair(knob: str, limits: tuple[float, float] | list[float]) -> tuple[float, float]:
    if len(limits) != 2:
        raise ChainError(f"narrow.{knob} needs two numbers, not {len(limits)}.", hint=f"{knob} = [low, high]")
    return float(limits[0]), float(limits[1])


def _from_text(text: str) -> Chain:
    slots: list[Slot] = []
    for part in text.split("|"):
        name = part.strip()
        if not name:
            raise ChainError(f'The chain "{text}" has an empty place.', hint='For example: "eq | compressor".')
        slots.append(_with_free_label(_slot(name), slots))
    return Chain(" | ".join(slot.label for slot in slots), tuple(slots))


def _slot(text: str) -> Slot:
    """An effect by name, with what stands behind a colon for the option that it takes there."""
    name, argument = registry.parse_name(text)
    if argument is None:
        return Slot.of(name)
    option = registry.load("effect", name).argument
    if option is None:
        raise ChainError(f"The effect '{name}' takes nothing behind a colon: {text}.")
    return Slot.of(name, options={option: argument})


def _with_free_label(slot: Slot, slots: list[Slot]) -> Slot:
    label = slot.label
    count = sum(other.label == label or other.label.startswith(f"{label}_") for other in slots)
    return slot if not count else replace(slot, label=f"{label}_{count + 1}")
