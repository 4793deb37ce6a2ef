"""The worker with plug-ins that are made up, by the names of their files: no plug-in can be part of the tests."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from stito_effects.vst3.wire import Audio
from stito_effects.vst3.worker import main


class Parameter:
    def __init__(self, name: str, place: float, readings: Any, steps: int = 1 << 30, *, automatable: bool = True):
        self.name, self.raw_value, self.num_steps, self.is_automatable = name, place, steps, automatable
        self._readings = readings

    def get_text_for_raw_value(self, place: float) -> str:
        return str(self._readings(place))

    @property
    def value(self) -> float:
        return float(self.get_text_for_raw_value(self.raw_value).split()[0])


def linear(low: float, high: float, unit: str = "") -> Any:
    return lambda place: f"{low + place * (high - low):.6f} {unit}"


class Gain:
    """A gain that is heard `late` samples later; one channel or two."""

    manufacturer_name, version, category, is_effect = "Nobody", "1.0", "Fx|Dynamics|EQ", True
    channels, late = 2, 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.parameters = {
            "level_db": Parameter("Level", 0.5, linear(-12.0, 12.0, "dB")),
            "tilt_hz": Parameter("Tilt", 0.0, lambda place: f"{20.0 * 1000.0**place:.2f} Hz"),
            "mix": Parameter("Mix", 1.0, lambda place: f"{place**3:.3f}"),
            "side": Parameter("Side", 0.0, lambda place: ("Both", "Left", "Right")[round(2 * place)], 3),
            "meter_db": Parameter("Meter", 0.0, linear(-60.0, 0.0, "dB"), automatable=False),
            "program": Parameter("Program", 0.0, lambda place: "One", 2),
        }
        self._held = np.zeros((self.channels, 0), np.float32)

    def load_preset(self, file: str) -> None:
        self.parameters["level_db"].raw_value = float(Path(file).read_text())

    def reset(self) -> None:
        self._held = np.zeros((self.channels, 0), np.float32)

    def process(self, x: Audio, sample_rate: float, reset: bool = True) -> Audio:
        if len(x) != self.channels:
            raise ValueError(f"{self.name} takes {self.channels} channels")
        if reset:
            self.reset()
        made = np.concatenate([self._held, self.sound(x, sample_rate)], axis=-1)
        self._held = made[:, len(made[0]) - self.late :] if self.late else made[:, :0]
        return made[:, : len(made[0]) - self.late]

    def sound(self, x: Audio, sample_rate: float) -> Audio:
        level, place = self.parameters["level_db"].value, self.parameters["mix"].raw_value
        tilt = (self.parameters["tilt_hz"].value - 20.0) / 20_000
        side = round(2 * self.parameters["side"].raw_value)
        gains = np.array([[side != 2], [side != 1]], np.float32)[: self.channels]
        return np.float32((1 - place) + place * 10 ** (level / 20) * (1 + tilt)) * gains * x


class Loud(Gain):
    """Is heard as it opens."""

    def sound(self, x: Audio, sample_rate: float) -> Audio:
        return np.float32(1.5) * super().sound(x, sample_rate)


class OneChannel(Gain):
    channels, late = 1, 300


class Crashing(Gain):
    """Takes its process down where its level is high, and hangs where it is low."""

    def sound(self, x: Audio, sample_rate: float) -> Audio:
        place, once = self.parameters["level_db"].raw_value, os.environ.get("CRASH_ONCE")
        if place > 0.9 and not (once and Path(once).exists()):
            if once:
                Path(once).touch()
            os._exit(11)
        while 0.05 < place < 0.1:
            time.sleep(60)
        return super().sound(x, sample_rate)


class Remembering(Gain):
    """Grows louder with all that it has ever rendered."""

    rendered = 0

    def sound(self, x: Audio, sample_rate: float) -> Audio:
        self.rendered += x.shape[-1]
        return np.float32(1 + math.log1p(self.rendered)) * super().sound(x, sample_rate)


class Instrument(Gain):
    is_effect = False


def load(file: str, name: str | None) -> Any:
    kinds = {kind.__name__: kind for kind in (Gain, Loud, OneChannel, Crashing, Remembering, Instrument)}
    print("this is no reply")
    return kinds[Path(file).stem](name or Path(file).stem)


if __name__ == "__main__":
    main(load)
