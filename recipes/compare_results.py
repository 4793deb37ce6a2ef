"""Results of `stito transfer` side by side: how many moves, what the strips got, and how near the sum came.

    python recipes/compare_results.py without/ default/

Each row: a folder, the moves of each strip and of the master, the root mean square of the EQ gains and the gains
(with the fader) of all strips from the least to the most, and of the sum: how far its average spectrum is from the
reference's before and after, its width and the reference's, how far its loudness is from the reference's, and CPU
seconds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stito import registry
from stito.console.preset import MASTER, StripPreset, load_preset
from stito.terminal import text_table

HEADS = ("result", "moves", "EQ of strips", "gain of strips", "spectrum", "width", "loudness off", "CPU")


def gains(strip: StripPreset) -> tuple[float, float]:
    """The root mean square of a strip's EQ gains, and its level with the fader, in dB."""
    bands, level = [], strip.fader_db
    for entry in strip.chain:
        effect = registry.load("effect", entry.effect)
        if not entry.bypass:
            bands += [entry.settings[band[0]] for band in effect.bands]
            level += entry.settings[effect.level] if effect.level else 0.0
    return float(np.sqrt(np.mean(np.square(bands)))) if bands else 0.0, level


def described(folder: Path) -> list[str]:
    """A row of the table."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    preset = load_preset(folder / "preset.json")
    equalised, levels = zip(*map(gains, preset.stems.values()), strict=True)
    measured = result["stems"]["mix"]
    spectrum, width, loudness = (
        next(values for label, values in measured.items() if label.startswith(name))
        for name in ("Spectrum", "Width", "Integrated loudness")
    )
    order = [*preset.stems, *([MASTER] if preset.master else [])]
    return [
        folder.name,
        ", ".join(f"{name} {result['moves'][name]['moves']}" for name in order),
        f"{min(equalised):.1f} to {max(equalised):.1f} dB",
        f"{min(levels):.1f} to {max(levels):.1f} dB",
        f"{spectrum['input']:.1f} → {spectrum['result']:.1f} dB",
        f"{width['input']:.1f} → {width['result']:.1f} ({width['reference']:.1f}) dB",
        f"{loudness['result'] - loudness['reference']:.1f} LU",
        f"{sum(phase['cpu_seconds'] for phase in result['phases'].values()):.0f} s",
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT")
    print(text_table(list(HEADS), [described(folder) for folder in parser.parse_args(argv).results]))


if __name__ == "__main__":
    main()
