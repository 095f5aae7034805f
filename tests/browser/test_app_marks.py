"""Marks on the page: by mouse, finger and keyboard, found by the server, from a file and into one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photomend.app.cli import run
from photomend.app.masks.choice import damage_of
from photomend.app.masks.reading import read_mask
from photomend.app.photo.files import read
from photomend.app.web.edits import draw
from PIL import Image
from skimage import data

from .restorer import Person, Running

pytestmark = pytest.mark.slow


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
    arguments += ["--model", tab.asked[0]["model"], "--look", tab.asked[0]["look"]]
    assert run(["repair", str(tmp_path / "scan.png"), *arguments]) == 0
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


def test_a_mask_is_loaded_as_the_command_reads_it_and_saved_as_a_file(
    person: Person, running: Running, cat: Path, tmp_path: Path
) -> None:
    jpeg = np.zeros((300, 451), np.uint8)
    jpeg[100:140, 200:260] = 255
    Image.fromarray(jpeg).save(tmp_path / "mask.jpg", quality=60)
    cutout = np.zeros((300, 451, 4), np.uint8)
    cutout[40:60, 50:90] = (200, 0, 0, 255)
    Image.fromarray(cutout).save(tmp_path / "painted on nothing.png")
    tab = person()
    tab.load(cat)
    for name in ("mask.jpg", "painted on nothing.png"):
        before = tab.text("marked")
        tab.page.set_input_files("#mask-file", tmp_path / name)
        tab.page.wait_for_function("before => document.querySelector('#marked').textContent !== before", arg=before)
    tab.press("e")
    tab.drag((0.4, 0.45), (0.6, 0.45))  # some of it is no damage
    with tab.page.expect_download() as saved:
        tab.page.get_by_role("button", name="Save mask").click()
    assert saved.value.suggested_filename == "cat-mask.png"
    saved.value.save_as(tmp_path / "saved.png")
    tab.repair()
    edits = tab.asked[0]["edits"]
    assert edits[:2] == [{"kind": "mask", "number": 1}, {"kind": "mask", "number": 2}]
    given = [read_mask(tmp_path / name) for name in ("mask.jpg", "painted on nothing.png")]
    mask = np.asarray(Image.open(tmp_path / "saved.png"))
    assert np.array_equal(mask, draw(edits, 300, 451, None, lambda number: given[number - 1]))
    assert mask[40:60, 50:90].all()
    assert 0 < mask.sum() < given[0].sum() + given[1].sum()
    arguments = ["--mask", str(tmp_path / "saved.png"), "-o", str(tmp_path / "wanted.png")]
    arguments += ["--model", tab.asked[0]["model"], "--look", tab.asked[0]["look"]]
    assert run(["repair", str(cat), *arguments]) == 0
    tab.download(tmp_path / "found.png")
    assert (tmp_path / "found.png").read_bytes() == (tmp_path / "wanted.png").read_bytes()
    assert tab.said == []
    running.server.sessions.close_all()  # sent again with both masks
    tab.page.get_by_role("button", name="Repair again").click()
    tab.page.get_by_role("button", name="Send the photo again").click()
    tab.repair()  # its button comes back once the server has both
    assert tab.asked[-1] == tab.asked[0]
    tab.download(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "wanted.png").read_bytes()


def test_sending_a_mask_may_fail_be_stopped_or_left(
    person: Person, running: Running, cat: Path, tmp_path: Path
) -> None:
    mask = np.zeros((300, 451), np.uint8)
    mask[100:140, 200:260] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    held: list[Any] = []
    tab = person()
    tab.page.on("dialog", lambda dialog: dialog.accept())
    tab.load(cat)
    nothing = tab.text("marked")
    tab.page.route("**/mask?name=*", lambda route: held.append(route))
    tab.page.set_input_files("#mask-file", tmp_path / "mask.png")
    tab.page.locator("#working").wait_for()
    tab.page.get_by_role("button", name="Cancel").click()
    tab.page.locator("#working").wait_for(state="hidden")
    assert held
    assert tab.text("marked") == nothing
    tab.page.unroute("**/mask?name=*")
    tab.page.set_input_files("#mask-file", tmp_path / "mask.png")
    tab.page.wait_for_function("before => document.querySelector('#marked').textContent !== before", arg=nothing)
    marked = tab.text("marked")

    running.server.sessions.close_all()
    tab.page.get_by_role("button", name="Repair").click()
    tab.page.route("**/mask?name=*", lambda route: route.fulfill(status=400, json={"error": "no room is left"}))
    again = tab.page.get_by_role("button", name="Send the photo again")
    again.click()
    tab.page.get_by_text("No room is left.").wait_for()  # and it can be tried once more
    tab.page.unroute("**/mask?name=*")
    again.click()
    tab.repair()
    assert tab.text("marked") == marked

    running.server.sessions.close_all()
    tab.page.get_by_role("button", name="Repair again").click()
    tab.page.route("**/mask?name=*", lambda route: held.append(route))
    again.click()
    tab.page.locator("body[data-state=open] #working:not([hidden])").wait_for()
    while len(held) < 2:
        tab.page.wait_for_timeout(20)
    tab.page.get_by_role("button", name="Cancel").click()
    tab.page.get_by_text("The server doesn't have all marks.").wait_for()
    again.click()
    while len(held) < 3:
        tab.page.wait_for_timeout(20)
    tab.page.get_by_role("button", name="New photo").click()
    tab.page.locator("body[data-state=empty]").wait_for()
    tab.page.wait_for_timeout(200)
    assert not [said for said in tab.said if "400" not in said and "410" not in said]


def test_masks_have_the_numbers_that_the_server_counts(
    person: Person, running: Running, cat: Path, tmp_path: Path
) -> None:
    """One that is stopped after the server has it counts there, until the photo is sent again."""
    for name, rows in (("first", slice(30, 60)), ("stopped", slice(100, 140)), ("last", slice(200, 230))):
        mask = np.zeros((300, 451), np.uint8)
        mask[rows, 200:260] = 255
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
    held: list[Any] = []
    tab = person()
    tab.load(cat)
    nothing = tab.text("marked")
    tab.page.set_input_files("#mask-file", tmp_path / "first.png")
    tab.page.wait_for_function("before => document.querySelector('#marked').textContent !== before", arg=nothing)
    one = tab.text("marked")
    tab.page.route("**/mask?number=*", lambda route: held.append(route))
    tab.page.set_input_files("#mask-file", tmp_path / "stopped.png")
    while not held:
        tab.page.wait_for_timeout(20)
    tab.page.get_by_role("button", name="Cancel").click()
    tab.page.locator("#working").wait_for(state="hidden")
    tab.page.unroute("**/mask?number=*")
    assert tab.text("marked") == one
    tab.page.set_input_files("#mask-file", tmp_path / "last.png")
    tab.page.wait_for_function("before => document.querySelector('#marked').textContent !== before", arg=one)
    tab.repair()
    assert tab.asked[0]["edits"] == [{"kind": "mask", "number": 1}, {"kind": "mask", "number": 3}]
    tab.download(tmp_path / "found.png")
    running.server.sessions.close_all()
    tab.page.get_by_role("button", name="Repair again").click()
    tab.page.get_by_role("button", name="Send the photo again").click()
    tab.repair()
    assert tab.asked[-1]["edits"] == [{"kind": "mask", "number": 1}, {"kind": "mask", "number": 2}]
    tab.download(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "found.png").read_bytes()
    both = tab.text("marked")
    running.server.sessions.close_all()  # and where that is stopped, the next mask brings the others along
    tab.page.get_by_role("button", name="Repair again").click()
    tab.page.route("**/mask?name=*", lambda route: held.append(route))
    tab.page.get_by_role("button", name="Send the photo again").click()
    while len(held) < 2:
        tab.page.wait_for_timeout(20)
    tab.page.get_by_role("button", name="Cancel").click()
    tab.page.get_by_text("The server doesn't have all marks.").wait_for()
    tab.page.unroute("**/mask?name=*")
    tab.page.set_input_files("#mask-file", tmp_path / "stopped.png")
    tab.page.wait_for_function("before => document.querySelector('#marked').textContent !== before", arg=both)
    tab.press("Control+z")
    assert tab.text("marked") == both
    tab.repair()
    numbers = [edit["number"] for edit in tab.asked[-1]["edits"]]
    assert len(set(numbers)) == 2
    tab.download(tmp_path / "later.png")
    assert (tmp_path / "later.png").read_bytes() == (tmp_path / "found.png").read_bytes()
    tab.press("Control+z")
    assert tab.text("marked") == one


def test_masks_that_do_not_fit_are_one_line(person: Person, cat: Path, tmp_path: Path) -> None:
    Image.new("L", (300, 200), 255).save(tmp_path / "small.png")
    Image.new("L", (451, 300)).save(tmp_path / "black.png")
    (tmp_path / "notes.txt").write_text("no mask")
    (tmp_path / "heavy.png").write_bytes(b"x" * (2 * 2**20 + 1))
    tab = person()
    tab.load(cat)
    problem = tab.page.locator("#find-problem")
    for name, words in {
        "small.png": "The mask is 300×200 pixels, the photo 451×300.",
        "black.png": "The mask is empty: nothing is missing.",
        "notes.txt": "The mask notes.txt: can't be read as a mask (",
        "heavy.png": "The file is larger than 2 MB",
    }.items():
        tab.page.set_input_files("#mask-file", tmp_path / name)
        problem.filter(has_text=words).wait_for()
        assert problem.inner_text().count("\n") == 0
    assert tab.text("marked").startswith("Paint over")
    tab.page.get_by_role("button", name="Save mask").click()
    assert problem.inner_text() == "Nothing is marked: there is no mask to save."
    tab.drag((0.4, 0.4), (0.45, 0.45))
    assert problem.inner_text() == ""
