"""Recipes: everything that decides what a training run makes, in one TOML file.

A value is changed for one run with `--set batch.groups=8`. A `[smoke]` table holds such changes under the same dotted
names; `--smoke` applies them.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from stito import registry
from stito.errors import MissingFileError, RecipeError
from stito.files.documents import parse_toml, read_document

__all__ = [
    "Batch",
    "Converter",
    "Data",
    "Guidance",
    "Loss",
    "Network",
    "Objective",
    "Optimiser",
    "Predictor",
    "Probabilities",
    "Recipe",
    "Run",
    "StemEncoder",
    "Validation",
    "load_recipe",
    "parse_recipe",
]

Objective = Literal["style", "song"]
Share = float


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Network(_Section):
    """Of an encoder or converter: its name, and the config that its `network` factory takes."""

    encoder: str = Field(default_factory=partial(registry.default, "trained encoder"))
    config: dict[str, Any] = {}


class Guidance(_Section):
    """What is tuned to the weights of a predictor and goes into their header: see `stito.models.predictor.Guidance`."""

    corrections: dict[str, Share] = {}
    evaluations: PositiveInt = 64
    prior_std: PositiveFloat = 3**-0.5


FORMER = {"ears": "backbone", "known": "target_settings"}
"""Keys of `[predictor]` in recipes of earlier versions, and what they are called now."""


def renamed(section: Mapping[str, Any]) -> dict[str, Any]:
    """The section of a predictor with today's keys."""
    return {FORMER.get(key, key): value for key, value in section.items()}


class Predictor(_Section):
    """What a predictor embeds with, which chain it sets, and its network: see `stito.models.predictor`."""

    chain: str = Field(default_factory=partial(registry.default, "chain of stems"))
    backbone: str = Field(default_factory=partial(registry.default, "trained encoder"))
    """A trained encoder: a copy of its network learns on."""
    encoders: list[str] = Field(default_factory=lambda: [registry.default("measured encoder")])
    """What else is embedded with; these stay as they are."""
    begin: dict[str, Share] = {}
    """Where knobs (as `label.param`) of the untrained network stand in theta, if not at neutral."""
    guidance: Guidance = Guidance()
    hidden: PositiveInt = 512
    dropout: float = Field(default=0.1, ge=0, lt=1)
    mixed: Share = Field(default=0.0, ge=0, le=1)
    """Share of inputs that arrive with random effects of their own, which the predicted settings must allow for."""
    mild: Share = Field(default=0.0, ge=0, le=1)
    """Share of configurations, those of the inputs too, with a random strength between none and full."""
    target_settings: float = Field(default=0.0, ge=0)
    """Weight of the distance to the target settings, beside that of the audio."""

    @model_validator(mode="before")
    @classmethod
    def _of_today(cls, section: Any) -> Any:
        return renamed(section) if isinstance(section, Mapping) else section


class Converter(_Section):
    """What a converter embeds with, and from what it learns: see `stito.training.tasks.converter`."""

    encoders: list[str] = Field(default_factory=lambda: [registry.default("trained encoder")])
    """Their embeddings, side by side, are the style that it is conditioned on; they stay as they are."""
    mixed: Share = Field(default=0.0, ge=0, le=1)
    """Share of inputs that arrive with random effects of their own."""
    mild: Share = Field(default=0.0, ge=0, le=1)
    """Share of configurations, those of the inputs too, with a random strength between none and full."""


class StemEncoder(_Section):
    """From which mixes a stem-aware encoder learns: see `stito.training.tasks.stem_encoder`."""

    degraded: PositiveInt = 2
    """Degraded versions of each song in a batch."""
    faults: Share = Field(default=0.0, ge=0)
    """Weight of the error of predicted severities, beside the contrastive loss; 0 trains by contrast alone."""
    pool: int = Field(default=0, ge=0)
    """So many batches are drawn and analysed, used `rounds` times in turn, then replaced; 0: every batch is new."""
    rounds: PositiveInt = 4
    jitter_db: float = Field(default=1.0, ge=0)
    """How far stems of a good mix are turned up or down against each other at most: no engineer calls it a fault."""
    mild: float = Field(default=0.08, ge=0, le=1)
    """Severity up to which each stem of a good mix has one fault: less than anybody would mend."""
    missing: Share = Field(default=0.15, ge=0, le=1)
    """Share of stems that are left out of both views, as long as one is left."""
    unnamed: Share = Field(default=0.1, ge=0, le=1)
    """Share of songs whose stems come without a name."""


