"""Sdist and wheel: the same bytes whoever builds them, the package and nothing else, and they repair a photo."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build.env")  # not `build`, which would be the folder of that name here
pytest.importorskip("cyclonedx")
from photomend.release import artefacts, trial
from photomend.release.error import ReleaseError

ROOT = Path(__file__).parents[2]
EPOCH = 1_769_860_800
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git knows of this tree, as it is now, but for the weights: megabytes that take seconds to compress."""
    folder = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".safetensors":
            target.write_bytes(name.encode())
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, target)
    weights = sorted((folder / "weights").glob("*.safetensors"))
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in weights]
    (folder / "weights" / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def built(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return artefacts.build(tree, tmp_path_factory.mktemp("built"), EPOCH)


def test_another_time_umask_and_folder_give_the_same_bytes(
    built: tuple[Path, Path], tree: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(tree, copy, ignore=shutil.ignore_patterns("*.egg-info"))
    for file in copy.rglob("*"):
        os.utime(file, (1, 1_500_000_000))
        file.chmod(0o775 if file.is_dir() else 0o664)
    before = os.umask(0o077)
    try:
        again = artefacts.build(copy, tmp_path / "again", EPOCH)
    finally:
        os.umask(before)
    for one, other in zip(built, again, strict=True):
        assert one.name == other.name
        assert one.read_bytes() == other.read_bytes()


def test_they_hold_the_package_and_nothing_else(built: tuple[Path, Path], tree: Path) -> None:
    sdist, wheel = built
    artefacts.check_contents(sdist, wheel)
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    expected = set()
    for package in project["packages"]:
        folder = tree.joinpath(*package.split(".")[1:])
        patterns = ["*.py", *project["package-data"].get(package, [])]
        expected |= {f"photomend/{file.relative_to(tree)}" for pattern in patterns for file in folder.glob(pattern)}
    assert names == expected
    assert {"photomend/app/report/page.html.jinja", "photomend/weights/photomend-s.safetensors"} <= names
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {name.removeprefix("photomend/") for name in names} | {"pyproject.toml", "CHANGELOG.md", "LICENSE"} <= inside
    assert not [name for name in inside if name.startswith(("tests", "docs", "shared", ".ci"))]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("photomend/weights/linear.safetensors", "linear.safetensors isn't what SHA256SUMS says"),
        ("photomend/tests/test_x.py", "photomend/tests/test_x.py doesn't belong into a release"),
        ("core/tape.py", "core/tape.py doesn't belong into a release"),
    ],
)
def test_damaged_weights_and_strangers_are_found(
    built: tuple[Path, Path], tmp_path: Path, file: str, message: str
) -> None:
    changed = tmp_path / built[1].name
    with zipfile.ZipFile(built[1]) as wheel, zipfile.ZipFile(changed, "w") as other:
        for name in {*wheel.namelist(), file}:
            other.writestr(name, b"changed" if name == file else wheel.read(name))
    with pytest.raises(ReleaseError, match=message):
        artefacts.check_contents(built[0], changed)


def test_the_checksums_are_those_of_the_files(built: tuple[Path, Path], tmp_path: Path) -> None:
    files = [Path(shutil.copy(one, tmp_path)) for one in built]
    artefacts.write_sums(files, tmp_path / "SHA256SUMS")
    command = ["sha256sum", "--check", "SHA256SUMS"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout.count(": OK") == 2
    files[0].write_bytes(b"")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 1


def test_the_wheel_alone_repairs_a_photo(built: tuple[Path, Path], tmp_path: Path) -> None:
    """`make release` installs everything anew, and repairs with the network."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", "installed"]
    trial.run([*pip, str(built[1])], tmp_path)
    start = f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r}); from photomend.app.cli import main; "
    photomend = [sys.executable, "-c", start + "assert 'installed' in main.__code__.co_filename; main()"]
    assert trial.repair_a_photo(photomend, tmp_path, "--model", "harmonic") < 25
    with pytest.raises(ReleaseError, match="No such option"):
        trial.repair_a_photo(photomend, tmp_path, "--modell", "harmonic")


def test_the_bill_of_materials_lists_what_is_installed(tmp_path: Path) -> None:
    venv.create(tmp_path / "environment")
    (packages,) = tmp_path.glob("environment/lib/python*/site-packages")
    (packages / "nothing-1.0.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: nothing\nVersion: 1.0\nLicense: MIT\n"
    (packages / "nothing-1.0.dist-info" / "METADATA").write_text(metadata, encoding="utf-8")
    output = tmp_path / "photomend.cdx.json"
    assert trial.write_sbom(tmp_path / "environment/bin/python", ROOT / "pyproject.toml", output, EPOCH) == 1
    (component,) = json.loads(output.read_text(encoding="utf-8"))["components"]
    assert (component["name"], component["version"], component["purl"]) == ("nothing", "1.0", "pkg:pypi/nothing@1.0")
    assert component["licenses"][0]["license"]["id"] == "MIT"
