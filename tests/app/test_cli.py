"""The command line itself: help, nearest names, and one line for everything that goes wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from photomend import __version__
from photomend.app import cli as module
from photomend.app.cli import COMMANDS, cli
from photomend.core import PhotomendError

from .helpers import Shell

pytestmark = pytest.mark.slow  # a process each


def test_help_lists_every_command_and_brings_no_torch() -> None:
    code = (
        "import sys; from photomend.app.cli import run; status = run(['--help']);"
        "sys.exit(status or ('torch' in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for name, line in COMMANDS.items():
        assert f"  {name} " in result.stdout
        assert line.split()[0] in result.stdout


def test_it_runs_as_a_module() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "photomend", "--version"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, f"photomend {__version__}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(shell: Shell, name: str) -> None:
    outcome = shell(name, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    command = cli.get_command(click.Context(cli), name)  # type: ignore[attr-defined]
    assert command is not None
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"


def test_nearest_command_and_option(shell: Shell) -> None:
    assert "did you mean 'evaluate'?" in shell.fails(2, "evalute")
    assert "there are demo, prepare" in shell.fails(2, "xyzzy")
    assert "'--models'" in shell.fails(2, "evaluate", "--modles", "harmonic")
    assert "'--output'" in shell.fails(2, "repair", "--ouput", "x")
    assert "No such option" in shell.fails(2, "--verbos")


def test_nothing_to_do_shows_the_help(shell: Shell) -> None:
    outcome = shell()
    assert outcome.status == 2
    assert "Commands:" in outcome.out
    assert outcome.err == ""


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (PhotomendError("two\nlines"), 1, "two lines"),
        (OSError(28, "No space left on device", "out.png"), 1, "out.png: No space left on device"),
        (OSError("no errno"), 1, "no errno"),
        (click.UsageError("not so"), 2, "not so"),
    ],
)
def test_what_goes_wrong_is_one_line(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, line: str
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(module.cli, "invoke", fail)
    assert shell.fails(status, "prepare") == f"photomend: error: {line}\n"


def test_an_interruption_ends_quietly(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.cli, "invoke", interrupt)
    outcome = shell("prepare")
    assert outcome.status == 130
    assert outcome.err.strip() == "photomend: error: interrupted"  # after an end to the terminal's own ^C


def test_a_mistake_of_ours_keeps_its_traceback(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module.cli, "invoke", fail)
    with pytest.raises(ZeroDivisionError):
        shell("prepare")


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m photomend evaluate --help | head -1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert result.stderr == ""