class Data(_Section):
    """The training data, as it is described in the header of the weights."""

    description: str = ""
    licences: list[str] = []
    speed: float = Field(default=0.25, ge=0, le=0.5)
    """Largest relative change of pitch and tempo of training content."""
    impulses: str | None = None
    """A folder of room responses; without one the synthetic bank is used."""


class Batch(_Section):
    """One batch: `groups` (over all processes) x `configurations` x `contents` clips of one length."""

    groups: PositiveInt = 16
    configurations: int = Field(default=2, ge=2)
    contents: int = Field(default=2, ge=2)
    min_seconds: PositiveFloat = 2.0
    max_seconds: PositiveFloat = 4.0
    single_stem: Share = Field(default=0.5, ge=0, le=1)
    """Share of groups whose clips are one stem; the others are mixes of two or more."""
    level_jitter_db: float = Field(default=3.0, ge=0)
    """Each content is turned up or down by up to this before it is manipulated."""

    views: PositiveInt = 1
    """So many groups share one ensemble, each with another choice of its stems."""
    one_effect: Share = Field(default=0, ge=0, le=1)
    """Share of ensembles whose configurations differ in one effect only."""
    near: Share = Field(default=0, ge=0, le=1)
    """Share of ensembles whose configurations have the same effects, with similar settings."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.min_seconds > self.max_seconds:
            raise ValueError("min_seconds is larger than max_seconds")
        if self.groups % self.views:
            raise ValueError("groups is no multiple of views")
        if self.one_effect + self.near > 1:
            raise ValueError("one_effect and near are more than all ensembles")
        return self


class Loss(_Section):
    """What is minimised: see `stito.training.tasks.contrastive`."""

    objective: Objective = "style"
    temperature: PositiveFloat = 0.1
    subvector: PositiveInt | None = None
    """The loss acts on this many dims of the embedding only (DirectCLR)."""
    strong_negatives: bool = True


class Optimiser(_Section):
    """AdamW, and how its rate goes up and down."""

    steps: PositiveInt = 10_000
    rate: PositiveFloat = 1e-3
    weight_decay: float = Field(default=1e-2, ge=0)
    warmup: int = Field(default=200, ge=0)
    final: Share = Field(default=0.0, ge=0, le=1)
    """The rate at the end, as a share of `rate`."""
    clip: float = Field(default=1.0, ge=0)
    """Largest norm of the gradient; 0 never clips."""
    average: float = Field(default=0.0, ge=0, lt=1)
    """Decay of the running average of the weights that is validated and kept; 0 keeps the weights themselves."""


class Probabilities(_Section):
    """How often each effect is used, and whether that follows from the validation losses."""

    initial: dict[str, float] = {}
    """Probabilities that differ from the published ones."""
    every: int = Field(default=0, ge=0)
    """Set anew every so many validations; 0 never."""
    low: Share = Field(default=0.1, ge=0, le=1)
    high: Share = Field(default=1.0, ge=0, le=1)


class Validation(_Section):
    """What decides which weights are kept: seeded batches of songs that are not trained on."""

    every: PositiveInt = 500
    batches: PositiveInt = 2
    groups: PositiveInt = 8
    configurations: int = Field(default=4, ge=2)
    seconds: PositiveFloat = 4.0


class Run(_Section):
    """What changes the speed, and hardly the result."""

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 on accelerators that have it."""
    workers: int = Field(default=0, ge=0)
    """Threads that prepare batches; 0: one per core but one, up to twelve."""
    log_every: PositiveInt = 20
    one_batch: bool = False
    """Train on the first batch over and over: a network that cannot learn that cannot learn."""


