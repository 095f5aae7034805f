"""Nothing that a stranger gives is executed, and nothing goes out but what was asked for: read off the syntax tree.

Each exception has its file, its name and its reason.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from .test_house import ROOT, known_names, python_files

#: Modules that run what they read, call other programs, or reach other machines.
MODULES = {
    *("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "copyreg", "yaml"),
    *(
        "code",
        "codeop",
        "runpy",
        "imp",
        "ctypes",
        "cffi",
        "pty",
        "subprocess",
        "commands",
        "multiprocessing.connection",
    ),
    *("socket", "socketserver", "ssl", "ftplib", "smtplib", "poplib", "imaplib", "telnetlib", "nntplib", "xmlrpc"),
    *("urllib.request", "http.client", "http.server", "requests", "httpx", "aiohttp", "urllib3", "websockets"),
    *(
        "huggingface_hub",
        "webbrowser",
        "xml.etree",
        "xml.dom",
        "xml.sax.parse",
        "xml.sax.make_parser",
        "torch.hub",
        "torch.distributed.rpc",
    ),
}
#: Functions that do.
CALLS = {
    *("eval", "exec", "compile", "__import__", "execfile", "breakpoint", "input"),
    *("os.system", "os.popen", "os.startfile", "os.fork", "os.forkpty", "torch.load", "torch.save", "torch.jit.load"),
    *("numpy.loads", "pandas.read_pickle", "builtins.eval", "builtins.exec", "builtins.compile"),
}
CALL_PREFIXES = ("os.exec", "os.spawn", "os.posix_spawn")
#: What single files do all the same.
EXCEPTIONS = {
    "app/report/charts.py": {"xml.etree"},  # of figures that it has drawn itself
    "app/exercises/child.py": {"exec", "compile"},  # runs the learner's own answer, which is a program
    "app/exercises/process.py": {"subprocess"},  # in a process of its own
    "core/backend/runtime.py": {"ctypes"},  # asks the C library to keep freed memory
    "app/web/jobs.py": {"ctypes"},  # lets Python raise an error in the thread of a job that is cancelled
    "app/web/guard.py": {"socket"},  # the names of this machine, which requests may have in Host
    "app/commands/app.py": {"socket", "webbrowser"},  # the page that `photomend app` shows on this machine
}


def executed(source: str) -> list[str]:
    """Every import and call in `source` that could run what it reads, or reach out, as `line: name`."""
    tree = ast.parse(source)
    known, found = known_names(tree), []
    for node in ast.walk(tree):
        names: list[str] = []
        if not isinstance(node, ast.stmt | ast.expr):
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call):
            name = _called(node.func, known)
            if name in CALLS or name.startswith(CALL_PREFIXES):
                found.append(f"{node.lineno}: {name}")
            if name.endswith("import_module") and node.args and isinstance(node.args[0], ast.Constant):
                names = [str(node.args[0].value)]
            for keyword in node.keywords:
                value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
                wrong = {"shell": True, "allow_pickle": True, "weights_only": False, "trust_remote_code": True}
                if keyword.arg in wrong and value != (not wrong[keyword.arg]):
                    found.append(f"{node.lineno}: {keyword.arg}")
        for name in names:
            line = getattr(node, "lineno", 0)
            found += [f"{line}: {module}" for module in MODULES if f"{name}.".startswith(f"{module}.")]
    return sorted(set(found))


def _called(function: ast.expr, known: dict[str, str]) -> str:
    """What a call calls: `os.system`, whatever it was imported as."""
    if isinstance(function, ast.Name):
        return known.get(function.id, function.id)
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name | ast.Attribute):
        owner = _called(function.value, known)
        return f"{owner}.{function.attr}"
    return ""


def test_nothing_is_executed_that_was_read_and_nothing_goes_out() -> None:
    faults = []
    for path in python_files():
        place = path.relative_to(ROOT).as_posix()
        allowed = EXCEPTIONS.get(place, set())
        if not place.startswith("data/preparation/hub"):  # which loads from where the user says
            uses = executed(path.read_text(encoding="utf-8"))
            faults += [f"{place}:{use}" for use in uses if use.partition(": ")[2] not in allowed]
    assert faults == []


def test_every_exception_is_needed() -> None:
    for place, allowed in EXCEPTIONS.items():
        uses = {use.partition(": ")[2] for use in executed((ROOT / place).read_text(encoding="utf-8"))}
        assert allowed <= uses, place


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads as read",
        "from os import system as s\ns('ls')",
        "import torch as t\nt.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "flag = True\nimport numpy as np\nnp.load('x', allow_pickle=flag)",
        "torch.load('x', weights_only=False)",
        "eval('1')",
        "import importlib\nimportlib.import_module('pickle')",
        "import urllib.request",
        "from urllib import request",
        "import os\nos.execvp('ls', ['ls'])",
        "subprocess.run('ls', shell=True)",
        "datasets.load_dataset('x', trust_remote_code=True)",
        "from xml.etree import ElementTree",
    ],
)
def test_the_check_finds(line: str) -> None:
    assert executed(line)


def test_the_check_lets_pass() -> None:
    harmless = (
        "import numpy as np",
        "np.load('x')",
        "model.eval()",
        "re.compile('x')",
        "from urllib.parse import quote",
    )
    assert executed("\n".join(harmless)) == []


def test_no_pickle_is_shipped() -> None:
    endings = {".pkl", ".pickle", ".pth", ".pt", ".ckpt", ".bin", ".joblib"}
    kept = [path for path in ROOT.rglob("*") if path.suffix in endings and not {".venv", "build"} & set(path.parts)]
    assert [str(path.relative_to(ROOT)) for path in kept if Path(path).is_file()] == []
