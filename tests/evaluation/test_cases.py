"""Cases: what is rendered is what was asked for, from the same seed always the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from evaluation.toys import Noise
from stito.errors import AudioError, PluginError, SettingsError
from stito.evaluation.encoders.cases import MULTITRACK, Bench, Cases, Plan, draw_cases
from stito.evaluation.statistics import estimate


def test_a_clip_is_its_segment_under_its_configuration(bench: Bench) -> None:
    cases = bench.draw("drums", segments=3, configurations=4)
    audio = cases.render([2, 0, 2], [1, 3, 0])
    knob = cases.settings()[0][:, 0]
    for row, (segment, configuration) in enumerate([(2, 1), (0, 3), (2, 0)]):
        torch.testing.assert_close(audio[row], cases.segments["drums"][segment] * float(10 ** knob[configuration]))


def test_a_multitrack_is_the_sum_of_stems_with_settings_of_their_own(bench: Bench) -> None:
    cases = bench.draw(MULTITRACK, segments=2, configurations=3)
    settings, names = cases.settings()
    assert names == ("vocals.gain.gain_db", "drums.gain.gain_db")
    gains = [float(10**value) for value in settings[2]]
    expected = sum(gain * cases.segments[stem][1] for gain, stem in zip(gains, ("vocals", "drums"), strict=True))
    torch.testing.assert_close(cases.render([1], [2])[0], expected)
    assert abs(settings[0, 0] - settings[0, 1]) > 1e-6


def test_the_same_seed_and_place_draw_the_same(bench: Bench) -> None:
    elsewhere = replace(bench, plan=replace(bench.plan, seed=2))
    first, second, *others = (
        which.draw("vocals", *place, segments=2, configurations=2).render([0, 1], [0, 1])
        for which, place in ((bench, (7,)), (bench, (7,)), (elsewhere, (7,)), (bench, (7, 0)), (bench, ("7",)))
    )
    assert torch.equal(first, second)
    assert not any(torch.equal(first, other) for other in others)


def test_segments_that_are_drawn_again_leave_the_configurations_as_they_are(bench: Bench) -> None:
    class Pausing(Noise):
        """Noise that pauses until it has been asked often enough."""

        def __init__(self, pauses: int) -> None:
            self.pauses = pauses

        def draw(self, stem: str, count: int, samples: int, generator: np.random.Generator) -> Tensor:
            self.pauses -= 1
            return super().draw(stem, count, samples, generator) * float(self.pauses < 0)

    once, again = (
        replace(bench, material=Pausing(pauses)).draw(MULTITRACK, segments=2, configurations=3) for pauses in (0, 2)
    )
    assert not torch.equal(once.segments["vocals"], again.segments["vocals"])
    assert torch.equal(once.segments["drums"], again.segments["drums"])
    assert np.array_equal(once.settings()[0], again.settings()[0])


def test_one_kind_of_stem_makes_no_multitrack(bench: Bench) -> None:
    assert bench.subjects == ("multitrack", "vocals", "drums")
    bench.material.stems = ("bass",)
    assert bench.subjects == ("bass",)


def test_embeddings_do_not_depend_on_the_batches(bench: Bench) -> None:
    cases = bench.draw("vocals", segments=20, configurations=1)
    together = bench.embed(cases, range(20), [0] * 20)["both"]
    alone = torch.cat([bench.embed(cases, [segment], [0])["both"] for segment in range(20)])
    torch.testing.assert_close(together, alone)


def test_an_embedding_that_is_not_finite_names_its_encoder(bench: Bench) -> None:
    class Broken:
        name, sample_rate, dim = "broken", 44_100, 1

        def embed(self, x: Tensor) -> Tensor:
            return torch.full((len(x), 1), torch.nan)

    cases = bench.draw("vocals", segments=1, configurations=1)
    with pytest.raises(PluginError, match="broken"):
        Bench({"mine": Broken()}, bench.material, bench.manipulator).embed(cases, [0], [0])


def test_silent_segments_are_drawn_again_until_there_is_no_point(bench: Bench) -> None:
    class Pausing:
        stems = ("vocals",)

        def __init__(self, sounds: float) -> None:
            self.sounds = sounds

        def draw(self, stem: str, count: int, samples: int, generator: np.random.Generator) -> Tensor:
            playing = torch.from_numpy(generator.random(count) < self.sounds)
            return 0.1 * playing[:, None, None] * torch.ones(count, 2, samples)

    def drawn(material: Pausing) -> Cases:
        size = {"segments": 9, "configurations": 1}
        return draw_cases(material, bench.manipulator, "vocals", seed=0, place=(), seconds=0.1, **size)  # type: ignore[arg-type]

    cases = drawn(Pausing(0.7))
    assert bool((cases.segments["vocals"].abs().amax((1, 2)) > 0).all())
    with pytest.raises(AudioError, match="vocals are silent"):
        drawn(Pausing(0))


@pytest.mark.parametrize("wrong", [{"segments": 1}, {"configurations": 1}, {"seeds": 0}, {"seconds": 0.1}])
def test_too_little_to_measure_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(SettingsError) as caught:
        Plan(**wrong)  # type: ignore[arg-type]
    assert caught.value.hint


def test_intervals_are_students() -> None:
    """Mean 2 and standard deviation 1 of three: t(.975, 2) = 4.3027, over the root of three."""
    found = estimate([1.0, 2.0, 3.0])
    assert (found.mean, found.draws) == (2.0, 3)
    assert found.margin == pytest.approx(4.302653 / 3**0.5, rel=1e-5)
    alone = estimate([1.0])
    assert np.isnan(alone.margin)
    assert alone.as_json()["low"] is None


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = [abs(found.mean) < found.margin for found in (estimate(rng.standard_normal(4)) for _ in range(400))]
    assert 0.91 < np.mean(hits) < 0.99
