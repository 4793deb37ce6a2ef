"""Transfer: the matchings, the balance, the amount, interruption, and that the same seed gives the same settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import CHAIN, RATE, as_mix, solved, song
from stito.audio import AudioFormat, resample
from stito.console.preset import Preset, StripPreset
from stito.console.strips import gain, loudness, render_preset
from stito.dsp.loudness import true_peak_db
from stito.effects.chain_files import load_chain
from stito.engine.pairs import ExcerptCutter, Pair, Target
from stito.engine.render import render_part, settle
from stito.engine.result import Progress
from stito.errors import AudioError, ChainError, PluginError, SettingsError, UnknownNameError
from stito.mix import Mix
from stito.search.base import Budget, StopReason
from stito.workflows.sources import separated
from stito.workflows.transfer import transfer

BUDGET = Budget(evaluations=48)
QUICK = {"chain": CHAIN, "excerpt_seconds": 1.5, "excerpt_count": 1}


def one(name: str, stem: str, *, styled: bool = False) -> Mix:
    """One stem of a demo song as a stem."""
    stems = song(name, styled=styled, stems=(stem,))
    return Mix(stems.stems, RATE, stems.format, name, (), "stem", stems.formats)


@pytest.mark.parametrize("method", ["cma", "gradient", "random", "nevergrad:TwoPointsDE", "match"])
def test_every_method_comes_nearer_and_says_how(method: str) -> None:
    steps: list[Progress] = []
    mix, reference = one("night", "drums"), one("night", "drums", styled=True)
    result = transfer(mix, reference, method=method, budget=BUDGET, on_step=steps.append, **QUICK)
    match = result.solutions["drums"]
    assert match.loss_after < match.loss_before
    assert match.evaluations <= 48
    assert result.preset.provenance is not None
    assert result.preset.provenance.method == method
    if method != "match":
        assert any(step.phase == "search" for step in steps)
        assert match.history[-1].loss <= match.objective_start + 1e-6
    assert [step.phase for step in steps if step.phase in ("search", "render")][-1] == "render"


def test_between_songs_a_search_is_drawn_to_where_it_starts_from() -> None:
    mix, reference = one("night", "drums"), one("street", "drums", styled=True)
    match = solved(mix, reference, init="match", budget=Budget(evaluations=1), **QUICK).solutions["drums"]
    assert match.objective_start == pytest.approx(match.loss_after)  # the prior takes nothing there
    assert match.objective_before is None  # how far the untouched input is from the guess says nothing of its style


def test_of_a_search_the_distances_are_known_without_the_prior() -> None:
    mix, reference = one("night", "drums"), one("street", "drums", styled=True)
    match = solved(mix, reference, init="neutral", budget=BUDGET, **QUICK).solutions["drums"]
    assert len(match.distances) == len(match.history)
    assert match.distances[-1] == pytest.approx(match.loss_after, abs=1e-4)
    assert match.distances[-1] < match.history[-1].loss


def test_same_seed_same_result_byte_for_byte() -> None:
    mix, reference = one("night", "drums"), one("street", "drums", styled=True)
    first, again, other = (transfer(mix, reference, budget=BUDGET, seed=seed, **QUICK) for seed in (3, 3, 4))
    assert first.preset.stems == again.preset.stems
    assert torch.equal(first.rendered.mix, again.rendered.mix)
    tried = [[step.generation_loss for step in found.solutions["drums"].history] for found in (first, other)]
    assert tried[0] != tried[1]


def recorded(mix: Mix) -> Mix:
    """The same with the noise of a recording: in bands of nothing, rounding would be measured."""
    generator = torch.Generator().manual_seed(0)
    noisy = {name: x + 1e-4 * torch.randn(x.shape, generator=generator) for name, x in mix.stems.items()}
    return replace(mix, stems=noisy)


def test_stems_are_matched_by_name_and_balanced_like_the_reference() -> None:
    mix, reference = recorded(song("night")), recorded(song("street", styled=True))
    result = transfer(mix, reference, method="match", **QUICK)
    assert set(result.solutions) == {"drums", "bass", "other", "vocals"}
    total = loudness(reference.sum(), RATE)
    lifted = result.rendered.output_gain_db
    for name in mix.stems:
        want = loudness(reference.stems[name], RATE)
        assert loudness(result.rendered.stems[name], RATE) - lifted == pytest.approx(want, abs=0.3), name
    assert loudness(result.rendered.mix, RATE) - lifted == pytest.approx(total, abs=1.5)
    assert float(true_peak_db(result.rendered.mix[None], RATE)[0]) <= -0.99


def test_a_stem_that_the_reference_lacks_is_kept_and_mentioned() -> None:
    mix, reference = recorded(song("night")), recorded(song("street", styled=True, stems=("drums", "bass")))
    steps: list[Progress] = []
    result = transfer(mix, reference, method="match", on_step=steps.append, **QUICK)
    assert [(step.index, step.count) for step in steps if step.phase == "render"] == [(i, 4) for i in range(4)]
    assert set(result.rendered.stems) == set(mix.stems)
    assert any(note.startswith("vocals: the reference has no such stem") for note in result.notes)
    ratio = result.rendered.stems["vocals"] / mix.stems["vocals"].clamp_min(1e-9)
    loud = mix.stems["vocals"] > 0.01
    assert float(ratio[loud].std()) < 1e-3, "only its level changed"


def test_stems_to_a_mix_are_searched_jointly() -> None:
    mix, reference = (
        song("night", stems=("drums", "bass")),
        as_mix(song("street", styled=True, stems=("drums", "bass"))),
    )
    result = transfer(mix, reference, method="gradient", budget=Budget(evaluations=64), **QUICK)
    assert list(result.solutions) == ["sum"]
    assert set(result.preset.stems) == {"drums", "bass"}
    match = result.solutions["sum"]
    assert match.loss_after < match.loss_before
    assert any("jointly" in note for note in result.notes)


def test_a_joint_search_is_drawn_to_the_guess_for_the_sum() -> None:
    mix, reference = song("night", stems=("drums", "bass")), as_mix(song("street", styled=True))
    options = {"init": "match", "budget": BUDGET, "prior_weight": 1e4, **QUICK}
    searched = solved(mix, reference, **options).solutions["sum"]
    guessed = solved(mix, reference, method="match", **QUICK).solutions["sum"]
    assert searched.start == "match"
    for stem, (chain, settings) in searched.strips.items():
        assert torch.allclose(chain.encode(settings), chain.encode(guessed.strips[stem][1]), atol=1e-3)


def test_a_mix_to_stems_is_a_mix_to_their_sum() -> None:
    mix, stems = as_mix(song("night")), song("street", styled=True)
    to_stems = transfer(mix, stems, method="match", **QUICK)
    to_sum = transfer(mix, as_mix(stems), method="match", **QUICK)
    assert to_stems.preset.stems == to_sum.preset.stems
    assert list(to_stems.rendered.stems) == ["mix"]


def test_whole_mixes_get_the_mastering_chain() -> None:
    found = solved(as_mix(song("night")), as_mix(song("street")), method="match", excerpt_seconds=1.0)
    assert found.solutions["mix"].strips["mix"][0].name == "mastering"


def test_the_same_performance_is_heard_at_the_same_places() -> None:
    found = solved(one("night", "drums"), one("night", "drums", styled=True), method="match", **QUICK)
    assert found.solutions["drums"].same_performance
    other = solved(one("night", "drums"), one("street", "drums"), method="match", **QUICK)
    assert not other.solutions["drums"].same_performance


def test_the_same_performance_at_another_rate_and_a_little_shorter_is_heard_at_the_same_places() -> None:
    mix, styled = one("night", "drums"), one("night", "drums", styled=True)
    x = resample(styled.stems["drums"], RATE, 48_000)[:, :-400]
    faster = Mix({"drums": x}, 48_000, AudioFormat(48_000, 2, "PCM_16"), "night", (), "stem", {})
    pair = Pair("drums", mix.stems, RATE, [Target(x, 48_000)])
    heard = ExcerptCutter(RATE, 1.5, 2, "cpu").cut(pair)
    assert heard.same_performance
    assert [part.shape for part in heard.inputs] == [part.shape for part in heard.references]
    assert solved(mix, faster, method="match", **QUICK).solutions["drums"].same_performance


def test_where_nothing_is_searched_a_start_changes_nothing() -> None:
    mix, reference = one("night", "drums"), one("street", "drums", styled=True)
    usual, asked = (solved(mix, reference, method="match", init=init, **QUICK) for init in ("auto", "predict"))
    assert usual.preset.stems == asked.preset.stems
    with pytest.raises(UnknownNameError):
        solved(mix, reference, method="match", init="nowhere", **QUICK)


def test_a_start_that_several_stems_do_not_have_is_said() -> None:
    mix = song("night", stems=("drums", "bass"))
    options = {"chain": "mixing", "budget": Budget(evaluations=8), "excerpt_seconds": 1.0, "excerpt_count": 1}
    found = solved(mix, as_mix(song("street")), init="predict", **options)
    assert any("no such start as predict" in note for note in found.notes)


def test_amount_zero_is_the_input_and_half_is_between() -> None:
    mix, reference = one("night", "drums"), one("street", "drums", styled=True)
    none, half, full = (transfer(mix, reference, method="match", amount=a, **QUICK) for a in (0.0, 0.5, 1.0))
    assert torch.allclose(none.rendered.mix, mix.sum(), atol=2e-4)
    gains = [r.preset.stems["drums"].build()[1]["eq"]["high_gain_db"] for r in (none, half, full)]
    assert gains[1] == pytest.approx((gains[0] + gains[2]) / 2, abs=1e-3)
    with pytest.raises(SettingsError, match="amount"):
        solved(mix, reference, method="match", amount=1.5)


@pytest.mark.parametrize("method", ["match", "neural"])
def test_a_part_of_a_preset_is_what_a_transfer_of_that_amount_gives(method: str) -> None:
    mix, reference = song("night", stems=("drums", "bass")), song("street", styled=True, stems=("drums", "bass"))
    none, part, whole = (transfer(mix, reference, method=method, amount=a, **QUICK) for a in (0.0, 0.4, 1.0))
    for amount, result in ((0.0, none), (0.4, part), (1.0, whole)):
        rendered = render_part(mix, whole.preset, amount)
        for name, stem in rendered.stems.items():
            there = result.rendered.stems[name] / gain(result.rendered.output_gain_db)
            assert torch.allclose(stem / gain(rendered.output_gain_db), there, atol=5e-3)


def test_a_part_of_a_preset_with_a_master_leaves_other_stems_and_in_none_of_it_the_input() -> None:
    mix = song("night", stems=("drums", "bass"))
    loud = StripPreset.of(load_chain("eq"), load_chain("eq").neutral(), fader_db=6.0)
    preset = Preset(stems={"drums": loud}, master=loud)
    none, half = (render_part(mix, preset, amount) for amount in (0.0, 0.5))
    assert torch.allclose(none.mix, mix.sum() * gain(none.output_gain_db), atol=1e-4)
    assert torch.allclose(half.stems["bass"], mix.stems["bass"], atol=1e-5), "as it goes into the master"
    louder = loudness(half.stems["drums"], RATE) - loudness(mix.stems["drums"], RATE)
    assert louder == pytest.approx(3.0, abs=0.1)
    kept = render_part(mix, preset, "1 balance=0")
    assert torch.allclose(kept.stems["drums"], mix.stems["drums"], atol=1e-5), "the faders are the balance"
    with pytest.raises(SettingsError, match="amount"):
        render_part(mix, preset, 1.5)


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0])
def test_of_stems_to_a_mix_the_amount_is_of_the_way_between_their_sum_and_it(amount: float) -> None:
    mix, styled = song("night"), as_mix(song("street", styled=True))
    reference = replace(styled, stems={name: 0.5 * x for name, x in styled.stems.items()})
    rendered = transfer(mix, reference, method="match", amount=amount, **QUICK).rendered
    have, want = loudness(mix.sum(), RATE), loudness(reference.sum(), RATE)
    reached = loudness(rendered.mix, RATE) - rendered.output_gain_db
    assert reached == pytest.approx(have + amount * (want - have), abs=0.1)


def test_a_silent_stem_of_the_reference_says_nothing_of_level() -> None:
    mix, reference = song("night"), song("street", styled=True)
    lacking = replace(reference, stems={**reference.stems, "vocals": torch.zeros_like(reference.stems["vocals"])})
    rendered = transfer(mix, lacking, method="match", amount=0.5, **QUICK).rendered
    moved = {name: loudness(x, RATE) - loudness(mix.stems[name], RATE) for name, x in rendered.stems.items()}
    assert moved["vocals"] == pytest.approx(sum(moved[n] for n in ("drums", "bass", "other")) / 3, abs=0.3)


def test_a_preset_renders_the_same_audio_again() -> None:
    mix = song("night")
    result = transfer(mix, song("street", styled=True), budget=Budget(evaluations=16), **QUICK)
    again = render_preset(mix, Preset.model_validate_json(result.preset.to_json()))
    assert float((again.mix - result.rendered.mix).abs().max()) < 10 ** (-90 / 20)
    for name, stem in result.rendered.stems.items():
        assert float((again.stems[name] - stem).abs().max()) < 10 ** (-90 / 20)


def test_ctrl_c_applies_the_best_so_far_and_leaves_the_rest_at_its_start() -> None:
    mix, reference = song("night"), song("street", styled=True)
    seen = []

    def interrupt(progress: Progress) -> None:
        seen.append(progress.name)
        if progress.phase == "search" and progress.index == 1:
            raise KeyboardInterrupt

    found = solved(mix, reference, budget=BUDGET, on_step=interrupt, **QUICK)
    names = list(found.solutions)
    assert found.interrupted
    assert found.solutions[names[1]].stop == StopReason.INTERRUPTED.value
    assert found.solutions[names[3]].evaluations == 0
    assert set(found.preset.stems) == set(mix.stems)
    assert any("interrupted" in note for note in found.notes)
    settle(mix, found.preset)


def test_ctrl_c_twice_gives_up() -> None:
    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    class Stubborn:
        name, sample_rate, dim = "stubborn", RATE, 2

        def embed(self, x: torch.Tensor) -> torch.Tensor:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solved(one("night", "drums"), one("street", "drums"), encoder=Stubborn(), on_step=interrupt, **QUICK)


def test_seconds_are_shared_by_the_stems() -> None:
    budgets = []

    def note(progress: Progress) -> None:
        if progress.budget is not None:
            budgets.append(progress.budget.seconds)

    solved(song("night"), song("street"), budget=Budget(seconds=2.0), on_step=note, **QUICK)
    assert budgets[0] is not None
    assert budgets[0] <= 0.5


def test_gradients_need_a_differentiable_chain() -> None:
    with pytest.raises(ChainError, match="pedalboard"):
        solved(one("night", "drums"), one("street", "drums"), method="gradient", chain="pedalboard")


def test_unknown_methods_fail_before_anything_long() -> None:
    with pytest.raises(UnknownNameError) as caught:
        solved(one("night", "drums"), one("street", "drums"), method="cmaa", **QUICK)
    assert "cma" in (caught.value.hint or "")


def test_no_common_stem_is_an_error_with_both_lists() -> None:
    with pytest.raises(AudioError, match="drums against bass"):
        solved(song("night", stems=("drums",)), song("street", stems=("bass",)), method="match", **QUICK)


def test_silence_cannot_be_transferred_from() -> None:
    silent = Mix({"drums": torch.zeros(2, RATE)}, RATE, AudioFormat(RATE, 2, "PCM_16"), "silent", (), "stem")
    with pytest.raises(AudioError, match="silent"):
        solved(silent, one("street", "drums"), method="match", **QUICK)


def test_a_third_partys_encoder_needs_no_base_class() -> None:
    class Levels:
        """Band energies, at another rate than the engine's."""

        name, sample_rate, dim = "levels", 22_050, 4

        def embed(self, x: torch.Tensor) -> torch.Tensor:
            spectrum = torch.fft.rfft(x).abs().mean(1)
            return torch.stack([band.mean(-1) for band in spectrum.chunk(4, dim=-1)], dim=-1).log()

    result = transfer(one("night", "drums"), one("street", "drums"), encoder=Levels(), budget=BUDGET, **QUICK)
    match = result.solutions["drums"]
    assert match.loss_after <= match.loss_before


