"""`photomend exercise`: write a backward pass yourself, and have it checked."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from shlex import quote

import click

from ..exercises import hints, process
from ..exercises.catalogue import EXERCISES, Exercise, after, find
from ..exercises.file import AnswerFileError, read, write_start
from ..exercises.text import HEADER
from ..paths import FILE

_WIDTH = max(len(exercise.name) for exercise in EXERCISES)


class _Group(click.Group):
    """Commands in the order in which they are used; a misspelt one is answered with the nearest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            near = get_close_matches(args[0], self.commands, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self.commands)}"
            raise click.UsageError(f"no such command {args[0]!r}; {advice}", ctx)
        return super().resolve_command(ctx, args)


@click.group("exercise", cls=_Group, no_args_is_help=True)
def command() -> None:
    """Write the engine's backward passes yourself, one exercise after the other.

    `start` writes a file with signatures and docstrings; fill in the bodies. `check` runs that file, in a process of
    its own, and shows the first thing that is wrong on small numbers. `hint` says more each time it is asked.

    \b
    photomend exercise start multiply-divide
    photomend exercise check multiply_divide.py
    photomend exercise hint multiply_divide.py
    """


@command.command("list", short_help="List the exercises in course order.")
def list_() -> None:
    """List the exercises in course order."""
    for number, exercise in enumerate(EXERCISES, 1):
        click.echo(f"{number:2}  {exercise.name:{_WIDTH}}  {exercise.about}")


@command.command(short_help="Write the file of an exercise.")
@click.argument("name")
@click.option("--out", type=FILE, help="The file or folder to write to.  [default: the exercise's name, here]")
def start(name: str, out: Path | None) -> None:
    """Write the file of exercise NAME, or of that number: signatures, docstrings, a small example.

    A file that is there already is never replaced.
    """
    exercise = _find(name)
    try:
        path = write_start(exercise, out)
    except AnswerFileError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{path}  write {', '.join(exercise.functions)}, then: photomend exercise check {quote(str(path))}")


@command.command(short_help="Check your file.")
@click.argument("file", type=FILE)
@click.option("--seconds", type=click.FloatRange(min=0.1), default=process.SECONDS, help="Time that the file gets.")
@click.option("--megabytes", type=click.IntRange(min=64), default=process.MEGABYTES, help="Memory that it gets.")
def check(file: Path, seconds: float, megabytes: int) -> int:
    """Run FILE and check its functions: what they return, their values, gradients and kinks.

    Stops at the first thing that is wrong, shows it on small numbers, and names the mistake if it is a typical one.
    The exit status is 1 if anything is wrong.
    """
    exercise, outcome, _ = _examine(file, seconds, megabytes)
    for line in dict.fromkeys(outcome.right):  # of several checks of one function, one line
        click.echo(f"right  {line}")
    wrong = outcome.wrong
    if wrong is not None:
        click.echo("\n".join(_told(file, wrong)))
    _show_printed(outcome)
    if wrong is not None:
        click.echo(f"photomend exercise hint {quote(str(file))}  says more")
        return 1
    following = after(exercise)
    more = f"; next: photomend exercise start {following.name}" if following else "; that was the last one"
    click.echo(f"{exercise.name} is done{more}")
    return 0


@command.command(short_help="Say more about what is wrong.")
@click.argument("file", type=FILE)
@click.option("--step", type=click.IntRange(1, hints.STEPS), help="1: where; 2: why; 3: the line.  [default: the next]")
def hint(file: Path, step: int | None) -> None:
    """Say more about the first thing that is wrong in FILE: where, then why, then which line.

    Each time it is asked about the same mistake it says one step more.
    """
    exercise, outcome, text = _examine(file, process.SECONDS, process.MEGABYTES)
    if outcome.wrong is None:
        click.echo(f"{file}  all is right, there is nothing to hint at")
        return
    last = hints.steps(outcome.wrong)
    step = min(step or hints.next_step(file, outcome.wrong), last)
    for line in hints.hint(file, text, exercise, outcome.wrong, step):
        click.echo(line)
    if step < last:
        click.echo(f"photomend exercise hint {quote(str(file))}  once more for {('why', 'the line')[step - 1]}")


@command.command(short_help="Print the textbook answer.")
@click.argument("name")
def solution(name: str) -> None:
    """Print the textbook answer to exercise NAME, with its derivation."""
    exercise = _find(name)
    click.echo(f"{HEADER}{exercise.name}\n{exercise.solution}", nl=False)


def _find(name: str) -> Exercise:
    try:
        return find(name)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _examine(file: Path, seconds: float, megabytes: int) -> tuple[Exercise, process.Outcome, str]:
    try:
        text, exercise = read(file)
    except AnswerFileError as error:
        raise click.ClickException(str(error)) from error
    return exercise, process.run(file, exercise, seconds, megabytes), text


def _told(file: Path, wrong: process.Finding) -> list[str]:
    """The first thing that is wrong, line by line."""
    place = f"{file}:{wrong.line}: " if wrong.line else ""
    lines = [f"wrong  {place}{wrong.what}"]
    if wrong.line:
        lines += [f"         {source}" for source in _source_line(file, wrong.line)]
    lines += [f"       {wrong.mistake}"] if wrong.mistake else []
    return [*lines, *(f"       {detail}" for detail in wrong.details)]


def _source_line(file: Path, line: int) -> list[str]:
    lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return [lines[line - 1].strip()[:160]] if line <= len(lines) else []


def _show_printed(outcome: process.Outcome) -> None:
    if not outcome.printed.strip():
        return
    click.echo("your file printed:")
    shown = outcome.printed.rstrip().splitlines()[:20]
    for line in shown:
        click.echo(f"| {line}")
    left = outcome.more + len(outcome.printed.rstrip()) - sum(len(line) + 1 for line in shown)
    if left > 0:
        click.echo(f"| … and {left:,} characters more")
