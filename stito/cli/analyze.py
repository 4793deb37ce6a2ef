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
@click.option(
    "--quality",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="A head from `stito evaluate quality`, on that encoder: its predicted score is told.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every feature, per band too, as JSON.")
def analyze(source: Path, stem: str | None, encoder: str | None, quality: Path | None, as_json: bool) -> None:
    """Measure loudness, dynamics, spectrum and stereo image of INPUT; of stems, also who masks whom.

    Of stems it is said in words, too, which covers which. With --encoder it is said which faults each stem seems to
    have, how severe, and what the encoder was trained on.

    \b
    Examples:
      stito analyze my-stems/ --json
      stito analyze my-stems/ --encoder runs/stem.safetensors
      stito analyze my-stems/ --encoder features --quality quality/head-features.safetensors
    """
    from stito.analysis.findings import Covering, FoundFault, coverings, fault_finder, severities, told, trained_on
    from stito.analysis.mixing import analyse
    from stito.analysis.quality import predict_score
    from stito.mix import read_mix
    from stito.models.loading import load_encoder
    from stito.models.quality import load_head
    from stito.terminal import text_table

    head = load_head(quality) if quality else None
    source_of_embedding = encoder or (head.encoder if head else None)
    loaded = None if source_of_embedding is None else load_encoder(source_of_embedding)
    mix = read_mix(source, stem=stem)
    features = analyse(mix)
    findings: list[Covering | FoundFault] = [*coverings(mix)]
    finder = fault_finder(loaded) if loaded else None
    # without a head, an encoder that finds no faults, and a mix that has none of its stems, are refused
    able = finder is not None and bool({*mix.stems} & {*finder.stems})
    severity = severities(mix, finder or loaded) if loaded and (able or head is None) else {}
    findings += told(severity)
    score = predict_score(mix, head, loaded) if head and loaded else None
    about = trained_on(finder) if finder else ""
    if as_json:
        document: dict[str, dict[str, object]] = {name: {**values} for name, values in features.items()}
        for finding in findings:
            kind = "covered" if isinstance(finding, Covering) else "faults"
            document[finding.stem].setdefault(kind, []).append(asdict(finding))  # type: ignore[attr-defined]
        for name, faults in severity.items():
            document[name]["severity"] = max(faults.values())
        if score:
            document[next(iter(document))]["predicted"] = asdict(score)
        if about:
            document[next(iter(document))]["faults_by"] = about
        click.echo(json.dumps(document, indent=2))
        return
    for finding in findings:
        click.echo(f"{finding}.")
    if severity:
        worst = ", ".join(f"{name} {max(faults.values()):.1f}" for name, faults in severity.items())
        click.echo(f"Predicted severity of the worst fault, 0 to 1: {worst}.")
    if score:
        click.echo(f"{score}.")
    if about:
        click.echo(about)
    for name, values in features.items():
        click.echo(name)
        rows = [
            (feature, f"{value:.3f}" if isinstance(value, float) else " ".join(f"{band:.1f}" for band in value))
            for feature, value in values.items()
        ]
        click.echo(text_table((), rows, align="ll", indent=2))
