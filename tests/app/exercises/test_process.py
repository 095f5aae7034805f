"""A learner's file may do what it likes: each is survived, and explained in a line or two."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from photomend.app.exercises.catalogue import find
from photomend.app.exercises.text import HEADER

from ..helpers import Outcome, Shell

MULTIPLY = find("multiply-divide")


@pytest.fixture
def answer(tmp_path: Path):
    def write(source: str, name: str = "answer.py", header: str = f"{HEADER}multiply-divide\n") -> Path:
        path = tmp_path / name
        path.write_text(header + source, encoding="utf-8")
        return path

    return write


def said(outcome: Outcome) -> str:
    assert outcome.status == 1, outcome
    assert outcome.err == ""
    assert "Traceback" not in outcome.out
    return outcome.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "phrases"),
    [
        ("while True:\n    pass\n", ["answer.py:", "still running after 4 s", "never ends"]),
        ("while True:\n    print('x' * 1000)\n", ["still running", "your file printed:", "characters more"]),
        ("x = [bytearray(10**8) for _ in range(100)]\n", ["answer.py:2", "out of memory"]),
        ("import torch\nx = torch.ones(10**10)\n", ["answer.py:3", "out of memory"]),
        ("import os\nos._exit(0)\n", ["ended the process", "exit status 0", "os._exit"]),
        ("import os\nos.kill(os.getpid(), 11)\n", ["ended by SIGSEGV"]),
        (
            "import threading\nthreading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()\n",
            ["no function multiply"],
        ),
    ],
    ids=["loop", "prints", "memory", "torch's memory", "os._exit", "crash", "thread"],
)
def test_a_file_that_does_harm(shell: Shell, answer, source: str, phrases: list[str]) -> None:
    out = said(shell("exercise", "check", answer(source), "--seconds", "4", "--megabytes", "512"))
    for phrase in phrases:
        assert phrase in out


@pytest.mark.slow
def test_what_passes_and_what_is_printed(shell: Shell, answer) -> None:
    outcome = shell("exercise", "check", answer(MULTIPLY.solution + "\nprint('hello')\nprint('ȳ')\n"))
    assert outcome.status == 0, outcome
    assert "| hello\n| ȳ\n" in outcome.out
    assert "multiply-divide is done; next: photomend exercise start linear\n" in outcome.out


@pytest.mark.slow
def test_hints_go_from_where_to_the_line_and_nothing_is_left_beside_the_file(
    shell: Shell, answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "work"
    folder.mkdir()
    path = answer(MULTIPLY.solution.replace("b̄ = -ȳ", "b̄ = ȳ"), "work/answer.py")
    steps = [shell("exercise", "hint", path).out for _ in range(4)]
    first = path.read_text(encoding="utf-8").splitlines().index("    def divide_pullback(ȳ):") + 1
    assert f"answer.py:{first}, to line {first + 5}: the pullback of divide, where b̄ is computed" in steps[0]
    assert "wrong sign" in steps[1]
    assert "(1/b)′ = −1/b²" in steps[1]
    assert "line:  b̄ = -ȳ * a / b**2" in steps[2]
    assert steps[2] == steps[3]
    assert sorted(p.name for p in folder.iterdir()) == ["answer.py"]
    other = answer(MULTIPLY.solution.replace("ȳ * b\n", "b\n"), "work/answer.py")
    assert "where: " in shell("exercise", "hint", other).out
    assert "line:  ā = ȳ * b" in shell("exercise", "hint", other, "--step", "3").out
    assert "all is right" in shell("exercise", "hint", answer(MULTIPLY.solution)).out


@pytest.mark.slow
def test_where_nothing_can_be_kept_a_hint_is_given_all_the_same(
    shell: Shell, answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert shell("exercise", "hint", answer("")).out.startswith("where: ")


@pytest.mark.parametrize(
    ("data", "phrase"),
    [
        (b"def multiply(a, b):\n    return a * b\n", "its first line must be `# photomend exercise: NAME`"),
        (b"# photomend exercise: sofmax\n", "no exercise ' sofmax'; did you mean 'softmax'?"),
        (f"{HEADER}softmax\n".encode("utf-16"), "is in UTF-16; save it as UTF-8"),
        (f"{HEADER}softmax\n# é\n".encode("latin-1"), ":2: isn't in UTF-8 (byte 0xe9)"),
        (b"# photomend exercise: softmax\n\0", "is no text"),
        (b"#" * 2_000_000, "2,000,000 bytes"),
    ],
)
def test_a_file_that_cannot_be_read(shell: Shell, tmp_path: Path, data: bytes, phrase: str) -> None:
    path = tmp_path / "answer.py"
    path.write_bytes(data)
    for name in ("check", "hint"):
        assert phrase in shell.fails(1, "exercise", name, path)


def test_a_file_that_is_not_there(shell: Shell, tmp_path: Path) -> None:
    assert "No such file" in shell.fails(1, "exercise", "check", tmp_path / "none.py")
    assert "Is a directory" in shell.fails(1, "exercise", "check", tmp_path)


def test_start_never_replaces_a_file(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = shell("exercise", "start", "softmax")
    assert outcome.status == 0
    assert outcome.out == "softmax.py  write softmax, then: photomend exercise check softmax.py\n"
    Path("softmax.py").write_text("mine")
    assert "is there already, and stays as it is" in shell.fails(1, "exercise", "start", "7")
    assert Path("softmax.py").read_text() == "mine"
    (tmp_path / "folder").mkdir()
    assert shell("exercise", "start", "softmax", "--out", "folder").status == 0
    assert shell("exercise", "start", "softmax", "--out", "other.py").status == 0
    assert (tmp_path / "folder/softmax.py").read_text() == Path("other.py").read_text()
    assert "can't be written (No such file" in shell.fails(1, "exercise", "start", "linear", "--out", "no/where.py")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_start_in_a_folder_that_takes_no_files(shell: Shell, tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert "can't be written" in shell.fails(1, "exercise", "start", "linear", "--out", tmp_path)


def test_list_and_solution(shell: Shell) -> None:
    lines = shell("exercise", "list").out.splitlines()
    assert len(lines) == 12
    assert lines[3].startswith(" 4  multiply-divide ")
    assert shell("exercise", "solution", "multiply-divide").out == f"{HEADER}multiply-divide\n{MULTIPLY.solution}"
    assert "did you mean 'linear'?" in shell.fails(1, "exercise", "solution", "liner")
    assert "did you mean 'check'?" in shell.fails(2, "exercise", "chek", "x.py")
