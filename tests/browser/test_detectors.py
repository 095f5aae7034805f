"""Each detector notices a small faulty page, and says nothing of its mended twin."""

from __future__ import annotations

import pytest

from .tab import Tab

pytestmark = pytest.mark.slow
DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
LONG = "a line of words that is far too long for its box"
#: The kind of fault, a body that has it, and one that doesn't.
PLANTED = {
    "a wide box": (
        "overflow",
        "<div style='width: 2000px'>wide</div>",
        "<div style='width: 200px'>narrow</div>",
    ),
    "cut at the right": (
        "cut",
        f"<div style='width: 100px; overflow: hidden; white-space: nowrap'>{LONG}</div>",
        f"<div style='width: 100px; overflow: hidden'>{LONG}</div>",
    ),
    "cut at the bottom": (
        "cut",
        f"<div style='width: 100px; height: 30px; overflow: hidden'>{LONG}</div>",
        f"<div style='width: 100px; height: 30px'>{LONG}</div>",
    ),
    "an ellipsis without a title": (
        "cut",
        f"<div style='width: 100px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis'>{LONG}</div>",
        f"<div title='{LONG}' style='width: 100px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis'>"
        f"{LONG}</div>",
    ),
    "cut by the edge of a picture": (
        "cut",
        f"<svg width='100' height='40'><text x='10' y='20'>{LONG}</text></svg>",
        f"<svg width='600' height='40'><text x='10' y='20'>{LONG}</text></svg>",
    ),
    "out of its rectangle": (
        "cut",
        "<svg width='300' height='60'><rect x='100' y='10' width='60' height='40' fill='none'/>"
        "<text x='130' y='30' text-anchor='middle'>SpatialAttention</text></svg>",
        "<svg width='300' height='60'><rect x='50' y='10' width='200' height='40' fill='none'/>"
        "<text x='150' y='30' text-anchor='middle'>SpatialAttention</text></svg>",
    ),
    "scrolls and doesn't show it": (
        "scrolling",
        f"<pre style='width: 100px; overflow-x: auto'>{LONG}</pre>",
        f"<pre style='width: 100px; overflow-x: auto; background: linear-gradient(#eee, #eee) local'>{LONG}</pre>",
    ),
    "labels over each other": (
        "overprint",
        "<svg width='200' height='60'><text x='10' y='20'>training loss</text><text x='60' y='22'>12345</text></svg>",
        "<svg width='200' height='60'><text x='10' y='20'>training loss</text><text x='10' y='42'>12345</text></svg>",
    ),
    "an upright label over numbers": (
        "overprint",
        "<svg width='200' height='160'><text transform='translate(20 140) rotate(-90)'>validation error</text>"
        "<text x='10' y='80'>0.125</text></svg>",
        "<svg width='200' height='160'><text transform='translate(20 140) rotate(-90)'>validation error</text>"
        "<text x='30' y='80'>0.125</text></svg>",
    ),
    "a heading over a paragraph": (
        "overprint",
        "<h2 style='margin: 0 0 -1.2em'>Heading</h2><p style='margin: 0'>A paragraph below it</p>",
        "<h2 style='margin: 0'>Heading</h2><p style='margin: 0'>A paragraph below it</p>",
    ),
    "a picture made small": (
        "small",
        "<svg width='200' viewBox='0 0 500 100'><text x='10' y='50' font-size='16'>tiny</text></svg>",
        "<svg width='300' viewBox='0 0 500 100'><text x='10' y='50' font-size='16'>readable</text></svg>",
    ),
    "a picture without words": (
        "silent",
        f"<img src='{DOT}' width='40' height='40' alt='a/b.png'>",
        f"<img src='{DOT}' width='40' height='40' alt='a dot'>",
    ),
    "grey on grey": ("contrast", "<p style='color: #999'>pale</p>", "<p style='color: #666'>readable</p>"),
    "a faded word": ("contrast", "<p style='opacity: 0.4'>pale</p>", "<p style='opacity: 0.9'>readable</p>"),
    "a label on a dark rectangle": (
        "contrast",
        "<svg width='99' height='40'><rect width='99' height='40' fill='#333'/><text x='9' y='20'>dark</text></svg>",
        "<svg width='99' height='40'><rect width='99' height='40' fill='#eee'/><text x='9' y='20'>light</text></svg>",
    ),
}


def shown(tab: Tab, body: str) -> dict[str, list[str]]:
    tab.page.set_content(f"<!DOCTYPE html><html lang='en'><body style='background: #fff'>{body}</body></html>")
    return {kind: faults for kind, faults in tab.faults().items() if faults}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_noticed(tab: Tab, name: str) -> None:
    kind, faulty, mended = PLANTED[name]
    assert list(shown(tab, faulty)) == [kind]
    assert shown(tab, mended) == {}


def test_what_only_a_screen_reader_reads_is_no_fault(tab: Tab) -> None:
    hidden = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap"
    assert shown(tab, f"<p>12 <span style='{hidden}'>(lower is better)</span></p>") == {}


def test_errors_and_requests_are_noticed(tab: Tab) -> None:
    tab.page.set_content("<script>console.error('no'); nothing.there</script>")
    tab.page.evaluate("fetch('http://localhost:9/').catch(() => {})")
    assert {said.partition(" ")[0] for said in tab.said} == {"console", "script", "asks"}
