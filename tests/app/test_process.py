"""How a command ends: by signals, without streams to write to, without memory; always in order and in one line."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from photomend.app.process import Stopped, end_in_order, is_out_of_memory, printable, temporary_folder

pytestmark = pytest.mark.slow  # processes

#: A command that waits, or does what it is told, in place of a command's work.
COMMAND = """
import sys, time
import click
from photomend.app import cli
def work(*args, **kwargs):
    {}
click.Group.invoke = work
sys.argv = ["photomend", "prepare"]
cli.main()
"""
WAITING = """try:
        print("begins", flush=True)
        time.sleep(60)
    finally:
        print("in order")"""


@pytest.mark.parametrize(
    ("name", "status", "line"),
    [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "stopped by SIGTERM"), ("SIGHUP", 129, "stopped by SIGHUP")],
)
def test_a_signal_ends_a_command_in_order(name: str, status: int, line: str) -> None:
    def as_in_a_terminal() -> None:
        signal.signal(getattr(signal, name), signal.SIG_DFL)

    command, pipe = [sys.executable, "-c", COMMAND.format(WAITING)], subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=as_in_a_terminal) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "begins\n"
        process.send_signal(getattr(signal, name))
        assert process.wait(20) == status
        assert process.stdout.read() == "in order\n"
        assert process.stderr.read() == f"photomend: error: {line}\n"


def test_what_is_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `nohup` asks for."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        end_in_order()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(
    ("redirected", "work", "status", "said"),
    [
        (">&-", "print('more')", 0, ""),
        ("2>&-", "print('more')", 0, ""),
        (">&- 2>&-", "import warnings; warnings.warn('careful')", 0, ""),
        ("> /dev/full", "print('more')", 1, "photomend: error: [Errno 28] No space left on device\n"),
    ],
)
def test_streams_that_take_nothing(redirected: str, work: str, status: int, said: str) -> None:
    command = ["bash", "-c", f'"$0" -c "$1" {redirected}', sys.executable, COMMAND.format(work)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (status, said)


def test_files_do_not_get_the_number_of_a_closed_stream() -> None:
    """Otherwise what a library prints on standard error would be written into a photo."""
    work = "file = open('/dev/null'); sys.exit(file.fileno() < 3)"
    command = ["bash", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, COMMAND.format(work)]
    assert subprocess.run(command, check=False).returncode == 0


def test_memory_that_is_not_there_is_one_line() -> None:
    command = [sys.executable, "-c", COMMAND.format("import torch; torch.empty(2**50)")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "photomend: error: not enough memory\n")


def test_which_errors_mean_memory() -> None:
    with pytest.raises(MemoryError) as caught:
        np.empty(2**50)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(OSError(errno.ENOMEM, "Cannot allocate memory"))
    assert is_out_of_memory(torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert is_out_of_memory(RuntimeError("can't start new thread"))
    assert is_out_of_memory(ImportError("libtorch_cpu.so: failed to map segment from shared object"))
    assert not is_out_of_memory(OSError(errno.ENOSPC, "No space left on device"))
    assert not is_out_of_memory(ValueError("out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes differ"))


def test_no_temporary_file_stays() -> None:
    """Nor one that a library leaves behind when it is interrupted."""
    before = tempfile.gettempdir()
    with suppress(KeyboardInterrupt), temporary_folder() as folder:
        with tempfile.NamedTemporaryFile(delete=False) as file:
            assert Path(file.name).parent == folder
        raise KeyboardInterrupt
    assert not folder.exists()
    assert tempfile.gettempdir() == before


def test_names_of_files_are_printed_in_one_line() -> None:
    assert printable("Grüße aus 東京 – 1 × 2.png") == "Grüße aus 東京 – 1 × 2.png"
    assert printable("a\nb\x1b[2J\udcff.png") == r"a\nb\x1b[2J\udcff.png"
