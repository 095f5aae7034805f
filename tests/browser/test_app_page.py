"""`photomend app` in a browser, from dropping a photo to comparing its bytes, at every width."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from photomend.app.cli import run
from photomend.app.web.edits import draw
from PIL import Image, ImageCms
from skimage import data

from .restorer import Person, Running

pytestmark = pytest.mark.slow


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


@pytest.mark.parametrize("height", [500, 800])
def test_a_photo_fills_the_window_and_the_page_does_not_scroll(person: Person, cat: Path, height: int) -> None:
    tab = person(width=1280, height=height)
    tab.load(cat)
    tab.drag((0.45, 0.4), (0.55, 0.6))
    tab.repair()
    page, stage = tab.page.evaluate(
        "[document.documentElement.scrollHeight, document.querySelector('.stage').getBoundingClientRect().bottom]"
    )
    assert (page, stage) == (height, height)


def test_a_network_begins_with_the_natural_look_and_a_fill_with_its_own(person: Person, cat: Path) -> None:
    tab = person()
    tab.load(cat)
    for model, look in (("attention", "natural"), ("harmonic", "faithful"), ("photomend-m", "natural")):
        tab.page.locator("#model").select_option(model)
        assert tab.page.locator("#look").input_value() == look
        assert ("Grain" in tab.text("look-words")) == (look == "natural")
    tab.page.locator("#model").select_option("attention")
    tab.press("r")
    tab.drag((0.45, 0.4), (0.55, 0.6))
    tab.repair()
    assert (tab.asked[0]["model"], tab.asked[0]["look"]) == ("attention", "natural")
    tab.page.locator("#look").select_option("faithful")
    assert "least error" in tab.text("look-words")
    tab.page.locator("#model").select_option("photomend-m")
    assert tab.page.locator("#look").input_value() == "faithful"  # what was chosen stays
    assert "Expect them to be off by" in tab.text("result")
    assert tab.said == []


def test_the_border_between_before_and_after_by_keyboard_and_mouse(person: Person, cat: Path) -> None:
    tab = person()
    tab.load_with_hole(cat)
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
    tab.load_with_hole(cat)
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
        tab.load_with_hole(long)
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
