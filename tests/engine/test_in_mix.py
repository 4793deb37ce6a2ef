"""Encoders of whole mixes compare a stem among the others of its mix; what they cannot know is compared alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from conftest import CHAIN, RATE, as_mix, solved, song
from stito.console.strips import gain
from stito.effects.aspects import Amount
from stito.effects.chain_files import load_chain
from stito.engine.methods.search import SAME_SOUND
from stito.engine.options import TransferOptions
from stito.engine.routing import route
from stito.engine.solution import Solution
from stito.engine.solve import Task, prepare
from stito.engine.surroundings import pairs_in_mixes, with_what_became
from stito.mix import Mix
from stito.models.blend import Blend
from stito.models.combination import CombinedEncoder
from stito.models.encoder import embed_blend
from stito.models.in_mix import embed_in_mix, embed_reference_in_mix, mix_stems
from stito.models.stem_batch import MixEmbedding, StemBatch
from stito.search.base import Budget
from stito.search.objective import weighted_energy

QUICK = {"chain": CHAIN, "excerpt_seconds": 1.5, "excerpt_count": 2}


class Share:
    """Embeds the level of a stem in dB, and how far it is below its mix."""

    name, sample_rate, dim, same_style_distance = "share", RATE, 2, 1.0
    distance = "euclidean"
    stems = ("drums", "bass", "other")

    def embed(self, x: Tensor) -> Tensor:
        return self._rows(StemBatch.of_stem(x))

    def embed_mix(self, stems: Mapping[str, Tensor]) -> MixEmbedding:
        batch = StemBatch.of_mix(stems, self.stems)
        return MixEmbedding.gathered(self._rows(batch), batch, len(self.stems))

    def _rows(self, batch: StemBatch) -> Tensor:
        energy = batch.audio.square().mean((1, 2))[batch.row] + 1e-9
        whole = torch.zeros(batch.mixes).index_add(0, batch.mix, energy)
        return 10 * torch.stack([energy.log10(), (energy / whole[batch.mix]).log10()], dim=-1)


class Level:
    """Embeds the level of a sound in dB."""

    name, sample_rate, dim, same_style_distance = "level", RATE, 1, 1.0
    distance = "euclidean"

    def embed(self, x: Tensor) -> Tensor:
        return 10 * (x.square().mean((1, 2)) + 1e-9).log10()[:, None]


def noise(seed: int, rows: int = 1) -> Tensor:
    return 0.1 * torch.randn(rows, 2, RATE // 4, generator=torch.Generator().manual_seed(seed))


def stems(name: str, *names: str, styled: bool = False) -> Mix:
    return song(name, styled=styled, stems=names or ("drums", "bass"))


def posed(mix: Mix, reference: Mix, **options: Any) -> Task:
    return prepare(mix, reference, TransferOptions(**{"encoder": Share(), **QUICK, **options}))


def test_a_stem_has_its_own_part_of_the_embedding_of_the_mix() -> None:
    encoder, x, others = Share(), noise(0, 3), {"bass": noise(1), "other": 2 * noise(2)}
    expected = encoder.embed_mix({"drums": x, **others}).stems[:, 0]
    torch.testing.assert_close(embed_in_mix(encoder, x, "drums", others), expected)
    assert float(expected[:, 1].max()) < -5
    assert torch.equal(embed_in_mix(encoder, x, "drums", {}), encoder.embed(x))
    assert torch.equal(embed_in_mix(Level(), x, "drums", others), Level().embed(x))


def test_each_part_of_a_combination_does_what_it_can() -> None:
    encoder, x, others = CombinedEncoder([Level(), Share()], [1, 1], "level+share"), noise(0, 2), {"bass": noise(1)}
    found = embed_in_mix(encoder, x, "drums", others)
    torch.testing.assert_close(found[:, :1], Level().embed(x))
    torch.testing.assert_close(found[:, 1:], embed_in_mix(Share(), x, "drums", others))
    assert mix_stems(encoder) == Share.stems
    assert mix_stems(Level()) == ()


def test_silence_among_silence_is_embedded_as_nothing() -> None:
    found = embed_in_mix(Share(), torch.zeros(2, 2, RATE), "drums", {"bass": torch.zeros(1, 2, RATE)})
    assert torch.equal(found, torch.zeros(2, 2))


def test_each_song_of_a_blend_is_seen_in_its_own_mix() -> None:
    first, second = noise(0)[0], noise(1)[0]
    blend = Blend([([first], 0.25), ([second], 0.75)])
    others = [{"bass": [noise(2)[0]]}, {}]
    found = embed_reference_in_mix(Share(), blend, "drums", others)
    parts = [embed_in_mix(Share(), x[None], "drums", o) for x, o in ((first, {"bass": noise(2)}), (second, {}))]
    torch.testing.assert_close(found, 0.25 * parts[0] + 0.75 * parts[1])
    torch.testing.assert_close(embed_reference_in_mix(Share(), blend, "drums", [{}, {}]), embed_blend(Share(), blend))


def test_stems_are_compared_in_their_mixes_at_the_level_that_they_get() -> None:
    mix, reference = stems("night"), stems("street", styled=True)
    task = posed(mix, reference)
    drums = next(pair for pair in task.pairs if pair.name == "drums")
    target = route(mix, reference).pairs["bass"].loudness()
    factor = gain(target - mix.levels("bass").balance_lufs)
    assert drums.others["bass"].gain == pytest.approx(factor)
    (excerpt, *_), (bass, *_) = drums.candidates["drums"], drums.others["bass"].excerpts
    assert bass.shape == excerpt.shape
    wanted = Share().embed_mix({"drums": excerpt[None], "bass": factor * bass[None]}).stems[:, 0]
    found = embed_in_mix(Share(), excerpt[None], "drums", {"bass": drums.others["bass"].at_level()[0][None]})
    torch.testing.assert_close(found, wanted)
    (theirs,) = drums.target_others
    assert [x.shape for x in theirs["bass"]] == [x.shape for x in drums.references]
    assert any("parts of their mix" in note for note in task.notes)


def test_what_the_others_are_decides_how_far_a_stem_is() -> None:
    mix, reference = stems("night"), stems("street", styled=True)
    louder = replace(reference, stems={**reference.stems, "bass": 4 * reference.stems["bass"]})
    budget = {"budget": Budget(evaluations=4), "init": "neutral"}
    near, far = (
        solved(mix, each, encoder=Share(), keep="level", **QUICK, **budget).solutions["drums"]
        for each in (reference, louder)
    )
    assert near.loss_before != pytest.approx(far.loss_before, rel=0.05)
    alone = [
        solved(mix, each, encoder=Level(), keep="level", **QUICK, **budget).solutions["drums"].loss_before
        for each in (reference, louder)
    ]
    assert alone[0] == pytest.approx(alone[1])


def test_where_the_level_is_kept_the_others_keep_theirs() -> None:
    mix, reference = stems("night"), stems("street", styled=True)
    routes = route(mix, reference)
    pairs = pairs_in_mixes(routes, mix, Share(), Amount().without(["level", "balance"]))
    assert pairs["drums"].others["bass"][1] == pytest.approx(1.0)


def test_others_that_are_solved_are_as_they_have_become_at_the_same_level() -> None:
    task = posed(stems("night"), stems("street", styled=True))
    pair = next(pair for pair in task.pairs if pair.name == "drums")
    chain = load_chain(CHAIN)
    settings = chain.settings(chain.encode({"eq": {"high_gain_db": 9.0}, "gain": {"gain_db": 5.0}}))
    found = Solution("bass", 1.0, 0.5, 0.0, "", strips={"bass": (chain, settings)})
    after = with_what_became(pair, {"bass": found}, task.context).others["bass"]
    before = pair.others["bass"]
    expected = chain.render_one(before.excerpts[0], settings, RATE)
    torch.testing.assert_close(after.excerpts[0], expected)
    energies = [float(weighted_energy([x[None] for x in other.at_level()], RATE)) for other in (before, after)]
    assert energies[1] == pytest.approx(energies[0], rel=1e-3)


@pytest.mark.parametrize("method", ["cma", "gradient"])
def test_a_search_comes_closer_in_the_mix(method: str) -> None:
    mix, reference = stems("night"), stems("street", styled=True)
    found = solved(mix, reference, encoder=Share(), method=method, budget=Budget(evaluations=40), **QUICK)
    for name, solution in found.solutions.items():
        assert solution.loss_after < 0.7 * solution.loss_before, name


def test_a_stem_that_the_encoder_does_not_know_is_compared_alone() -> None:
    names = ("drums", "bass", "vocals")
    task = posed(stems("night", *names), stems("street", *names, styled=True))
    others = {pair.name: set(pair.others) for pair in task.pairs}
    assert others == {"drums": {"bass"}, "bass": {"drums"}, "vocals": set()}
    assert any(note.startswith("vocals: compared alone") for note in task.notes)


def test_one_stem_has_no_mix() -> None:
    task = posed(stems("night", "drums"), stems("street", "drums", styled=True))
    assert not task.pairs[0].others
    assert not any("parts of their mix" in note for note in task.notes)


def test_against_a_mix_whose_stems_are_not_known_the_sum_is_one_sound() -> None:
    mix, reference = stems("night"), as_mix(stems("street", styled=True))
    task = posed(mix, reference, master="none")
    (pair,) = task.pairs
    assert not pair.others
    assert any("--separator" in note for note in task.notes)
    distance = task.context.distance(pair, pair.summed)
    ours = torch.stack([Share().embed(x[None]) for x in pair.summed]).mean(0)
    theirs = torch.stack([Share().embed(x[None]) for x in pair.references]).mean(0)
    assert distance == pytest.approx(float((ours - theirs).square().mean().sqrt()), rel=1e-4)


def test_a_stem_that_is_the_same_in_both_is_not_searched() -> None:
    mix = stems("night")
    chain = load_chain(CHAIN)
    settings = chain.settings(chain.encode({"eq": {"high_gain_db": 12.0}}))
    damaged = replace(mix, stems={**mix.stems, "drums": chain.render_one(mix.stems["drums"], settings, RATE)})
    found = solved(damaged, mix, encoder="features", budget=Budget(evaluations=16), **QUICK).solutions
    assert (found["bass"].evaluations, found["bass"].stop) == (0, SAME_SOUND)
    assert found["drums"].evaluations == 16
