"""Make a release of the commit that is checked out: `make release`.

Checks that it is one, asks for known vulnerabilities, builds sdist and wheel twice, tries the wheel, lists what it
needs, and writes the checksums. Only when all of it succeeds is there a folder `dist/photomend-VERSION`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .artefacts import build, check_contents, export, write_sums
from .audit import audit
from .error import ROOT, ReleaseError
from .state import checked
from .trial import installed, repair_a_photo, write_sbom


def say(text: str) -> None:
    print(text, flush=True)


def built_twice(folder: Path, epoch: int) -> tuple[Path, Path]:
    """Sdist and wheel from two copies of the commit: the same bytes."""
    pairs = []
    for name in ("first", "second"):
        export(ROOT, folder / name / "source")
        pairs.append(build(folder / name / "source", folder / name, epoch))
    for one, other in zip(*pairs, strict=True):
        if one.read_bytes() != other.read_bytes():
            raise ReleaseError(f"{one.name}: two builds of this commit differ")
    return pairs[0]


def release(folder: Path, with_audit: bool) -> Path:
    """Everything in the order in which it would fail soonest; the folder of what is released."""
    this = checked(ROOT)
    final = ROOT / "dist" / f"photomend-{this.version}"
    if final.exists():
        raise ReleaseError(f"{final} is there already")
    say(f"photomend {this.version}: committed and tagged; pyproject.toml, CHANGELOG.md and CITATION.cff agree")
    if with_audit:
        if findings := audit(ROOT / "constraints.txt"):
            raise ReleaseError("known vulnerabilities (see docs/dependencies.md):\n" + "\n".join(findings))
        say("audit: no known vulnerabilities")
    else:
        say("audit: left out")

    sdist, wheel = built_twice(folder, this.epoch)
    check_contents(sdist, wheel)
    twine = [sys.executable, "-m", "twine", "check", "--strict", str(sdist), str(wheel)]
    done = subprocess.run(twine, capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError(done.stdout.strip())
    say("sdist and wheel: built twice, the same bytes; weights as their checksums say; accepted by twine")

    python = installed(wheel, folder)
    error = repair_a_photo([str(python.parent / "photomend")], folder)
    say(f"wheel: installed by itself, and repairs a photo to within {error:.1f} grey levels")

    ready = folder / "ready"
    ready.mkdir()
    sbom = ready / f"photomend-{this.version}.cdx.json"
    packages = write_sbom(python, ROOT / "pyproject.toml", sbom, this.epoch)
    say(f"bill of materials: {packages} packages, valid CycloneDX 1.6")
    write_sums([sbom, *(Path(shutil.copy(one, ready)) for one in (sdist, wheel))], ready / "SHA256SUMS")
    final.parent.mkdir(exist_ok=True)
    return Path(shutil.copytree(ready, final))


def main() -> int:
    parser = argparse.ArgumentParser(prog="release", description="Make a release of the commit that is checked out.")
    parser.add_argument(
        "--without-audit", action="store_true", help="where the database of advisories can't be reached"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            final = release(Path(folder), not options.without_audit)
        except ReleaseError as problem:
            print(f"release: error: {problem}", file=sys.stderr)
            return 1
    say((final / "SHA256SUMS").read_text(encoding="utf-8").rstrip())
    say(str(final))
    return 0


if __name__ == "__main__":
    sys.exit(main())
