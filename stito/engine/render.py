"""From settings to audio: render at length, settle the balance on the sum, keep the peak in bounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from torch import Tensor

from stito.console.preset import Preset, StripPreset
from stito.console.strips import (
    CEILING_DBTP,
    SILENT_LUFS,
    Rendered,
    balance_faders,
    bounded_balance,
    gain,
    loudness,
    mix_down,
    render_preset,
    render_strip,
)
from stito.engine.result import Matched, Progress, TransferResult
from stito.errors import SettingsError
from stito.mix import Mix, add_up

__all__ = ["render_match", "render_part", "settle"]


def render_match(
    mix: Mix, matched: Matched, *, on_step: Callable[[Progress], None] | None = None, consume: bool = False
) -> TransferResult:
    """The second half of `transfer`: render at length, settle the balance on the sum, keep the peak in bounds.

    With `consume` each stem of `mix` is released once it is rendered, so that a long song is not held twice.
    """
    started = time.perf_counter()
    preset, rendered = settle(mix, matched.preset, on_step=on_step, consume=consume)
    notes = list(matched.notes)
    if rendered.output_gain_db < -0.05:
        notes.append(
            f"The sum was turned down by {-rendered.output_gain_db:.1f} dB so that its true peak stays below "
            f"{CEILING_DBTP:g} dBTP; it is that much quieter than the reference."
        )
    found = replace(matched, preset=preset, notes=tuple(notes))
    return TransferResult(preset, rendered, found, time.perf_counter() - started)


def settle(
    mix: Mix,
    preset: Preset,
    *,
    on_step: Callable[[Progress], None] | None = None,
    consume: bool = False,
    amount: float | None = None,
) -> tuple[Preset, Rendered]:
    """A mix through a preset whose faders are still to be settled (`Preset.target_lufs`), and the preset with them.

    Loudness goes as far to its targets as `amount` says, or else as the preset's own.
    """
    rate, targets = mix.sample_rate, preset.target_lufs or {}
    whole = loudness(add_up(mix.stems.values()), rate) if _is_of_the_sum(targets, mix.stems) else SILENT_LUFS
    stems: dict[str, Tensor] = {}
    before: dict[str, float] = {}
    names = list(mix.stems)
    for index, name in enumerate(names):
        if on_step:
            on_step(Progress("render", name, index, len(names)))
        x, strip = mix.stems[name], preset.stems.get(name)
        before[name] = loudness(x, rate)
        stems[name] = render_strip(x, strip, rate) if strip else x.clone()
        del x
        if consume:
            mix.release(name)
    if amount is None:
        amount = preset.provenance.amount if preset.provenance else 1.0
    faders = _faders(stems, rate, before, whole, targets, amount)
    for name, x in stems.items():
        x.mul_(gain(faders[name]))
    rendered = mix_down(stems, rate, master=preset.master)
    settled = {
        name: preset.stems[name].model_copy(update={"fader_db": faders[name]})
        if name in preset.stems
        else StripPreset(chain=[], fader_db=faders[name])
        for name in stems
    }
    changes = {"stems": settled, "output_gain_db": rendered.output_gain_db, "target_lufs": None}
    return preset.model_copy(update=changes), rendered


def render_part(mix: Mix, preset: Preset, amount: float) -> Rendered:
    """A mix through a part of a preset: 0 leaves it as it is, 1 goes all the way, which is rendered in any case.

    Knobs stand that part of the way from neutral, and stems are that part of the way louder, in LU.
    """
    if not 0 <= amount <= 1:
        raise SettingsError(f"amount = {amount:g} is outside 0 to 1.", hint="0 is the input, 1 the whole preset.")
    whole = render_preset(mix, preset) if preset.target_lufs is None else settle(mix, preset)[1]
    if amount == 1:
        return whole
    targets = {name: loudness(x, mix.sample_rate) - whole.output_gain_db for name, x in whole.stems.items()}
    changes = {
        "stems": {name: strip.blend(amount) for name, strip in preset.stems.items()},
        "master": preset.master.blend(amount) if preset.master else None,
        "target_lufs": targets,
    }
    del whole
    return settle(mix, preset.model_copy(update=changes), amount=amount)[1]


def _is_of_the_sum(targets: Mapping[str, float], stems: Mapping[str, Tensor]) -> bool:
    """Whether the reference is a mix, whose loudness that of these stems together shall be."""
    return "mix" in targets and "mix" not in stems


def _faders(
    stems: Mapping[str, Tensor],
    rate: int,
    before: Mapping[str, float],
    whole: float,
    targets: Mapping[str, float],
    amount: float,
) -> dict[str, float]:
    """Fader gains for the rendered stems, of which the input's had loudness `before`, and their sum `whole`.

    With an amount, loudness goes that part of the way from the input's to the target.
    """
    after = {name: loudness(x, rate) for name, x in stems.items()}
    if _is_of_the_sum(targets, stems):
        faders = bounded_balance(before, after)
        scaled = [x * gain(faders[name]) for name, x in stems.items()] if any(faders.values()) else stems.values()
        have, want = loudness(add_up(scaled), rate), targets["mix"]
        shift = whole + amount * (want - whole) - have if min(have, want, whole) > SILENT_LUFS else 0.0
        return {name: fader + shift for name, fader in faders.items()}
    heard = {name: target for name, target in targets.items() if target > SILENT_LUFS and name in before}
    return balance_faders(before, after, {name: before[name] + amount * (heard[name] - before[name]) for name in heard})
