"""Every page of the book with cells is a notebook, too: valid, in Markdown that Jupyter knows, and it runs there."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from .scripts import ROOT, script

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("sphinx")
BOOK = ROOT / "docs" / "book"
PAGES = [page for page in sorted(BOOK.glob("*.md")) if "file_format: mystnb" in page.read_text(encoding="utf-8")]


@pytest.fixture
def notebooks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "docs" / "site")
    return script("docs/site/notebooks")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_a_notebook(notebooks: ModuleType, page: Path) -> None:
    made = notebooks.notebook(page)
    nbformat.validate(made)
    text = "\n".join(cell.source for cell in made.cells if cell.cell_type == "markdown")
    assert not re.search(r"^[`:]{3,}\{", text, re.MULTILINE)
    assert not re.search(r"\.md[#)]", text)
    helped = "docs/book of that clone" in made.cells[1].source
    modules = "|".join(path.stem for path in BOOK.glob("*.py"))
    imports = re.compile(rf"^\s*(?:from|import) (?:{modules})\b", re.MULTILINE)
    assert helped == any(imports.search(cell.source) for cell in made.cells[2:])
    assert sum(cell.cell_type == "code" for cell in made.cells) - helped == page.read_text("utf-8").count("{code-cell}")


def test_what_stands_for_the_directives(notebooks: ModuleType) -> None:
    text = """See [the tape](tape.md), [oracles](../verification.md#four-oracles), [code](../../layers/norm.py).

````{answer}
```{excerpt} core/ops/elementwise.py exp
```
````

```{verified} exp
```

```{exercise} softmax
```

:::{note}
Two
lines.
:::
"""
    made = notebooks.plain(text, BOOK)
    assert made.startswith("See [the tape](tape.ipynb), [oracles](../verification.html#four-oracles), code.\n")
    assert "<details><summary>Answers</summary>\n\n`core/ops/elementwise.py: exp`\n\n```python\n@primitive\n" in made
    assert "| `exp` | " in made
    assert "photomend exercise start softmax" in made
    assert "\n> Two\n> lines.\n" in made
    with pytest.raises(KeyError, match="unheard"):
        notebooks.plain("```{unheard} of\n```\n", BOOK)


@pytest.mark.slow
def test_a_notebook_runs_elsewhere(notebooks: ModuleType, tmp_path: Path) -> None:
    """In another folder, and without what the build sets: the page imports a module of its own."""
    nbclient = pytest.importorskip("nbclient")
    made = notebooks.notebook(BOOK / "tape.md")
    nbclient.NotebookClient(made, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert any("pictures" in cell.source for cell in made.cells)
    assert "a.grad = 4.0" in "".join(out.get("text", "") for cell in made.cells for out in cell.get("outputs", []))
