"""What a command does before its work: how its threads will wait, and nothing imported that it doesn't need."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from photomend.app import cli
from photomend.app.cli import run
from photomend.app.threads import SLEEPING, let_waiting_threads_sleep

from .helpers import holes, picture


def test_waiting_threads_sleep_unless_the_user_says_otherwise() -> None:
    environment = {"HOME": "/"}
    let_waiting_threads_sleep(environment)
    assert environment == {"HOME": "/", **SLEEPING}
    for theirs in ({"OMP_WAIT_POLICY": "ACTIVE"}, {"KMP_BLOCKTIME": "200"}, {"GOMP_SPINCOUNT": "1000"}):
        environment = dict(theirs)
        let_waiting_threads_sleep(environment)
        assert environment == theirs


def test_the_command_says_so_before_torch_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    order = []
    monkeypatch.setattr(cli, "let_waiting_threads_sleep", lambda: order.append("threads"))
    monkeypatch.setattr(cli, "run", lambda: order.append("collects" if gc.isenabled() else "command"))
    monkeypatch.setattr(gc, "freeze", lambda: order.append("freeze"))
    with pytest.raises(SystemExit):
        cli.main()
    assert order == ["threads", "command", "freeze"]
    assert gc.isenabled()


def test_garbage_is_collected_again_once_a_command_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    order = []
    monkeypatch.setattr(gc, "freeze", lambda: order.append("freeze"))
    run(["verify", "--help"])
    assert order == []
    gc.disable()
    try:
        run(["verify", "--help"])
        assert gc.isenabled()
        assert order == ["freeze"]
    finally:
        gc.enable()


#: What repairs don't need, and would wait for.
HEAVY = (
    *("datasets", "pandas", "pyarrow", "huggingface_hub", "matplotlib", "cv2", "skimage", "scipy", "onnx", "starlette"),
    *("pyvips", "imagecodecs", "tifffile", "glymur", "jpeglib", "numpy.ma", "PIL.ImageDraw", "PIL.TiffImagePlugin"),
    *("torch._inductor", "torch._dynamo", "photomend.train", "photomend.tests", "photomend.core.gradcheck.hints"),
)
IMPORTED = """
import sys
from photomend.app.cli import run
status = run(sys.argv[2:])
print(status, [name for name in sys.argv[1].split(",") if name in sys.modules])
"""


@pytest.mark.slow  # a process of its own
def test_a_repair_imports_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    holes(tmp_path / "m.png", 80, 100, (30, 30, 20, 20))
    arguments = ["repair", "a.png", "--mask", "m.png", "-o", "b.png", "--model", "attention"]
    command = [sys.executable, "-c", IMPORTED, ",".join(HEAVY), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert found.stdout.splitlines()[-1] == "0 []", found


@pytest.mark.slow  # two processes
def test_neither_importing_the_package_nor_help_imports_torch_or_changes_the_environment() -> None:
    program = "import os, sys; before = dict(os.environ); import photomend; {}; "
    program += "print(bool({{'torch', 'onnx', 'starlette', 'uvicorn'}} & set(sys.modules)), before == os.environ)"
    for more in ("pass", "from photomend.app.cli import run; run(['--help'])"):
        command = [sys.executable, "-c", program.format(more)]
        found = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
        assert found.stdout.splitlines()[-1] == "False True"
