"""Settings as a program: a Python script that needs pedalboard and nothing of stito."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pedalboard

from stito_effects.pedalboard_effects.base import PedalboardEffect
from stito_effects.pedalboard_effects.dynamics import PedalboardCompressor, PedalboardGate, PedalboardLimiter
from stito_effects.pedalboard_effects.equaliser import PedalboardEqualiser
from stito_effects.pedalboard_effects.levels import PedalboardDistortion, PedalboardGain
from stito_effects.pedalboard_effects.modulation import PedalboardChorus, PedalboardPhaser
from stito_effects.pedalboard_effects.space import PedalboardDelay, PedalboardReverb
from stito_effects.pedalboard_effects.stages import Plug

__all__ = ["EFFECTS", "script"]

EFFECTS: Mapping[str, type[PedalboardEffect]] = {
    effect.name: effect
    for effect in (
        PedalboardChorus,
        PedalboardCompressor,
        PedalboardDelay,
        PedalboardDistortion,
        PedalboardEqualiser,
        PedalboardGain,
        PedalboardGate,
        PedalboardLimiter,
        PedalboardPhaser,
        PedalboardReverb,
    )
}
"""Every effect here, by name."""

_SCRIPT = '''\
"""Applies a chain of effects to an audio file. Needs only: pip install pedalboard"""

import argparse

import numpy
import pedalboard
from pedalboard.io import AudioFile

BOARD = pedalboard.Pedalboard([
{board}
])

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("input", help="a mono or stereo audio file")
parser.add_argument("output", help="the WAV file to write, in 32-bit float, so that nothing clips")
arguments = parser.parse_args()
if not arguments.output.lower().endswith(".wav"):
    parser.error("output must end in .wav")

with AudioFile(arguments.input) as file:
    audio, rate = file.read(file.frames), file.samplerate
if len(audio) > 2:
    parser.error(f"{{arguments.input}} has {{len(audio)}} channels; one or two can be rendered")
audio = BOARD(numpy.broadcast_to(audio, (2, audio.shape[1])).copy(), rate)
with AudioFile(arguments.output, "w", rate, 2, bit_depth=32) as file:
    file.write(audio)
'''


def script(steps: Sequence[tuple[str, Mapping[str, float]]], *, gain_db: float = 0.0) -> str | None:
    """The text of a Python script that applies effects in series to a file, as stito would, without stito.

    Args:
        steps: names of effects with their physical settings, in order.
        gain_db: a last gain, such as that of a stem's fader.

    Returns:
        The script (`python script.py INPUT OUTPUT`), or None if an effect has no equivalent in pedalboard.
    """
    lines: list[str] = []
    for name, settings in steps:
        if name not in EFFECTS:
            return None
        lines += [f"    # {name}", *(f"    {line}," for line in EFFECTS[name].script_lines(settings))]
    if gain_db:
        lines += ["    # fader", f"    {Plug(pedalboard.Gain, {'gain_db': gain_db}).source()},"]
    return _SCRIPT.format(board="\n".join(lines))
