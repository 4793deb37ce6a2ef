"""What is said of a result is true of what is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from stito import Mix, transfer
from stito.console.strips import MOST_MOVED_DB, render_preset
from stito.dsp.loudness import true_peak_db
from stito.effects.chain_files import load_chain
from stito.engine.excerpts import same_performance
from stito.engine.options import TransferOptions
from stito.engine.solve import prepare
from stito.search import Budget

RATE = 44_100
QUICK = {"excerpt_seconds": 1.5, "excerpt_count": 1, "encoder": "features"}


def song(seed: int, seconds: float = 4.0, level: float = 0.3) -> Tensor:
    """Notes and noise bursts at places of their own, (2, t)."""
    rng = np.random.default_rng(seed)
    n = int(RATE * seconds)
    x = np.zeros((2, n))
    for at in rng.uniform(0, 0.9, 14) * n:
        hz, pan = 110 * 2 ** (rng.integers(0, 24) / 12), rng.uniform(0.2, 0.8)
        t = np.arange(min(n - int(at), RATE)) / RATE
        note = sum(np.sin(2 * np.pi * hz * h * t + rng.uniform(0, 6)) / h for h in range(1, 6)) * np.exp(-3 * t)
        x[:, int(at) : int(at) + len(t)] += note * np.array([[1 - pan], [pan]])
    x += 0.001 * rng.standard_normal((2, n))
    return torch.tensor(x * level / abs(x).max(), dtype=torch.float32)


def mix(x: Tensor, stem: str | None = None, name: str = "mine") -> Mix:
    return Mix.from_arrays(x, RATE, stem=stem, name=name)


def distance_of(written: Tensor, reference: Mix, stem: str | None) -> float:
    """What a further transfer says of a result that it gets as its input."""
    again = transfer(mix(written, stem), reference, method="match", **QUICK)
    return next(iter(again.solutions.values())).loss_before


@pytest.mark.parametrize("options", [{}, {"channels": "keep"}, {"amount": 0.5}, {"amount": 0.0}])
def test_the_distance_that_is_reported_is_that_of_the_result(options: dict[str, object]) -> None:
    source, reference = mix(song(11)[:1], "vocals"), mix(song(12, level=0.6), "vocals")
    result = transfer(source, reference, budget=Budget(evaluations=40), chain="mixing", **QUICK, **options)
    (found,) = result.solutions.values()
    # other excerpts may be chosen of what was rendered, so not to the last digit
    assert distance_of(result.audio, reference, "vocals") == pytest.approx(found.loss_after, rel=0.15)
    if options.get("amount") == 0:
        assert found.loss_after == pytest.approx(found.loss_before, rel=0.15)


def test_stems_against_a_mix_are_judged_in_the_balance_that_is_written() -> None:
    stems = Mix.from_arrays({name: song(50 + i) for i, name in enumerate(("kick", "snare", "bass", "lead"))}, RATE)
    reference = mix(song(2, 5.0, level=0.8))
    result = transfer(stems, reference, budget=Budget(evaluations=60), **QUICK)
    found = result.solutions["sum"]
    assert distance_of(result.audio, reference, None) == pytest.approx(found.loss_after, rel=0.15)
    before = {name: stems.levels(name).balance_lufs for name in stems.stems}
    moved = torch.tensor([result.rendered.levels[name].balance_lufs - before[name] for name in stems.stems])
    assert float((moved - moved.sort().values[1:3].mean()).abs().max()) <= MOST_MOVED_DB + 0.01


@pytest.mark.parametrize("method", ["match", "predict", "ensemble", "neural", "random"])
def test_where_the_reference_is_the_input_nothing_is_changed(method: str) -> None:
    x = song(3)
    rounded = (x * 32767).round() / 32767
    budget = Budget(evaluations=8) if method == "random" else None
    result = transfer(mix(x, "vocals"), mix(rounded, "vocals"), method=method, budget=budget, **QUICK)
    change = (result.audio - x).square().mean() / x.square().mean()
    assert 10 * torch.log10(change + 1e-20) < -60
    (found,) = result.solutions.values()
    assert found.loss_after <= found.loss_before + 1e-3


def test_a_result_is_never_further_than_its_input() -> None:
    def worse_the_louder_than_quiet(candidates: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
        del reference, sample_rate
        return candidates.square().mean((-2, -1)).sqrt()

    x, reference = song(4, level=0.1), song(5, level=0.9)  # the fader would raise it
    options = {"objective": worse_the_louder_than_quiet, "excerpt_seconds": 1.5, "excerpt_count": 1}
    result = transfer(mix(x, "bass"), mix(reference, "bass"), method="match", **options)
    assert torch.allclose(result.audio, x, atol=1e-6)
    assert any("stays" in note for note in result.notes)


@pytest.mark.parametrize("peak_db", [-60.0, -75.0])
def test_a_quiet_take_is_brought_to_level_and_its_noise_is_named(peak_db: float) -> None:
    x, reference = song(1, level=10 ** (peak_db / 20)), mix(song(2, level=0.8))
    result = transfer(mix(x), reference, method="match", **QUICK)
    loudness = result.rendered.levels["mix"].integrated_lufs - result.rendered.output_gain_db
    assert loudness == pytest.approx(reference.levels().integrated_lufs, abs=1.0)
    assert any("noise" in note for note in result.notes)


@pytest.mark.parametrize("method", ["match", "cma"])
def test_channels_that_cancel_come_out_as_loud_as_asked_for(method: str) -> None:
    one = song(1)[:1]
    x, reference = torch.cat([one, -one]), mix(song(2, level=0.8))
    budget = Budget(evaluations=20) if method == "cma" else None
    result = transfer(mix(x), reference, method=method, budget=budget, **QUICK)
    loudness = result.rendered.levels["mix"].integrated_lufs - result.rendered.output_gain_db
    assert loudness == pytest.approx(reference.levels().integrated_lufs, abs=1.0)
    assert any("upside down" in note for note in result.notes)


def drum_loop(seed: int) -> Tensor:
    """Four bars at 120: kick on each beat, snare on two and four, hats between them; every sound its own."""
    rng = np.random.default_rng(seed)
    step, x = int(RATE * 0.125), np.zeros(16 * 4 * int(RATE * 0.125) + RATE)
    t = np.arange(int(0.3 * RATE)) / RATE
    low, sweep, decay = rng.uniform(40, 60), rng.uniform(90, 180), rng.uniform(6, 20, 3)
    kick = np.sin(2 * np.pi * (low * t + sweep / 30 * (1 - np.exp(-30 * t)))) * np.exp(-decay[0] * t)
    tone, noise = np.sin(2 * np.pi * rng.uniform(150, 250) * t), rng.standard_normal((2, len(t)))
    snare = (0.5 * tone + 0.5 * noise[0]) * np.exp(-2 * decay[1] * t)
    hat = np.diff(noise[1], prepend=0) * np.exp(-6 * decay[2] * t) * 0.3
    for at in range(64):
        for sound, played in ((kick, at % 4 == 0), (snare, at % 16 in (4, 12)), (hat, at % 4 == 2)):
            if played:
                x[at * step : at * step + len(t)] += sound
    return torch.tensor(np.stack([x, x]) / abs(x).max() * 0.5, dtype=torch.float32)


def test_loops_of_one_tempo_and_pattern_are_not_the_same_performance() -> None:
    loops = [drum_loop(seed) for seed in range(6)]
    pairs = [(x, y) for i, x in enumerate(loops) for y in loops[:i]]
    assert not any(same_performance(x, y, RATE) for x, y in pairs)


@pytest.mark.parametrize("late", [0, 700, -900])
def test_a_loop_under_effects_is_the_same_performance_late_or_upside_down_too(late: int) -> None:
    loop = drum_loop(1)
    chain = load_chain("eq | compressor | saturation")
    settings = chain.settings(torch.full((chain.dim,), 0.7))
    made = chain.render_one(loop, settings, RATE).roll(late, dims=-1)
    assert same_performance(loop, made, RATE)
    assert same_performance(loop, torch.stack([made[0], -made[1]]), RATE)


def test_a_preset_on_mono_makes_what_the_transfer_made() -> None:
    source, reference = mix(song(11)[:1], "vocals"), mix(song(12, level=0.6), "vocals")
    result = transfer(source, reference, method="match", chain="mixing", **QUICK)
    assert result.preset.widens
    assert torch.allclose(render_preset(source, result.preset).mix, result.audio, atol=1e-5)
    kept = transfer(source, reference, method="match", chain="mixing", channels="keep", **QUICK)
    assert render_preset(source, kept.preset).mix.shape[0] == 1


@pytest.mark.parametrize("method", ["match", "predict", "neural", "cma"])
def test_results_do_not_depend_on_how_many_threads_torch_has(method: str) -> None:
    stems = [Mix.from_arrays({"drums": song(seed), "bass": song(seed + 1)}, RATE) for seed in (20, 30)]
    budget = Budget(evaluations=24) if method == "cma" else None
    before, made = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            made.append(transfer(*stems, method=method, chain="mixing", budget=budget, **QUICK))
    finally:
        torch.set_num_threads(before)
    assert made[0].settings == made[1].settings
    assert torch.equal(made[0].audio, made[1].audio)


def test_a_mix_keeps_its_name_and_formats_when_it_goes_out_in_stereo() -> None:
    mono = mix(song(1)[:1], "vocals")
    stereo = mono.in_stereo("a note")
    assert stereo.format.channels == 2
    assert torch.equal(stereo.stems["vocals"][0], stereo.stems["vocals"][1])
    assert stereo.notes[-1] == "a note"
    assert replace(stereo, notes=()).name == mono.name


def test_what_is_kept_below_the_ceiling_is_every_channel_that_is_written() -> None:
    x = song(1, level=0.2)
    t = torch.arange(x.shape[-1]) / RATE
    lfe = 0.8 * torch.sin(2 * torch.pi * 45 * t) * torch.exp(-2 * (t % 1))
    surround = torch.stack([*x, 0.5 * x[0], lfe, 0.5 * x[0], 0.5 * x[1]])
    result = transfer(mix(surround), mix(song(2, level=0.9)), method="match", **QUICK)
    assert result.audio.shape[0] == 6
    peak = float(true_peak_db(result.audio[None], RATE)[0])
    assert peak == pytest.approx(result.rendered.true_peak_db, abs=0.01)
    assert peak <= -1 + 0.01
    again = render_preset(mix(surround), result.preset)
    torch.testing.assert_close(again.mix, result.audio)


def level_and_treble(candidates: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    """How far the level is off in units of 20 dB, and how far the share of treble."""

    def of(x: Tensor) -> tuple[Tensor, Tensor]:
        power, treble = x.square().mean((-2, -1)), x.diff(dim=-1).square().mean((-2, -1))
        return power.log10() / 2, (treble / power).log10()

    level, treble = of(candidates)
    wanted_level, wanted_treble = of(reference)
    return (level - wanted_level).abs() + (treble - wanted_treble).abs()


def test_a_loud_input_is_compared_as_it_could_be_written() -> None:
    bright = 6 * song(2)
    dull = torch.nn.functional.avg_pool1d(6 * song(1), 9, stride=1, padding=4)
    result = transfer(mix(dull), mix(bright), method="match", chain="eq | gain", objective=level_and_treble)
    (found,) = result.solutions.values()
    assert not found.kept
    assert found.loss_after > found.loss_before  # for its level, which no file can have
    assert any("the input is louder than its ceiling allows" in note for note in result.notes)


@pytest.mark.parametrize("rate", [8000, 22_050])
def test_the_distance_before_is_that_of_the_input_as_it_is(rate: int) -> None:
    own, other = (song(seed)[:, :: RATE // rate].contiguous() for seed in (1, 2))
    source, reference = Mix.from_arrays(own, rate), Mix.from_arrays(other, rate)
    result = transfer(source, reference, method="match", **QUICK)
    (found,) = result.solutions.values()
    task = prepare(source, reference, TransferOptions(method="match", **QUICK))
    (pair,) = task.pairs
    assert found.loss_before == pytest.approx(task.context.distance(pair, pair.summed))
    assert found.loss_after <= found.loss_before * 1.001


@pytest.mark.parametrize(("minds_level", "how"), [(0.0, ", at the reference's loudness."), (1.0, ".")])
def test_where_the_input_stays_the_note_says_at_what_level(minds_level: float, how: str) -> None:
    def treble_and_level(candidates: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
        power = candidates.square().mean((1, 2))
        return candidates.diff(dim=-1).square().mean((1, 2)) / power + minds_level * power

    dull = torch.nn.functional.avg_pool1d(song(1, level=0.1), 9, stride=1, padding=4)
    result = transfer(mix(dull), mix(song(2, level=0.6)), method="match", objective=treble_and_level)
    assert result.solutions["mix"].kept
    assert (
        f"mix: all that was found is further from the reference than the input, so the input stays{how}" in result.notes
    )
