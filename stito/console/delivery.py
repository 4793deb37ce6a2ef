"""How loud a sum goes out: at the loudness that is asked for, if one is, and below a ceiling of true peaks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stito.errors import SettingsError

__all__ = ["CEILING_DBTP", "LOWEST_CEILING_DBTP", "LOWEST_LUFS", "USUAL", "Delivery"]

CEILING_DBTP = -1.0
"""The highest true peak of an output (EBU R 128)."""

LOWEST_LUFS, LOWEST_CEILING_DBTP = -70.0, -40.0
"""What is lower is a slip, not a delivery: nothing below passes the gate of a loudness meter."""


@dataclass(frozen=True)
class Delivery:
    """What is asked of the sum. Where both cannot hold, the ceiling does.

    Args:
        loudness_lufs: integrated (BS.1770-4), of mono as it sounds from two speakers; None leaves it as it comes.
        ceiling_dbtp: the highest true peak.

    Raises:
        SettingsError: no loudness, or no ceiling, that a file could have.
    """

    loudness_lufs: float | None = None
    ceiling_dbtp: float = CEILING_DBTP

    def __post_init__(self) -> None:
        wanted, ceiling = self.loudness_lufs, self.ceiling_dbtp
        if wanted is not None and not (math.isfinite(wanted) and LOWEST_LUFS <= wanted <= 0):
            raise SettingsError(
                f"loudness = {wanted:g} LUFS is outside {LOWEST_LUFS:g} to 0.",
                hint="Usual are -14 for streaming and -23 for broadcast.",
            )
        if not (math.isfinite(ceiling) and LOWEST_CEILING_DBTP <= ceiling <= 0):
            raise SettingsError(
                f"ceiling = {ceiling:g} dBTP is outside {LOWEST_CEILING_DBTP:g} to 0.",
                hint=f"Usual is {CEILING_DBTP:g}; above 0 a file clips.",
            )

    @property
    def is_usual(self) -> bool:
        """Whether nothing is asked of it: as loud as it comes, below the usual ceiling."""
        return self == USUAL

    def gain_db(self, peak_dbtp: float, wanted_db: float) -> float:
        """The gain of a sum with that peak, as near to the wanted one as the ceiling allows."""
        return min(wanted_db, self.ceiling_dbtp - peak_dbtp)


USUAL = Delivery()
"""As loud as it comes, below the usual ceiling."""
