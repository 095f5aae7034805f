"""The command `photomend`: the group of commands, and how every error becomes one line."""

from __future__ import annotations

import gc
import importlib
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from .process import Stopped, abandon_output, end_in_order, is_out_of_memory, printable, secure_streams
from .threads import let_waiting_threads_sleep

#: Shown by --help; a command's file is only imported when it runs, so that help and mistakes answer at once.
COMMANDS = {
    "demo": "Train four networks on a few photos and compare them in a report.",
    "prepare": "Turn photos into a data set with fixed splits and holes.",
    "train": "Train a model.",
    "evaluate": "Compare models on the same photos with the same holes.",
    "repair": "Fill the missing parts of a photo.",
    "app": "The same on a web page: mark the damage, compare, download.",
    "inspect": "Show what a network does with a photo.",
    "draw": "Draw what a network is made of.",
    "export": "Write a network as an ONNX file.",
    "verify": "Check every gradient against four oracles.",
    "exercise": "Write a backward pass yourself, and have it checked.",
    "tune": "Measure this machine, so that later commands run faster on it.",
    "bench": "Compare speed and memory with torch.nn.",
}


class Commands(click.Group):
    """The commands of COMMANDS, each `photomend.app.commands.<name>.command`."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:  # click would end the line of a terminal's ^C, where there is none, too
            if sys.stderr is not None and sys.stderr.isatty():
                click.echo(err=True)
            raise click.Abort from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name.startswith("-"):
            return None
        if name not in COMMANDS:
            from ..core import did_you_mean  # here, as below, because it brings torch along

            raise click.UsageError(f"no such command {name!r}; {did_you_mean(name, list(COMMANDS))}", ctx)
        command: click.Command = importlib.import_module(f".commands.{name}", __package__).command
        if not gc.isenabled():  # `main` has seen to that; what is there by now stays
            gc.freeze()
            gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
)
@click.version_option(package_name="photomend", prog_name="photomend", message="%(prog)s %(version)s")
def cli() -> None:
    """Rebuild missing parts of photos, with a deep-learning engine written from scratch.

    \b
    photomend repair photo.png --box 40,60,50,30 -o repaired.png
    photomend train attention --photos DIR --out RUN
    photomend evaluate --photos DIR --models harmonic,RUN
    photomend verify conv2d     (how its gradient is checked; the code is layers/conv.py)
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, 1 for an error, 2 for a mistake in the command line.

    Whatever goes wrong that a user can cause is one line on standard error, `photomend: error: …`.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            warnings.simplefilter("default", UserWarning)  # also where the environment says otherwise
            status = cli.main(arguments, prog_name="photomend", standalone_mode=False)
            if sys.stdout is not None:  # it was closed from the start
                sys.stdout.flush()
            return int(status or 0)
    except click.exceptions.NoArgsIsHelpError as help_page:
        click.echo(help_page.format_message())
        return 2
    except click.ClickException as error:
        print_error(error.format_message())
        return error.exit_code
    except BrokenPipeError:  # `photomend … | head`: nobody reads any more, which is no mistake
        abandon_output()
        return 1
    except OSError as error:
        print_error(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        if not error.filename:  # perhaps the disk that the output goes to is full
            abandon_output()
        return 1
    except (click.Abort, KeyboardInterrupt) as error:
        return interrupted(error)
    except Exception as error:
        if is_out_of_memory(error):
            print_error("not enough memory")
            return 1
        from ..core import PhotomendError  # here, because it brings torch along, which --help can do without

        if not isinstance(error, PhotomendError):
            raise
        print_error(str(error))
        return 1


def interrupted(error: BaseException) -> int:
    """Say that a signal ended the command, and how far it came; the exit status by which shells know the signal."""
    cause = error if isinstance(error, KeyboardInterrupt) else error.__cause__  # click raises an Abort of it
    number = cause.number if isinstance(cause, Stopped) else signal.SIGINT
    said = "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
    progress = cause.args if isinstance(cause, KeyboardInterrupt) else ()
    print_error("; ".join([said, *map(str, progress)]))
    return 128 + number


def print_error(message: str) -> None:
    """One line on standard error, whatever the message's own lines."""
    click.echo(f"photomend: error: {printable(' '.join(message.split()))}", err=True)


def show_warning(message: Warning | str, *place: object, **more: object) -> None:
    """A warning without the place in the source that it came from, which helps no user."""
    from tqdm import tqdm  # here, because few commands warn

    line = f"photomend: warning: {printable(' '.join(str(message).split()))}"
    if sys.stderr is not None:
        tqdm.write(line, file=sys.stderr)  # above a bar, if there is one


def main() -> NoReturn:
    """The console script.

    Importing torch makes a million objects that stay. To look through them for garbage, again and again while they come
    and once more at the end, takes a third of the time until a small photo is repaired: so nobody looks.
    """
    secure_streams()
    end_in_order()
    let_waiting_threads_sleep()
    gc.disable()
    status = run()
    gc.freeze()
    gc.enable()
    sys.exit(status)
