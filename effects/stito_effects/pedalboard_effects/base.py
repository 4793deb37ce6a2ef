"""The host: candidates rendered through pedalboard, one board each, on as many cores as torch may use.

pedalboard releases the interpreter lock while it renders and building plug-ins costs microseconds, so each candidate
gets fresh plug-ins (hence no state from call to call) and its own place in a pool of threads. A row of these effects
becomes one board: audio crosses into pedalboard once, however many effects there are.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import ClassVar, cast

import numpy as np
import pedalboard
import torch
from numpy.typing import NDArray
from torch import Tensor

from stito.effects.effect import Effect, batch_of
from stito.errors import AudioError
from stito_effects.pedalboard_effects.stages import Stage

__all__ = ["Board", "PedalboardEffect", "render_board"]

Board = Callable[[], list[pedalboard.Plugin]]
"""Makes the fresh plug-ins of one candidate, in order."""

BLOCK = 1 << 20
"""Longer audio streams through a board in blocks of at most this many samples, so that whole songs are not copied."""

SHORTEST = 3
"""pedalboard takes the longer axis of an array for time: two channels need three samples."""


class PedalboardEffect(Effect):
    """An effect that pedalboard renders; a subclass declares its params and, in `stages`, its plug-ins.

    The plug-ins must have no latency, and be the identity at the neutral settings.
    """

    host: ClassVar[str | None] = "pedalboard"

    @classmethod
    @abstractmethod
    def stages(cls, settings: Mapping[str, float]) -> list[Stage]:
        """The plug-ins, in order, for the physical settings of one candidate."""

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        """Render a batch of candidates: the group of one effect."""
        return self.process_group([(self, p)], x, sample_rate)

    @classmethod
    def process_group(cls, steps: Sequence[tuple[Effect, Mapping[str, Tensor]]], x: Tensor, sample_rate: int) -> Tensor:
        """Render effects in series as one board per candidate.

        Args:
            steps: effects of this class, each with its physical values, (b,) or (1,) per param.
            x: audio (b, 2, t) or (1, 2, t).
            sample_rate: of `x`, in Hz.

        Returns:
            Audio (b, 2, t) of the dtype and device of `x`.
        """
        hosted = [(cast(PedalboardEffect, effect), _Rows(p)) for effect, p in steps]
        batch = max([x.shape[0], *(batch_of(x, p) for _, p in steps)])

        def board(row: int) -> Board:
            return lambda: [stage.build() for effect, settings in hosted for stage in effect.stages(settings.row(row))]

        return render_board(x, [board(row) for row in range(batch)], sample_rate)

    @classmethod
    def script_lines(cls, settings: Mapping[str, float]) -> list[str]:
        """The Python expressions of the plug-ins for these settings, one a line."""
        return [stage.source() for stage in cls.stages(settings)]

    @classmethod
    def script(cls, steps: Sequence[tuple[str, Mapping[str, float]]], *, gain_db: float = 0.0) -> str | None:
        """A chain of these effects as a standalone program: what `export.script` writes."""
        from stito_effects.pedalboard_effects.export import script  # it knows every effect, and they all know this

        return script(steps, gain_db=gain_db)


class _Rows:
    """Batched params read out once, then row by row as the plain numbers that plug-ins take."""

    def __init__(self, p: Mapping[str, Tensor]) -> None:
        self._columns: dict[str, list[float]] = {name: value.detach().tolist() for name, value in p.items()}

    def row(self, index: int) -> dict[str, float]:
        return {name: column[index if len(column) > 1 else 0] for name, column in self._columns.items()}


def render_board(x: Tensor, boards: Sequence[Board], sample_rate: int) -> Tensor:
    """Render each candidate through its own board, in parallel on `torch.get_num_threads()` threads.

    Args:
        x: audio (b, 2, t), or (1, 2, t) for one input through b boards. Never modified.
        boards: b makers of plug-ins. They must have no latency: what comes out is not shifted back.
        sample_rate: of `x`, in Hz.

    Returns:
        Audio (b, 2, t) of the dtype and device of `x`, cut from its graph: pedalboard has no gradients.

    Raises:
        AudioError: `x` is not (b | 1, 2, t) for b boards.
    """
    if x.dim() != 3 or x.shape[1] != 2 or x.shape[0] not in (1, len(boards)):
        raise AudioError(
            f"{len(boards)} boards cannot render audio of shape {tuple(x.shape)}.",
            hint=f"Audio is ({len(boards)}, 2, samples), or (1, 2, samples) for one input through all boards.",
        )
    samples = x.shape[-1]
    source = x.detach().to("cpu", torch.float32)
    if samples < SHORTEST:
        source = torch.nn.functional.pad(source, (0, SHORTEST - samples))
    inputs: NDArray[np.float32] = source.numpy()
    rendered = torch.empty(len(boards), *source.shape[1:])
    outputs: NDArray[np.float32] = rendered.numpy()

    def render(row: int) -> None:
        _stream(boards[row], inputs[row if len(inputs) > 1 else 0], outputs[row], sample_rate)

    threads = min(torch.get_num_threads(), len(boards))
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(render, range(len(boards))))
    else:
        for row in range(len(boards)):
            render(row)
    return rendered[..., :samples].to(x.device, x.dtype)


def _stream(make: Board, source: NDArray[np.float32], target: NDArray[np.float32], sample_rate: int) -> None:
    """Render (2, t) into (2, t) through fresh plug-ins, in equal blocks that join without a seam."""
    board = pedalboard.Chain(make())
    samples = source.shape[-1]
    edges = np.linspace(0, samples, math.ceil(samples / BLOCK) + 1).astype(int).tolist()
    for start, stop in pairwise(edges):
        target[:, start:stop] = board.process(source[:, start:stop], sample_rate, reset=start == 0)