class Recipe(_Section):
    """A whole recipe."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    seed: int = Field(default=0, ge=0)
    task: Literal["encoder", "predictor", "converter", "stem encoder"] = "encoder"
    start: str | None = None
    """A file of weights to go on from, instead of a fresh network; a predictor's run needs it to its end."""
    network: Network = Field(default_factory=Network)
    predictor: Predictor = Field(default_factory=Predictor)
    converter: Converter = Field(default_factory=Converter)
    stem_encoder: StemEncoder = StemEncoder()
    data: Data = Data()
    batch: Batch = Batch()
    loss: Loss = Loss()
    optimiser: Optimiser = Optimiser()
    probabilities: Probabilities = Probabilities()
    validation: Validation = Validation()
    run: Run = Run()
    smoke: dict[str, Any] = Field(default={}, exclude=True)


def load_recipe(path: Path, changes: Iterable[str] = (), *, smoke: bool = False) -> Recipe:
    """The recipe of a file, or of `recipe.toml` in a folder, with changes such as `"batch.groups=8"`."""
    file = path / "recipe.toml" if path.is_dir() else path
    if not file.is_file():
        raise MissingFileError(
            f"{file}: no recipe there.", hint="Recipes are .toml files, such as recipes/fxencoder/small.toml."
        )
    return parse_recipe(read_document(file, error=RecipeError), changes, source=str(file), smoke=smoke)


def parse_recipe(text: str, changes: Iterable[str] = (), *, source: str = "recipe", smoke: bool = False) -> Recipe:
    """The recipe of a TOML text; `RecipeError` names the file, key and line, or the change that does not fit."""
    recipe = parse_toml(text, Recipe, source=source, error=RecipeError)
    document = tomllib.loads(text)
    if isinstance(document.get("predictor"), Mapping):
        document["predictor"] = renamed(document["predictor"])
    applied: list[tuple[str, str, object]] = []
    if smoke:
        applied += [(f"{source}, [smoke] {key}", key, value) for key, value in recipe.smoke.items()]
    applied += [_parsed(change) for change in changes]
    for where, key, value in applied:
        document = _changed(document, key, value, where)
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise _explained(error, applied, source) from error


def _parsed(change: str) -> tuple[str, str, object]:
    """The parts of `--set a.b=c`: c is a TOML value; a bare word is text."""
    key, equals, text = change.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {change}: not of the form key=value.", hint="For example: --set batch.groups=8")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    head, _, name = key.strip().partition(".")
    return (
        f"--set {change}",
        f"predictor.{FORMER[name]}" if head == "predictor" and name in FORMER else key.strip(),
        value,
    )


def _changed(document: Mapping[str, Any], key: str, value: object, where: str) -> dict[str, Any]:
    """A copy of the document in which the dotted key has that value."""
    head, _, rest = key.partition(".")
    if not rest:
        return {**document, head: value}
    inside = document.get(head, {})
    if not isinstance(inside, Mapping):
        raise RecipeError(f"{where}: {head} is a value, not a table.", hint="Name the key alone, without a dot.")
    return {**document, head: _changed(inside, rest, value, where)}


def _explained(error: ValidationError, applied: Iterable[tuple[str, str, object]], source: str) -> RecipeError:
    """The first problem, and the change that brought it."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    blamed = [where for where, changed, _ in applied if key.startswith(changed) or changed.startswith(key)]
    hint = f"The value was {first['input']!r}."
    if first["type"] == "extra_forbidden":
        keys = _keys(Recipe)
        close = difflib.get_close_matches(key, keys, n=2)
        beside = [name for name in keys if name.startswith(key.rpartition(".")[0] + ".")] or keys
        hint = f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(beside)}."
    return RecipeError(f"{blamed[-1] if blamed else source}: {key}: {first['msg']}.", hint=hint)


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """All dotted keys of a model."""
    keys = []
    for name, field in model.model_fields.items():
        inner = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        tables = [kind for kind in inner if issubclass(kind, BaseModel)]
        keys += _keys(tables[0], f"{prefix}{name}.") if tables else [prefix + name]
    return keys
