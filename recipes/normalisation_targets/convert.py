"""Make the shipped targets of FX normalisation from the published statistics of MUSDB18.

    python recipes/normalisation_targets/convert.py musdb18_fx.npz -o stito/data/fxnorm/musdb18.targets.json

The arrays are those of FxNorm-automix: `eq/<stem>` (average magnitudes at 32,769 frequencies, DC to 22,050 Hz) and
`compression/<stem>` (mean and standard deviation of onset peaks, in dB).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from stito.data.fxnorm.statistics import smoothed_db
from stito.data.fxnorm.targets import StemTargets, Targets
from stito.stems import STEMS

MID_RATIO = {"vocals": 0.918, "drums": 0.945, "bass": 0.982, "other": 0.794}
LOUDNESS_LUFS = {"vocals": -25.37, "drums": -28.97, "bass": -24.37, "other": -26.16}
SOURCE = (
    "MUSDB18. Spectra and onset peaks: the statistics published with FxNorm-automix (github.com/sony/FxNorm-automix, "
    "MIT License; Martínez-Ramírez et al., ISMIR 2022), reduced to 256 "
    "frequencies. Mid ratios and loudness: Koo et al., Music mixing style transfer, ICASSP 2023."
)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("statistics", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    arrays = np.load(options.statistics, allow_pickle=False)
    stems = {}
    for stem in STEMS:
        mean, std = (float(value) for value in arrays[f"compression/{stem}"])
        spectrum = smoothed_db(torch.from_numpy(arrays[f"eq/{stem}"]), 44_100)
        stems[stem] = StemTargets(
            spectrum_db=tuple(round(value, 2) for value in spectrum.tolist()),
            onset_peak_db=round(mean, 2),
            onset_peak_std_db=round(std, 2),
            mid_ratio=MID_RATIO[stem],
            loudness_lufs=LOUDNESS_LUFS[stem],
        )
    Targets(source=SOURCE, stems=stems).save(options.output, overwrite=True)


if __name__ == "__main__":
    main()