@pytest.mark.parametrize("rate", [22_050, 48_000, 96_000])
def test_rendering_happens_at_the_inputs_own_rate(rate: int) -> None:
    mix = song("night", stems=("drums",)).at(rate)
    result = transfer(mix, song("street", stems=("drums",)), method="match", **QUICK)
    assert result.rendered.sample_rate == rate
    assert result.rendered.mix.shape == mix.sum().shape


def test_mono_comes_back_in_stereo_where_the_reference_is_wide_and_mono_where_it_is_to_stay() -> None:
    stereo = song("night", stems=("drums",))
    mono = replace(stereo, stems={"drums": stereo.stems["drums"][:1].contiguous()})
    wide, narrow = song("street", stems=("drums",)), replace(mono, name="narrow")
    made = {
        (name, channels): transfer(mono, reference, method="match", channels=channels, **QUICK)
        for name, reference in (("wide", wide), ("narrow", narrow))
        for channels in ("auto", "keep")
    }
    counts = {case: result.rendered.mix.shape[0] for case, result in made.items()}
    assert counts == {("wide", "auto"): 2, ("wide", "keep"): 1, ("narrow", "auto"): 1, ("narrow", "keep"): 1}
    assert any("stereo" in note for note in made["wide", "auto"].notes)
    for result in made.values():
        assert np.isfinite(result.rendered.mix.numpy()).all()


