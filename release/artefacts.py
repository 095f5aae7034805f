"""Build sdist and wheel so that anybody who builds the same commit gets the same bytes, and look at what is in them."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from build import ProjectBuilder

from .error import ReleaseError


def export(root: Path, folder: Path) -> None:
    """What is committed at `root`, and nothing else, into the new `folder`."""
    packed = subprocess.run(["git", "archive", "HEAD"], cwd=root, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def build(source: Path, into: Path, epoch: int) -> tuple[Path, Path]:
    """Sdist and wheel of the tree `source`, in the folder `into`; the wheel is built from the sdist.

    Every file in them is as old as `epoch`. The wheel is the same then, whoever builds it. In an sdist setuptools
    keeps times, modes and owners, so it is packed again.
    """

    def run(command: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
        environment = {**os.environ, **(extra_environ or {}), "SOURCE_DATE_EPOCH": str(epoch)}
        done = subprocess.run(command, cwd=cwd, env=environment, umask=0o022, capture_output=True, text=True)
        if done.returncode:
            raise ReleaseError(f"setuptools can't build this tree:\n{done.stderr.strip()}")

    work = into / "work"
    made = Path(ProjectBuilder(source, runner=run).build("sdist", work))
    sdist = into / made.name
    pack_again(made, sdist, epoch)
    with tarfile.open(sdist) as archive:
        archive.extractall(work, filter="data")
    tree = work / made.name.removesuffix(".tar.gz")
    return sdist, Path(ProjectBuilder(tree, runner=run).build("wheel", into))


def pack_again(made: Path, sdist: Path, epoch: int) -> None:
    """The files of the archive `made` in the order of their names, with nothing in them of who packed them when."""
    with (
        tarfile.open(made) as old,
        sdist.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda one: one.name):
            member.mtime, member.mode = epoch, 0o755 if member.isdir() else 0o644
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)


def check_contents(sdist: Path, wheel: Path) -> None:
    """Raises ReleaseError unless the weights are what their checksums say, and nothing is there but the package."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        sums = archive.read("photomend/weights/SHA256SUMS").decode().splitlines()
        for digest, _, name in (line.partition("  ") for line in sums):
            if hashlib.sha256(archive.read(f"photomend/weights/{name}")).hexdigest() != digest:
                raise ReleaseError(f"{wheel.name}: photomend/weights/{name} isn't what SHA256SUMS says")
    with tarfile.open(sdist) as packed:
        inside = [name.partition("/")[2] for name in packed.getnames()]
    strangers = [name for name in names if not name.startswith(("photomend/", "photomend-"))]
    strangers += [name for name in names if name.startswith(("photomend/tests/", "photomend/release/"))]
    strangers += [name for name in inside if name.startswith("tests/")]
    if strangers:
        raise ReleaseError(f"{strangers[0]} doesn't belong into a release")


def write_sums(files: Sequence[Path], sums: Path) -> None:
    """`sums`, as `sha256sum` writes it, of `files` beside it; and `sha256sum` agrees."""
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    sums.write_text("".join(lines), encoding="utf-8")
    command = ["sha256sum", "--check", "--strict", "--quiet", sums.name]
    done = subprocess.run(command, cwd=sums.parent, capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError(f"{sums}: {done.stdout.strip() or done.stderr.strip()}")
