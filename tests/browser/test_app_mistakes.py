"""Every error that a person, or the way to the server, can cause: one line where it happens, and nothing lost."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from skimage import data

from .restorer import Person, Running

pytestmark = pytest.mark.slow


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
    tab.load_with_hole(cat)
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
    tab.load_with_hole(cat)
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
        tab.load_with_hole(cat)
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


def test_a_photo_is_closed_or_changed_for_another_while_the_server_works(
    person: Person, running: Running, cat: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (200, 150), "grey").save(tmp_path / "grey.png")
    tab = person()
    tab.page.on("dialog", lambda dialog: dialog.accept())
    tab.load_with_hole(cat)
    with running.busy():
        tab.press("Control+Enter")
        tab.page.get_by_text("Waiting: 1 before you").wait_for()
        tab.page.get_by_role("button", name="New photo").click()
        tab.page.locator("body[data-state=empty]").wait_for()
        tab.offer(cat)  # waits as well, and is given up for another file
        tab.page.get_by_text("Waiting: 1 before you").wait_for()
        tab.offer(tmp_path / "grey.png")
        tab.page.get_by_text("Waiting: 1 before you").wait_for()
    tab.page.locator("body[data-state=open]").wait_for()
    assert tab.text("about") == "grey.png"
    with running.busy():
        tab.press("f")
        tab.page.get_by_text("Waiting: 1 before you").wait_for()
        tab.page.evaluate("""() => {
          const several = new DataTransfer();
          for (const name of ["one.png", "two.png"]) several.items.add(new File(["x"], name, { type: "image/png" }));
          dispatchEvent(new DragEvent("drop", { dataTransfer: several }));
        }""")
        assert tab.text("repair-problem") == "One photo at a time, please."
        assert tab.page.locator("#working").is_visible()  # what goes on is still shown
        tab.offer(cat)
        tab.page.get_by_text("Waiting: 1 before you").wait_for()
    tab.page.locator("#about").filter(has_text="cat.png").wait_for()
    tab.drag((0.45, 0.4), (0.55, 0.6))
    tab.repair()
    assert not [said for said in tab.said if "410 (Gone)" not in said]  # it asks once more for what it has closed


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