def test_an_effect_file_chain_and_a_loaded_chain_are_the_same() -> None:
    mix, reference = one("night", "drums"), one("street", "drums")
    quick = {"excerpt_seconds": 1.5, "excerpt_count": 1, "method": "match"}
    by_name = solved(mix, reference, chain=CHAIN, **quick)
    by_object = solved(mix, reference, chain=load_chain(CHAIN), **quick)
    assert by_name.preset.stems == by_object.preset.stems


class Halves:
    """A separator for tests: mid is the vocals, side is other."""

    name, sample_rate = "halves", RATE

    def separate(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        mid = x.mean(0, keepdim=True).expand(2, -1)
        return {"vocals": mid, "other": x - mid}


def test_a_separator_makes_stems_of_mixes() -> None:
    mix, reference = as_mix(song("night")).at(48_000), as_mix(song("street", styled=True))
    result = transfer(mix, reference, separator=Halves(), method="match", **QUICK)
    assert set(result.solutions) == {"vocals", "other"}
    assert sum("separated into vocals, other by halves" in note for note in result.notes) == 2
    assert result.rendered.sample_rate == 48_000
    assert result.rendered.mix.shape == mix.sum().shape


def test_separated_stems_add_up_to_the_mix() -> None:
    mix = as_mix(song("night"))
    stems, untouched = separated(mix, song("street"), Halves())
    assert torch.allclose(stems.sum(), mix.sum(), atol=1e-6)
    assert untouched.name == "street"


def test_a_separator_that_loses_samples_is_refused() -> None:
    class Short(Halves):
        def separate(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"other": x[:, :-1]}

    with pytest.raises(PluginError, match="halves"):
        separated(as_mix(song("night")), song("street"), Short())


@pytest.mark.parametrize("method", ["cma", "match", "random"])
def test_a_chain_without_a_free_knob_is_rendered_as_it_is(method: str, tmp_path: Path) -> None:
    (tmp_path / "loud.toml").write_text('[[effects]]\neffect = "gain"\nfreeze = { gain_db = 3.0 }\n')
    mix, reference = one("night", "drums"), one("street", "drums")
    options = {"chain": tmp_path / "loud.toml", "method": method, "excerpt_seconds": 1.0, "excerpt_count": 1}
    found = solved(mix, reference, **options).solutions["drums"]
    assert found.strips["drums"][1] == {"gain": {"gain_db": 3.0}}
    assert found.evaluations == 0
    assert np.isfinite(found.loss_after)
    if method != "match":
        assert "frozen" in found.stop
