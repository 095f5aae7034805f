"""What the textbook is built with, where the group `docs` is installed: its directives, formulas and checked links."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from photomend.app.exercises.catalogue import EXERCISES, find
from photomend.tests.verification.breaks import BREAKS
from PIL import Image

from .scripts import ROOT, script

pytest.importorskip("sphinx")
COURSE, DESCRIBED, LINES, LINKS, MATHML, MISTAKES, PAGES, STREAMS = (
    script(f"docs/site/{name}")
    for name in ("course", "described", "lines", "links", "mathml", "mistakes", "reference_pages", "streams")
)


def test_letters_keep_their_marks_and_indices() -> None:
    made = "".join(MATHML.mathml(r"\bar y_i = \bar{\hat x} + \frac{\hat W}{\bar{b}}", block=False).split())
    assert '<msub><miclass="marked">ȳ</mi><mi>i</mi></msub>' in made
    assert '<moveraccent="true"><miclass="marked">x̂</mi><mostretchy="false">ˉ</mo></mover>' in made
    assert '<mfrac><miclass="marked">Ŵ</mi><miclass="marked">b̄</mi></mfrac>' in made


def test_functions_keep_their_distance() -> None:
    assert "<mi>ln</mi><mo>&ApplyFunction;</mo><mspace" in "".join(MATHML.mathml(r"\ln 3", block=False).split())
    made = "".join(MATHML.mathml(r"\hat x \operatorname{mean}(x) - \ln x", block=False).split())
    assert made.count("<mspace") == 2  # before the mean and after the logarithm


def test_lines_of_code_know_how_far_they_are_indented() -> None:
    block = '<div class="highlight-{}"><div class="highlight"><pre>{}\n</pre></div></div>'
    code = '<span class="k">if</span> x:\n    y\n\n    <span class="c1"># &lt;why&gt;</span>'
    hangs = re.findall(r"--hang: (\d+)ch", LINES.in_lines(block.format("python notranslate", code)))
    assert hangs == ["4", "8", "4", "4"]
    printed = block.format("myst-ansi notranslate", "a\nb")
    assert LINES.in_lines(printed) == printed


def test_the_pages_follow_the_course() -> None:
    """Each page names the next one at its end, as the table of contents has it; exercises come in their order."""
    docs = ROOT / "docs"
    listed = re.findall(r"^(book/[\w-]+|\w[\w/-]*)$", (docs / "index.md").read_text(encoding="utf-8"), re.MULTILINE)
    texts = {page: (docs / f"{page}.md").read_text(encoding="utf-8") for page in listed}
    for page, then in pairwise(listed):
        if said := re.search(r"Next: \[[^\]]+\]\(([^)]+)\.md\)", texts[page].rpartition("\n\n")[2]):
            assert (docs / page).parent.joinpath(said[1]).resolve() == docs / then, page
        else:
            assert not page.startswith("book/"), page
    names = [name for page in listed for name in re.findall(r"^```\{exercise\} (\S+)", texts[page], re.M)]
    numbers = [EXERCISES.index(find(name)) for name in names]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(len(EXERCISES)))


def test_printed_tables_are_marked() -> None:
    from docutils import nodes
    from docutils.utils import new_document

    document = new_document("page")
    document += nodes.literal_block(text="mean of it:  1\n  hint:     the sum is missing, as if x  were constant")
    document += nodes.literal_block(text="one line\nname  two words   output  12\n")
    document += nodes.literal_block(text=f"name  {'words  ' * 20}output\n")
    STREAMS.mark_tables(document)
    classes = [block["classes"] for block in document.findall(nodes.literal_block)]
    assert classes == [[], ["columns"], ["columns", "wide"]]


def test_pictures_say_what_they_show() -> None:
    from docutils import nodes
    from docutils.utils import new_document

    document = new_document("page")
    document += nodes.paragraph(text="It is random.")
    document += nodes.paragraph(text="Look at it. Here is\nthe photo:")
    document += [nodes.image(uri="a.png"), nodes.image(uri="b.png", alt="the loss")]
    DESCRIBED.describe(document)
    assert [image["alt"] for image in document.findall(nodes.image)] == ["Here is the photo:", "the loss"]


def test_wide_pictures_are_marked(tmp_path: Path) -> None:
    from docutils import nodes
    from docutils.utils import new_document

    document = new_document("page")
    for width in (600, 900):
        Image.new("L", (width, 10)).save(tmp_path / f"{width}.png")
        document += nodes.image(uri=f"{width}.png")
    DESCRIBED.mark_wide(document, tmp_path)
    assert [image["classes"] for image in document.findall(nodes.image)] == [[], ["wide"]]


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


def test_signatures_name_types_as_the_code_does() -> None:
    signature, returns = "(x: TypeAliasForwardRef('Array') | None, n: int)", "tuple[TypeAliasForwardRef('Array'), int]"
    shown = PAGES._signature(None, "function", "f", None, None, signature, returns)
    assert shown == ("(x: Array | None, n: int)", "tuple[Array, int]")


def test_links_of_a_site_are_checked(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#here">b</a><a href="c.html">c</a><a href="https://x.org">x</a>')
    (tmp_path / "b.html").write_text('<p id="there"></p><script src="https://x.org/y.js"></script>')
    assert LINKS.check(tmp_path) == [
        "a.html: b.html#here: the page has no such place",
        "a.html: c.html leads nowhere",
        "b.html: loads https://x.org/y.js from the network",
    ]


def test_a_row_of_verification() -> None:
    rows = {row["name"]: row for row in json.loads(COURSE.DATA.read_text(encoding="utf-8"))}
    row = {**rows["exp"], "cases": 3, "differences": 7.6e-13, "adjoint": None, "forward_ratio": 0.954}
    cells = COURSE.table([row]).splitlines()[2].split(" | ")
    assert cells[:4] == ["| `exp`", "3", "8e-13", "–"]
    assert cells[7] == "0.95"


def test_an_exercise_is_invited_to_with_the_commands_it_has() -> None:
    text = COURSE.invitation(find("multiply-divide"))
    assert "Write `multiply` and `divide` yourself" in text
    assert re.search(r"^photomend exercise start multiply-divide +# writes multiply_divide.py, ", text, re.MULTILINE)
    for exercise in EXERCISES:
        assert all(f"`{name}`" in COURSE.invitation(exercise) for name in exercise.functions)


@pytest.mark.filterwarnings("ignore:.*MystReferenceResolver.app")  # myst-parser on Sphinx 9
def test_a_name_that_is_unknown_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    monkeypatch.syspath_prepend(COURSE.DATA.parents[1] / "site")
    page = "# A page\n\n```{verified} conv2d conv3d\n```\n\n```{exercise} softmaks\n```\n"
    (tmp_path / "index.md").write_text(page, encoding="utf-8")
    folders, warnings = [tmp_path, None, tmp_path / "out", tmp_path / "trees"], StringIO()
    with docutils_namespace():
        settings = {"extensions": ["myst_parser", "course"]}
        Sphinx(*folders, "text", settings, status=None, warning=warnings).build()
    assert "index.md:3: WARNING: verified: 'conv3d' has no row in docs/data/verify.json" in warnings.getvalue()
    assert "exercise: no exercise 'softmaks'; did you mean 'softmax'?" in warnings.getvalue()
    assert "conv2d" in (tmp_path / "out" / "index.txt").read_text(encoding="utf-8")


def test_cells_find_programs_and_modules_and_fail_with_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(sys, "path", sys.path.copy())
    script("docs/conf")
    for cell, status in (
        ("command -v photomend", 0),
        ("""python -c "import importlib.util as u; assert u.find_spec('pictures')" """, 0),
        ("false | true; echo", 1),
        ("! false", 0),
    ):
        assert subprocess.run(["bash", "-c", cell], env=os.environ, capture_output=True).returncode == status, cell


def test_what_a_cell_prints_is_put_together() -> None:
    pieces = {"one line in t": "stdout", "no\n": "stderr", "wo pieces\n": "stdout", "\n": "stdout", "x": "stdout"}
    outputs = [{"output_type": "stream", "name": name, "text": text} for text, name in pieces.items()]
    picture = {"output_type": "display_data"}
    stdout, stderr, shown = STREAMS.joined([*outputs, picture])
    assert (stdout["text"], stderr["text"], shown) == ("one line in two pieces\n\nx", "no\n", picture)


def test_every_classic_mistake_is_in_the_gallery() -> None:
    groups = MISTAKES.symptoms()
    assert sorted(name for group in groups.values() for name in group) == sorted(BREAKS)
    page = (Path(__file__).parents[1] / "docs" / "book" / "gallery.md").read_text(encoding="utf-8")
    assert re.findall(r"^```\{mistakes\} (\w+)", page, flags=re.MULTILINE) == list(groups)


#: Mistakes whose symptoms are single numbers, which take no time.
QUICK = [
    "quotient-sign",
    "eps-outside-root",
    "group-norm-axes",
    "padding-counted",
    "bilinear-half-pixel",
    "causal-off-by-one",
]


def test_symptoms_are_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs" / "book")
    symptoms = script("docs/book/symptoms")
    recorded = json.loads(symptoms.RECORDED.read_text(encoding="utf-8"))
    assert set(recorded) == set(symptoms.SYMPTOMS) == set(BREAKS)
    for name in QUICK:
        assert symptoms.measured(name) == recorded[name]
    assert all(row["right"] != row["wrong"] for name in QUICK for row in recorded[name])


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "book").glob("*.md")), ids=lambda page: page.stem)
def test_a_page_with_random_numbers_has_the_same_ones_in_every_build(page: Path) -> None:
    """Near a kink, or with another digit printed, a page would fail or be wrong once in many builds."""
    before = ""
    for cell in re.findall(
        r"^```\{code-cell\}[^\n]*\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        before += cell
        drawn = re.search(r"torch\.rand\w*\((?!.*generator=)", cell)
        assert drawn is None or "manual_seed(" in before, drawn.string
