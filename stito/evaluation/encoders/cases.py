"""Cases: segments of music and configurations of effects, any of which can be put together and embedded.

A *subject* is what is listened to: one kind of stem, or `multitrack`, the sum of all kinds, each under settings of
its own. Segments come from different songs; in a multitrack each kind comes from a song of its own, so that nothing
but the effects binds the stems together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stito import streams
from stito.audio import resample
from stito.compute.cores import check_device
from stito.data.songs import SAMPLE_RATE
from stito.errors import AudioError, PluginError, SettingsError
from stito.models.encoder import Encoder
from stito.streams import Place, Purpose

if TYPE_CHECKING:
    from stito.data.fxmanipulator.manipulator import Manipulation, Manipulator

__all__ = ["MULTITRACK", "SAMPLE_RATE", "Bench", "Cases", "Material", "Plan", "draw_cases"]

MULTITRACK = "multitrack"
BATCH = 16
QUIET = 1e-4
"""Effects cannot be measured on a segment below -80 dBFS."""
TRIES = 8


class Material(Protocol):
    """Music to draw from, as `stito.data.contents.Contents` is."""

    stems: tuple[str, ...]

    def draw(self, stem: str, count: int, samples: int, generator: np.random.Generator) -> Tensor:
        """Segments (count, 2, samples) at 44.1 kHz, of different songs where there are enough."""
        ...


@dataclass(frozen=True)
class Cases:
    """Segments (s, 2, t) and configurations (c rows) for each kind of stem of a subject."""

    segments: Mapping[str, Tensor]
    configurations: Mapping[str, Manipulation]
    manipulator: Manipulator

    def render(self, segment: Sequence[int], configuration: Sequence[int]) -> Tensor:
        """Audio (b, 2, t): the segments of those numbers, each under the configuration of that number."""
        rows = torch.as_tensor(segment)
        sounds = [
            self.manipulator.render(audio[rows.to(audio.device)], self.configurations[stem].rows(configuration))
            for stem, audio in self.segments.items()
        ]
        return torch.stack(sounds).sum(0)

    def settings(self) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """The settings (c, k) in [0, 1] of each configuration, and their names (`vocals.eq.low_gain_db`)."""
        columns, names = [], []
        for stem, manipulation in self.configurations.items():
            values, called = manipulation.vector()
            columns.append(values.detach().cpu().numpy().astype(np.float64))
            names += [f"{stem}.{name}" for name in called]
        return np.concatenate(columns, axis=1), tuple(names)


def draw_cases(
    material: Material,
    manipulator: Manipulator,
    subject: str,
    *,
    seed: int,
    place: Sequence[Place],
    segments: int,
    configurations: int,
    seconds: float,
    only: str | None = None,
    device: str = "cpu",
) -> Cases:
    """Segments and random configurations of a subject; with `only` that effect is on and all others are off.

    The same `seed` and `place` draw the same; segments and configurations of each stem come from streams of their own.
    """
    stems = tuple(material.stems) if subject == MULTITRACK else (subject,)
    samples = round(seconds * SAMPLE_RATE)
    sounds, settings = {}, {}
    for stem in stems:
        contents = streams.generator(seed, Purpose.CASE_CONTENTS, *place, subject, stem)
        effects = streams.generator(seed, Purpose.CASE_SETTINGS, *place, subject, stem)
        sounds[stem] = _sounding(material, stem, segments, samples, contents).to(device)
        settings[stem] = manipulator.sample([stem] * configurations, effects, only=only).to(device)
    return Cases(sounds, settings, manipulator)


@dataclass(frozen=True)
class Plan:
    """How much is measured; the defaults are the paper's. `seeds` is the number of independent draws."""

    segments: int = 25
    configurations: int = 10
    seeds: int = 4
    seconds: float = 6.0
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.segments < 2 or self.configurations < 2 or self.seeds < 1:
            raise SettingsError(
                f"{self.segments} segments, {self.configurations} configurations and {self.seeds} seeds are too few.",
                hint="Give at least 2 segments, 2 configurations and 1 seed.",
            )
        if not self.seconds >= 0.5:
            raise SettingsError(f"Segments of {self.seconds:g} s are too short.", hint="Give at least .5 s.")
        check_device(self.device)


@dataclass(frozen=True)
class Bench:
    """What is measured with what: encoders by the labels they have in tables, music, effects, and how much."""

    encoders: Mapping[str, Encoder]
    material: Material
    manipulator: Manipulator
    plan: Plan = Plan()
    on_step: Callable[[str], None] | None = None

    @property
    def subjects(self) -> tuple[str, ...]:
        """What the material allows: a multitrack where there are several kinds of stems, and each kind."""
        stems = tuple(self.material.stems)
        return (MULTITRACK, *stems) if len(stems) > 1 else stems

    def report(self, text: str) -> None:
        """Report what is about to be done."""
        if self.on_step:
            self.on_step(text)

    def draw(
        self,
        subject: str,
        *place: Place,
        segments: int,
        configurations: int,
        only: str | None = None,
    ) -> Cases:
        """Segments and configurations of a subject, others at each place; `only` as for `draw_cases`."""
        return draw_cases(
            self.material,
            self.manipulator,
            subject,
            seed=self.plan.seed,
            place=place,
            segments=segments,
            configurations=configurations,
            seconds=self.plan.seconds,
            only=only,
            device=self.plan.device,
        )

    def embed(self, cases: Cases, segment: Sequence[int], configuration: Sequence[int]) -> dict[str, Tensor]:
        """By label the embeddings (n, dim) of n clips, on the CPU; each clip is rendered once for all encoders."""
        found: dict[str, list[Tensor]] = {label: [] for label in self.encoders}
        with torch.no_grad():
            for start in range(0, len(segment), BATCH):
                part = slice(start, start + BATCH)
                audio = cases.render(segment[part], configuration[part])
                for label, encoder in self.encoders.items():
                    found[label].append(_embed(encoder, audio))
        return {label: torch.cat(embeddings) for label, embeddings in found.items()}


def _embed(encoder: Encoder, audio: Tensor) -> Tensor:
    embedding = encoder.embed(resample(audio, SAMPLE_RATE, encoder.sample_rate)).float().cpu()
    if not bool(torch.isfinite(embedding).all()):
        raise PluginError(
            f"The encoder '{encoder.name}' gave an embedding that is not finite.",
            hint="Check it with stito.testing.check_encoder.",
        )
    return embedding


def _sounding(material: Material, stem: str, count: int, samples: int, generator: np.random.Generator) -> Tensor:
    """Segments that are not silent; silent ones are drawn again."""
    sounds = material.draw(stem, count, samples, generator).clone()
    for _ in range(TRIES):
        silent = (sounds.square().mean((1, 2)).sqrt() < QUIET).nonzero().flatten()
        if len(silent) == 0:
            return sounds
        sounds[silent] = material.draw(stem, len(silent), samples, generator)
    raise AudioError(f"The {stem} are silent nearly everywhere.", hint="Build the cache from songs in which they play.")
