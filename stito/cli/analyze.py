"""`stito analyze`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

__all__ = ["analyze"]


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("--stem", default=None, metavar="NAME", help="What a single file is (vocals, drums, bass, other).")
@click.option("--encoder", default=None, metavar="NAME|FILE", help="An encoder that finds faults in stems.")
@click.option("--json", "as_json", is_flag=True, help="Print every feature, per band too, as JSON.")
def analyze(source: Path, stem: str | None, encoder: str | None, as_json: bool) -> None:
    """Measure loudness, dynamics, spectrum and stereo image of INPUT; of stems, also who masks whom.

    Of stems it is said in words, too, which covers which, and with --encoder which faults they seem to have.

    \b
    Example:
      stito analyze my-stems/ --json
    """
    from stito.analysis.findings import Covering, FoundFault, coverings, find_faults
    from stito.analysis.mixing import analyse
    from stito.mix import read_mix
    from stito.models.loading import load_encoder
    from stito.terminal import text_table

    finder = None if encoder is None else load_encoder(encoder)
    mix = read_mix(source, stem=stem)
    features = analyse(mix)
    findings: list[Covering | FoundFault] = [*coverings(mix), *(find_faults(mix, finder) if finder else [])]
    if as_json:
        document: dict[str, dict[str, object]] = {name: {**values} for name, values in features.items()}
        for finding in findings:
            kind = "covered" if isinstance(finding, Covering) else "faults"
            document[finding.stem].setdefault(kind, []).append(asdict(finding))  # type: ignore[attr-defined]
        click.echo(json.dumps(document, indent=2))
        return
    for finding in findings:
        click.echo(f"{finding}.")
    for name, values in features.items():
        click.echo(name)
        rows = [
            (feature, f"{value:.3f}" if isinstance(value, float) else " ".join(f"{band:.1f}" for band in value))
            for feature, value in values.items()
        ]
        click.echo(text_table((), rows, align="ll", indent=2))
