"""Batches of mixes: two views of each song, and degraded versions of them.

```
song ─ place, jitter ─▶ view 0 ─┬─ faults ─▶ degraded 0, 2, ...
     └ place, jitter ─▶ view 1 ─┴─ faults ─▶ degraded 1, 3, ...
```

Views are good mixes: what differs is the place in the song, and a jitter that nobody would mend. A batch follows from
(seed, place) alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stito import streams
from stito.data.degradation.degradation import Damage, degrade, draw_faults
from stito.data.degradation.fault import fault_names, load_fault
from stito.data.mixes import Excerpt, MixSource
from stito.models.stem_batch import StemBatch
from stito.stems import STEMS
from stito.streams import Place, Purpose
from stito.training.recipe import StemEncoder

__all__ = ["VIEWS", "MixBatch", "MixBatches"]

VIEWS = 2
LEVEL_DB = 6.0
"""Each view is as a whole turned up or down by up to this, which is no fault."""


@dataclass(frozen=True)
class MixBatch:
    """Mixes of several songs: first all views, then all degraded versions.

    Attributes:
        stems: what the network embeds.
        song: of each mix, (mixes,).
        degraded: which mixes have faults, (mixes,) bool.
        severity: of each target of each row of `stems`, (n, targets), 0 where there is none.
    """

    stems: StemBatch
    song: Tensor
    degraded: Tensor
    severity: Tensor

    def to(self, device: torch.device | str) -> MixBatch:
        """The same batch on a device."""
        return MixBatch(self.stems.to(device), self.song.to(device), self.degraded.to(device), self.severity.to(device))


class MixBatches:
    """Draws and renders batches of mixes."""

    def __init__(self, source: MixSource, plan: StemEncoder, sample_rate: int, *, songs: int) -> None:
        self.source, self.plan, self.sample_rate = source, plan, sample_rate
        self.songs = min(songs, len(source.songs))
        self.faults = {name: load_fault(name) for name in fault_names()}
        self.targets = tuple(f"{name}:{move}" for name, fault in self.faults.items() for move in fault.moves)
        """What severities are of: a fault and the way that one of its knobs went."""

    def draw(self, seed: int, *place: Place, samples: int, severity: float | None = None) -> MixBatch:
        """The batch at a place: mixes of so many `samples`; with a `severity` one fault of it in each degraded mix."""
        generator = streams.generator(seed, Purpose.MIXES, *place)
        chosen = generator.choice(len(self.source.songs), self.songs, replace=False).tolist()
        mixes: list[tuple[int, bool, Excerpt, list[Damage]]] = []
        degraded: list[tuple[int, bool, Excerpt, list[Damage]]] = []
        unnamed = generator.random(self.songs) < self.plan.unnamed
        for number, song in enumerate(chosen):
            views = self._views(song, samples, generator)
            mixes += [(number, False, view, []) for view in views]
            for version in range(self.plan.degraded):
                faults = streams.generator(seed, Purpose.BATCH_FAULTS, *place, number, version)
                view = views[version % VIEWS]
                count = None if severity is None else 1
                drawn = draw_faults(view, self.sample_rate, faults, severity=severity, count=count)
                stems, done = degrade(view, self.sample_rate, drawn, faults)
                degraded.append((number, True, stems, done))
        return self._gathered(mixes + degraded, unnamed)

    def _views(self, song: int, samples: int, generator: np.random.Generator) -> list[Excerpt]:
        """Two places of a song, without the same few of its stems, each with a jitter of its own."""
        left_out = {stem for stem in STEMS if generator.random() < self.plan.missing}
        views = []
        for _ in range(VIEWS):
            excerpt = self.source.excerpt(song, samples, generator)
            kept = {name: x for name, x in excerpt.items() if name not in left_out} or excerpt
            views.append(self._jittered(kept, generator))
        return views

    def _jittered(self, excerpt: Excerpt, generator: np.random.Generator) -> Excerpt:
        """A good mix as another engineer, another singer or another tape would have left it."""
        level_db, flip, swap = (
            generator.uniform(-LEVEL_DB, LEVEL_DB),
            generator.random() < 0.5,
            generator.random() < 0.5,
        )
        jittered = {}
        for name, x in excerpt.items():
            if self.plan.mild:
                fault = list(self.faults.values())[int(generator.integers(len(self.faults)))]
                mild = float(generator.uniform(0, self.plan.mild))
                x = fault.render(x, self.sample_rate, fault.settings(fault.worst(x, self.sample_rate, generator), mild))
            own_db = generator.uniform(-self.plan.jitter_db, self.plan.jitter_db)
            gain = 10 ** ((level_db + own_db) / 20) * (-1 if flip else 1)
            jittered[name] = (x.flip(0) if swap else x) * gain
        return jittered

    def _gathered(self, mixes: list[tuple[int, bool, Excerpt, list[Damage]]], unnamed: np.ndarray) -> MixBatch:
        """As one batch; a stem that several mixes share is analysed once."""
        sounds: dict[int, int] = {}
        audio: list[Tensor] = []
        rows: list[tuple[int, int, int, bool]] = []
        severity = torch.zeros(sum(len(stems) for _, _, stems, _ in mixes), len(self.targets))
        for mix, (song, _, stems, done) in enumerate(mixes):
            for name, x in stems.items():
                if id(x) not in sounds:
                    sounds[id(x)] = len(audio)
                    audio.append(x)
                for damage in done:
                    for move in self.faults[damage.fault].moved(damage.settings) if damage.stem == name else ():
                        severity[len(rows), self.targets.index(f"{damage.fault}:{move}")] = damage.severity
                rows.append((sounds[id(x)], mix, STEMS.index(name), not unnamed[song]))
        row, of, slot, named = torch.tensor(rows).T
        batch = StemBatch(torch.stack(audio), row, of, slot, named.bool(), len(mixes))
        songs = torch.tensor([number for number, *_ in mixes])
        return MixBatch(batch, songs, torch.tensor([flag for _, flag, *_ in mixes]), severity)
