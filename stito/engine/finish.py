"""From settings to what is written, and how far that is from the reference: measured on the result itself.

What a search hears are excerpts, and what is written has faders, an amount and a ceiling. So the distance that is
reported is that of the rendered song. Where it is further from the reference than the input was, and than the input
would be below the ceiling, the input stays; unless the user leaves aspects out, which is done wherever it leads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from stito.compute.phases import phase
from stito.console.preset import Preset
from stito.console.strips import gain
from stito.engine.render import Settled, settle
from stito.engine.result import OnStep, Solved
from stito.engine.solution import is_further
from stito.engine.solve import Task
from stito.mix import Mix

__all__ = ["Finished", "finish"]

LOUD_RISE_DB = 40.0
"""A fader above it is worth a note: it raises the noise of a take as well."""


@dataclass(frozen=True, eq=False)
class Finished:
    """What is written, and what is said of it."""

    settled: Settled
    solved: Solved


def finish(task: Task, mix: Mix, solved: Solved, *, on_step: OnStep | None = None) -> Finished:
    """Render a mix under what was found, and measure what came of it.

    A pair whose result is further from its reference than its input keeps the input: first at the reference's
    loudness, and if that is further too, as it is. What is written stays below the ceiling, and so does the input.
    """
    preset, pairs = solved.preset, {pair.name: pair for pair in task.pairs}
    with phase("measure"):  # as it is: through a chain at neutral it may be another, for not every chain is a wire
        before = {name: task.context.distance(pair, pair.summed) for name, pair in pairs.items()}
    kept = {name for name, solution in solved.solutions.items() if solution.kept}
    as_they_are: set[str] = set()
    settled: Settled | None = None

    @cache
    def input_as_written(name: str) -> float:
        """How far the input would be below the ceiling: the sum that it is in may be louder than any file."""
        delivery = solved.preset.delivery
        above_db = mix.levels().true_peak_db - delivery.ceiling_dbtp
        if above_db <= 0 or not delivery.is_usual:
            return before[name]
        return task.context.distance(pairs[name], [gain(-above_db) * x for x in pairs[name].summed])

    while True:
        settled = settle(mix, preset, on_step=on_step, earlier=settled)
        with phase("measure"):
            written = {pair.name: task.distance(pair, settled.rendered) for pair in task.pairs}
        further = {
            name
            for name, distance in written.items()
            if name not in as_they_are
            and is_further(distance, before[name])
            and is_further(distance, input_as_written(name))
        }
        if not further or task.context.options.leaves_out:
            break
        as_they_are |= further & kept
        kept |= further
        preset = _without(task, preset, kept, as_they_are)
    levelled = {"sum" if name == "mix" and "sum" in pairs else name for name in solved.preset.target_lufs or {}}
    solutions = {
        name: replace(
            solution.keeping_input() if name in kept else solution, loss_before=before[name], loss_after=written[name]
        )
        for name, solution in solved.solutions.items()
    }
    notes = [
        f"{name}: {KEPT}{'' if name in as_they_are or name not in levelled else AT_LOUDNESS}."
        for name, solution in solutions.items()
        if solution.kept
    ]
    notes += [f"{name}: {LEFT_OUT}" for name in written if name in further and name not in kept]
    notes += [
        f"{name}: {TOO_LOUD.format(input_as_written(name))}"
        for name, distance in written.items()
        if name not in further | kept and is_further(distance, before[name])
    ]
    notes += [
        f"{name}: raised by {strip.fader_db:.0f} dB, and its noise with it."
        for name, strip in settled.preset.strips().items()
        if strip.fader_db > LOUD_RISE_DB
    ]
    found = settled.preset
    if found.provenance is not None:
        losses = {name: (solution.loss_before, solution.loss_after) for name, solution in solutions.items()}
        found = found.model_copy(update={"provenance": found.provenance.model_copy(update={"losses": losses})})
    return Finished(
        replace(settled, preset=found),
        replace(solved, solutions=solutions, preset=preset, notes=(*solved.notes, *notes)),
    )


KEPT = "all that was found is further from the reference than the input, so the input stays"
AT_LOUDNESS = ", at the reference's loudness"

TOO_LOUD = "the input is louder than its ceiling allows; below it, it would be {:.4f} from the reference."

LEFT_OUT = "with these amounts the result is further from the reference than the input."


def _without(task: Task, preset: Preset, kept: set[str], as_they_are: set[str]) -> Preset:
    """The preset with the strips of the kept pairs bypassed, and no target of loudness for the last."""
    stems, targets = dict(preset.stems), dict(preset.target_lufs or {})
    for pair in task.pairs:
        if pair.name in kept:
            stems |= {stem: stems[stem].bypassed() for stem in pair.candidates}
        if pair.name in as_they_are:
            targets.pop("mix" if pair.name == "sum" else pair.name, None)
    master = None if any(pair.joint and pair.name in kept for pair in task.pairs) else preset.master
    return preset.model_copy(update={"stems": stems, "master": master, "target_lufs": targets})
