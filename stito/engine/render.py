"""From settings to audio: render at length, settle the balance on the sum, keep the peak in bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from stito.compute.cores import side_by_side
from stito.compute.phases import phase
from stito.console.preset import Preset, StripPreset
from stito.console.strips import (
    MOST_MOVED_DB,
    Rendered,
    as_rendered,
    balance_faders,
    bounded_balance,
    gain,
    loudness,
    master_of,
    mix_down,
    render_preset,
    render_stems,
    render_strip,
)
from stito.dsp.levels import SILENT_LUFS, Levels
from stito.effects.aspects import Amount
from stito.engine.result import OnStep, Progress
from stito.mix import Mix, add_up, levels_of

__all__ = ["Settled", "limiting_note", "render_part", "settle", "wanted_lufs"]


@dataclass(frozen=True, eq=False)
class Settled:
    """A preset whose faders and output gain are settled, and the audio that it makes."""

    preset: Preset
    rendered: Rendered


def settle(
    mix: Mix,
    preset: Preset,
    *,
    amount: Amount | None = None,
    on_step: OnStep | None = None,
    earlier: Settled | None = None,
) -> Settled:
    """A mix through a preset whose faders are still to be settled (`Preset.target_lufs`).

    Loudness goes as far to its targets as `amount` says, or else as the preset's own. Stems whose strips are as they
    were `earlier` are taken from there, and its audio is of no use afterwards.
    """
    targets, rate, count = preset.target_lufs or {}, mix.sample_rate, len(mix.stems)
    rendered: dict[str, Tensor] = {}
    levels: dict[str, Levels] = {}

    def render(name: str) -> tuple[Tensor, Levels]:
        x, strip = mix.stems[name], preset.stems.get(name)
        if earlier is not None and (again := _without_gains(earlier, name, strip)):
            return again
        if strip is None or strip.is_wire:
            return x.clone(), mix.levels(name)
        made = render_strip(x, strip, rate)
        return made, levels_of(made, rate)

    with phase("render"):
        made = side_by_side(render, list(mix.stems), numbers=mix.numbers)
        for index, name in enumerate(mix.stems):
            if on_step:
                on_step(Progress("render", name, index, count))
            rendered[name], levels[name] = next(made)
    if amount is None:
        amount = preset.provenance.amount_by_aspect if preset.provenance else Amount()
    faders = _faders(mix, preset, rendered, levels, targets, amount)
    for name, x in rendered.items():
        x.mul_(gain(faders[name]))
        levels[name] = levels[name].amplified(faders[name])
    with phase("measure"):
        master, mastered = preset.master, None
        if master is not None and _is_of_the_sum(targets, rendered):
            master, mastered = _levelled(mix, master, rendered, targets["mix"], amount)
        mixed = mix_down(rendered, rate, master=master, levels=levels, delivery=preset.delivery, mastered=mastered)
    settled = {
        name: preset.stems[name].model_copy(update={"fader_db": faders[name]})
        if name in preset.stems
        else StripPreset(chain=[], fader_db=faders[name])
        for name in rendered
    }
    changes = {"stems": settled, "master": master, "output_gain_db": mixed.output_gain_db, "target_lufs": None}
    return Settled(preset.model_copy(update=changes), mixed)


def _without_gains(earlier: Settled, name: str, strip: StripPreset | None) -> tuple[Tensor, Levels] | None:
    """A stem as its strip rendered it, before faders, and its levels; None if it went through another strip."""
    before, rendered = earlier.preset.stems[name], earlier.rendered
    if strip is None or len(rendered.stems) == 1 or name not in rendered.levels:
        return None
    if strip.model_copy(update={"fader_db": 0.0}) != before.model_copy(update={"fader_db": 0.0}):
        return None
    gains = before.fader_db + (0.0 if earlier.preset.master is not None else rendered.output_gain_db)
    return rendered.stems[name].mul_(gain(-gains)), rendered.levels[name].amplified(-gains)


def limiting_note(rendered: Rendered) -> list[str]:
    """A note on what the ceiling took of the sum's gain, if it took any."""
    asked, missing = rendered.delivery, rendered.held_back_db
    if missing < 0.05:
        return []
    peak = f"true peak stays below {asked.ceiling_dbtp:g} dBTP"
    if asked.loudness_lufs is None:
        said = f"The sum was turned down by {missing:.1f} dB so that its {peak}"
    else:
        wanted = f"the {asked.loudness_lufs:g} LUFS that were asked for"
        said = f"The sum is {missing:.1f} LU quieter than {wanted}, so that its {peak}"
    return [f"{said}; a limiter at the end of the chain makes room."]


