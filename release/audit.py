"""Ask which of the pinned packages have known vulnerabilities: `make audit`.

`pip-audit` asks OSV, the database that PyPI's advisories and GitHub's are part of, about every line of
`constraints.txt` that applies to this Python and platform. A package it can't be asked about is an error, not a pass.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .error import ROOT, ReleaseError

OSV = "https://api.osv.dev/v1/query"
#: Advisories that don't concern photomend, each with the reason. One that is no longer reported has to go.
EXPLAINED: dict[str, str] = {}


def audit(constraints: Path, url: str = OSV) -> list[str]:
    """`name version: ADVISORY, fixed in …` for each known vulnerability of what `constraints` pins, sorted.

    Raises:
        ReleaseError: the database can't be reached, or not all packages could be looked up.
    """
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        str(constraints),
        "--disable-pip",
        "--require-hashes",
    ]
    command += ["--vulnerability-service", "osv", "--osv-url", url, "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        reason = (done.stderr.strip() or "no answer").splitlines()[-1].partition(": ")[0]
        raise ReleaseError(f"nothing is known about vulnerabilities: {url} can't be asked ({reason})") from None
    if unknown := [one for one in packages if "skip_reason" in one]:
        first = f"{unknown[0]['name']}: {unknown[0]['skip_reason']}"
        raise ReleaseError(f"{len(unknown)} of {len(packages)} packages couldn't be looked up; {first}")
    found = [(one, advisory) for one in packages for advisory in one["vulns"]]
    if stale := sorted(set(EXPLAINED) - {name for _, one in found for name in (one["id"], *one["aliases"])}):
        raise ReleaseError(f"release/audit.py explains {', '.join(stale)}, which isn't reported any more")
    return sorted(
        f"{package['name']} {package['version']}: {one['id']}, fixed in {' '.join(one['fix_versions']) or 'no version'}"
        for package, one in found
        if EXPLAINED.keys().isdisjoint((one["id"], *one["aliases"]))
    )


def main() -> int:
    try:
        findings = audit(ROOT / "constraints.txt")
    except ReleaseError as problem:
        print(f"audit: error: {problem}", file=sys.stderr)
        return 1
    for line in findings:
        print(line)
    print(f"{len(findings)} known vulnerabilities, {len(EXPLAINED)} explained")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
