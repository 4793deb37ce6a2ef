"""What is said of the sum is what was asked of it."""

from __future__ import annotations

from stito.console.preset import Preset, StripPreset
from stito.console.words import gain_in_words

WIRE = {"bass": StripPreset(chain=[])}


def test_the_gain_of_the_sum_is_said_with_what_was_asked() -> None:
    assert gain_in_words(Preset(stems=WIRE)) == ""
    usual = Preset(stems=WIRE, output_gain_db=-3.0)
    assert gain_in_words(usual) == "Turn the sum down 3 dB: its true peak stays below -1 dBTP."
    loud = Preset(stems=WIRE, output_gain_db=2.0, loudness_lufs=-14.0, ceiling_dbtp=-2.0)
    assert gain_in_words(loud) == (
        "Turn the sum up 2 dB: its loudness comes to -14 LUFS, and its true peak stays below -2 dBTP."
    )
