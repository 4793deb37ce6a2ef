"""The loop that every training runs in: batch, loss, step; now and then validation; a checkpoint at every stop.

What is trained on what is a `Task`. The loop knows rates, gradients, averages, clocks and files. It can be stopped
after any step, by time or by Ctrl-C, and goes on from there to the same weights.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from stito.errors import TrainingError, WeightsError
from stito.models.weights import load_weights, save_weights
from stito.streams import Purpose, torch_seeded
from stito.terminal import leave_terminal
from stito.training.batches import ahead
from stito.training.checkpoint import load_checkpoint, save_checkpoint
from stito.training.log import Log
from stito.training.recipe import Recipe
from stito.training.schedule import learning_rate
from stito.training.tasks.task import Task
from stito.version import __version__

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["BEST", "FINAL", "LAST", "Outcome", "Progress", "Stop", "Training"]

LAST, BEST, FINAL = "last.pt", "best.safetensors", "final.safetensors"


class Stop(Enum):
    """Why a training ended."""

    FINISHED = "all steps are done"
    TIME = "the time is spent"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Progress:
    """What a person who waits wants to see."""

    step: int
    steps: int
    kind: str
    """`train` or `validation`."""
    values: Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """How far a training came."""

    step: int
    steps: int
    stop: Stop
    score: float
    """Of the best validation; NaN before the first."""
    scores: Mapping[str, float]
    """What the best validation measured."""
    last: Mapping[str, float]
    """The training values in the last line of the log."""

    def summary(self, folder: Path) -> str:
        """The answer on stdout: a few lines."""
        lines = [f"step {self.step} of {self.steps}: {self.stop.value}"]
        for title, values in (("training", self.last), ("best validation", self.scores)):
            shown = [f"{name} {value:.4g}" for name, value in values.items() if name != "rate"]
            lines += [f"{title}: {', '.join(shown)}"] if shown else []
        if self.step < self.steps:
            lines.append("Go on with the same command and --resume.")
        return "\n".join(
            [*lines, f"{folder}: {', '.join(n for n in (BEST, LAST) if (folder / n).exists())}, log.jsonl"]
        )


class Training:
    """One run of a recipe, in a folder."""

    def __init__(
        self,
        task: Task,
        recipe: Recipe,
        fabric: Fabric,
        folder: Path,
        *,
        on_step: Callable[[Progress], None] | None = None,
        tensorboard: bool = True,
    ) -> None:
        self.task, self.recipe, self.fabric, self.folder = task, recipe, fabric, folder
        self._on_step, self._tensorboard = on_step, tensorboard
        with torch_seeded(recipe.seed, Purpose.INITIAL_WEIGHTS):
            module = task.network()
        if fabric.world_size > 1 and fabric.device.type == "cuda":
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        self.module = module
        self.network, self.optimiser = fabric.setup(module, _optimiser(module, recipe))
        self.average = _copy(module) if recipe.optimiser.average else {}
        self.step = self.validations = 0
        self.best, self.scores = math.nan, dict[str, float]()
        self.stopped: Stop | None = None
        self._seconds_before = 0.0

    def run(self, *, seconds: float | None = None) -> Outcome:
        """Train to the last step, or as long as `seconds` allow; Ctrl-C ends it well."""
        steps, every = self.recipe.optimiser.steps, self.recipe.validation.every
        self.stopped = None
        self._deadline = time.monotonic() + seconds if seconds is not None else math.inf
        with self._logging() as meter, self._interruptible():
            while self.step < steps and self.stopped is None:
                end = min(steps, self.step - self.step % every + every)
                # batches are prepared no further than to the next validation, which may change what follows
                with contextlib.closing(self._batches(range(self.step, end))) as batches:
                    for batch in meter.waiting(batches):
                        meter.add(self._train(batch), self.step)
                        self._agree_to_stop()
                        if self.stopped is not None:
                            break
                meter.check(self.step)
                if self.step == end:
                    self._validate(meter)
                self.save()
        self.stopped = self.stopped or Stop.FINISHED
        return Outcome(self.step, steps, self.stopped, self.best, self.scores, meter.last)

    def _batches(self, steps: range) -> Generator[Any, None, None]:
        """Prepared by threads beside an accelerator; in turn by a processor, which has no core to spare."""
        if self.fabric.device.type == "cpu":
            return (self.task.prepare(step) for step in steps)
        return ahead(self.task.prepare, steps, workers=self.recipe.run.workers)

    def _train(self, batch: Any) -> Mapping[str, Tensor]:
        """One step. Dropout draws from torch's own generators, so these are seeded by step and process meanwhile."""
        plan = self.recipe.optimiser
        rate = learning_rate(self.step, rate=plan.rate, steps=plan.steps, warmup=plan.warmup, final=plan.final)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        place = (self.step, self.fabric.global_rank)
        with torch_seeded(self.recipe.seed, Purpose.TRAINING_STEP, *place, device=self.fabric.device):
            loss, others = self.task.loss(self.network, batch)
        self.fabric.backward(loss)
        if plan.clip:
            self.fabric.clip_gradients(self.network, self.optimiser, max_norm=plan.clip, error_if_nonfinite=False)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        if self.average:
            _follow(self.average, self.module, min(plan.average, self.step / (self.step + 10)))
        return {"loss": loss.detach(), **others, "rate": torch.tensor(rate)}

    def _validate(self, meter: _Meter) -> None:
        """Measure and report; export the best and the final weights, which may be better: validations are noisy."""
        self.validations += 1
        self.module.eval()
        with torch.no_grad():
            score, scores = self.task.validate(self._averaged, self.validations)
        self.module.train()
        reported = {"score": score, **scores}
        meter.write(self.step, reported, kind="validation")
        if math.isfinite(score) and not self.best >= score:  # the best is NaN before the first
            self.best, self.scores = score, dict(scores)
            self.export(BEST, reported)
        if self.step == self.recipe.optimiser.steps:
            self.export(FINAL, reported)

    def _averaged(self, x: Tensor) -> Tensor:
        """The network as it is kept: with averaged weights if the recipe wants that."""
        with self.fabric.autocast():
            embedded: Tensor = torch.func.functional_call(self.module, self.average, (x,))
        return embedded

    def export(self, name: str, scores: Mapping[str, float]) -> None:
        """Write the weights into the folder as they are kept, with the header of the task and what they score."""
        if self.fabric.is_global_zero:
            header = {**self.task.header(), "scores": {**scores, "step": self.step}}
            save_weights(self.folder / name, self.average or self.module.state_dict(), header, overwrite=True)

    def save(self) -> None:
        """Write the checkpoint."""
        if self.fabric.is_global_zero:
            save_checkpoint(
                self.folder / LAST,
                {
                    "step": self.step,
                    "validations": self.validations,
                    "best": self.best,
                    "scores": self.scores,
                    "seconds": self._seconds(),
                    "network": self.module.state_dict(),
                    "average": self.average,
                    "optimiser": self.optimiser.state_dict(),
                    "task": self.task.state(),
                    "recipe": self.recipe.model_dump(),
                },
            )
        self.fabric.barrier()

    def begin_with(self, weights: Path) -> None:
        """Take over trained weights before the first step; `WeightsError` if they are of another network."""
        state, _ = load_weights(weights)
        try:
            self.module.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(
                f"{weights} is of another network than the recipe's.", hint="Leave `start` out to train a fresh one."
            ) from error
        if self.average:
            self.average = _copy(self.module)

    def resume(self, *, force: bool = False) -> None:
        """Go on from the folder's checkpoint; with another recipe only by `force`."""
        state = load_checkpoint(self.folder / LAST)
        changed = _differences(state["recipe"], self.recipe.model_dump())
        if changed and not force:
            raise WeightsError(
                f"{self.folder} was trained with another recipe: {', '.join(changed)} changed.",
                hint="Give the same recipe and --set options, or go on with the new ones with --force.",
            )
        try:
            self.module.load_state_dict(state["network"])
        except RuntimeError as error:
            raise WeightsError(
                f"The checkpoint in {self.folder} is of another network.", hint="Start anew without --resume."
            ) from error
        self.optimiser.load_state_dict(state["optimiser"])
        for name, value in state["average"].items() if self.average else ():
            self.average[name].copy_(value)
        self.task.restore(state["task"])
        self.step, self.validations = state["step"], state["validations"]
        self.best, self.scores, self._seconds_before = state["best"], state["scores"], state["seconds"]

    @contextlib.contextmanager
    def _logging(self) -> Iterator[_Meter]:
        self._began = time.monotonic()
        with contextlib.ExitStack() as stack:
            log = None
            if self.fabric.is_global_zero:
                self.folder.mkdir(parents=True, exist_ok=True)
                log = stack.enter_context(Log(self.folder, step=self.step, tensorboard=self._tensorboard))
                about = {"recipe": self.recipe.model_dump(), "version": __version__, "device": str(self.fabric.device)}
                log.write(self.step, {**about, "processes": self.fabric.world_size}, kind="start")
            tell = self._on_step if self.fabric.is_global_zero else None
            yield _Meter(log, self.recipe, tell, self._seconds)

    def _seconds(self) -> float:
        """Time trained, over all parts of the run."""
        return self._seconds_before + time.monotonic() - self._began

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """The first Ctrl-C (SIGTERM, a closed terminal) ends the training after the step; the second the program."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        hangup = getattr(signal, "SIGHUP", None)
        if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
            before[hangup] = signal.getsignal(hangup)

        def stop(number: int, frame: object) -> None:
            if number == hangup:
                leave_terminal()
            self.stopped = Stop.INTERRUPTED
            signal.signal(number, before[signal.Signals(number)])

        for number in before:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _agree_to_stop(self) -> None:
        """Stop where the time is spent; several processes stop together or not at all."""
        if self.stopped is None and time.monotonic() >= self._deadline:
            self.stopped = Stop.TIME
        if self.fabric.world_size > 1:
            votes = torch.tensor([float(self.stopped is stop) for stop in Stop], device=self.fabric.device)
            reduced = self.fabric.all_reduce(votes, reduce_op="sum")
            assert isinstance(reduced, Tensor)
            self.stopped = next((stop for stop, n in zip(Stop, reduced.tolist(), strict=True) if n), None)


class _Meter:
    """Means between two lines of the log, and how much of the time was spent waiting for batches."""

    def __init__(
        self,
        log: Log | None,
        recipe: Recipe,
        on_step: Callable[[Progress], None] | None,
        seconds: Callable[[], float],
    ) -> None:
        self._log, self._recipe, self._on_step, self._seconds = log, recipe, on_step, seconds
        self.last: dict[str, float] = {}
        self._start_over()

    def _start_over(self) -> None:
        self._sums: dict[str, Tensor] = defaultdict(lambda: torch.tensor(0.0))
        self._count, self._waited, self._since = 0, 0.0, time.monotonic()

    def waiting(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The batches, on the clock."""
        while True:
            asked = time.monotonic()
            try:
                batch = next(batches)
            except StopIteration:
                return
            self._waited += time.monotonic() - asked
            yield batch

    def add(self, values: Mapping[str, Tensor], step: int) -> None:
        """Take in one step. Values stay on the device until a line is due: asking for them would stop the queue."""
        for name, value in values.items():
            self._sums[name] = self._sums[name].to(value.device) + value
        self._count += 1
        if step % self._recipe.run.log_every == 0 or step == self._recipe.optimiser.steps:
            self._line(step)

    def check(self, step: int) -> None:
        """`TrainingError` if the loss has not been finite: before what was learnt is kept."""
        loss = float(self._sums["loss"]) / max(1, self._count)
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss is {loss} at step {step}.",
                hint="Lower optimiser.rate, or set run.precision to float32; the last checkpoint is as it was.",
            )

    def _line(self, step: int) -> None:
        self.check(step)
        means = {name: float(total) / self._count for name, total in self._sums.items()}
        elapsed = max(time.monotonic() - self._since, 1e-9)
        speed = {"steps_per_second": self._count / elapsed, "waiting": self._waited / elapsed}
        self.write(step, {**means, **speed, "seconds": self._seconds()}, kind="train")
        self.last = means
        self._start_over()

    def write(self, step: int, values: Mapping[str, float], *, kind: str) -> None:
        """A line in the log and a word to whoever waits; the clock starts again."""
        rounded = {name: float(f"{value:.6g}") for name, value in values.items()}
        if self._log:
            self._log.write(step, rounded, kind=kind)
        if self._on_step:
            self._on_step(Progress(step, self._recipe.optimiser.steps, kind, rounded))
        if kind == "validation":
            self._since, self._waited = time.monotonic(), 0.0


def _optimiser(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW that decays matrices and kernels, but neither biases nor norms."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": recipe.optimiser.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=recipe.optimiser.rate)


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


@torch.no_grad()
def _follow(average: dict[str, Tensor], module: nn.Module, decay: float) -> None:
    """Move the average towards the network's state; counters are copied."""
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)
        else:
            average[name].copy_(value)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The dotted keys at which two documents differ."""
    found = []
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append(prefix + key)
    return found
