"""`photomend app` in a browser, from dropping a photo to comparing its bytes, with every error a person can cause."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from photomend.app.cli import run
from photomend.app.masks.choice import damage_of
from photomend.app.photo.files import read
from photomend.app.web.edits import draw
from PIL import Image, ImageCms
from skimage import data

from .restorer import Restorer, Running

pytestmark = pytest.mark.slow
Person = Callable[..., Restorer]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    server = Running(tmp_path_factory.mktemp("server"), upload=2 * 2**20, pixels=1_000_000)
    yield server
    server.stop()


@pytest.fixture
def person(chromium: Any, running: Running) -> Iterator[Person]:
    """Opens the page in a window of its own, by default a desktop's on the server of this module."""
    contexts = []

    def open_page(address: str = "", width: int = 1280, height: int = 900, **options: Any) -> Restorer:
        size = {"width": width, "height": height}
        contexts.append(chromium.new_context(viewport=size, reduced_motion="reduce", **options))
        return Restorer(contexts[-1].new_page(), address or running.address)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def cat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "cat.png"
    Image.fromarray(data.chelsea()).save(path)
    return path


def jpeg(path: Path) -> None:
    """With EXIF that holds it sideways, a profile and a comment."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a cat"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(data.chelsea())
    image.save(path, quality=88, exif=exif, icc_profile=profile, comment=b"1931", dpi=(300, 300))


def tiff(path: Path) -> None:
    """16 bits, alpha, two pages, and words about it."""
    rgb = data.chelsea().astype(np.uint16) * 257
    pixels = np.dstack((rgb, np.full(rgb.shape[:2], 65535, np.uint16)))
    with tifffile.TiffWriter(path) as file:
        for page in (pixels, pixels[::-1]):
            file.write(page, photometric="rgb", extrasamples=["unassalpha"], description="a cat", compression="zlib")


@pytest.mark.parametrize(("name", "make", "look"), [("a cat.jpg", jpeg, "faithful"), ("cat.tif", tiff, "natural")])
def test_a_photo_comes_back_as_the_command_gives_it(
    person: Person, tmp_path: Path, name: str, make: Callable[[Path], None], look: str
) -> None:
    make(tmp_path / name)
    tab = person()
    tab.load(tmp_path / name)
    assert tab.text("about") == name
    tab.drag((0.4, 0.45), (0.5, 0.5), (0.55, 0.42))  # the brush
    tab.page.get_by_role("radio", name="Box").check()
    tab.drag((0.55, 0.6), (0.62, 0.68))
    tab.page.locator("#look").select_option(look)
    tab.repair()
    edits = tab.asked[0]["edits"]
    assert [edit["kind"] for edit in edits] == ["stroke", "box"]
    found = tmp_path / f"found{Path(name).suffix}"
    assert tab.download(found) == f"{Path(name).stem}-repaired{Path(name).suffix}"
    height, width = (451, 300) if name.endswith("jpg") else (300, 451)
    Image.fromarray(draw(edits, height, width)).save(tmp_path / "mask.png")
    wanted = tmp_path / f"wanted{Path(name).suffix}"
    assert tab.asked[0]["look"] == look
    model = ["--model", tab.asked[0]["model"], "--look", look]
    assert run(["repair", str(tmp_path / name), "--mask", str(tmp_path / "mask.png"), "-o", str(wanted), *model]) == 0
    assert found.read_bytes() == wanted.read_bytes()
    assert tab.said == []


def test_undo_by_keyboard_and_marks_by_keyboard_alone(person: Person, cat: Path) -> None:
    tab = person()
    tab.load(cat)
    tab.drag((0.4, 0.4), (0.45, 0.45))
    tab.press("r")
    tab.drag((0.5, 0.5), (0.6, 0.6))
    two = tab.text("marked")
    tab.press("Control+z")
    assert tab.text("marked") != two
    tab.press("Control+Shift+z")
    assert tab.text("marked") == two
    tab.press("Control+z", "Control+z")
    assert tab.text("marked").startswith("Paint over")
    assert tab.page.locator("#undo").is_disabled()
    tab.page.locator("#canvas").focus()
    tab.press("Enter", *["ArrowRight"] * 5, *["ArrowDown"] * 5, "Enter", "Control+Enter")
    tab.repaired()
    [box] = tab.asked[0]["edits"]
    assert box["kind"] == "box"
    assert box["width"] > 10
    assert tab.said == []


def test_the_border_between_before_and_after_by_keyboard_and_mouse(person: Person, cat: Path) -> None:
    tab = person()
    tab.load(cat)
    tab.press("r")
    tab.drag((0.45, 0.4), (0.55, 0.6))
    tab.repair()
    middle = (
        "() => { const c = document.querySelector('canvas'), x = c.getContext('2d');"
        " return [...x.getImageData(c.width / 2 + 6, c.height / 2 - 60, 1, 1).data].slice(0, 3) }"
    )
    slider = tab.page.get_by_role("slider", name="Border between before and after")
    assert slider.input_value() == "50"
    after = tab.page.evaluate(middle)
    slider.focus()
    tab.press("End")
    tab.page.wait_for_timeout(100)
    assert tab.page.evaluate(middle) != after  # the damage
    tab.press("Home")
    tab.page.wait_for_timeout(100)
    assert tab.page.evaluate(middle) == after
    tab.page.locator("#canvas").focus()
    tab.press("ArrowRight", "ArrowRight")
    assert 0 < int(slider.input_value()) < 10
    slider.fill("50")
    tab.drag((0.5, 0.7), (0.75, 0.7))
    assert int(slider.input_value()) > 70


def test_the_certainty_of_a_network_is_what_it_expects(person: Person, cat: Path) -> None:
    tab = person()
    tab.load(cat)
    tab.press("r")
    tab.drag((0.45, 0.4), (0.55, 0.6))
    tab.repair()
    if tab.asked[0]["model"] != "attention":
        pytest.skip("no weights come with this package")
    tab.press("u")
    assert tab.page.locator("#legend").is_visible()
    tab.page.mouse.move(*tab.place(0.5, 0.5))
    here = float(tab.text("here").rpartition(" ")[2])
    assert f"off by {here:.0f} grey levels" in tab.text("result-text")
    tab.page.mouse.move(*tab.place(0.3, 0.5))
    assert not tab.page.locator("#here").is_visible()
    tab.page.locator("#model").select_option("harmonic")
    tab.page.get_by_role("button", name="Repair again").click()
    tab.page.get_by_text("How far off they are isn't known").wait_for()
    assert not tab.page.locator("#certainty-choice").is_visible()


def test_damage_is_found_and_what_is_none_is_taken_away(person: Person, running: Running, tmp_path: Path) -> None:
    scan = data.chelsea().copy()
    scan[140:170, 190:240] = scan[60:80, 300:330] = 0  # painted over in black
    Image.fromarray(scan).save(tmp_path / "scan.png")
    tab = person()
    tab.load(tmp_path / "scan.png")
    tab.press("f")
    tab.page.locator("#marked").filter(has_text="of the photo is marked").wait_for()
    all_of_it = tab.text("marked")
    tab.press("e")
    tab.drag((0.4, 0.5), (0.55, 0.5))
    assert tab.text("marked") != all_of_it
    tab.press("Control+z")
    assert tab.text("marked") == all_of_it
    tab.repair()
    assert tab.asked[0]["edits"] == [{"kind": "found"}]
    found = damage_of(read(tmp_path / "scan.png"))
    assert found[150, 200]
    assert found[70, 310]
    Image.fromarray(found).save(tmp_path / "mask.png")
    arguments = ["--mask", str(tmp_path / "mask.png"), "-o", str(tmp_path / "wanted.png")]
    assert run(["repair", str(tmp_path / "scan.png"), *arguments, "--model", tab.asked[0]["model"]]) == 0
    tab.download(tmp_path / "found.png")
    assert (tmp_path / "found.png").read_bytes() == (tmp_path / "wanted.png").read_bytes()
    running.server.sessions.close_all()  # sent again, it is looked for again
    tab.page.get_by_role("button", name="Repair again").click()
    tab.page.get_by_role("button", name="Send the photo again").click()
    tab.repair()
    Image.new("RGB", (200, 150), "grey").save(tmp_path / "clean.png")
    tab = person()
    tab.load(tmp_path / "clean.png")
    tab.page.get_by_role("button", name="Find dust").click()
    tab.page.get_by_text("Nothing was found: paint over the damage instead.").wait_for()
    assert tab.said == []


def test_every_mistake_is_one_line_where_it_happens(person: Person, cat: Path, tmp_path: Path) -> None:
    tab = person()
    problem = tab.page.locator("#drop-problem")
    (tmp_path / "notes.txt").write_text("no photo")
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.png").write_bytes(cat.read_bytes()[:5000])
    (tmp_path / "heavy.png").write_bytes(b"x" * (2 * 2**20 + 1))
    Image.new("L", (1200, 900)).save(tmp_path / "wide.png")
    for name, words in {
        "notes.txt": "notes.txt: can't be read as a photo (not an image in a format that is read here, or",
        "empty.png": "empty.png is empty, or a folder.",
        "cut.png": "cut.png: can't be read as a photo",
        "heavy.png": "heavy.png has 2.1 MB; the most here are 2.1 MB.",
        "wide.png": "wide.png: claims 1200×900 pixels, and 1,000,000 are allowed",
    }.items():
        tab.offer(tmp_path / name)
        problem.filter(has_text=words).wait_for()
        assert problem.inner_text().count("\n") == 0
    tab.load(cat)
    assert problem.inner_text() == ""
    problem = tab.page.locator("#repair-problem")
    tab.press("Control+Enter")
    assert problem.inner_text() == "Nothing is marked: paint over the damage first."
    tab.press("r")
    tab.drag((0.001, 0.001), (0.999, 0.999))
    tab.press("Control+Enter")
    assert problem.inner_text() == "Everything is marked: the repair needs something to go by."
    tab.press("Control+z")
    assert problem.inner_text() == ""
    assert tab.asked == []
    assert tab.said == []


DROP = """async (files) => {
  const data = new DataTransfer();
  for (const [name, text] of files) {
    data.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name));
  }
  dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
}"""


def test_what_is_dropped_is_opened_and_marks_are_not_lost_without_a_question(person: Person, cat: Path) -> None:
    tab = person()
    photo = base64.b64encode(cat.read_bytes()).decode()
    tab.page.evaluate(DROP, [["one.png", photo], ["two.png", photo]])
    assert tab.text("drop-problem") == "One photo at a time, please."
    tab.page.evaluate(DROP, [["one.png", photo]])
    tab.page.locator("#about").filter(has_text="one.png").wait_for()
    tab.press("r")
    tab.drag((0.45, 0.4), (0.55, 0.6))
    asked = list[str]()

    def stay(dialog: Any) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    tab.page.once("dialog", stay)
    tab.page.evaluate(DROP, [["two.png", photo]])
    assert asked[0].startswith("Open another photo?")
    assert "is marked" in tab.text("marked")
    tab.page.once("dialog", lambda dialog: dialog.accept())
    tab.page.evaluate(DROP, [["two.png", photo]])
    tab.page.locator("#about").filter(has_text="two.png").wait_for()
    assert tab.text("marked").startswith("Paint over")
    tab.page.get_by_role("button", name="New photo").click()
    assert tab.page.get_by_role("button", name="Choose a photo").is_visible()


def test_heic_without_its_library(person: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(Image.fromarray(data.chelsea())).save(tmp_path / "cat.heic")
    tab = person()
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    tab.offer(tmp_path / "cat.heic")
    tab.page.get_by_text("cat.heic: HEIC needs pillow-heif: pip install 'photomend[heif]'.").wait_for()


def test_a_forgotten_photo_is_sent_again_with_its_marks(person: Person, running: Running, cat: Path) -> None:
    tab = person()
    tab.load(cat)
    tab.press("r")
    tab.drag((0.45, 0.4), (0.55, 0.6))
    running.server.sessions.close_all()
    tab.press("Control+Enter")
    tab.page.get_by_text("The server doesn't have this photo").wait_for()
    tab.page.get_by_role("button", name="Send the photo again").click()
    tab.repair()
    assert tab.asked[0] == tab.asked[1]
    running.server.sessions.close_all()
    tab.press("Control+s")
    tab.page.locator("#download-problem").get_by_role("button", name="Send the photo again").wait_for()


def test_a_server_that_is_gone_and_comes_back(person: Person, cat: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    server = Running(folders[0])
    tab = person(server.address)
    tab.load(cat)
    tab.press("r")
    tab.drag((0.45, 0.4), (0.55, 0.6))
    server.stop()
    tab.press("Control+Enter")
    again = tab.page.get_by_role("button", name="Try again")
    again.wait_for()
    assert tab.text("repair-problem").startswith(
        "The server doesn't answer: see whether photomend app is still running."
    )
    server = Running(folders[1], server.port)
    again.click()
    tab.page.get_by_role("button", name="Send the photo again").click()
    tab.repair()
    tab.page.close(run_before_unload=False)
    server.stop()


def test_people_wait_in_line_see_their_place_and_may_leave_it(person: Person, running: Running, cat: Path) -> None:
    ann, ben = person(), person()
    for tab in (ann, ben):
        tab.load(cat)
        tab.press("r")
        tab.drag((0.45, 0.4), (0.55, 0.6))
    with running.busy():
        ann.press("Control+Enter")
        ann.page.get_by_text("Waiting: 1 before you").wait_for()
        ben.press("Control+Enter")
        ben.page.get_by_text("Waiting: 2 before you").wait_for()
        ann.press("Escape")
        ben.page.get_by_text("Waiting: 1 before you").wait_for()
        ann.page.get_by_role("button", name="Repair", exact=True).wait_for()
    ben.repaired()
    assert not ann.page.locator("#result").is_visible()
    assert ann.text("repair-problem") == ""


def test_a_closed_page_leaves_nothing_behind(person: Person, running: Running, cat: Path) -> None:
    folder = running.server.sessions.folder
    running.server.sessions.close_all()
    tab = person()
    tab.load(cat)
    assert len(list(folder.iterdir())) == 1
    tab.page.close()
    for _ in range(100):
        if not list(folder.iterdir()):
            break
        __import__("time").sleep(0.05)
    assert list(folder.iterdir()) == []


def test_two_fingers_zoom_and_one_paints(person: Person, cat: Path) -> None:
    tab = person(width=390, height=844, has_touch=True, is_mobile=True)
    tab.load(cat)
    touch = tab.page.context.new_cdp_session(tab.page)

    def send(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(tab.place(*place) for place in places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", (0.4, 0.5))
    send("touchStart", (0.4, 0.5), (0.6, 0.5))
    send("touchMove", (0.2, 0.5), (0.8, 0.5))
    send("touchEnd")
    assert tab.text("marked").startswith("Paint over")
    send("touchStart", (0.4, 0.5))
    send("touchMove", (0.5, 0.55))
    send("touchEnd")
    tab.press("Control+Enter")  # of a tap on a busy machine, a browser may make a long one, which is no click
    tab.repaired()
    [stroke] = tab.asked[0]["edits"]
    (x, _), (u, _) = stroke["points"][0], stroke["points"][-1]
    assert 5 < u - x < 0.1 * 451 * 390 / 366 / 2  # a tenth of the canvas, zoomed in at least twice


@pytest.mark.parametrize("state", ["empty", "wrong", "marked", "waiting", "compared", "certain", "shortcuts"])
def test_it_looks_right(person: Person, running: Running, cat: Path, tmp_path: Path, state: str) -> None:
    tab = person(bypass_csp=True)  # the detectors bring a style of their own
    if state == "wrong":
        (tmp_path / "notes.txt").write_text("no photo")
        tab.offer(tmp_path / "notes.txt")
        tab.page.get_by_text("can't be read").wait_for()
    elif state != "empty":
        long = tmp_path / "my grandparents in their garden, summer of 1954, scanned (2).png"
        long.write_bytes(cat.read_bytes())
        tab.load(long)
        tab.press("r")
        tab.drag((0.45, 0.4), (0.55, 0.6))
    if state in ("compared", "certain"):
        tab.repair()
        tab.press({"compared": "c", "certain": "u"}[state])
    if state == "shortcuts":
        tab.press("?")
        tab.page.evaluate("document.querySelector('#work').hidden = true")  # the detectors don't know what lies on top
    if state == "waiting":
        with running.busy():
            tab.press("Control+Enter")
            tab.page.get_by_text("Waiting: 1 before you").wait_for()
            faults = tab.faults_in_every_look()
    else:
        faults = tab.faults_in_every_look()
    assert not faults, "\n".join(faults)


def test_24_megapixels_are_painted_on_a_small_copy_and_repaired_as_they_are(
    person: Person, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    large = Image.fromarray(data.rocket()).resize((6000, 4000))
    large.save(tmp_path / "rocket.jpg", quality=90)
    server = Running(tmp_path_factory.mktemp("large"))
    tab = person(server.address)
    tab.load(tmp_path / "rocket.jpg")
    [photo] = server.server.sessions.folder.iterdir()
    view = f"/api/photos/{photo.name}/view"
    size = f"fetch('{view}').then(r => r.blob()).then(createImageBitmap).then(b => [b.width, b.height])"
    assert tab.page.evaluate(size) == [1600, 1067]
    tab.press("r")
    started = tab.page.evaluate("performance.now()")
    tab.drag((0.5, 0.5), (0.52, 0.52))
    tab.page.evaluate("new Promise(requestAnimationFrame)")
    assert tab.page.evaluate("performance.now()") - started < 2000
    tab.page.locator("#model").select_option("harmonic")
    tab.repair()
    [box] = tab.asked[0]["edits"]
    tab.download(tmp_path / "found.jpg")
    found, before = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("found.jpg", "rocket.jpg"))
    assert found.shape == (4000, 6000, 3)
    changed = np.argwhere((found != before).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert box["y"] - 16 <= top <= bottom <= box["y"] + box["height"] + 16  # whole blocks
    assert box["x"] - 16 <= left <= right <= box["x"] + box["width"] + 16
    tab.page.close()
    server.stop()
