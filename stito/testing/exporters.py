"""The contract of exporters."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from stito.errors import OutputExistsError
from stito.testing.probe import ContractError, probe

if TYPE_CHECKING:
    from stito.effects.chain import Chain
    from stito.exporters import Exporter, Session

__all__ = ["check_exporter"]

RATE = 44_100


def check_exporter(exporter: Exporter, chain: str | None = None) -> None:
    """Hold an exporter to its contract, on half a second of two stems and a master, with and without their audio.

    The rules: it has `name`, `suffix` and `export`; all files that it says it wrote are there, and no others; the same
    session gives the same bytes; what is there is kept unless `force` says otherwise; notes are sentences. Raises
    `ContractError`.

    Args:
        exporter: the exporter.
        chain: whose effects the preset has; by default the chain for stems.
    """
    from stito.exporters import Exporter

    def require(kept: bool, rule: str) -> None:
        if not kept:
            raise ContractError(f"The exporter '{getattr(exporter, 'name', exporter)}' breaks its contract: {rule}.")

    require(isinstance(exporter, Exporter), "it lacks one of name, suffix and export")
    for session in (_session(chain, audio=False), _session(chain, audio=True)):
        with tempfile.TemporaryDirectory() as folder:
            made: list[dict[str, bytes]] = []
            for number in range(2):
                home = Path(folder) / str(number)
                home.mkdir()
                out = home / f"session{exporter.suffix}"
                exported = exporter.export(session, out)
                found = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
                require(set(found) == set(exported.files), "the files that it names are not those that it wrote")
                require(all(note.endswith((".", ")")) for note in exported.notes), "a note is no sentence")
                made.append({str(path.relative_to(home)): content for path, content in found.items()})
            require(made[0] == made[1], "the same session gives other bytes")
            try:
                exporter.export(session, out)
                require(False, "it overwrites what is there")
            except OutputExistsError:
                pass
            exporter.export(session, out, force=True)


def _session(chain: str | None, *, audio: bool) -> Session:
    """Two stems, one mono with an effect bypassed, and a master, all knobs a third of their range off neutral."""
    from stito import registry
    from stito.console.preset import Preset, StripPreset
    from stito.effects.chain_files import load_chain
    from stito.exporters import Session
    from stito.mix import Mix

    def strip(of: Chain, fader_db: float = 0.0) -> StripPreset:
        neutral = of.encode({})
        theta = (neutral + 0.3 * (neutral < 0.5) - 0.3 * (neutral >= 0.5)).clamp(0, 1)
        return StripPreset.of(of, of.settings(theta), fader_db=fader_db)

    of = load_chain(chain or registry.default("chain of stems"))
    preset = Preset(
        stems={"drums": strip(of, -2.5), "vocals": strip(of.bypassing({of.slots[0].label}))},
        master=strip(load_chain(registry.default("chain of a mix"))),
        output_gain_db=-1.0,
    )
    sound = 0.5 * probe(RATE, 0.5)[0]
    mix = Mix.from_arrays({"drums": sound, "vocals": sound[:1]}, RATE)
    return Session("session", preset, read_input=(lambda: mix) if audio else (lambda: None))
