"""Presets: settings on disk, in physical units, with where they come from.

Many settings make the same sound; a preset holds those that a search found, never "the" settings.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from stito.console.delivery import CEILING_DBTP, LOWEST_CEILING_DBTP, LOWEST_LUFS, Delivery
from stito.effects.aspects import Amount
from stito.effects.chain import Chain, ChainSettings, Slot
from stito.errors import MissingFileError, PresetError, StitoError, UnknownNameError
from stito.files.documents import line_of_json, parse_json, read_document
from stito.models.converter import Conversion
from stito.models.encoder import digest_of
from stito.models.loading import load_converter

__all__ = [
    "MASTER",
    "ConversionPreset",
    "EffectPreset",
    "Preset",
    "Provenance",
    "StripPreset",
    "load_preset",
    "preset_schema",
]


MASTER = "master"
"""The name of the strip of the sum."""
MOST_DB = 200.0
"""No fader moves further: what does is a lost decimal point, or no number."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class EffectPreset(_Model):
    """One effect of a chain and where its knobs stand, in the units that their names end in."""

    effect: str = Field(description="The registered name of the effect.")
    label: str = Field(description="Its name in this chain; unique there.")
    settings: dict[str, float] = Field(description="Every knob's physical value.")
    options: dict[str, Any] = Field(default_factory=dict, description="Constructor options, such as a file.")
    bypass: bool = Field(default=False, description="Whether audio passes the effect by, wherever its knobs stand.")


class ConversionPreset(_Model):
    """What a network is conditioned on. It has no knobs: styles are its embeddings, 16-bit floats in base64."""

    converter: str = Field(description="Its registered name, or a file of weights.")
    digest: str | None = Field(default=None, description="SHA-256 of its weights; null if it has none.")
    reference: str = Field(description="The style to reach.")
    own: str = Field(description="The input's own style.")

    @classmethod
    def of(cls, conversion: Conversion) -> ConversionPreset:
        """What makes a conversion again."""
        return cls(
            converter=conversion.source,
            digest=digest_of(conversion.converter) or None,
            reference=_packed(conversion.reference),
            own=_packed(conversion.own),
        )

    def build(self) -> Conversion:
        """The conversion; an unknown converter, other weights and damaged styles are errors."""
        converter = load_converter(self.converter)
        if (digest_of(converter) or None) != self.digest:
            raise PresetError(
                f"The preset was made with other weights of '{self.converter}'.",
                hint="Make the transfer again with the weights that are installed.",
            )
        return Conversion(converter, self.converter, _unpacked(self.reference), _unpacked(self.own))


def _packed(style: Tensor) -> str:
    return base64.b64encode(style.cpu().numpy().astype("<f2").tobytes()).decode("ascii")


def _unpacked(text: str) -> Tensor:
    try:
        return torch.from_numpy(np.frombuffer(base64.b64decode(text, validate=True), dtype="<f2").astype(np.float32))
    except ValueError as error:
        raise PresetError(f"A style is damaged: {error}.", hint="Make the transfer again.") from error


