"""The rules of the house, read off the syntax tree: from scratch, arrows one way, a whole wheel."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOT_SHIPPED = {
    "tests",
    "docs",
    "benchmarks",
    "examples",
    "notebooks",
    "weights",
    "release",
    "build",
    "dist",
    "demo",
    "runs",
}

#: Who may import whom (a package may always import itself). Nobody but app imports app.
ARROWS = {
    "core": set(),
    "layers": {"core"},
    "models": {"core", "layers"},
    "data": {"core"},
    "train": {"core", "layers", "models", "data"},
    "app": {"core", "layers", "models", "data", "train"},
}
PACKAGES = set(ARROWS)

#: torch's own layers, derivatives and optimizers, and the back doors to them.
BANNED_TORCH = re.compile(
    r"torch\.("
    r"nn|autograd|optim|func|functional|ops|_C|jit"
    r"|conv\d?d?|conv_\w+|convolution|batch_norm\w*|native_\w+|cudnn_\w+|(group|layer|instance|rms)_norm"
    r"|(max|avg|adaptive_avg|adaptive_max)_pool\w+|pixel_(un)?shuffle|(alpha_|feature_)?dropout_?"
    r"|enable_grad|set_grad_enabled"
    r")(\.|$)"
)
BANNED_NAMES = {"requires_grad", "requires_grad_"}
#: What single files may use all the same, and as what.
EXCEPTIONS = {
    "core/arrays.py": "requires_grad",  # only read, to refuse such arrays
    "core/members.py": "torch.nn.modules.module",  # the name of it, by which torch's modules are refused
    "core/backend/gemm.py": "torch.ops.mkldnn._linear_pointwise.default",  # oneDNN's product of two matrices, x Wᵀ + b
    "core/habits.py": "requires_grad_",  # only named, to say what to write instead
}


def python_files() -> list[Path]:
    """Every file that the wheel ships."""
    files = sorted(ROOT.glob("*.py"))
    for package in sorted(PACKAGES):
        files += sorted((ROOT / package).rglob("*.py"))
    return files


def dotted(node: ast.expr, known: dict[str, str]) -> str | None:
    """`torch.nn.Linear` for the attribute chain, with what its first name is known to stand for put in."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, known)
        return f"{base}.{node.attr}" if base else None
    if isinstance(node, ast.Call) and is_call_of(node, "getattr", "import_module", "__import__"):
        strings = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        base = dotted(node.args[0], known) if node.args else None
        return ".".join([base, *strings]) if base else (strings[0] if strings else None)
    return None


def is_call_of(node: ast.Call, *names: str) -> bool:
    called = node.func
    return (called.id if isinstance(called, ast.Name) else getattr(called, "attr", None)) in names


def known_names(tree: ast.AST) -> dict[str, str]:
    """What local names stand for, after imports (`import torch as t`) and plain assignments (`n = t.nn`)."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                known[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and (meaning := dotted(node.value, known)):
            known.update({target.id: meaning for target in node.targets if isinstance(target, ast.Name)})
    return known


def not_from_scratch(source: str) -> list[str]:
    """Every use of torch's layers, gradients and optimizers in `source`, as `line: name`."""
    tree = ast.parse(source)
    known = known_names(tree)
    prose = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}  # docstrings may name the reference
    found = set()
    for node in ast.walk(tree):
        names: list[str | None] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute | ast.Name | ast.Call):
            names = [dotted(node, known), getattr(node, "attr", None), getattr(node, "id", None)]
        elif isinstance(node, ast.keyword):
            names = [node.arg]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            names = [node.value]
        for name in names:
            if name and (name in BANNED_NAMES or BANNED_TORCH.match(name) or name == "torch.*"):
                found.add(f"{getattr(node, 'lineno', 0)}: {name}")
    return sorted(found)


