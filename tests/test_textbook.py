"""What the textbook is built with, where the group `docs` is installed: formulas, docstrings, checked links."""

from __future__ import annotations

from pathlib import Path

import pytest

from .scripts import script

pytest.importorskip("sphinx")
LINKS, MATHML, PAGES = (script(f"docs/site/{name}") for name in ("links", "mathml", "reference_pages"))


def test_letters_keep_their_marks_and_indices() -> None:
    made = "".join(MATHML.mathml(r"\bar y_i = \bar{\hat x} + \frac{\hat W}{\bar{b}}", block=False).split())
    assert '<msub><miclass="marked">ȳ</mi><mi>i</mi></msub>' in made
    assert '<miclass="marked">x̂̄</mi>' in made
    assert '<mfrac><miclass="marked">Ŵ</mi><miclass="marked">b̄</mi></mfrac>' in made


def test_docstrings_keep_their_stars_and_formulas() -> None:
    lines = ["x (…, *shape) of *A book* (2000), |x| and eps_.", "", "    a * b", "", "n: C."]
    assert PAGES.rest(lines) == [
        r"x (…, \*shape) of *A book* (2000), \|x\| and eps\_.",
        "",
        "::",
        "",
        "    a * b",
        "",
        r"n: \C.",
    ]


def test_links_of_a_site_are_checked(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#here">b</a><a href="c.html">c</a><a href="https://x.org">x</a>')
    (tmp_path / "b.html").write_text('<p id="there"></p><script src="https://x.org/y.js"></script>')
    assert LINKS.check(tmp_path) == [
        "a.html: b.html#here: the page has no such place",
        "a.html: c.html leads nowhere",
        "b.html: loads https://x.org/y.js from the network",
    ]