class StripPreset(_Model):
    """One stem's way to the sum: a network's rendering, if there is one, a chain and a fader."""

    chain: list[EffectPreset] = Field(description="Effects in the order of the signal; none is a wire.")
    fader_db: float = Field(default=0.0, ge=-MOST_DB, le=MOST_DB, description="The stem's level into the sum, in dB.")
    conversion: ConversionPreset | None = Field(default=None, description="A network's rendering, before the chain.")

    @classmethod
    def of(cls, chain: Chain, settings: ChainSettings, fader_db: float = 0.0) -> StripPreset:
        """The strip of a chain under settings."""
        return cls(
            chain=[
                EffectPreset(
                    effect=slot.effect.name,
                    label=slot.label,
                    settings=settings[slot.label],
                    options=dict(slot.options),
                    bypass=slot.bypass,
                )
                for slot in chain.slots
            ],
            fader_db=fader_db,
        )

    def build(self) -> tuple[Chain, ChainSettings]:
        """The chain and its settings; unknown effects, missing or out-of-range knobs are errors."""
        slots = tuple(
            Slot.of(entry.effect, label=entry.label, options=entry.options, bypass=entry.bypass) for entry in self.chain
        )
        settings: ChainSettings = {}
        for slot, entry in zip(slots, self.chain, strict=True):
            known = {param.name: param for param in slot.effect.params}
            for knob in entry.settings:
                if knob not in known:
                    raise UnknownNameError.of(f"param of {entry.effect}", knob, known)
            missing = sorted(known.keys() - entry.settings.keys())
            if missing:
                raise PresetError(f"{entry.label}: {', '.join(missing)} is missing.")
            settings[slot.label] = {name: param.check(entry.settings[name]) for name, param in known.items()}
        return Chain("preset", slots), settings

    @property
    def moves(self) -> int:
        """How many knobs are off neutral, those of bypassed effects and the fader not counted."""
        chain, settings = self.build()
        return sum(chain.moves(settings).values())

    @property
    def is_wire(self) -> bool:
        """Whether nothing is in the way of the sound: only the fader."""
        return all(entry.bypass for entry in self.chain) and self.conversion is None

    def bypassed(self) -> StripPreset:
        """The same strip with all effects bypassed, and no conversion: a wire."""
        chain = [entry.model_copy(update={"bypass": True}) for entry in self.chain]
        return self.model_copy(update={"chain": chain, "conversion": None})

    def blend(self, amount: float | str | Amount) -> StripPreset:
        """A part of the way from a wire (0) to this strip (1): knobs along their own scales, the fader in dB.

        The amount may differ by aspect; a network's rendering has none, and goes as far as the whole.

        Raises:
            SettingsError: aspects of knobs are named, and a network renders the stem.
        """
        amount = Amount.of(amount)
        if self.conversion:
            amount.check_without_knobs()
        chain, settings = self.build()
        whole = amount.whole
        conversion = self.conversion.build().blend(whole) if self.conversion and whole > 0 else None
        blended = StripPreset.of(chain, chain.blend(settings, amount), amount.level * self.fader_db)
        return blended.model_copy(update={"conversion": ConversionPreset.of(conversion) if conversion else None})


class Provenance(_Model):
    """What made a preset: enough to make it again."""

    stito: str = Field(description="The version of stito.")
    versions: dict[str, str] = Field(default_factory=dict, description="Versions of the packages that render.")
    method: str
    encoder: str
    encoder_digest: str | None = Field(
        default=None, description="SHA-256 of the encoder's weights; null if it has none."
    )
    seed: int
    amount: float = 1.0
    amounts: dict[str, float] = Field(default_factory=dict, description="Of aspects that went another amount.")
    keep: list[str] = Field(default_factory=list, description="Aspects that did not move.")
    evaluations: int = 0
    seconds: float = 0.0
    input: dict[str, str] = Field(default_factory=dict, description="Digest of each input stem.")
    reference: dict[str, str] = Field(default_factory=dict, description="Digest of each reference stem.")
    references: list[tuple[str, float]] = Field(
        default_factory=list, description="The name of each reference and its weight, as a share of 1."
    )
    losses: dict[str, tuple[float, float]] = Field(
        default_factory=dict, description="Per stem, the distance to the reference before and after."
    )

    @property
    def amount_by_aspect(self) -> Amount:
        """How far it went, as a whole and by aspect; not at all in what was kept."""
        return Amount(self.amount, self.amounts).without(self.keep)


