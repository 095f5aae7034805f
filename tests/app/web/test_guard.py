"""What strangers get: nothing, whatever they call the server, a photo or a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ..helpers import picture
from .client import HOME, problem
from .conftest import Serve


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "a photo.png"
    picture(path)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "a\0b.png",
        "..",
        "",
        "a/b.png",
        "x." + "y" * 300,
        "ein Bild\r\nX: 1.png",
        "图片.png",
    ],
)
def test_no_name_leads_out_of_the_photos_own_folder(serve: Serve, photo: Path, name: str) -> None:
    client = serve()
    identity = client.opened(photo, name)
    session = client.server.sessions.find(identity)
    assert session.file.parent == session.folder
    assert session.folder.parent == client.server.sessions.folder
    client.repair(identity)
    answer = client.get(f"/api/photos/{identity}/repaired")
    assert answer.status_code == 200
    assert "\n" not in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    "path",
    [
        *("/page/../server.py", "/page/..%2fserver.py", "/page/%2e%2e/server.py", "/page//etc/passwd", "/etc/passwd"),
        *("/page/page/index.html", "/api/photos/../photos", "/page/%00", "/docs", "/openapi.json"),
    ],
)
def test_no_other_file_can_be_asked_for(serve: Serve, path: str) -> None:
    assert serve().get(path).status_code in (404, 405, 410)


def test_nothing_can_be_asked_of_a_photo_without_its_name(serve: Serve, photo: Path) -> None:
    client = serve()
    name = client.opened(photo)
    other = client.opened(photo)
    assert len({name, other}) == 2
    for guess in ("", "x", name[:-1], name + "x", name.swapcase(), "..", "*"):
        for method, what in (
            ("GET", ""),
            ("GET", "/view"),
            ("GET", "/repaired"),
            ("POST", "/repair"),
            ("POST", "/close"),
        ):
            assert client.request(method, f"/api/photos/{guess}{what}", json={}).status_code in (404, 405, 410)
    client.post(f"/api/photos/{name}/close")
    answer = client.get(f"/api/photos/{name}")
    assert (answer.status_code, answer.json()["error"][:38]) == (410, "the server doesn't have this photo; it")
    assert client.get(f"/api/photos/{other}").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "10.0.0.7", "", "[", "localhost.evil"]
)
def test_other_names_for_this_server_are_refused(serve: Serve, host: str) -> None:
    answer = serve().get("/", headers={"Host": host})
    assert (answer.status_code, problem(answer)) == (403, "this server doesn't go by that name")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8765", "LOCALHOST", "[::1]:8765", "127.8.8.8"])
def test_its_own_names_are_not(serve: Serve, host: str) -> None:
    assert serve().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "file://", ""])
def test_other_sites_change_nothing(serve: Serve, photo: Path, origin: str) -> None:
    client = serve()
    answer = client.post("/api/photos?name=a.png", content=photo.read_bytes(), headers={"Origin": origin})
    assert (answer.status_code, problem(answer)) == (403, "this request came from another site")
    assert list(client.server.sessions.folder.iterdir()) == []


def test_nor_do_requests_without_an_origin_or_loads_from_other_sites(serve: Serve) -> None:
    client = serve()
    bare = TestClient(client.app, base_url=HOME)
    assert bare.post("/api/photos?name=a.png", content=b"x").status_code == 403
    for site, mode, status in (
        ("cross-site", "no-cors", 403),
        ("same-site", "cors", 403),
        ("same-origin", "cors", 200),
        ("cross-site", "navigate", 200),  # somebody followed a link
    ):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
        assert bare.get("/api/options", headers=headers).status_code == status


def test_every_answer_forbids_what_the_page_does_not_need(serve: Serve) -> None:
    client = serve()
    for path in ("/", "/page/app.js", "/api/options", "/api/photos/none", "/nothing"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in headers


def test_the_page_names_no_other_server(serve: Serve) -> None:
    for content, _ in serve().server.files.values():
        text = content.decode()
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in text
        assert "//cdn" not in text
