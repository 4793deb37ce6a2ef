"""The processes that host a plug-in: as many as are asked at once, each begun anew where its plug-in took it down."""

from __future__ import annotations

import atexit
import subprocess
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from threading import Lock, Timer
from typing import Any

import numpy as np

from stito.errors import PluginError
from stito_effects.vst3.wire import NOTHING, Audio, receive, send

__all__ = ["Host", "PluginCrashedError", "PluginDiedError"]

PROGRAM: Sequence[str] = ("-m", "stito_effects.vst3.worker")
OPENING_S = 60.0
"""A plug-in that takes longer to open will not."""
STUCK_S = 20.0
"""A block that takes so much longer than it plays never comes."""
ATTEMPTS = 2
"""A crash may be chance: what crashed is tried again in a new process, once."""
ELSEWHERE = "See whether it runs in another host, and take its latest version."
BLOCK = 1 << 20
"""Longer audio goes through in blocks of so many samples: a multiple of the 8192 that pedalboard gives plug-ins at
once, so that those which take a block as a whole make the same of it."""


class PluginDiedError(PluginError):
    """A plug-in took its process down, or never answered."""


class PluginCrashedError(PluginDiedError):
    """A plug-in took its process down: another time it may not."""


class Host:
    """One plug-in, in processes of its own.

    Args:
        file: the plug-in.
        name: which one, where there are several in the file.
        preset: a `.vstpreset` that it begins with.
    """

    def __init__(self, file: str, name: str | None = None, preset: str | None = None) -> None:
        self._opening = {"do": "open", "file": file, "name": name, "preset": preset}
        self._file, self._idle, self._lock = file, list[_Worker](), Lock()
        _hosts.add(self)

    @cached_property
    def described(self) -> Mapping[str, Any]:
        """What the plug-in says of itself (`worker.Hosted.described`)."""
        with self._lent() as worker:
            described: Mapping[str, Any] = worker.described
        return described

    def render(self, audio: Audio, places: Mapping[str, float], sample_rate: int) -> Audio:
        """Audio (2, t) through the plug-in with its knobs at these places, in [0, 1]; its latency is taken out.

        Raises:
            PluginDiedError: it crashed twice, or hung.
            PluginError: it refused.
        """
        for attempt in range(ATTEMPTS):
            try:
                with self._lent() as worker:
                    return worker.render(audio, places, sample_rate)
            except PluginCrashedError:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError

    def close(self) -> None:
        """End its processes; the next rendering begins new ones."""
        with self._lock:
            workers, self._idle = self._idle, []
        for worker in workers:
            worker.close()

    @contextmanager
    def _lent(self) -> Iterator[_Worker]:
        """A process that nobody else uses; after any error it is not used again."""
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        worker = worker or _Worker(self._file, self._opening)
        try:
            yield worker
        except PluginError as error:
            if isinstance(error, PluginDiedError):
                worker.close()
            else:
                self._give_back(worker)
            raise
        except BaseException:
            worker.close()
            raise
        self._give_back(worker)

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)


_hosts: weakref.WeakSet[Host] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for host in list(_hosts):
        host.close()


class _Worker:
    """One process with the plug-in open in it."""

    def __init__(self, file: str, opening: Mapping[str, Any]) -> None:
        self._file, self._stuck = file, False
        self._process = subprocess.Popen(
            [sys.executable, "-P", *PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # plug-ins say much that is of no use to anybody
            start_new_session=True,  # a terminal's Ctrl-C is for this process alone
        )
        try:
            self.described, _ = self._ask(opening, limit_s=OPENING_S)
        except BaseException:
            self.close()
            raise

    def render(self, audio: Audio, places: Mapping[str, float], sample_rate: int) -> Audio:
        """See `Host.render`."""
        self._ask({"do": "begin", "places": dict(places), "rate": sample_rate}, limit_s=OPENING_S)
        made, filled, samples = np.zeros_like(audio), 0, audio.shape[-1]
        for start in range(0, samples, BLOCK):
            block = audio[:, start : start + BLOCK]
            request = {"do": "go_on", "rate": sample_rate, "last": start + BLOCK >= samples}
            _, given = self._ask(request, block, limit_s=STUCK_S + block.shape[-1] / sample_rate)
            count = min(given.shape[-1], samples - filled)
            made[:, filled : filled + count] = given[:, :count]
            filled += count
        return made

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if stream:
                    stream.close()
        self._process.wait()

    def _ask(self, message: Mapping[str, Any], audio: Audio = NOTHING, *, limit_s: float) -> tuple[Any, Audio]:
        assert self._process.stdin
        assert self._process.stdout
        watch = Timer(limit_s, self._end_stuck)
        watch.daemon = True
        watch.start()
        try:
            send(self._process.stdin, message, audio)
            answer, made = receive(self._process.stdout)
        except (EOFError, OSError) as error:
            if self._stuck:
                silent = f"{self._file} did not answer within {limit_s:.0f} s."
                raise PluginDiedError(silent, hint=ELSEWHERE) from error
            raise PluginCrashedError(f"{self._file} crashed.", hint=ELSEWHERE) from error
        finally:
            watch.cancel()
        if "error" in answer:
            raise PluginError(f"{self._file} cannot be used: {answer['error']}")
        return answer, made

    def _end_stuck(self) -> None:
        self._stuck = True
        self._process.kill()