def imported_packages(source: str, module: str) -> Iterator[tuple[int, str]]:
    """(line, package) for every package of ours that `source` imports; `module` is its own dotted package.

    An import of ours by its bare folder name (`import core`) comes as the package `core (not relative)`.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt | ast.expr):
            continue
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: len(module.split(".")) - node.level + 1]
                base = ".".join([*parents, *([node.module] if node.module else [])])
            targets = [base] if base != "photomend" else [f"photomend.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and is_call_of(node, "import_module", "__import__") and node.args:
            name = node.args[0]
            targets = [str(name.value)] if isinstance(name, ast.Constant) else []
        for target in targets:
            parts = target.split(".")
            if parts[0] == "photomend" and len(parts) > 1 and parts[1] in PACKAGES:
                yield node.lineno, parts[1]
            elif parts[0] in PACKAGES:
                yield node.lineno, f"{parts[0]} (not relative)"


def wrong_arrows(source: str, module: str) -> list[str]:
    """Imports in `source` that point against the arrows, as `line: module imports package`."""
    own = module.split(".")[1]
    return [
        f"{line}: {module} imports {package}"
        for line, package in imported_packages(source, module)
        if package != own and package not in ARROWS[own]
    ]


@pytest.mark.parametrize("path", python_files(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_written_from_scratch(path: Path) -> None:
    excepted = EXCEPTIONS.get(path.relative_to(ROOT).as_posix(), "")
    found = not_from_scratch(path.read_text(encoding="utf-8"))
    assert [use for use in found if not f"{excepted}.".startswith(use.partition(": ")[2] + ".")] == []


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_arrows_point_one_way(package: str) -> None:
    wrong = []
    for path in sorted((ROOT / package).rglob("*.py")):
        module = ".".join(["photomend", *path.relative_to(ROOT).parent.parts])
        wrong += [f"{path.name}:{w}" for w in wrong_arrows(path.read_text(encoding="utf-8"), module)]
    assert wrong == []


@pytest.mark.parametrize(
    "source",
    [
        "import torch.nn",
        "import torch.nn.functional as F",
        "from torch import nn",
        "from torch import nn as layers",
        "from torch.nn import Linear",
        "from torch import *",
        "from torch.optim.adam import Adam",
        "import torch\ntorch.nn.ReLU()",
        "import torch as t\nt.autograd.grad(y, x)",
        "import torch\nengine = torch\nengine.optim.SGD",
        "import torch\ndef f():\n    nn = torch.nn\n    return nn",
        "x.requires_grad = True",
        "x.requires_grad_()",
        "zeros(3, requires_grad=True)",
        'getattr(x, "requires_grad_")()',
        'import torch\ngetattr(torch, "nn").ReLU()',
        'import importlib\nimportlib.import_module("torch.nn")',
        '__import__("torch.optim")',
        "import torch\ntorch.conv2d(x, w)",
        "import torch\ntorch.batch_norm",
        "import torch\ntorch.max_pool2d(x, 2)",
        "import torch\ntorch.ops.aten.convolution",
        "import torch\ntorch.func.grad(f)",
    ],
)
def test_planted_shortcut_is_caught(source: str) -> None:
    assert not_from_scratch(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""As torch.nn.Linear does it."""',
        "import torch\ntorch.matmul(a, b).as_strided((1,), (1,))",
        "from torch.utils.data import DataLoader",
        "import torch\ntorch.fft.rfft2(x)",
        "import torch\ntorch.einsum('ij,jk', a, b)",
        "nn = 3\nnn.real",
        'raise ValueError("as torch.nn says")',
    ],
)
def test_plain_tensor_ops_are_allowed(source: str) -> None:
    assert not_from_scratch(source) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("photomend.core", "from ..layers import conv"),
        ("photomend.core", "from ..data.photos import read_photo"),
        ("photomend.layers", "from .. import models"),
        ("photomend.models", "from ..train import loop"),
        ("photomend.models", "from ..data import masks"),
        ("photomend.data", "from ..models import build"),
        ("photomend.data", "import photomend.train.loop"),
        ("photomend.train", "from ..app import figures"),
        ("photomend.train", "from photomend.app.cli import main"),
        ("photomend.train", "from photomend import app"),
        ("photomend.train", "def f():\n    from photomend.app import figures"),
        ("photomend.layers", "import importlib\nimportlib.import_module('photomend.train')"),
        ("photomend.layers", "import core"),
        ("photomend.app.commands", "from data.photos import read_photo"),
    ],
)
def test_planted_arrow_is_caught(module: str, source: str) -> None:
    assert wrong_arrows(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("photomend.core", "from .tensor import Tensor\nfrom . import errors\nimport numpy"),
        ("photomend.layers", "from ..core import primitive"),
        ("photomend.train", "from ..models import build\nfrom ..data.masks import Box"),
        ("photomend.app.commands", "from ...train import loop\nfrom ..cli import main"),
        ("photomend.app", "from .. import __version__"),
        ("photomend.data", "import datasets\nfrom datasets import load_from_disk"),
    ],
)
def test_right_arrow_is_allowed(module: str, source: str) -> None:
    assert wrong_arrows(source, module) == []


