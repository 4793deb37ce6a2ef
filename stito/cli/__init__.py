"""The command line: click, and no logic. Every command imports the engine when it runs, so that `--help` is quick."""

from __future__ import annotations

import io
import os
import sys

import click

from stito.cli.lazy import LazyGroup
from stito.errors import StitoError
from stito.version import __version__

__all__ = ["cli", "main"]

COMPLETION = "_STITO_COMPLETE"
"""Set by shells that complete the command line."""

_COMMANDS = {
    "analyze": ("stito.cli.analyze:analyze", "Measure loudness, dynamics, spectrum, stereo and masking."),
    "apply": ("stito.cli.apply:apply", "Render a preset on audio."),
    "compare": ("stito.cli.compare:compare", "Run several methods on one pair and print a table."),
    "data": ("stito.cli.data:data", "Build, look into, pack and unpack caches of songs to train on."),
    "degrade": ("stito.cli.degrade:degrade", "Give a mix controlled faults, with a label of what was done."),
    "demo": ("stito.cli.demo:demo", "Compose two songs and transfer the style of one to the other."),
    "effects": ("stito.cli.catalogue:effects", "List effects and chains, or the knobs of one."),
    "embed": ("stito.cli.embed:embed", "Write the style embedding of audio to a file."),
    "encoders": ("stito.cli.catalogue:encoders", "List encoders, or describe one."),
    "evaluate": ("stito.cli.evaluate:evaluate", "Measure encoders and methods, as the papers do and beyond."),
    "listen": ("stito.cli.listen:listen", "Make listening tests and evaluate their answers."),
    "manipulate": ("stito.cli.manipulate:manipulate", "Give stems a random mixing style."),
    "metrics": ("stito.cli.catalogue:metrics", "List what is reported of results, and what it means."),
    "normalize": ("stito.cli.normalize:normalize", "Bring stems to the average sound of their kind."),
    "plugins": ("stito.cli.catalogue:plugins", "List what is installed, and from which package."),
    "separate": ("stito.cli.separate:separate", "Take a mix apart into stems."),
    "train": ("stito.cli.train:train", "Train a network by a recipe."),
    "transfer": ("stito.cli.transfer:transfer", "Make a mix or stems sound like a reference."),
}


@click.group(
    cls=LazyGroup, table=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, "-V", "--version", prog_name="stito")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Makes your tracks sound like a reference, and gives you the settings.

    \b
    Example:
      stito transfer my-stems/ reference.wav -o out/
      stito apply out/preset.json another-take/ -o out2/
    """
    ctx.obj = {"debug": debug}


def main() -> None:
    """Run the command line; a `StitoError` becomes a message and a hint, never a traceback."""
    if COMPLETION in os.environ:
        cli()  # click completes the words of a shell, and ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # of file names whose bytes are no text
    debug = "--debug" in sys.argv
    try:
        with cli.make_context("stito", sys.argv[1:]) as context:
            cli.invoke(context)
        sys.stdout.flush()
    except StitoError as error:
        if debug:
            raise
        click.echo(f"Error: {error.message}", err=True)
        if error.hint:
            click.echo(f"Hint: {error.hint}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except (MemoryError, RuntimeError) as error:
        if debug or not _is_of_memory(error):
            raise
        click.echo("Error: There is not enough memory for this.", err=True)
        click.echo("Hint: Close other programs, give shorter audio, or fewer stems at once.", err=True)
        sys.exit(1)
    except BrokenPipeError:  # nobody reads on, as in `stito effects | head -1`: what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _is_of_memory(error: Exception) -> bool:
    """Whether an error is of memory that is not to be had, as Python, numpy and torch say it."""
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error) or "out of memory" in str(error)
