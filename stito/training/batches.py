"""Batches for contrastive training: contents of different songs, manipulated and mixed.

```
contents (ensemble, content, stem) ──────┐
                                         ├─▶ rows (ensemble, configuration, content, stem) ─ render ─▶ sums ─▶ clips
settings (ensemble, configuration, stem) ┘
```

Rendering costs as much as learning, so rows are used more than once: the `views` of an ensemble are groups of clips
with different choices of its stems, one alone or several together.

A batch follows from its seed and place alone: (seed, step) determine what is drawn, whatever was drawn before. So a run
that goes on where another stopped needs no state of a generator, and two processes with half of the groups each see
together what one process sees. Layout, settings, contents and levels come from streams of their own.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from stito import streams
from stito.errors import TrainingError
from stito.streams import Place, Purpose
from stito.training.recipe import Recipe

if TYPE_CHECKING:
    from stito.data.fxmanipulator.manipulator import Manipulation, Manipulator

__all__ = ["TRAINING", "VALIDATION", "Batches", "ContentSource", "Drawn", "Layout", "ahead", "layouts"]

TRAINING, VALIDATION = "training", "validation"
"""What a batch is for: where its place begins."""

ROW_SAMPLES = 1 << 25
"""Stems are rendered this many samples at a time: enough to fill an accelerator, little enough for its memory."""

MOST_WORKERS = 12
MOST_TRIES = 100
"""To find a view that an ensemble does not have yet."""

ALONE = 0.5
"""How often the one effect in which configurations differ is the only one."""

NEAREST, FURTHEST = 0.1, 0.5
"""How much of the way from one configuration to another those of an ensemble lie that differ little."""

T = TypeVar("T")
Subset = tuple[str, ...]


class ContentSource(Protocol):
    """What contents are drawn from: see `stito.data.contents.Contents`."""

    @property
    def stems(self) -> tuple[str, ...]:
        """The kinds of stems that occur."""
        ...

    def draw(self, stem: str, count: int, samples: int, generator: np.random.Generator) -> Tensor:
        """Segments (count, 2, samples) of as many different songs."""
        ...


@dataclass(frozen=True)
class Layout:
    """What batches look like; `groups` is over all processes, `views` of them share one ensemble.

    In a share `one_effect` of the ensembles the configurations differ in one effect only: half of them have no other
    effect, the other half the same others. In a share `near` they have the same effects, with similar settings.
    """

    groups: int
    configurations: int
    contents: int
    min_samples: int
    max_samples: int
    single_stem: float = 0.5
    level_jitter_db: float = 0.0
    views: int = 1
    one_effect: float = 0.0
    near: float = 0.0


@dataclass(frozen=True)
class Drawn:
    """A batch before it is rendered.

    Row r is content `content[r]`, turned up by the factor `gain[content[r]]`, under settings `setting[r]`. Clip
    `clip[k]` has row `row[k]`, for every k; `row` ascends.
    """

    audio: Tensor
    gain: Tensor
    manipulation: Manipulation
    content: Tensor
    setting: Tensor
    row: Tensor
    clip: Tensor
    shape: tuple[int, int, int]


def layouts(recipe: Recipe, sample_rate: int) -> tuple[Layout, Layout]:
    """What the batches of a recipe's training and of its validation look like."""
    batch, validation = recipe.batch, recipe.validation
    training = Layout(
        batch.groups,
        batch.configurations,
        batch.contents,
        round(batch.min_seconds * sample_rate),
        round(batch.max_seconds * sample_rate),
        batch.single_stem,
        batch.level_jitter_db,
        batch.views,
        batch.one_effect,
        batch.near,
    )
    samples = round(validation.seconds * sample_rate)
    fixed = replace(
        training,
        groups=validation.groups,
        configurations=validation.configurations,
        min_samples=samples,
        max_samples=samples,
        views=1,
        one_effect=0.0,
        near=0.0,
    )
    return training, fixed


