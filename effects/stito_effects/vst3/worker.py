"""The program that hosts one plug-in. What it may do to its process, it does to this one.

It answers requests in order: `open` a plug-in, `begin` a sound with the places of its knobs, `go_on` with the next
block of it; the last block brings out what the plug-in still holds back.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from threading import Thread
from typing import IO, Any

import numpy as np
import pedalboard

from stito_effects.vst3.wire import NOTHING, Audio, receive, send

__all__ = ["main"]

Load = Callable[[str, str | None], Any]

MOST_STEPS = 64
"""A parameter of more steps is a knob that moves freely."""
PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Where a parameter is asked what it would read."""
SETTLING = 512
"""Samples of silence after which what was set is in force: some plug-ins take it over with their next block."""
SHORTEST = 3
"""pedalboard takes the longer axis of an array for time: two channels need three samples."""
FLUSHED = 4096
FLUSHES = 64
"""A plug-in that has held its sound back for so many blocks of silence keeps it."""
TRIED_RATE, TRIED_SAMPLES = 44_100, 16_384
SAME = 1e-5
"""Two renderings that differ by less, at a level of -20 dBFS, are one."""


class Hosted:
    """A plug-in, twice where it has one channel: left and right go through it apart."""

    def __init__(self, load: Load, file: str, name: str | None, preset: str | None) -> None:
        self._load, self._file, self._name, self._preset = load, file, name, preset
        self._plugins = [self._loaded()]
        if not getattr(self._plugins[0], "is_effect", True):
            raise ValueError("it is an instrument, not an effect")
        self._defaults = {key: one.raw_value for key, one in self._parameters(self._plugins[0])}
        if self._channels() == 1:
            self._plugins.append(self._loaded())
        self._anew, self._given, self._returned = False, 0, 0
        self.same, self.wire = self._tried()
        if not self.same:  # it keeps something from sound to sound
            self._anew = True
            self.same, self.wire = self._tried()

    @property
    def _width(self) -> int:
        """The channels of the plug-in."""
        return 2 if len(self._plugins) == 1 else 1

    def described(self) -> dict[str, Any]:
        """What the plug-in says of itself."""
        plugin = self._plugins[0]
        return {
            "name": str(plugin.name),
            "maker": str(getattr(plugin, "manufacturer_name", "") or ""),
            "version": str(getattr(plugin, "version", "") or ""),
            "category": str(getattr(plugin, "category", "") or ""),
            "channels": self._width,
            "same": self.same,
            "wire": self.wire,
            "parameters": [
                {
                    "name": key,
                    "title": str(one.name),
                    "place": float(self._defaults[key]),
                    "steps": int(one.num_steps),
                    "readings": [str(one.get_text_for_raw_value(place)) for place in self._asked_at(one)],
                }
                for key, one in self._parameters(plugin)
            ],
        }

    @staticmethod
    def _asked_at(parameter: Any) -> list[float]:
        """The places of a switch, each of them; of anything else some."""
        count = int(parameter.num_steps)
        return [step / (count - 1) for step in range(count)] if 2 <= count <= MOST_STEPS else list(PLACES)

    def begin(self, places: Mapping[str, float], sample_rate: int) -> None:
        """From here on a new sound, with the knobs at these places."""
        if self._anew:
            self._plugins = [self._loaded() for _ in self._plugins]
        for plugin in self._plugins:
            for key, place in {**self._defaults, **places}.items():
                plugin.parameters[key].raw_value = place
            plugin.process(np.zeros((self._width, SETTLING), np.float32), sample_rate, reset=True)
            plugin.reset()
        self._given = self._returned = 0

    def go_on(self, audio: Audio, sample_rate: int, *, last: bool) -> Audio:
        """The next samples (2, n) of the sound; of a plug-in that holds some back, those that it gives."""
        short = max(0, SHORTEST - audio.shape[-1])
        made = [self._through(np.pad(audio, ((0, 0), (0, short))) if short else audio, sample_rate)]
        self._given += audio.shape[-1]
        self._returned += made[0].shape[-1]
        for _ in range(FLUSHES if last else 0):
            if self._returned >= self._given:
                break
            made.append(self._through(np.zeros((2, FLUSHED), np.float32), sample_rate))
            self._returned += made[-1].shape[-1]
        return np.concatenate(made, axis=-1)

    def _through(self, audio: Audio, sample_rate: int) -> Audio:
        if self._width == 2:
            return np.asarray(self._plugins[0].process(audio, sample_rate, reset=False))
        sides = [
            plugin.process(np.ascontiguousarray(side[None]), sample_rate, reset=False)
            for plugin, side in zip(self._plugins, audio, strict=True)
        ]
        return np.concatenate(sides)

    def _loaded(self) -> Any:
        plugin = self._load(self._file, self._name)
        if self._preset:
            plugin.load_preset(self._preset)
        return plugin

    @staticmethod
    def _parameters(plugin: Any) -> list[tuple[str, Any]]:
        """The parameters that a host may turn: no meters, and no programs, which would turn the others."""
        return [
            (key, one)
            for key, one in plugin.parameters.items()
            if one.is_automatable and not key.startswith(("bypass", "program", "current_program", "midi_cc"))
        ]

    def _channels(self) -> int:
        """2, or 1 for a plug-in that takes one channel only."""
        for channels in (2, 1):
            try:
                self._plugins[0].process(np.zeros((channels, SETTLING), np.float32), TRIED_RATE, reset=True)
            except ValueError:
                continue
            return channels
        raise ValueError("it takes neither two channels nor one")

    def _tried(self) -> tuple[bool, bool]:
        """Whether a sound comes out as before, though another one was rendered between with the knobs elsewhere; and
        whether it comes out as it went in, with the knobs where they are.
        """
        noise = np.random.default_rng(0).normal(0.0, 0.1, (2, TRIED_SAMPLES)).astype(np.float32)
        made = []
        for places in ({}, dict.fromkeys(self._defaults, 0.5), {}):
            self.begin(places, TRIED_RATE)
            made.append(self.go_on(noise, TRIED_RATE, last=True)[:, :TRIED_SAMPLES])
        return _are_one(made[0], made[2]), _are_one(made[0], noise)


