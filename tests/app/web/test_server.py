"""What the server answers to the page, and to everybody else."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest
from photomend.app.web import work
from photomend.app.web.edits import draw
from photomend.app.web.jobs import Job
from photomend.app.web.views import view
from PIL import Image

from ..helpers import Shell, picture, pixels
from .client import HOLE, problem
from .conftest import Serve


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "a photo.png"
    picture(path)
    return path


def test_from_a_photo_to_the_same_bytes_as_the_command_gives(serve: Serve, tmp_path: Path, shell: Shell) -> None:
    picture(tmp_path / "a.png")
    exif = Image.Exif()
    exif[0x010E] = "the harbour"
    Image.open(tmp_path / "a.png").save(tmp_path / "a.jpg", exif=exif, dpi=(300, 300), quality=90, comment=b"1931")
    client = serve()
    name = client.opened(tmp_path / "a.jpg")
    said = client.get(f"/api/photos/{name}").json()["photo"]
    assert (said["width"], said["height"], said["shown"]) == (100, 80, [100, 80])
    assert (said["kind"], said["format"], said["download"]) == ("8-bit RGB", "JPEG", "a-repaired.jpg")
    assert said["keeps"] == ["EXIF", "text (Comment)", "300 dpi"]
    edits = [HOLE, {"kind": "stroke", "points": [[10, 10], [30, 60]], "radius": 3}]
    result = client.repair(name, *edits)["result"]
    mask = draw(edits, 80, 100)
    assert result["pixels"] == mask.sum()
    assert result["expected"] is None  # a fill doesn't know
    assert "JPEG blocks encoded anew" in result["said"][0]
    answer = client.get(f"/api/photos/{name}/repaired")
    assert "a-repaired.jpg" in answer.headers["content-disposition"]
    Image.fromarray(mask).save(tmp_path / "mask.png")
    target = tmp_path / "b.jpg"
    command = ("--mask", tmp_path / "mask.png", "-o", target, "--model", "harmonic")
    assert shell("repair", tmp_path / "a.jpg", *command).status == 0
    assert answer.content == target.read_bytes()


def test_views_before_and_after(serve: Serve, photo: Path) -> None:
    client = serve()
    name = client.opened(photo)
    shown = Image.open(
        io.BytesIO(client.get(f"/api/photos/{name}/view?of=before&x=10&y=20&width=30&height=40").content)
    )
    assert shown.size == (30, 40)
    before = pixels(photo).astype(int)
    assert abs(np.asarray(shown) - before[20:60, 10:40]).mean() < 4
    assert client.get(f"/api/photos/{name}/view?of=after").status_code == 404
    assert client.get(f"/api/photos/{name}/certainty").status_code == 404
    assert client.get(f"/api/photos/{name}/repaired").status_code == 404
    client.repair(name)
    after = Image.open(io.BytesIO(client.get(f"/api/photos/{name}/view?of=after").content))
    assert after.size == (100, 80)
    for wrong in ("x=0&y=0&width=101&height=1", "x=-1&y=0&width=1&height=1", "x=0&y=0&width=0&height=1"):
        assert client.get(f"/api/photos/{name}/view?{wrong}").status_code == 422
    assert client.get(f"/api/photos/{name}/view?of=../photo.png").status_code == 404


@pytest.mark.parametrize(
    ("edits", "line"),
    [
        ([], "the mask is empty: nothing is missing"),
        ([{"kind": "box", "x": 0, "y": 0, "width": 100, "height": 80}], "the mask covers the whole photo"),
        ([{"kind": "circle"}], "edits: kind (='circle') must be stroke, box, found or mask"),
    ],
)
def test_masks_that_no_repair_can_use(serve: Serve, photo: Path, edits: list[object], line: str) -> None:
    client = serve()
    name = client.opened(photo)
    client.post(f"/api/photos/{name}/repair", json={"edits": edits, "model": "harmonic", "look": "faithful"})
    job = client.finished(name)["job"]
    assert (job["state"], job["problem"][: len(line)]) == ("failed", line)
    assert client.repair(name)["job"]["state"] == "done"  # and the photo is still there


def test_what_is_no_photo_is_said_under_its_own_name(serve: Serve, tmp_path: Path) -> None:
    client = serve()
    (tmp_path / "notes.jpg").write_text("no photo at all")
    job = client.finished(client.upload(tmp_path / "notes.jpg"))["job"]
    assert (
        job["problem"]
        == "can't be read as a photo (not an image in a format that is read here, or damaged at its start)"
    )
    (tmp_path / "drawing.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    assert "can't be read" in client.finished(client.upload(tmp_path / "drawing.eps"))["job"]["problem"]
    assert problem(client.post("/api/photos?name=a.png", content=b"")) == "the file is empty"


def test_too_many_bytes_pixels_photos(serve: Serve, photo: Path, tmp_path: Path) -> None:
    size = photo.stat().st_size
    client = serve(upload=size, pixels=7999, photos=2)
    assert client.post("/api/photos?name=a.png", content=b"x" * (size + 1)).status_code == 413

    def chunks():
        for _ in range(size + 1):
            yield b"x"

    answer = client.post("/api/photos?name=a.png", content=chunks())  # which says no length before
    assert (answer.status_code, problem(answer)) == (413, "the file is larger than 0 MB")
    assert list(client.server.sessions.folder.iterdir()) == []
    job = client.finished(client.upload(photo))["job"]
    assert job["problem"].startswith("claims 100×80 pixels, and 7,999 are allowed")
    client.upload(photo)
    answer = client.post("/api/photos?name=c.png", content=photo.read_bytes())
    assert (answer.status_code, problem(answer)) == (503, "2 photos are open here already; try again later")


def test_a_small_file_that_claims_to_be_huge_is_not_decoded(serve: Serve, tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(whole, "PNG")
    (tmp_path / "bomb.png").write_bytes(whole.getvalue())
    client = serve(pixels=10**8)
    assert "claims 30000×30000" in client.finished(client.upload(tmp_path / "bomb.png"))["job"]["problem"]


def test_a_gif_comes_back_as_png_and_a_wrong_suffix_is_righted(serve: Serve, tmp_path: Path, photo: Path) -> None:
    client = serve()
    Image.open(photo).save(tmp_path / "a.gif")
    said = client.finished(client.opened(tmp_path / "a.gif"))["photo"]
    assert said["download"] == "a-repaired.png"
    assert "photos of this format can only be read; the repaired one will be PNG" in said["said"]
    said = client.finished(client.opened(photo, "Urlaub 1999.JPEG"))["photo"]
    assert (said["download"], said["format"]) == ("Urlaub 1999-repaired.png", "PNG")


def test_requests_that_no_page_of_ours_sends(serve: Serve, photo: Path) -> None:
    client = serve()
    name = client.opened(photo)
    place = f"/api/photos/{name}/repair"
    assert problem(client.post(place, content=b"{")) == "the request isn't JSON"
    assert problem(client.post(place, content=b"[" * 100_000)) == "the request isn't JSON"
    assert problem(client.post(place, json=[1])) == "the request isn't a JSON object"
    assert (
        problem(client.post(place, json={"model": "/etc/passwd", "edits": []}))
        == "model: '/etc/passwd' isn't offered here"
    )
    assert client.get(place).status_code == 405


def test_one_repair_of_a_photo_at_a_time_and_it_can_be_cancelled(serve: Serve, photo: Path) -> None:
    client = serve()
    name = client.opened(photo)
    begun, go_on = threading.Event(), threading.Event()

    def block(job: Job) -> None:
        begun.set()
        assert go_on.wait(10)

    client.server.jobs.add(Job("somebody else", "repair", block))
    assert begun.wait(10)
    wanted = {"edits": [HOLE], "model": "harmonic", "look": "faithful"}
    assert client.post(f"/api/photos/{name}/repair", json=wanted).status_code == 202
    job = client.get(f"/api/photos/{name}").json()["job"]
    assert (job["state"], job["ahead"]) == ("waiting", 1)
    assert problem(client.post(f"/api/photos/{name}/repair", json=wanted)) == "this photo is being worked on already"
    assert client.post(f"/api/photos/{name}/cancel").status_code == 200
    assert client.get(f"/api/photos/{name}").json()["job"]["state"] == "cancelled"
    go_on.set()
    assert client.repair(name)["job"]["state"] == "done"


def test_files_go_when_a_photo_is_closed_or_forgotten_and_at_the_end(serve: Serve, photo: Path) -> None:
    client = serve(minutes=60)
    folder = client.server.sessions.folder
    closed, forgotten, kept = (client.opened(photo) for _ in range(3))
    client.post(f"/api/photos/{closed}/close")
    client.server.sessions.find(forgotten).used -= 61 * 60
    client.server.sessions.sweep()
    assert [path.name for path in folder.iterdir()] == [kept]
    assert client.get(f"/api/photos/{forgotten}").status_code == 410
    client.__exit__(None, None, None)
    assert list(folder.iterdir()) == []
    client.__enter__()


def test_a_photo_that_is_closed_during_its_repair_goes_after_it(serve: Serve, photo: Path) -> None:
    client = serve()
    name = client.opened(photo)
    session = client.server.sessions.find(name)
    begun, go_on = threading.Event(), threading.Event()

    def block(job: Job) -> None:
        begun.set()
        assert go_on.wait(10)

    session.job = client.server.jobs.add(Job("ann", "repair", block))
    assert begun.wait(10)
    client.post(f"/api/photos/{name}/close")
    assert session.folder.is_dir()
    go_on.set()
    assert session.job.over.wait(10)
    for _ in range(100):
        if not session.folder.exists():
            break
        sleep(0.02)
    assert not session.folder.exists()


def test_a_mask_is_sent_used_and_taken_home(serve: Serve, photo: Path, tmp_path: Path) -> None:
    client = serve()
    name = client.opened(photo)
    assert problem(client.post(f"/api/photos/{name}/mask?name=a.png", content=b"")) == "the file is empty"
    for number, (mode, box) in enumerate({"L": (10, 20, 40, 30), "RGBA": (60, 60, 70, 75)}.items(), 1):
        mask = Image.new(mode, (100, 80))
        mask.paste("white", box)
        mask.save(tmp_path / "m.png")
        sent = client.post(f"/api/photos/{name}/mask?name=../m.png", content=(tmp_path / "m.png").read_bytes())
        assert sent.status_code == 202
        left, top, right, bottom = box
        said = client.finished(name)
        assert said["mask"] == {"number": number, "pixels": (right - left) * (bottom - top)}, said
        shown = Image.open(io.BytesIO(client.get(f"/api/photos/{name}/mask?number={number}").content))
        assert shown.getchannel("A").getbbox() == box
    edits = [
        {"kind": "mask", "number": 1},
        {"kind": "mask", "number": 2},
        {"kind": "mask", "number": 1, "erase": True},
    ]
    answer = client.post(f"/api/photos/{name}/marks", json={"edits": edits})
    assert answer.headers["content-type"] == "image/png"
    taken = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert taken.dtype == bool
    assert taken.sum() == taken[60:75, 60:70].sum() == 150
    assert client.repair(name, *edits)["result"]["pixels"] == 150
    for none in ("0", "3", "-1", "1/../../photo", "9" * 5000):
        assert client.get(f"/api/photos/{name}/mask", params={"number": none}).status_code == 404
    for wrong in (0, 3, "1", None, True, 10**400):
        asked = client.post(f"/api/photos/{name}/marks", json={"edits": [{"kind": "mask", "number": wrong}]})
        assert asked.status_code == 422, wrong
    server_files = {path.name for path in client.server.sessions.find(name).folder.iterdir()}
    assert {"mask-1.png", "mask-1-shown.png", "mask-2.png"} < server_files
    assert "mask.png" not in server_files  # as it was sent


def test_masks_that_are_none_and_too_many(serve: Serve, photo: Path, tmp_path: Path, monkeypatch: Any) -> None:
    client = serve()
    name = client.opened(photo)

    def problem_of(size: tuple[int, int], colour: int, content: bytes | None = None) -> str:
        Image.new("L", size, colour).save(tmp_path / "m.png")
        data = (tmp_path / "m.png").read_bytes() if content is None else content
        assert client.post(f"/api/photos/{name}/mask?name=m.png", content=data).status_code == 202
        return str(client.finished(name)["job"]["problem"])

    assert problem_of((80, 100), 255) == "the mask is 80×100 pixels, the photo 100×80"
    assert problem_of((100, 80), 0) == "the mask is empty: nothing is missing"
    assert problem_of((100, 80), 255).startswith("the mask covers the whole photo")
    assert problem_of((1, 1), 0, b"no mask").startswith("the mask m.png: can't be read as a mask")
    monkeypatch.setattr("photomend.app.web.server.MASKS", 1)
    mask = Image.new("L", (100, 80))
    mask.paste(255, (3, 3, 9, 9))
    mask.save(tmp_path / "m.png")
    for status in (202, 422):
        data = (tmp_path / "m.png").read_bytes()
        assert client.post(f"/api/photos/{name}/mask?name=m.png", content=data).status_code == status
        client.finished(name)


def test_a_mask_for_the_photo_as_it_is_stored_is_turned_with_it(serve: Serve, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(tmp_path / "a.png")
    Image.open(tmp_path / "a.png").save(tmp_path / "a.jpg", exif=exif)
    client = serve()
    name = client.opened(tmp_path / "a.jpg")
    mask = Image.new("L", (100, 80))
    mask.paste(255, (0, 0, 20, 10))
    mask.save(tmp_path / "m.png")
    client.post(f"/api/photos/{name}/mask?name=m.png", content=(tmp_path / "m.png").read_bytes())
    assert client.finished(name)["mask"]["pixels"] == 200
    answer = client.post(f"/api/photos/{name}/marks", json={"edits": [{"kind": "mask", "number": 1}]})
    assert Image.open(io.BytesIO(answer.content)).getbbox() == (70, 0, 80, 20)


def test_a_part_is_encoded_once_until_the_photo_is_repaired_again(
    serve: Serve, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, encoded = serve(), []

    def counted(path: Path, part: Any, profile: bytes) -> tuple[bytes, str]:
        encoded.append((path.name, part))
        return view(path, part, profile)

    monkeypatch.setattr(work, "view", counted)
    monkeypatch.setattr(work, "VIEWS", 3)
    name = client.opened(photo)
    place = f"/api/photos/{name}/view?of="
    for _ in range(2):
        assert client.get(f"{place}before").content == client.get(f"{place}before").content
        client.get(f"{place}before&x=0&y=0&width=10&height=10")
    assert len(encoded) == 2
    client.repair(name)
    first = client.get(f"{place}after").content
    client.repair(name, {"kind": "box", "x": 0, "y": 0, "width": 60, "height": 50})
    assert client.get(f"{place}after").content != first
    assert len(encoded) == 4
    assert len(client.server.sessions.find(name).views) == 3
    client.get(f"{place}before")  # which is no longer kept
    assert len(encoded) == 5
