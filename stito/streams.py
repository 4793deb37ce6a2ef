"""Random numbers: one root seed, and from it a stream for every purpose and place.

Seeds that are numbers side by side meet: `numpy.random.default_rng([0, 7])` is `default_rng([0, 7, 0])`, and step 1 of
seed 2 is step 2 of seed 1 where the two are added up. Here a stream is named by what it is for and where: the name is
hashed into the spawn key of a `numpy.random.SeedSequence`. Different names are different streams, whatever they are
made of: `7` is not `"7"`, and `(7,)` is not `(7, 0)`.

```
(root seed, purpose, place ...) ─ SHA-256 ─▶ spawn key ─ SeedSequence ─┬▶ generator         numpy
                                                                       ├▶ torch_generator   torch
                                                                       ├▶ torch_seeded      torch's own, for a while
                                                                       └▶ derived_seed      who takes a number only
```

>>> generator(0, Purpose.CONTENTS, "training", 7).random() == generator(0, Purpose.CONTENTS, "training", 7).random()
True
>>> generator(0, Purpose.CONTENTS, "training", 7).random() == generator(0, Purpose.SETTINGS, "training", 7).random()
False
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import operator
import struct
from collections.abc import Iterator
from enum import Enum, unique

import numpy as np
import torch

from stito.errors import SettingsError

__all__ = ["Place", "Purpose", "derived_seed", "generator", "torch_generator", "torch_seeded"]

Place = int | str
"""A part of where in the work numbers are drawn: a step, a rank, the number of a case, the name of a stem."""


@unique
class Purpose(Enum):
    """What numbers are drawn for. A stream follows from the value: a new value is a new stream."""

    INITIAL_WEIGHTS = "initial weights"
    """The weights of a network before the first step."""
    TRAINING_STEP = "training step"
    """What a network and its loss draw in a step: dropout, the frames that are compared."""
    VALIDATION_FRAMES = "validation frames"
    """The frames that a validation compares."""
    BATCH_LAYOUT = "batch layout"
    """How long the clips of a batch are, and which stems are in them."""
    CONTENTS = "contents"
    """The segments of music in a batch."""
    LEVELS = "levels"
    """By how much these are turned up or down."""
    SETTINGS = "settings"
    """The configurations of effects of a batch."""
    STRENGTHS = "strengths"
    """How strong these are."""
    OWN_EFFECTS = "own effects"
    """The effects with which the inputs of a batch arrive."""
    MIXES = "mixes"
    """The places of songs, and the jitter, of a batch of mixes."""
    BATCH_FAULTS = "batch faults"
    """The faults of a batch of mixes."""
    MANIPULATION = "manipulation"
    """The random style that files are given."""
    DEGRADATION = "degradation"
    """The faults that files are given."""

    CASE_CONTENTS = "case contents"
    """The segments of music of an evaluation's case."""
    CASE_SETTINGS = "case settings"
    """The configurations of effects of an evaluation's case."""
    CASE_OWN_EFFECTS = "case own effects"
    """The effects with which the input of a case arrives."""
    CASE_SEARCH = "case search"
    """A search on a case."""
    DECOYS = "decoys"
    """The wrong candidates that are a query's own music."""
    SHUFFLES = "shuffles"
    """The order in which labels are shuffled to see what chance scores."""
    FORESTS = "forests"
    """The random forests that predict settings from embeddings."""
    FOLDS = "folds"
    """The folds to which contents are dealt."""
    EMBEDDING_MAP = "embedding map"
    """The picture of embeddings in two dimensions."""
    QUALITY_HEAD = "quality head"
    """The weights and the batches of a quality head."""
    CLUSTER_SOUNDS = "cluster sounds"
    """The sounds of each class of an evaluation of clusters."""
    DEGRADED_CASES = "degraded cases"
    """The places and faults of an evaluation on degraded mixes."""
    UNDONE_CASES = "undone cases"
    """The songs, places and faults of an evaluation of undoing damage."""
    BOOTSTRAP = "bootstrap"
    """The cases that are drawn anew for an interval."""

    STEM_SEARCH = "stem search"
    """The search of each stem of a transfer."""
    SEARCH_ROWS = "search rows"
    """Candidates of a search from anywhere."""
    SEARCH_ROWS_NEAR = "search rows near"
    """Candidates of a search close to its start."""

    RENDERED_SONG = "rendered song"
    """How a song is rendered from its notes: see `recipes/open_multitrack`."""
    STRUNG_VOICES = "strung voices"
    """The order of words and notes that are strung together: see `recipes/open_multitrack`."""
    TAKEN_STRETCH = "taken stretch"
    """Which stretch of a song is taken: see `recipes/open_multitrack`."""
    SINGING = "singing"
    """Who sings a rendered song, and how: see `recipes/open_multitrack`."""
    SAMPLED_BASS = "sampled bass"
    """Which songs a sampled bass plays, and which bass: see `recipes/open_multitrack`."""
    RECOVERY_SONGS = "recovery songs"
    """The songs of a case of `benchmarks/recovery.py`."""
    RECOVERY_SETTINGS = "recovery settings"
    """The hidden settings of a case of `benchmarks/recovery.py`."""
    TIMING = "timing"
    """Something to compute where only the time counts: see `benchmarks`."""


def generator(seed: int, purpose: Purpose, *place: Place) -> np.random.Generator:
    """The stream of random numbers for a purpose at a place, always from its beginning.

    `SettingsError` for a negative seed. A place is made of integers and words.
    """
    return np.random.default_rng(_sequence(seed, purpose, place))


def torch_generator(seed: int, purpose: Purpose, *place: Place) -> torch.Generator:
    """The same for what draws with torch on a processor.

    Torch takes 32 bits there, so of n streams two are the same with a probability of n^2 / 2^33.
    """
    return torch.Generator().manual_seed(_torch_seed(seed, purpose, place))


@contextlib.contextmanager
def torch_seeded(seed: int, purpose: Purpose, *place: Place, device: torch.device | str = "cpu") -> Iterator[None]:
    """Meanwhile torch's own generators, of the processor and of `device`, are a stream of ours; then as they were.

    For modules that cannot be given a generator: those that draw their weights when they are made, and dropout.
    """
    device = torch.device(device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(_torch_seed(seed, purpose, place))
        yield


def derived_seed(seed: int, purpose: Purpose, *place: Place) -> int:
    """A seed for whatever takes a number only, such as a search: from 0 to 2^32 - 1."""
    return int(_sequence(seed, purpose, place).generate_state(1)[0])


def _torch_seed(seed: int, purpose: Purpose, place: tuple[Place, ...]) -> int:
    return int(_sequence(seed, purpose, place).generate_state(1, np.uint64)[0])


def _sequence(seed: int, purpose: Purpose, place: tuple[Place, ...]) -> np.random.SeedSequence:
    """The seed's child under this name. As JSON no two names are the same text; all keys have the same length."""
    if seed < 0:
        raise SettingsError(f"seed = {seed} is negative.", hint="Seeds are 0, 1, 2, …")
    name = json.dumps([purpose.value, *(part if isinstance(part, str) else operator.index(part) for part in place)])
    return np.random.SeedSequence(seed, spawn_key=struct.unpack("<8I", hashlib.sha256(name.encode()).digest()))