class Batches:
    """Draws and renders batches; `rank` of `processes` gets its share of the groups."""

    def __init__(
        self,
        contents: ContentSource,
        manipulator: Manipulator,
        layout: Layout,
        *,
        rank: int = 0,
        processes: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        if layout.groups % (processes * layout.views):
            views = f" in {layout.views} views each" if layout.views > 1 else ""
            raise TrainingError(
                f"{layout.groups} groups cannot be shared by {processes} processes{views}.",
                hint="Make the number of groups a multiple of the number of processes times that of views.",
            )
        if not contents.stems:
            raise TrainingError("There is nothing to train on.", hint="Build a cache with `stito data build`.")
        self.contents, self.manipulator, self.layout = contents, manipulator, layout
        self.ensembles = layout.groups // layout.views
        share = self.ensembles // processes
        self.mine = range(rank * share, (rank + 1) * share)
        self.device = torch.device(device)

    def draw(self, seed: int, *place: Place, kinds: Sequence[Subset] = (), only: str | None = None) -> Drawn:
        """The batch of a seed at a place, on the CPU.

        Args:
            seed: of the run.
            place: which batch, in numbers and words; the same place of the same seed is the same batch.
            kinds: subsets of stems to choose from; by default all, in the shares that the layout's `single_stem` sets.
            only: an effect that is always used, alone.
        """
        layout = streams.generator(seed, Purpose.BATCH_LAYOUT, *place)
        samples = int(layout.integers(self.layout.min_samples, self.layout.max_samples, endpoint=True))
        views = [self._views(kinds, layout) for _ in range(self.ensembles)]
        stems = [[stem for stem in self.contents.stems if any(stem in view for view in subsets)] for subsets in views]
        # settings of all processes' groups are drawn, which costs little: what a process gets follows from the place
        slots = [
            (ensemble, configuration, stem)
            for ensemble, present in enumerate(stems)
            for configuration in range(self.layout.configurations)
            for stem in present
        ]
        settings = streams.generator(seed, Purpose.SETTINGS, *place)
        manipulation = self.manipulator.sample([stem for *_, stem in slots], settings, only=only)
        manipulation = self._alike(manipulation, [ensemble for ensemble, *_ in slots], settings)
        mine = [index for index, (ensemble, *_) in enumerate(slots) if ensemble in self.mine]
        audio, gain, first = self._contents(stems, samples, seed, place)
        configurations, contents = self.layout.configurations, self.layout.contents
        rows: list[tuple[int, int]] = []
        used: list[tuple[int, int]] = []
        for slot, (ensemble, i, stem) in enumerate(slots[index] for index in mine):
            for j in range(contents):
                for number, view in enumerate(views[ensemble]):
                    group = (ensemble - self.mine.start) * self.layout.views + number
                    if stem in view:
                        used.append((len(rows), (group * configurations + i) * contents + j))
                rows.append((first[ensemble, stem] + j, slot))
        content, setting = torch.tensor(list(zip(*rows, strict=True)))
        row, clip = torch.tensor(list(zip(*used, strict=True)))
        shape = (len(self.mine) * self.layout.views, configurations, contents)
        return Drawn(audio, gain, manipulation.rows(mine), content, setting, row, clip, shape)

    def _views(self, kinds: Sequence[Subset], generator: np.random.Generator) -> list[Subset]:
        """The stems of each of an ensemble's groups: different ones, as long as there are enough."""
        views: list[Subset] = []
        for _ in range(self.layout.views):
            for _ in range(MOST_TRIES):
                view = self._subset(kinds, generator)
                if view not in views:
                    break
            views.append(view)
        return views

    def _alike(
        self, manipulation: Manipulation, ensembles: Sequence[int], generator: np.random.Generator
    ) -> Manipulation:
        """The settings, for some of the ensembles changed so that configurations are harder to tell apart."""
        one_effect, near = self.layout.one_effect, self.layout.near
        if not one_effect + near:
            return manipulation
        parts = []
        for _, group in groupby(range(len(ensembles)), key=lambda index: ensembles[index]):
            part = manipulation.rows(list(group))
            chance = generator.random()
            if chance < one_effect:
                part = self._one_effect(part, generator)
            elif chance < one_effect + near:
                amount = generator.uniform(NEAREST, FURTHEST)
                part = self.manipulator.between(self._same(part), part, amount)
            parts.append(part)
        return type(manipulation).join(parts)

    def _one_effect(self, part: Manipulation, generator: np.random.Generator) -> Manipulation:
        """One ensemble's settings, made to differ in one effect only."""
        effect = str(generator.choice(sorted(self.manipulator.probabilities)))
        alone = self.manipulator.sample(part.stems, generator, only=effect)
        same = self._same(part).with_effect(effect, alone)
        return alone if generator.random() < ALONE else same

    def _same(self, part: Manipulation) -> Manipulation:
        """The first configuration of one ensemble in the place of all of them."""
        return part.rows(torch.arange(len(part)) % (len(part) // self.layout.configurations))

    def _subset(self, kinds: Sequence[Subset], generator: np.random.Generator) -> Subset:
        """The stems that the clips of one group have, in the order of `contents.stems`."""
        if kinds:
            return kinds[int(generator.integers(len(kinds)))]
        stems = self.contents.stems
        size = 1
        if len(stems) > 1 and generator.random() >= self.layout.single_stem:
            size = int(generator.integers(2, len(stems), endpoint=True))
        return tuple(stems[index] for index in sorted(generator.permutation(len(stems))[:size]))

    def _contents(
        self, stems: Sequence[Sequence[str]], samples: int, seed: int, place: Sequence[Place]
    ) -> tuple[Tensor, Tensor, dict[tuple[int, str], int]]:
        """Audio (rows, 2, samples) and gains (rows,) of this process's ensembles; first rows by (ensemble, stem)."""
        count = self.layout.contents
        slots = [(ensemble, stem) for ensemble in self.mine for stem in stems[ensemble]]
        first = {slot: index * count for index, slot in enumerate(slots)}
        audio = torch.empty(len(slots) * count, 2, samples, pin_memory=self.device.type == "cuda")
        gain = torch.empty(len(audio))
        for ensemble in self.mine:
            levels = streams.generator(seed, Purpose.LEVELS, *place, ensemble)
            jitter_db = torch.from_numpy(levels.uniform(-1, 1, count)) * self.layout.level_jitter_db
            for stem in stems[ensemble]:
                rows = slice(first[ensemble, stem], first[ensemble, stem] + count)
                contents = streams.generator(seed, Purpose.CONTENTS, *place, ensemble, stem)
                audio[rows] = self.contents.draw(stem, count, samples, contents)
                gain[rows] = 10 ** (jitter_db / 20)
        return audio, gain, first

    @torch.no_grad()
    def render(self, drawn: Drawn) -> Tensor:
        """The clips (groups, configurations, contents, 2, samples) on the device."""
        audio = drawn.audio.to(self.device, non_blocking=True) * drawn.gain.to(self.device)[:, None, None]
        content, clip = drawn.content.to(self.device), drawn.clip.to(self.device)
        clips = audio.new_zeros((int(np.prod(drawn.shape)), *audio.shape[1:]))
        size = max(1, ROW_SAMPLES // audio[0].numel())
        for start in range(0, len(content), size):
            part = slice(start, start + size)
            rows = self.manipulator.render(
                audio[content[part]], drawn.manipulation.rows(drawn.setting[part]).to(self.device)
            )
            first, last = torch.searchsorted(drawn.row, torch.tensor([start, start + size])).tolist()
            clips.index_add_(0, clip[first:last], rows[(drawn.row[first:last] - start).to(self.device)])
        return clips.view(*drawn.shape, *clips.shape[1:])


def ahead(prepare: Callable[[int], T], steps: Iterable[int], *, workers: int = 0) -> Generator[T, None, None]:
    """`prepare(step)` for each step in order, prepared by threads before it is asked for.

    Without a number of `workers` there is one per core but one, up to twelve. In each, torch works alone.
    """
    workers = workers or max(1, min(MOST_WORKERS, (os.cpu_count() or 2) - 1))
    pending: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers, "stito-batches", torch.set_num_threads, (1,)) as pool:
        try:
            for step in steps:
                pending.append(pool.submit(prepare, step))
                if len(pending) > workers + 1:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
