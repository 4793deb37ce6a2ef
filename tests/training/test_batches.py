"""Batches: who shares what with whom, and that they follow from their seeds alone, each part from its own stream."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stito.data.fxmanipulator.impulses import Impulses
from stito.data.fxmanipulator.manipulator import EFFECTS, Manipulator
from stito.errors import TrainingError
from stito.training.batches import Batches, Layout, ahead
from training.toys import Noise, Turner

LAYOUT = Layout(groups=4, configurations=3, contents=2, min_samples=300, max_samples=900)


class Three(Noise):
    """Constant audio whose value gives its stem: drums 1, vocals 100, bass 10,000."""

    stems = ("drums", "vocals", "bass")
    level = MappingProxyType({"drums": 1.0, "vocals": 100.0, "bass": 10_000.0})

    def draw(self, stem: str, count: int, samples: int, generator: np.random.Generator) -> Tensor:
        return torch.full((count, 2, samples), self.level[stem])


class Nothing(Turner):
    """Manipulations that do nothing, and remember what they were asked."""

    def render(self, x: Tensor, manipulation: object) -> Tensor:
        return x.clone()


def batches(layout: Layout = LAYOUT, **options: int) -> Batches:
    return Batches(Noise(), Turner(), layout, **options)  # type: ignore[arg-type]


def test_a_batch_follows_from_its_seeds() -> None:
    one, two = batches(), batches()
    two.draw(5, 5)
    first, again, other = (b.render(b.draw(*seeds)) for b, seeds in ((one, (1, 2)), (two, (1, 2)), (one, (1, 3))))
    assert first.shape[:4] == (4, 3, 2, 2)
    assert torch.equal(first, again)
    assert first.shape != other.shape or not torch.equal(first, other)


def test_lengths_differ_between_batches_within_the_bounds() -> None:
    lengths = {batches().draw(0, step).audio.shape[-1] for step in range(12)}
    assert len(lengths) > 6
    assert min(lengths) >= 300
    assert max(lengths) <= 900


def test_two_processes_get_the_halves_of_what_one_gets() -> None:
    whole = batches()
    halves = [batches(rank=rank, processes=2) for rank in range(2)]
    both = torch.cat([half.render(half.draw(7, 1)) for half in halves])
    assert torch.equal(both, whole.render(whole.draw(7, 1)))


def test_how_much_contents_draw_changes_nothing_else() -> None:
    """Songs that take more numbers leave effects, stems, lengths and levels as they are, and those of other stems."""

    class Greedy(Noise):
        def draw(self, stem: str, count: int, samples: int, generator: np.random.Generator) -> Tensor:
            generator.random(1000 if stem == "drums" else 0)
            return super().draw(stem, count, samples, generator)

    layout = replace(LAYOUT, single_stem=0.0, level_jitter_db=3.0)
    usual, greedy = (Batches(source, Turner(), layout).draw(7, 1) for source in (Noise(), Greedy()))  # type: ignore[arg-type]
    assert usual.manipulation.stems == greedy.manipulation.stems
    for name in ("gain", "pan"):
        assert torch.equal(getattr(usual.manipulation, name), getattr(greedy.manipulation, name))
    for name in ("gain", "content", "setting", "row", "clip"):
        assert torch.equal(getattr(usual, name), getattr(greedy, name))
    stem_of = dict(zip(usual.content.tolist(), [usual.manipulation.stems[i] for i in usual.setting], strict=True))
    for content, stem in stem_of.items():
        assert torch.equal(usual.audio[content], greedy.audio[content]) == (stem == "vocals")


def test_no_two_parts_of_a_batch_and_no_two_batches_come_from_one_stream() -> None:
    """numpy pads seeds with zeros: of seed, step and ensemble side by side, ensemble 0 would share with the effects."""
    begun: list[tuple[int, ...]] = []

    class ByLevel(Noise):
        def draw(self, stem: str, count: int, samples: int, generator: np.random.Generator) -> Tensor:
            begun.append(tuple(generator.bit_generator.seed_seq.generate_state(4)))  # type: ignore[attr-defined]
            return super().draw(stem, count, samples, generator)

    class Drawer(Turner):
        def sample(self, stems: Sequence[str], generator: np.random.Generator, **options: Any) -> Any:
            begun.append(tuple(generator.bit_generator.seed_seq.generate_state(4)))  # type: ignore[attr-defined]
            return super().sample(stems, generator, **options)

    source = Batches(ByLevel(), Drawer(), replace(LAYOUT, single_stem=0.0))  # type: ignore[arg-type]
    for place in ((0, 0), (0, 1), (1, 0), (0, 0, 0), (0, "0")):
        source.draw(*place)  # type: ignore[arg-type]
    assert len(begun) == 5 * (1 + 4 * 2)
    assert len(set(begun)) == len(begun)


def test_groups_must_share_evenly() -> None:
    with pytest.raises(TrainingError, match="4 groups cannot be shared by 3"):
        batches(rank=0, processes=3)


def test_a_configuration_is_the_same_for_all_contents_of_a_group_and_differs_from_the_others() -> None:
    """The toy effects only scale both sides: of one stem, the gains can be read off against the other contents."""
    source = batches(Layout(2, 3, 2, 400, 400, single_stem=1.0))
    source.manipulator.probabilities.update(gain=1.0, panner=1.0)
    clips = source.render(source.draw(3))
    level = clips.square().mean(-1).sqrt().log()  # (groups, configurations, contents, side)
    between = level[:, :, 0] - level[:, :1, 0]
    assert torch.allclose(between, level[:, :, 1] - level[:, :1, 1], atol=1e-4)
    assert between[:, 1:].abs().min() > 1e-3


def test_all_clips_of_a_group_have_the_same_kinds_of_stems() -> None:
    source = Batches(Three(), Nothing(), Layout(64, 2, 2, 10, 10))  # type: ignore[arg-type]
    clips = source.render(source.draw(0))
    assert (clips.amax(dim=(1, 2, 3, 4)) == clips.amin(dim=(1, 2, 3, 4))).all()
    sums = clips[:, 0, 0, 0, 0].tolist()
    assert set(sums) <= {1.0, 100.0, 10_000.0, 101.0, 10_001.0, 10_100.0, 10_101.0}
    assert 0.3 < np.mean([value in (1.0, 100.0, 10_000.0) for value in sums]) < 0.7
    assert 10_101.0 in sums


@pytest.mark.parametrize(("single", "stems"), [(1.0, {1}), (0.0, {2, 3})])
def test_the_share_of_single_stems_is_kept(single: float, stems: set[int]) -> None:
    source = Batches(Three(), Nothing(), Layout(32, 2, 2, 10, 10, single_stem=single))  # type: ignore[arg-type]
    sums = source.render(source.draw(0))[:, 0, 0, 0, 0].long()
    assert {sum(int(digit) for digit in str(value)) for value in sums.tolist()} == stems


def test_kinds_can_be_fixed_and_effects_singled_out() -> None:
    drawn = batches().draw(0, kinds=[("vocals",)], only="gain")
    assert set(drawn.manipulation.stems) == {"vocals"}
    assert drawn.manipulation.pan.abs().max() == 0  # type: ignore[attr-defined]
    assert drawn.manipulation.gain.abs().min() > 0  # type: ignore[attr-defined]


def test_views_are_different_choices_of_the_stems_of_one_ensemble_each_rendered_once() -> None:
    """Levels show which stems a clip has; a stem has one configuration in all views."""

    class Counted(Turner):
        rows = 0

        def render(self, x: Tensor, manipulation: Any) -> Tensor:
            self.rows += len(x)
            return super().render(x, manipulation)

    turner = Counted({"gain": 1.0, "panner": 1.0})
    source = Batches(Three(), turner, Layout(14, 3, 2, 10, 10, views=7))  # type: ignore[arg-type]
    clips = source.render(source.draw(0))[..., 0].double()  # (groups, configurations, contents, side)
    assert turner.rows == 2 * 3 * 3 * 2  # ensembles x stems x configurations x contents
    for views in clips.unflatten(0, (2, 7)):
        ordered = views[views[:, 0, 0].sum(-1).argsort()]
        singles = {stem: ordered[place] for stem, place in (("drums", 0), ("vocals", 1), ("bass", 3))}
        sums = [ordered[2], ordered[4], ordered[5], ordered[6]]
        expected = [("drums", "vocals"), ("drums", "bass"), ("vocals", "bass"), ("drums", "vocals", "bass")]
        for clip, stems in zip(sums, expected, strict=True):
            assert torch.allclose(clip, sum(singles[stem] for stem in stems))  # type: ignore[arg-type]


def test_views_without_processes_to_share_them() -> None:
    with pytest.raises(TrainingError, match="4 groups cannot be shared by 1 processes in 3 views each"):
        batches(replace(LAYOUT, views=3))


def test_two_processes_hear_half_of_the_ensembles_each() -> None:
    layout = Layout(8, 3, 2, 300, 900, views=2, one_effect=0.5)
    source = partial(Batches, Noise(), Manipulator(Impulses.synthetic(count=2)), layout)
    whole, *halves = source(), source(rank=0, processes=2), source(rank=1, processes=2)
    both = torch.cat([half.render(half.draw(7, 1)) for half in halves])
    assert torch.allclose(both, whole.render(whole.draw(7, 1)), atol=1e-6)


def test_configurations_can_differ_in_one_effect_only() -> None:
    manipulator = Manipulator(Impulses.synthetic(count=2))
    source = Batches(Noise(), manipulator, Layout(40, 3, 2, 10, 10, single_stem=1.0, one_effect=1.0))  # type: ignore[arg-type]
    drawn = source.draw(0)
    alone, effects = 0, set()
    for group in range(40):
        rows = drawn.manipulation.rows(range(3 * group, 3 * group + 3))
        settings = rows.settings
        differ = {
            effect
            for effect in EFFECTS
            if any(len(value.unique()) > 1 for value in settings[effect].values()) and rows.active[effect].all()
        }
        used = {effect for effect in EFFECTS if rows.active[effect].any()}
        if len(used) == 1:
            alone += 1
            assert differ <= used  # of two rooms three may well be the same
        else:
            assert len(differ) <= 1
            assert all(rows.active[effect].unique().numel() == 1 for effect in EFFECTS)
        effects |= differ
    assert effects == set(EFFECTS)
    assert 10 < alone < 30


def test_configurations_can_differ_little_in_all_knobs() -> None:
    manipulator = Manipulator(Impulses.synthetic(count=8))
    layout = Layout(20, 3, 2, 10, 10, single_stem=1.0)
    usual, near = (
        Batches(Noise(), manipulator, replace(layout, near=share)).draw(0).manipulation.vector()[0].view(20, 3, -1)  # type: ignore[arg-type]
        for share in (0.0, 1.0)
    )
    assert torch.allclose(near[:, 0], usual[:, 0], atol=1e-6)
    spread, usual_spread = near.std(1).mean(1), usual.std(1).mean(1)
    assert bool((spread > 0).all())
    assert bool((spread < 0.6 * usual_spread).all())


def test_the_level_of_a_content_is_jittered_but_not_between_its_stems_or_configurations() -> None:
    layout = Layout(16, 2, 2, 10, 10, single_stem=0.0, level_jitter_db=3.0)
    source = Batches(Three(), Nothing(), layout)  # type: ignore[arg-type]
    clips = source.render(source.draw(0))[..., 0, 0]
    assert torch.equal(clips[:, 0], clips[:, 1])
    ratio_db = 20 * torch.log10(clips[:, 0, 0] / clips[:, 0, 1])
    assert 1.0 < ratio_db.abs().max() <= 6.0


def test_rendering_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    source = batches()
    whole = source.render(source.draw(1))
    monkeypatch.setattr("stito.training.batches.ROW_SAMPLES", 3000)
    assert torch.allclose(source.render(source.draw(1)), whole, atol=1e-6)


def test_batches_come_in_order_and_ahead_of_time() -> None:
    made: list[int] = []
    later = threading.Event()

    def prepare(step: int) -> int:
        made.append(step)
        if step == 2:
            later.set()
        return step

    stream = ahead(prepare, range(6))
    assert next(stream) == 0
    assert later.wait(5)
    assert list(stream) == [1, 2, 3, 4, 5]
    assert sorted(made) == list(range(6))


def test_an_error_in_a_thread_comes_out() -> None:
    def prepare(step: int) -> int:
        raise TrainingError("no such song")

    with pytest.raises(TrainingError, match="no such song"):
        list(ahead(prepare, range(3)))


def test_nothing_to_train_on() -> None:
    class Empty(Noise):
        stems: Sequence[str] = ()  # type: ignore[assignment]

    with pytest.raises(TrainingError, match="nothing to train on"):
        Batches(Empty(), Turner(), LAYOUT)  # type: ignore[arg-type]
