"""Write `constraints.txt` and `bootstrap.txt`: every package with its version and the hashes of all its files.

    make constraints                                             # what pyproject.toml newly asks for; the rest stays
    make constraints CONSTRAINTS_ARGS="--upgrade-package pillow" # options of `uv pip compile`
    make constraints CONSTRAINTS_ARGS="--upgrade"

uv resolves once for all platforms and Pythons, on PyPI. Nothing is written unless all of it succeeds.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from .error import ROOT, ReleaseError

#: The hashes of PyTorch's CPU builds, which aren't on PyPI, as `sha256sum` writes them.
TORCH_CPU = ROOT / "release" / "torch-cpu.sha256"


def compiled(output: Path, groups: list[str], *options: str) -> str:
    """The text that uv writes for these dependency groups; `output` holds the versions to begin with, if it exists."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--fork-strategy", "fewest"]
    command += ["--generate-hashes", "--custom-compile-command", "make constraints", "--output-file", str(output)]
    command += [part for group in groups for part in ("--group", group)]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError(f"uv can't resolve the dependencies:\n{done.stderr.strip()}")
    return output.read_text(encoding="utf-8")


def with_cpu_builds(constraints: str, recorded: str) -> str:
    """`constraints` with the hashes in `recorded` among those of torch.

    `torch==2.13.0` admits `2.13.0+cpu`, PyTorch's build without CUDA. pip takes it where it is configured to look for
    it, so its hashes belong to those that pip may accept.
    """
    found = re.search(r"^torch==(\S+) \\\n", constraints, re.MULTILINE)
    if found is None:
        raise ReleaseError("constraints.txt: no version of torch for all platforms")
    files = [line.split() for line in recorded.splitlines()]
    if wrong := [name for _, name in files if not name.startswith(f"torch-{found[1]}+cpu-")]:
        raise ReleaseError(
            f"{TORCH_CPU.relative_to(ROOT)}: {wrong[0]} is no CPU build of torch {found[1]}: replace the lines by "
            "those of https://download.pytorch.org/whl/cpu/torch/"
        )
    added = "".join(f"    --hash=sha256:{digest} \\\n" for digest, _ in files)
    return constraints[: found.end()] + added + constraints[found.end() :]


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    oldest = project["project"]["requires-python"].removeprefix(">=")
    with tempfile.TemporaryDirectory() as folder:
        draft, bootstrap = Path(folder, "constraints.txt"), Path(folder, "bootstrap.txt")
        known = (ROOT / "constraints.txt").read_text(encoding="utf-8")
        draft.write_text(
            re.sub(r" \\\n +--hash=\S+", "", known), encoding="utf-8"
        )  # versions: uv asks for all hashes anew
        options = ["--python-version", oldest, "pyproject.toml", "--all-extras", *sys.argv[1:]]
        try:
            made = compiled(draft, list(project["dependency-groups"]), *options)
            made = with_cpu_builds(made, TORCH_CPU.read_text(encoding="utf-8"))
            tools = compiled(bootstrap, ["install"], "--python-version", oldest, "--no-annotate", "-c", str(draft))
        except ReleaseError as problem:
            print(f"constraints: error: {problem}", file=sys.stderr)
            return 1
    (ROOT / "constraints.txt").write_text(made, encoding="utf-8")
    (ROOT / "bootstrap.txt").write_text(tools, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
