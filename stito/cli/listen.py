"""`stito listen`."""

from __future__ import annotations

from pathlib import Path

import click

from stito.cli.lazy import LazyGroup

__all__ = ["analyse", "build", "listen"]

_COMMANDS = {
    "build": ("stito.cli.listen:build", "Make a listening test of folders of sounds."),
    "analyse": ("stito.cli.listen:analyse", "Analyse the listeners' answers."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def listen() -> None:
    """Listening tests: multi-stimulus, with hidden reference and anchors (MUSHRA).

    \b
    Example:
      stito evaluate transfer --data cache/ --methods input,match,neural,cma:features --cases 8 --audio -o out/
      stito listen build out/audio -o test/                  # upload test/page, send listeners there
      stito listen analyse test/ answers/ -o outcome/
    """


@click.command()
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("-o", "--output", "outdir", metavar="OUTDIR", required=True, type=click.Path(path_type=Path))
@click.option("--title", default="Listening test", show_default=True, help="What listeners see above.")
@click.option("--question", default=None, help="What they are asked.  [default: How like the reference is each sound?]")
@click.option("--seconds", type=float, default=10.0, show_default=True, help="Length of the excerpts, up to 12.")
@click.option("--systems", default="", metavar="A,B", help="Which files to rate.  [default: all of a folder]")
@click.option("--post", default="", metavar="URL", help="Where the page also sends answers; else they are only saved.")
@click.option("--force", is_flag=True, help="Overwrite what is in OUTDIR.")
def build(
    folder: Path,
    outdir: Path,
    title: str,
    question: str | None,
    seconds: float,
    systems: str,
    post: str,
    force: bool,
) -> None:
    """Make a listening test.

    FOLDER holds a folder for each trial, with a file `reference` and one for each system to rate; with a file `truth`,
    that is the hidden reference, and the open one may be of other music. Folders whose name begins with `training` come
    first and do not count. Hidden reference and low-passed anchors are added, all sounds are brought to one loudness.

    OUTDIR gets page/ (open index.html, or put the folder on any web server), webmushra/ (the same test for a webMUSHRA
    that you run), and key.json, which lists which sound is what: keep it to yourself.

    \b
    Example:
      stito listen build trials/ -o test/ --title "Which drums?"
    """
    from stito.evaluation.listening.build import NAMES, Questions, build_test
    from stito.evaluation.listening.trials import read_trials
    from stito.workflows.folder import prepare

    trials = read_trials(folder, systems.split(",") if systems else ())
    prepare(outdir, force=force, names=NAMES)
    questions = Questions(title=title, post=post, **({"question": question} if question else {}))
    build_test(
        trials,
        outdir,
        seconds=seconds,
        questions=questions,
        on_trial=lambda trial: click.echo(f"{trial.name}: {', '.join(trial.systems)}", err=True),
    )
    for path in (outdir / "page" / "index.html", outdir / "key.json"):
        click.echo(str(path))


@click.command()
@click.argument("test", metavar="TEST", type=click.Path(path_type=Path))
@click.argument("answers", metavar="ANSWERS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", "outdir", metavar="OUTDIR", required=True, type=click.Path(path_type=Path))
@click.option("--keep-all", is_flag=True, help="Count listeners who do not pass the screening too.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--force", is_flag=True, help="Overwrite what is in OUTDIR.")
def analyse(test: Path, answers: tuple[Path, ...], outdir: Path, keep_all: bool, as_json: bool, force: bool) -> None:
    """Analyse the answers to a listening test.

    TEST is the folder that `stito listen build` made, or its key.json; ANSWERS are files that the page saved, a
    mushra.csv of webMUSHRA, or folders of these. Listeners are screened as BS.1534-3 has it; conditions get medians
    with intervals and paired tests with Bonferroni's correction; and where the sounds came from `stito evaluate
    transfer --audio`, each of its measures is compared with the listeners' ratings.

    \b
    Example:
      stito listen analyse test/ answers/ -o outcome/
    """
    import json

    from stito.evaluation.listening.analysis import analyse as analyse_ratings
    from stito.evaluation.listening.outcome import NAMES, ListeningOutcome, write_listening
    from stito.evaluation.listening.responses import read_key, read_responses
    from stito.evaluation.plots import require
    from stito.workflows.folder import prepare

    require()
    key = read_key(test)
    ratings = read_responses(answers, key)
    prepare(outdir, force=force, names=NAMES)
    outcome = ListeningOutcome(key, analyse_ratings(ratings, key, keep_all=keep_all))
    write_listening(outdir, outcome)
    click.echo(json.dumps(outcome.as_json(), indent=2) if as_json else outcome.text())
