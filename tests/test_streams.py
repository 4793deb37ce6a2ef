"""Streams of random numbers: the same name is the same stream, and no other name is."""

from __future__ import annotations

import doctest
import itertools
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from stito import streams
from stito.errors import SettingsError
from stito.streams import Purpose, derived_seed, generator, torch_generator, torch_seeded

ROOT = Path(__file__).parents[1]
PLACES = [(), (0,), (7,), (7, 0), (0, 7), (0, 0, 7), (0, 0, 7, 0), ("7",), (7, "0"), ("7", 0), ("7, 0",), (70,), (-7,)]
PLACES += [("a", "b"), ("ab",), ("a, b",), ('a", "b',), ("",), ("", ""), (2**32,), (2**32 + 7,)]

SEEDED = re.compile(r"\b(default_rng|manual_seed|SeedSequence|RandomState)\(")
FIXED = {
    "stito/audio/write.py": "dither: equal audio makes equal files",
    "effects/stito_effects/fxmanipulator/rooms.py": "the synthetic rooms in which the shipped weights were trained",
    "stito/demo/score.py": "the songs as they are heard in docs and measured in tables; three words each, none zero",
    "stito/report/build.py": "the noise by which the report tells whether an effect does anything",
    "stito/search/cma.py": "pycma draws from a RandomState",
    "stito/search/nevergrad.py": "nevergrad draws from a RandomState",
    "stito/search/objective.py": "the frames on which a spectral distance is estimated",
    "stito/testing/probe.py": "the test signal of the contracts",
    "stito/testing/faults.py": "the draws of the contract, which third parties hand over as numpy's generators",
    "stito/testing/manipulators.py": "the draws of the contract, which third parties hand over as numpy's generators",
    "effects/stito_effects/vst3/worker.py": "the noise by which a plug-in is tried when it is opened",
    "effects/stito_effects/reverb.py": "the noise of which the reverb is made",
    "effects/stito_effects/room_table.py": "the trials from which the reverb's tables are fitted",
    "encoders/stito_encoders/band_tcn.py": "the noise of which the converter's rooms are made",
}
"""Who may seed by itself, and why: the seed is a constant, or a number that a search was given."""


def test_the_same_name_is_the_same_stream() -> None:
    for place in PLACES:
        one, again = (generator(3, Purpose.CONTENTS, *place).random(4) for _ in range(2))
        assert np.array_equal(one, again)
        first, second = (torch.rand(4, generator=torch_generator(3, Purpose.CONTENTS, *place)) for _ in range(2))
        assert torch.equal(first, second)
        assert derived_seed(3, Purpose.CONTENTS, *place) == derived_seed(3, Purpose.CONTENTS, *place)


def test_the_example_is_true() -> None:
    assert doctest.testmod(streams) == (0, 2)


def test_no_two_names_share_a_stream() -> None:
    """Over all purposes, places that look alike, and seeds, among them such as numpy pads or cuts into words."""
    seeds = (0, 1, 7, 2**32, 7 * 2**32, 2**200)
    names = list(itertools.product(seeds, Purpose, PLACES))
    numpy = {tuple(generator(seed, purpose, *place).integers(2**63, size=2)) for seed, purpose, place in names}
    assert len(numpy) == len(names)
    some = list(itertools.product((0, 7), Purpose, PLACES))
    theirs = {
        tuple(torch.rand(3, generator=torch_generator(seed, purpose, *place)).tolist()) for seed, purpose, place in some
    }
    assert len(theirs) == len(some)
    numbers = Counter(derived_seed(seed, purpose, *place) for seed, purpose, place in some)
    assert len(numbers) == len(some)
    assert max(numbers) < 2**32


def test_numpy_by_itself_would_not_tell_these_apart() -> None:
    assert np.random.default_rng([0, 7]).random() == np.random.default_rng([0, 7, 0]).random()
    assert generator(0, Purpose.CONTENTS, 7).random() != generator(0, Purpose.CONTENTS, 7, 0).random()


def test_streams_are_unrelated() -> None:
    """Uniform numbers of neighbours: no correlation beyond chance, 5 sigma of 1 / sqrt(n)."""
    streams = [
        generator(seed, purpose, step).random(4000)
        for seed in (0, 1)
        for purpose in (Purpose.CONTENTS, Purpose.SETTINGS)
        for step in range(4)
    ]
    table = np.corrcoef(streams)
    assert np.abs(table[~np.eye(len(table), dtype=bool)]).max() < 5 / 4000**0.5


def test_streams_are_the_same_on_every_machine_and_with_every_release() -> None:
    """Cases, batches and songs follow from these: who changes them changes what figures were measured on."""
    assert derived_seed(0, Purpose.CONTENTS, "training", 7) == 2_738_497_867
    assert int(generator(0, Purpose.CONTENTS, "training", 7).integers(2**32)) == 4_026_179_368


def test_integers_of_any_kind_are_the_same_place_and_others_are_none() -> None:
    assert generator(0, Purpose.CONTENTS, np.int64(7)).random() == generator(0, Purpose.CONTENTS, 7).random()
    with pytest.raises(TypeError):
        generator(0, Purpose.CONTENTS, 0.5)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="seed = -1 is negative"):
        generator(-1, Purpose.CONTENTS)


def test_torchs_own_generator_is_lent_and_given_back() -> None:
    before = torch.get_rng_state()
    drawn = []
    for place in (0, 0, 1):
        with torch_seeded(5, Purpose.TRAINING_STEP, place):
            drawn.append(float(torch.rand(())))
    assert drawn[0] == drawn[1] != drawn[2]
    with pytest.raises(ValueError, match="within"), torch_seeded(5, Purpose.TRAINING_STEP):
        raise ValueError("within")
    assert torch.equal(torch.get_rng_state(), before)


def test_purposes_have_names_of_their_own() -> None:
    """A stream follows from the name: neither two of one name, nor one that differs in a space or a capital only."""
    values = [purpose.value for purpose in Purpose]
    assert len({value.casefold().replace(" ", "") for value in values}) == len(Purpose.__members__) == len(values)


def test_nobody_else_seeds_a_generator() -> None:
    """But for probes that say how things sound or are measured, each with its reason."""
    folders = ("stito", "effects", "encoders", "recipes", "benchmarks")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in files if SEEDED.search(path.read_text(encoding="utf-8"))}
    assert found - {"stito/streams.py"} == set(FIXED)