def render_part(mix: Mix, preset: Preset, amount: float | str | Amount) -> Rendered:
    """A mix through a part of a preset: 0 leaves it as it is, 1 goes all the way, which is rendered in any case.

    Knobs stand that part of the way from neutral, and stems are that part of the way louder, in LU. By aspect it may
    be another part, as in `0.8 reverb=0`.
    """
    amount = Amount.of(amount)
    mix = as_rendered(mix, preset)
    rate = mix.sample_rate
    settled = preset.target_lufs is None
    if not settled and preset.master is not None:
        preset, settled = settle(mix, preset).preset, True
    whole = render_preset(mix, preset) if settled else settle(mix, preset).rendered
    if amount.is_all:
        return whole
    if (master := master_of(mix, preset)) is not None:
        return _part_through(master, mix, preset, whole, amount)
    targets = {name: loudness(x, rate) - whole.output_gain_db for name, x in whole.stems.items()}
    changes = {
        "stems": {name: strip.blend(amount) for name, strip in preset.stems.items()},
        "master": None,
        "target_lufs": targets,
    }
    del whole
    return settle(mix, preset.model_copy(update=changes), amount=amount).rendered


def _part_through(master: StripPreset, mix: Mix, preset: Preset, whole: Rendered, amount: Amount) -> Rendered:
    """A part of a preset with a master: strips, faders and master that part of the way, and so the sum's loudness."""
    stems = {
        name: strip.blend(amount).model_copy(update={"fader_db": amount.faders * strip.fader_db})
        for name, strip in preset.stems.items()
    }
    part = preset.model_copy(update={"stems": stems})
    rendered = render_stems(mix, part)
    target = loudness(whole.mix, mix.sample_rate) - whole.output_gain_db
    levelled, mastered = _levelled(mix, master.blend(amount), rendered, target, amount)
    return mix_down(rendered, mix.sample_rate, master=levelled, delivery=preset.delivery, mastered=mastered)


def _levelled(
    mix: Mix, master: StripPreset, stems: Mapping[str, Tensor], target_lufs: float, amount: Amount
) -> tuple[StripPreset, Tensor]:
    """A master whose fader brings the sum `amount` of the way from the mix's loudness to the target's.

    And the sum (channels, t) of the stems behind its chain.
    """
    mastered = render_strip(add_up(stems.values()), master, mix.sample_rate)
    before, after = mix.levels().balance_lufs, loudness(mastered, mix.sample_rate)
    audible = min(before, after, target_lufs) > SILENT_LUFS
    shift = before + amount.level * (target_lufs - before) - after if audible else 0.0
    return master.model_copy(update={"fader_db": shift}), mastered


def _is_of_the_sum(targets: Mapping[str, float], stems: Mapping[str, Tensor]) -> bool:
    """Whether the reference is a mix, whose loudness that of these stems together shall be."""
    return "mix" in targets and "mix" not in stems


def _faders(
    mix: Mix,
    preset: Preset,
    rendered: Mapping[str, Tensor],
    levels: Mapping[str, Levels],
    targets: Mapping[str, float],
    amount: Amount,
) -> dict[str, float]:
    """Fader gains for the rendered stems, which have those `levels`.

    With an amount, loudness goes that part of the way from the input's to the target, and stems against each other
    that of the balance. Where there is a master, the stems' faders are those that were found with it, in a bounded
    balance, and the loudness is the master's matter.
    """
    before = {name: mix.levels(name).balance_lufs for name in rendered}
    after = {name: level.balance_lufs for name, level in levels.items()}
    if _is_of_the_sum(targets, rendered):
        bound = MOST_MOVED_DB if amount.balance is None else amount.balance * MOST_MOVED_DB
        if preset.master is not None:
            own = {name: preset.stems[name].fader_db if name in preset.stems else 0.0 for name in rendered}
            moved = bounded_balance(before, {name: after[name] + own[name] for name in rendered}, bound)
            return {name: own[name] + moved[name] for name in rendered}
        whole = mix.levels().balance_lufs
        faders = bounded_balance(before, after, bound)
        scaled = [x * gain(faders[name]) for name, x in rendered.items()] if any(faders.values()) else rendered.values()
        have, want = loudness(add_up(scaled), mix.sample_rate), targets["mix"]
        shift = whole + amount.level * (want - whole) - have if min(have, want, whole) > SILENT_LUFS else 0.0
        return {name: fader + shift for name, fader in faders.items()}
    audible = {name: lufs for name, lufs in before.items() if after[name] > SILENT_LUFS}
    return balance_faders(before, after, wanted_lufs(audible, targets, amount))


def wanted_lufs(before: Mapping[str, float], targets: Mapping[str, float], amount: Amount) -> dict[str, float]:
    """How loud each stem with a target is to be, in LUFS: that part of the way from where it was; silence stays."""
    moves = {
        name: target - before[name]
        for name, target in targets.items()
        if name in before and min(target, before[name]) > SILENT_LUFS
    }
    middle = sum(moves.values()) / len(moves) if moves else 0.0
    apart = amount.level if amount.balance is None else amount.balance
    return {name: before[name] + amount.level * middle + apart * (move - middle) for name, move in moves.items()}
