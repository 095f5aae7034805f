"""What stands before and after the layers, as functions that an ONNX file brings along: one node each in its graph.

They are the files of `functions/`, in ONNX's own text form (https://onnx.ai/onnx/repo-docs/Syntax.html). Each computes
what the file in `models/` does that its first lines name, whatever the number of photos and their size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources

import onnx

from .graph import OPSET, OWN

_CALLED = re.compile(rf"= {OWN}\.(\w+) \(")


def functions(names: Iterable[str]) -> list[onnx.FunctionProto]:
    """The functions of these names and those that they call, each once."""
    found: dict[str, onnx.FunctionProto] = {}
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if name not in found:
            text = resources.files(__package__).joinpath("functions", f"{name}.onnxtxt").read_text(encoding="utf-8")
            words, code = _split(text)
            head = f'<domain: "{OWN}", opset_import: ["" : {OPSET}, "{OWN}" : 1]>'
            found[name] = onnx.parser.parse_function(f"{head}\n{code}")
            found[name].doc_string = words
            wanted += _CALLED.findall(code)
    return list(found.values())


def _split(text: str) -> tuple[str, str]:
    """The first lines, which begin with #, and the others."""
    lines = text.splitlines()
    words = [line.removeprefix("# ") for line in lines if line.startswith("#")]
    return " ".join(words), "\n".join(lines[len(words) :])