def test_no_file_is_longer_than_is_read_in_one_sitting() -> None:
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in python_files()}
    assert {file: length for file, length in lines.items() if length > 250} == {}


def folders_with_python() -> set[str]:
    """The dotted name of every folder that holds Python files of the package."""
    found = {"photomend"}
    for path in ROOT.glob("*/**/*.py"):
        parts = path.relative_to(ROOT).parent.parts
        if parts[0] not in NOT_SHIPPED and not any(p.startswith(".") for p in parts):
            found.add(".".join(["photomend", *parts]))
    return found


def test_convolution_is_no_longer_than_is_read_in_an_afternoon() -> None:
    files = sorted((ROOT / "layers" / "convolution").glob("*.py"))
    assert sum(len(path.read_text("utf-8").splitlines()) for path in files) <= 1250


def test_no_package_is_forgotten() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(project["tool"]["setuptools"]["packages"]) == folders_with_python()


def test_no_file_beside_python_is_forgotten() -> None:
    """Templates, style sheets and the like are shipped only where `package-data` names them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shipped: set[Path] = set()
    for package, patterns in project["tool"]["setuptools"]["package-data"].items():
        folder = ROOT.joinpath(*package.split(".")[1:])
        shipped |= {path for pattern in patterns for path in folder.glob(pattern)}
    beside = {
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.*")
        if path.suffix not in (".py", ".pyc") and not any(part.startswith(".") for part in path.parts)
    }
    assert beside - shipped == set()


def test_wheel_holds_the_package_and_no_tests(tmp_path: Path) -> None:
    """Builds the real wheel with setuptools' own backend, in a copy: no network, no isolation."""
    copy = tmp_path / "photomend"
    copy.mkdir()
    for name in ("pyproject.toml", "LICENSE", "py.typed"):
        shutil.copy(ROOT / name, copy / name)
    for path in [*python_files(), Path(__file__)]:
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    weights = [path for path in ROOT.glob("weights/*") if path.is_file()]  # no __pycache__ of an earlier run
    for path in weights:
        (copy / "weights").mkdir(exist_ok=True)
        shutil.copy(path, copy / "weights" / path.name)

    build = "from setuptools import build_meta; print(build_meta.build_wheel('..'))"
    done = subprocess.run([sys.executable, "-c", build], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {n for n in names if ".dist-info/" not in n}
    python = {"photomend/" + p.relative_to(ROOT).as_posix() for p in python_files()}
    assert python | {"photomend/py.typed"} <= shipped
    assert {f"photomend/weights/{p.name}" for p in weights if p.suffix != ".py"} <= shipped
    assert all(n.startswith("photomend/") for n in shipped)
    assert not [n for n in shipped if "/tests/" in n or "/test_" in n]
    assert any(n.endswith("LICENSE") for n in names)
