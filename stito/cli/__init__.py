"""The command line: click, and no logic. Every command imports the engine when it runs, so that `--help` is quick."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import click

from stito.cli.endings import Ending, as_interrupts
from stito.cli.lazy import LazyGroup
from stito.compute import THREADS
from stito.errors import StitoError, StitoWarning
from stito.version import __version__

__all__ = ["cli", "main"]

COMPLETION = "_STITO_COMPLETE"
"""Set by shells that complete the command line."""

_COMMANDS = {
    "analyze": ("stito.cli.analyze:analyze", "Measure loudness, dynamics, spectrum, stereo and masking."),
    "apply": ("stito.cli.apply:apply", "Render a preset on audio."),
    "batch": ("stito.cli.batch:batch", "Transfer many songs, and go on where it was interrupted."),
    "compare": ("stito.cli.compare:compare", "Run several methods on one pair and print a table."),
    "data": ("stito.cli.data:data", "Build, look into, pack and unpack caches of songs to train on."),
    "degrade": ("stito.cli.degrade:degrade", "Give a mix controlled faults, with a label of what was done."),
    "demo": ("stito.cli.demo:demo", "Compose two songs and transfer the style of one to the other."),
    "effects": ("stito.cli.catalogue:effects", "List effects and chains, or the knobs of one."),
    "embed": ("stito.cli.embed:embed", "Write the style embedding of audio to a file."),
    "encoders": ("stito.cli.catalogue:encoders", "List encoders, or describe one."),
    "evaluate": ("stito.cli.evaluate:evaluate", "Measure encoders and methods, as the papers do and beyond."),
    "explain": ("stito.cli.explain:explain", "Say in words what was set."),
    "export": ("stito.cli.export:export", "Take settings into a DAW, a convolver or a table."),
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
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by `>&-`
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _heard_or_not(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # of file names whose bytes are no text
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        Path.cwd()
    except OSError:
        click.echo("Error: The folder in which this was started is not there any more.", err=True)
        click.echo("Hint: Go to another folder with cd.", err=True)
        sys.exit(1)
    with as_interrupts() as ending:
        try:
            _run(ending)
        except SystemExit as ended:
            _end_at_once(ended)
            raise


class _Aside(io.RawIOBase):
    """A stream that nothing hangs on: where nobody reads, or no room is left, work goes on."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def write(self, data: Any) -> int:
        with contextlib.suppress(OSError):
            self._stream.buffer.write(data)
            self._stream.buffer.flush()
        return len(data)


def _heard_or_not(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """The same stream, whose failures are nobody's."""
    aside = io.BufferedWriter(_Aside(stream), 1)
    return io.TextIOWrapper(aside, encoding=stream.encoding, errors="replace", write_through=True)


def _show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
    """stito's own are for people, without the line of code that gave them."""
    if issubclass(category, StitoWarning):
        click.echo(f"Warning: {message}", err=True)
    else:
        _show_others(message, category, *where)


_show_others = warnings.showwarning


def _end_at_once(ended: SystemExit) -> None:
    """End a failed program although threads still work on what nobody waits for: Python itself would let them finish.

    What they could leave half done is only in memory: files appear whole or not at all.
    """
    working = any(thread.name.startswith(THREADS) and thread.is_alive() for thread in threading.enumerate())
    if ended.code and working and Path(sys.argv[0]).stem in ("stito", "__main__"):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)


def _run(ending: Ending) -> None:
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
        sys.exit(ending.status)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except (MemoryError, RuntimeError) as error:
        if debug or not (_is_of_memory(error) or "Symlink loop" in str(error)):
            raise
        if not _is_of_memory(error):  # so says pathlib before Python 3.13
            click.echo(f"Error: {error}.\nHint: {_WAYS_OUT[errno.ELOOP]}", err=True)
            sys.exit(1)
        click.echo("Error: There is not enough memory for this.", err=True)
        click.echo("Hint: Close other programs, give shorter audio, or fewer stems at once.", err=True)
        sys.exit(1)
    except BrokenPipeError:  # nobody reads on, as in `stito effects | head -1`: what is left goes nowhere
        _leave_stdout()
        sys.exit(0)
    except OSError as error:
        if debug:
            raise
        if error.filename is None:
            _leave_stdout()  # perhaps what is full is what stdout goes to, and the rest would not fit either
        click.echo(f"Error: {error.filename or 'The output'}: {error.strerror or error}.", err=True)
        click.echo(f"Hint: {_WAYS_OUT.get(error.errno or 0, 'Check names, permissions and disks.')}", err=True)
        sys.exit(1)


_WAYS_OUT = {
    errno.ENOSPC: "The disk, or what the output goes to, is full: make room, or write somewhere else.",
    errno.EDQUOT: "Your share of the disk is used up: make room, or write somewhere else.",
    errno.EACCES: "Change the permissions, or choose another place.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ELOOP: "A symbolic link leads to itself: give the file itself.",
    errno.EMFILE: "Too many files are open: raise the limit with ulimit -n.",
}


def _leave_stdout() -> None:
    """Python writes what is left when it ends, and would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_of_memory(error: Exception) -> bool:
    """Whether an error is of memory that is not to be had, as Python, numpy and torch say it."""
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error) or "out of memory" in str(error)
