"""The console: every stem through its strip, the sum through the master strip, and out without clipping.

Rendering happens at the mix's own sample rate and channel count; only analysis is done at the encoder's rate.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from stito.audio import in_pairs, to_stereo
from stito.compute.cores import side_by_side
from stito.console.delivery import CEILING_DBTP, USUAL, Delivery
from stito.console.preset import Preset, StripPreset
from stito.dsp.levels import SILENT_LUFS, Levels, balance_lufs
from stito.dsp.loudness import measure, true_peak_db
from stito.mix import Mix, add_up, levels_of

__all__ = [
    "CEILING_DBTP",
    "Rendered",
    "as_rendered",
    "balance_faders",
    "bounded_balance",
    "gain",
    "headroom_db",
    "loudness",
    "master_of",
    "mix_down",
    "render_preset",
    "render_stems",
    "render_strip",
]

MOST_MOVED_DB = 6.0
"""How far a joint search may move a stem against the others: quiet stems hardly change a sum, and none may be lost."""


@dataclass(frozen=True, eq=False, repr=False)
class Rendered:
    """The audio of a transfer or preset: stems and their sum.

    Attributes:
        stems: (channels, t) each, as they stand in the sum; where there is a master, as they go into it.
        mix: the sum (channels, t).
        sample_rate: of all of them, in Hz.
        output_gain_db: the gain of the sum, in dB, that keeps it from clipping, or brings it to its loudness; behind
            the master, if there is one.
        true_peak_db: of the sum, in dBTP.
        levels: of the stems, and of the sum as `mix`, where they were measured on the way.
        delivery: what was asked of the sum.
        held_back_db: how much more gain was wanted than its ceiling allowed, in dB.
    """

    stems: Mapping[str, Tensor]
    mix: Tensor
    sample_rate: int
    output_gain_db: float
    true_peak_db: float
    levels: Mapping[str, Levels] = field(default_factory=dict)
    delivery: Delivery = USUAL
    held_back_db: float = 0.0

    def __repr__(self) -> str:
        seconds = self.mix.shape[-1] / self.sample_rate
        stems = ", ".join(self.stems)
        return f"Rendered({stems}; {seconds:.1f} s at {self.sample_rate} Hz, true peak {self.true_peak_db:.1f} dBTP)"


def render_strip(x: Tensor, strip: StripPreset, sample_rate: int) -> Tensor:
    """Audio (channels, t) through a strip, up to its fader; never the same memory as `x`.

    Effects are stereo: mono is rendered as two equal channels and folded back, more than two channels go through in
    pairs, under the same settings.
    """
    conversion = strip.conversion.build() if strip.conversion else None
    chain, settings = strip.build()

    def render(pair: Tensor) -> Tensor:
        converted = conversion.render(pair, sample_rate) if conversion else pair
        return chain.render_one(converted, settings, sample_rate)

    made = in_pairs(x, render)
    return made.clone() if made.data_ptr() == x.data_ptr() else made  # a wire's result is its input


def gain(db: float) -> float:
    """The factor of a gain in dB."""
    return float(10 ** (db / 20))


def loudness(x: Tensor, sample_rate: int) -> float:
    """Loudness of (channels, t) in LUFS, as it sounds in stereo; -90 for silence, see `stito.dsp.levels`."""
    return balance_lufs(measure(to_stereo(x)[None], sample_rate))


def headroom_db(sounds: Iterable[Tensor], sample_rate: int) -> float:
    """The gain in dB, at most 0, under which none of these sounds (channels, t) goes over the ceiling."""
    highest = max(float(true_peak_db(sound[None], sample_rate)[0]) for sound in sounds)
    return min(0.0, CEILING_DBTP - highest)


def mix_down(
    stems: Mapping[str, Tensor],
    sample_rate: int,
    *,
    master: StripPreset | None = None,
    gain_db: float = 0.0,
    levels: Mapping[str, Levels] | None = None,
    delivery: Delivery = USUAL,
    mastered: Tensor | None = None,
) -> Rendered:
    """Sum stems that carry their faders already; never above the ceiling, nor louder than `gain_db` asks.

    Where a loudness is asked for, the gain is the one that reaches it, whatever `gain_db` says. Stems get the gain of
    their sum; through a master they stay as they go into it. `mastered` is their sum behind its chain, if that has been
    rendered already, and is modified. With the `levels` of the stems, those of the sum are measured as well.
    """
    if mastered is None:
        total = add_up(stems.values()) if len(stems) > 1 else next(iter(stems.values())).clone()
        mastered = total if master is None else render_strip(total, master, sample_rate)
    total = mastered if master is None else mastered.mul_(gain(master.fader_db))
    single = len(stems) == 1 and master is None
    of_sum = None
    if levels is not None:
        of_sum = next(iter(levels.values())) if single else levels_of(total, sample_rate)
    peak = of_sum.true_peak_db if of_sum else float(true_peak_db(total[None], sample_rate)[0])
    if delivery.loudness_lufs is not None:
        have = of_sum.balance_lufs if of_sum else loudness(total, sample_rate)
        gain_db = delivery.loudness_lufs - have if have > SILENT_LUFS else 0.0
    output_gain_db = delivery.gain_db(peak, gain_db)
    factor = gain(output_gain_db)
    total.mul_(factor)
    if master is None:
        scaled = {name: total if single else stem.mul_(factor) for name, stem in stems.items()}
    else:
        scaled = dict(stems)
    measured = {**levels, "mix": of_sum} if levels and of_sum else {}
    behind = {"mix"} if master else set(measured)
    amplified = {name: level.amplified(output_gain_db) if name in behind else level for name, level in measured.items()}
    return Rendered(
        scaled,
        total,
        sample_rate,
        output_gain_db,
        peak + output_gain_db,
        amplified,
        delivery,
        max(0.0, gain_db - output_gain_db),
    )


def as_rendered(mix: Mix, preset: Preset) -> Mix:
    """The mix as the preset takes it: mono on both sides where it was made to go out in stereo."""
    return mix.in_stereo() if preset.widens and mix.is_mono else mix


def render_preset(mix: Mix, preset: Preset) -> Rendered:
    """Render a mix with a preset; stems that the preset does not hold are passed through.

    Args:
        mix: the input.
        preset: the settings.

    Returns:
        Stems and their sum at the mix's rate and channel count, or in stereo (`Preset.widens`), at the preset's
        loudness if it has one; the true peak of the sum is at most its ceiling, by default -1 dBTP. A master renders
        the sum of stems, and not a stem that comes alone.
    """
    mix = as_rendered(mix, preset)
    stems = render_stems(mix, preset)
    return mix_down(
        stems,
        mix.sample_rate,
        master=master_of(mix, preset),
        gain_db=preset.output_gain_db,
        delivery=preset.delivery,
    )


def render_stems(mix: Mix, preset: Preset) -> dict[str, Tensor]:
    """Each stem of a mix through its strip and fader; those that the preset does not hold as they are."""

    def render(name: str) -> Tensor:
        x, strip = mix.stems[name], preset.stems.get(name)
        return x.clone() if strip is None else render_strip(x, strip, mix.sample_rate).mul_(gain(strip.fader_db))

    return dict(zip(mix.stems, side_by_side(render, list(mix.stems), numbers=mix.numbers), strict=True))


def master_of(mix: Mix, preset: Preset) -> StripPreset | None:
    """The master that a mix goes through: a stem that comes alone goes into somebody else's sum."""
    return None if mix.kind == "stem" else preset.master