def _are_one(sound: Audio, other: Audio) -> bool:
    return sound.shape == other.shape and bool(np.abs(sound - other).max() < SAME)


def load_plugin(file: str, name: str | None) -> Any:
    """The plug-in of a file; by name where there are several in it."""
    return pedalboard.load_plugin(file, plugin_name=name)  # type: ignore[attr-defined]


def main(load: Load = load_plugin) -> None:
    """Answer requests until there is nobody to answer to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; who made the requests decides
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what plug-ins print is no reply
    Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    _answer(sys.stdin.buffer, replies, load)
    os._exit(0)  # some plug-ins crash where they are taken down in order


def _end_with_parent(parent: int) -> None:
    """Else a plug-in that hangs would do so for ever after its host was killed; on Windows nobody can tell."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _answer(requests: IO[bytes], replies: IO[bytes], load: Load) -> None:
    hosted: Hosted | None = None
    while True:
        try:
            request, audio = receive(requests)
        except EOFError:
            return
        made, answer = NOTHING, {}
        try:
            match request:
                case {"do": "open", "file": file, "name": name, "preset": preset}:
                    hosted = Hosted(load, file, name, preset)
                    answer = hosted.described()
                case {"do": "begin", "places": places, "rate": rate} if hosted:
                    hosted.begin(places, rate)
                case {"do": "go_on", "rate": rate, "last": last} if hosted:
                    made = hosted.go_on(audio, rate, last=last)
        except Exception as error:  # whatever a plug-in raises is its answer
            answer = {"error": " ".join(f"{error}".split()) or type(error).__name__}
        send(replies, answer, made)


if __name__ == "__main__":
    main()
