"""Every page of the textbook in a browser: nothing is cut off, overprinted or pale, and its pictures can be played.

`make docs` builds the site; without one these tests are skipped.
"""

from __future__ import annotations

from typing import Any

import pytest

from .tab import SITE, Tab, missing, pages

pytestmark = pytest.mark.slow
PAGES, STEPPED = pages(), pages('class="stepper"')
STATE = """stepper => {
  const frames = [...stepper.querySelectorAll("ol > li")];
  const buttons = [...stepper.querySelectorAll("button")];
  return {
    frames: frames.length,
    shown: frames.flatMap((frame, i) => (frame.checkVisibility() ? [i] : [])),
    count: stepper.querySelector("output")?.textContent,
    ends: buttons.map((button) => button.getAttribute("aria-disabled") === "true"),
    live: stepper.querySelector("ol").getAttribute("aria-live"),
    name: stepper.getAttribute("aria-label"),
    focused: stepper.contains(document.activeElement),
  };
}"""
#: Puts the focus on what one reaches by Tab just before the stepper.
FOCUS_BEFORE = """stepper => {
  const all = [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")];
  const reachable = all.filter((each) => each.tabIndex >= 0 && each.checkVisibility({ visibilityProperty: true }));
  const own = reachable.findIndex((each) => stepper.contains(each));
  reachable[own - 1].focus();
}"""


@pytest.fixture(autouse=True, scope="module")
def built() -> None:
    if not PAGES:
        missing(f"no site in {SITE}: make docs builds it")


@pytest.mark.parametrize("name", PAGES or ["the site"])
def test_a_page_looks_right(tab: Tab, name: str) -> None:
    tab.open(name)
    faults = tab.faults_in_every_look()
    assert not faults, "\n".join(faults)


def at(stepper: Any, frame: int) -> dict[str, Any]:
    """The state of a stepper that must show this frame."""
    state: dict[str, Any] = stepper.evaluate(STATE)
    last = state["frames"] - 1
    assert state["shown"] == [frame], state
    assert state["count"] == f"{frame + 1} / {state['frames']}"
    assert state["ends"] == [frame == 0, frame == last]
    return state


def test_there_are_pictures_to_step_through() -> None:
    assert {"book/tape.html", "book/convolution.html", "book/norms.html", "book/attention.html"} <= set(STEPPED)


@pytest.mark.parametrize("name", STEPPED or ["the site"])
def test_steppers_by_mouse(tab: Tab, name: str) -> None:
    tab.open(name)
    for stepper in tab.page.locator(".stepper").all():
        state = at(stepper, 0)
        assert state["live"] == "polite"
        assert state["name"]
        back, forth = (stepper.get_by_role("button", name=text) for text in ("Back", "Next"))
        for frame in range(1, state["frames"]):
            forth.click()
            at(stepper, frame)
        forth.click(force=True)  # nothing comes after the last
        at(stepper, state["frames"] - 1)
        back.click()
        at(stepper, state["frames"] - 2)
        stepper.locator("ol > li:visible").click()  # into the picture
        tab.page.keyboard.press("Home")
        at(stepper, 0)
    assert tab.said == []


@pytest.mark.parametrize("name", STEPPED or ["the site"])
def test_steppers_by_keyboard(tab: Tab, name: str) -> None:
    tab.open(name)
    address, keyboard = tab.page.url, tab.page.keyboard
    for stepper in tab.page.locator(".stepper").all():
        stepper.evaluate(FOCUS_BEFORE)
        assert not at(stepper, 0)["focused"]
        for _ in range(30):  # what scrolls is reached by Tab as well
            keyboard.press("Tab")
            if (state := at(stepper, 0))["focused"]:
                break
        assert state["focused"]
        last = state["frames"] - 1
        for key, frame in (
            ("ArrowRight", 1),
            ("ArrowLeft", 0),
            ("ArrowLeft", 0),
            ("End", last),
            ("ArrowRight", last),
            ("Home", 0),
        ):
            keyboard.press(key)
            at(stepper, frame)
        keyboard.press("Tab")  # to Next
        keyboard.press("Enter")
        assert at(stepper, 1)["focused"]
    assert tab.page.url == address  # the theme turns pages with the arrow keys


@pytest.mark.parametrize("name", STEPPED or ["the site"])
def test_a_still_picture_without_scripts(tab_without_scripts: Tab, name: str) -> None:
    tab_without_scripts.open(name)
    for stepper in tab_without_scripts.page.locator(".stepper").all():
        state = stepper.evaluate(STATE)
        assert state["shown"][-1] == state["frames"] - 1, state
        assert state["ends"] == []
    dead = "[...document.querySelectorAll('main button, article button')].filter(b => b.checkVisibility()).length"
    assert tab_without_scripts.page.evaluate(dead) == 0


def test_search_needs_no_network(tab: Tab) -> None:
    tab.open("index.html")
    tab.page.get_by_placeholder("Search").first.fill("convolution")
    tab.page.keyboard.press("Enter")
    found = tab.page.locator("#search-results li a")
    found.first.wait_for()
    assert tab.page.url.startswith((SITE / "search.html").as_uri())
    assert "book/convolution.html" in {
        link.get_attribute("href").partition("?")[0].partition("#")[0] for link in found.all()
    }
    found.first.click()
    assert tab.page.url.startswith(SITE.as_uri())
    assert tab.said == []


@pytest.mark.parametrize(
    ("words", "lesson"), [("softmax", "softmax"), ("batch norm", "norms"), ("relu", "activations")]
)
def test_a_search_finds_the_lesson_first(tab: Tab, words: str, lesson: str) -> None:
    tab.page.goto(f"{(SITE / 'search.html').as_uri()}?q={words.replace(' ', '+')}")
    first = tab.page.locator("#search-results li a").first
    first.wait_for()
    assert first.get_attribute("href").startswith(f"book/{lesson}.html")
