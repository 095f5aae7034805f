"""The process in which a learner's file runs: reads it, runs it, has it checked, and leaves what was found.

In its folder, `right` gets a line for each thing that is right, `wrong.json` the first that isn't or nothing, and
`stack` says where the file was when its time was up.
"""

from __future__ import annotations

import faulthandler
import inspect
import json
import os
import sys
import traceback
import types
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import torch

from .catalogue import Exercise, find
from .checks import Checker, checker
from .failure import AnswerError
from .file import AnswerFileError, read


def main(arguments: Sequence[str]) -> NoReturn:
    """Arguments: the package's place on the path, the file, its exercise, seconds, megabytes, and the folder."""
    place, file, name, seconds, megabytes, folder = arguments
    sys.path.remove(place)
    path, findings = Path(file), Path(folder)
    exercise = find(name)
    ask = checker(exercise)  # imports what it needs before time and memory are counted
    torch.set_num_threads(1)
    sys.path.append(str(path.parent))
    with (findings / "stack").open("w") as stack:
        faulthandler.dump_traceback_later(float(seconds), exit=True, file=stack)
        _limit_memory(int(megabytes))
        with (findings / "right").open("w", encoding="utf-8") as right:

            def passed(line: str) -> None:
                right.write(f"{line}\n")
                right.flush()

            wrong = examine(path, exercise, ask, passed)
        faulthandler.cancel_dump_traceback_later()
    (findings / "draft.json").write_text(json.dumps(wrong), encoding="utf-8")
    os.replace(findings / "draft.json", findings / "wrong.json")
    try:
        sys.stdout.flush()
    finally:
        os._exit(0)  # a thread that the file has started can't keep the process


def _limit_memory(megabytes: int) -> None:
    """No more than so much beyond what the process has already; not everywhere can it be limited."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass


def examine(path: Path, exercise: Exercise, ask: Checker, passed: Any) -> dict[str, Any]:
    """Run the file and check its functions; what is wrong, as `process.Finding` has it, or nothing."""
    answer = types.ModuleType("answer")
    answer.__file__ = str(path)
    sys.modules["answer"] = answer
    try:
        text, _ = read(path)
        exec(compile(text, str(path), "exec"), answer.__dict__)
        for function in exercise.functions:
            _require(answer, function, exercise)
        for line in ask(vars(answer)):
            passed(line)
    except AnswerError as failed:
        return {key: getattr(failed, key) for key in ("what", "function", "stage", "target", "mistake", "details")}
    except (AnswerFileError, UnicodeError) as error:
        return {"what": str(error)}
    except BaseException as error:
        return explained(error, path, exercise)
    return {}


def _require(answer: types.ModuleType, function: str, exercise: Exercise) -> None:
    found = getattr(answer, function, None)
    if not callable(found):
        own = [n for n, v in vars(answer).items() if callable(v) and getattr(v, "__module__", "") == "answer"]
        near = get_close_matches(function, own, n=1, cutoff=0.5)
        there = f"there is {near[0]}; rename it" if near else f"there are {', '.join(own)}" if own else "there is none"
        raise AnswerError(function, "contract", "", f"no function {function}", there)
    try:
        inspect.signature(found)
    except (TypeError, ValueError):
        raise AnswerError(function, "contract", "", f"{function} is no function of Python's", "write one") from None


def explained(error: BaseException, path: Path, exercise: Exercise) -> dict[str, Any]:
    """An exception in a learner's file: what it says, and the line of the file."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return {"what": f"{type(error).__name__}: {error.msg}", "line": error.lineno or 0}
    frames = [
        (frame.f_code.co_qualname.partition(".")[0], line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == str(path)
    ]
    line = frames[-1][1] if frames else 0
    function = next((name for name, _ in frames if name in exercise.functions), "")
    told = f"{type(error).__name__}: {' '.join(str(error).split())}"[:400].removesuffix(": ")
    if isinstance(error, NotImplementedError) and "yours to write" in str(error):
        what = f"{str(error).partition(':')[0]} isn't written yet"
        advice = "its docstring says what it computes, with a small example; put your lines in the place of this one"
        return {"what": what, "function": function, "stage": "empty", "mistake": advice, "line": line}
    mistake = ""
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        told, mistake = "out of memory", "an array or a list that is far larger than the inputs?"
    elif isinstance(error, RecursionError):
        mistake = "a function that calls itself without end, or too deeply: Python's stack ends after 1,000 calls"
    elif isinstance(error, SystemExit):
        told, mistake = f"it exits (SystemExit: {error.code})", "take sys.exit out; an answer only returns"
    elif isinstance(error, ModuleNotFoundError) and error.name:
        mistake = f"no module {error.name!r} is installed; torch and Python's own modules suffice"
    elif isinstance(error, EOFError):
        mistake = "input() has nobody to ask"
    elif not frames:
        mistake = "raised by the checks, from what your function returned"
    return {"what": told, "function": function, "stage": "error", "mistake": mistake, "line": line}