def balance_faders(
    before: Mapping[str, float], after: Mapping[str, float], target: Mapping[str, float]
) -> dict[str, float]:
    """Fader gains in dB that give each stem the loudness of `target`, and leave the others at their place among these.

    All hold integrated loudness in LUFS by stem, `before` and `after` the effects. A stem without a target is moved
    from where it was as far as the others are on average, effects and faders together.
    """
    balanced = [name for name, want in target.items() if min(before[name], after[name], want) > SILENT_LUFS]
    moves = [target[name] - before[name] for name in balanced]
    shift = sum(moves) / len(moves) if moves else 0.0
    return {
        name: (target[name] if name in balanced else before[name] + shift) - after[name]
        if min(before[name], after[name]) > SILENT_LUFS
        else shift
        for name in after
    }


def bounded_balance(
    before: Mapping[str, float], after: Mapping[str, float], most_db: float = MOST_MOVED_DB
) -> dict[str, float]:
    """Fader gains in dB that keep each stem within `most_db` of its place in the balance before; loudness in LUFS.

    A stem's move is its change of loudness against the median of all stems' changes. Silent stems stay.
    """
    moved: dict[str, float] = {}
    for name, now in after.items():
        if min(before[name], now) > SILENT_LUFS:
            moved[name] = now - before[name]
    middle = statistics.median(moved.values()) if moved else 0.0
    faders = dict.fromkeys(after, 0.0)
    for name, change in moved.items():
        apart = change - middle
        faders[name] = min(max(apart, -most_db), most_db) - apart
    return faders