class Preset(_Model):
    """All strips of a transfer, a master strip if there is one, and the gain of the output.

    Many settings make the same sound; a preset holds those of one transfer, in physical units.
    """

    format: Literal["stito.preset"] = "stito.preset"
    version: Literal[1] = 1
    stems: dict[str, StripPreset] = Field(min_length=1)
    master: StripPreset | None = Field(
        default=None, description="What the sum of the stems, behind their faders, goes through; null is a wire."
    )
    output_gain_db: float = Field(
        default=0.0,
        ge=-MOST_DB,
        le=MOST_DB,
        description="Gain of the sum: its true peak stays below the ceiling, its loudness is the one asked for.",
    )
    loudness_lufs: float | None = Field(
        default=None,
        ge=LOWEST_LUFS,
        le=0,
        description="The integrated loudness that the sum of any input is brought to; null leaves it as it comes.",
    )
    ceiling_dbtp: float = Field(
        default=CEILING_DBTP, ge=LOWEST_CEILING_DBTP, le=0, description="The highest true peak of the sum."
    )
    widens: bool = Field(default=False, description="Whether a mono input goes out in stereo.")
    target_lufs: dict[str, Annotated[float, Field(ge=-MOST_DB, le=MOST_DB)]] | None = Field(
        default=None,
        description="The loudness that stems (or their sum: mix) are still to get; null once the faders are set.",
    )
    provenance: Provenance | None = None

    @property
    def delivery(self) -> Delivery:
        """How loud the sum goes out."""
        return Delivery(self.loudness_lufs, self.ceiling_dbtp)

    def to_json(self) -> str:
        """The document as it stands on disk."""
        return json.dumps(self.model_dump(mode="json"), indent=2) + "\n"

    COLUMNS: ClassVar[tuple[str, ...]] = ("stem", "effect", "label", "param", "value", "unit", "bypass")

    def rows(self) -> list[tuple[str, str, str, str, float, str, bool]]:
        """A row for each knob, with the columns `COLUMNS`."""
        found = []
        for stem, strip in self.strips().items():
            chain, settings = strip.build()
            found += [
                (
                    *(stem, slot.effect.name, slot.label),
                    *(param.name, settings[slot.label][param.name], param.unit),
                    slot.bypass,
                )
                for slot in chain.slots
                for param in slot.effect.params
            ]
            found.append((stem, "fader", "fader", "fader_db", strip.fader_db, "dB", False))
        return found

    def to_csv(self) -> str:
        """The knobs as a table: stem, effect, label, param, value, unit, bypass (`yes` or empty)."""
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        table.writerow(self.COLUMNS)
        table.writerows(
            (*names, f"{value:.6g}", unit, "yes" if bypass else "") for *names, value, unit, bypass in self.rows()
        )
        return out.getvalue()

    def __repr__(self) -> str:
        made = f", made by {self.provenance.method}" if self.provenance else ""
        return f"Preset({', '.join(self.strips())}{made})"

    def strips(self) -> Mapping[str, StripPreset]:
        """Every strip by name, the master's last."""
        return dict(self.stems) | ({MASTER: self.master} if self.master else {})


def load_preset(path: str | Path) -> Preset:
    """Load a preset from disk and check every effect and knob.

    Args:
        path: the `preset.json` that a transfer wrote.

    Raises:
        MissingFileError: there is no such file.
        PresetError: it cannot be read; the message names file, key and line.
    """
    path = Path(path)
    if path.is_dir():
        raise MissingFileError(f"{path} is a folder, not a preset.", hint=f"Give {path / 'preset.json'}.")
    if not path.is_file():
        raise MissingFileError(f"There is no preset {path}.", hint="A transfer writes one as OUTDIR/preset.json.")
    text = read_document(path, error=PresetError)
    preset = parse_json(text, Preset, source=str(path), error=PresetError)
    for name, strip in preset.strips().items():
        try:
            strip.build()
            if strip.conversion is not None:
                strip.conversion.build()
        except StitoError as error:
            place = [MASTER] if name == MASTER else ["stems", name]
            line = line_of_json(text, [*place, "chain", *_guilty(strip, error)])
            raise PresetError(f"{path}, line {line}: {'.'.join(place)}: {error.message}", hint=error.hint) from error
    return preset


def _guilty(strip: StripPreset, error: StitoError) -> list[str | int]:
    """The path, inside a chain, of the entry that causes an error."""
    for index, entry in enumerate(strip.chain):
        alone = StripPreset(chain=[entry])
        try:
            alone.build()
        except StitoError as found:
            if found.message == error.message:
                knob = next((knob for knob in entry.settings if knob in found.message), None)
                return [index, "settings", knob] if knob else [index, "effect"]
    return []


def preset_schema() -> str:
    """The JSON Schema of presets, as published in the repository."""
    schema = Preset.model_json_schema()
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "stito preset", **schema}
    return json.dumps(schema, indent=2) + "\n"
