"""Settings as programs: scripts that render a stem without stito, where all effects are of a host that writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stito.audio import check_writable
from stito.console.preset import Preset, StripPreset
from stito.console.words import placed
from stito.errors import SettingsError
from stito.exporters.exporter import Exported
from stito.exporters.session import Session
from stito.files.atomic import write_atomic
from stito.files.names import file_names

__all__ = ["PEDALBOARD", "HostScripts", "scripts_of"]


def scripts_of(preset: Preset) -> dict[tuple[str, str], str]:
    """By strip and host, a script for each whose effects all come from one host that offers to write it."""
    scripts = {}
    for name, strip in preset.strips().items():
        # stems go into a master as they are
        behind_db = preset.output_gain_db if preset.master is None or strip is preset.master else 0.0
        host, text = _script(strip, behind_db)
        if text is not None:
            scripts[name, host] = text
    return scripts


def _script(strip: StripPreset, output_gain_db: float) -> tuple[str, str | None]:
    working = [each for each in placed(strip) if not each.bypass]
    hosts = {each.slot.effect.host for each in working}
    host = hosts.pop() if len(hosts) == 1 else None
    if host is None or strip.conversion is not None:
        return "", None
    steps = [(each.slot.effect.name, each.settings) for each in working]
    return host, working[0].slot.effect.script(steps, gain_db=strip.fader_db + output_gain_db)


@dataclass(frozen=True)
class HostScripts:
    """Writes a folder of scripts, one for each stem whose effects are all of one host."""

    name: str
    suffix: str = ""

    def export(self, session: Session, out: Path, *, force: bool = False) -> Exported:
        """Write `OUT/<stem>.<host>.py`."""
        scripts = {stem: text for (stem, host), text in scripts_of(session.preset).items() if host == self.name}
        strips = session.preset.strips().values()
        if not scripts and all(each.bypass for strip in strips for each in placed(strip)):
            raise SettingsError(
                "All effects of this preset are bypassed: there is nothing to write a script of.",
                hint="Only its faders do something; --to text says how they stand.",
            )
        if not scripts:
            raise SettingsError(
                f"No stem of this preset has effects of {self.name} alone.",
                hint=f"Make the transfer with effects of {self.name}, such as --chain {self.name}.",
            )
        files = [out / file for file in file_names(scripts, f".{self.name}.py")]
        for file in files:
            check_writable(file, overwrite=force)
        for file, text in zip(files, scripts.values(), strict=True):
            write_atomic(file, text, overwrite=force)
        others = [strip for strip in session.preset.strips() if strip not in scripts]
        notes = [f"{', '.join(others)}: not all effects are of {self.name}, so there is no script."] if others else []
        return Exported(tuple(files), tuple(notes))


PEDALBOARD = HostScripts("pedalboard")
