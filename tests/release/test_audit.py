"""What `make audit` says, with the real pip-audit and a database of advisories on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from photomend.release import audit
from photomend.release.error import ReleaseError

pytest.importorskip("pip_audit")
pytestmark = pytest.mark.slow

ADVISORY = {
    "schema_version": "1.4.0",
    "id": "PYSEC-1",
    "aliases": ["CVE-2026-1"],
    "summary": "a hole",
    "affected": [
        {
            "package": {"name": "leaky", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


@pytest.fixture
def database() -> Iterator[str]:
    """OSV, as far as it is asked here: it knows of one vulnerability, and nothing of a package `unheard-of`."""

    class Osv(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            leaky = asked == {"package": {"name": "leaky", "ecosystem": "PyPI"}, "version": "1.0"}
            answer = json.dumps({"vulns": [ADVISORY]} if leaky else {}).encode()
            self.send_response(500 if asked["package"]["name"] == "unheard-of" else 200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Osv) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def pinned(folder: Path, *names: str) -> Path:
    file = folder / "constraints.txt"
    file.write_text("".join(f"{name} \\\n    --hash=sha256:{'0' * 64}\n" for name in names), encoding="utf-8")
    return file


def test_a_known_vulnerability_is_found_unless_it_is_explained(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = pinned(tmp_path, "leaky==1.0", "tight==2.0")
    assert audit.audit(file, database) == ["leaky 1.0: PYSEC-1, fixed in 1.1"]
    monkeypatch.setattr(audit, "EXPLAINED", {"CVE-2026-1": "the function isn't called"})
    assert audit.audit(file, database) == []
    with pytest.raises(ReleaseError, match="explains CVE-2026-1, which isn't reported any more"):
        audit.audit(pinned(tmp_path, "leaky==1.1", "tight==2.0"), database)


def test_what_cannot_be_asked_has_not_passed(tmp_path: Path, database: str) -> None:
    with pytest.raises(ReleaseError, match="nothing is known about vulnerabilities"):
        audit.audit(pinned(tmp_path, "tight==2.0", "unheard-of==1.0"), database)
    with pytest.raises(ReleaseError, match=r":9/ can't be asked \(requests.exceptions.ConnectionError\)"):
        audit.audit(pinned(tmp_path, "tight==2.0"), "http://127.0.0.1:9/")
