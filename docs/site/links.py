"""A Sphinx extension: links to folders of the repository become their names, and a finished site is checked: every
link inside it leads somewhere, and nothing that a page shows comes from the network."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)
LINK = re.compile(r"\[([^\]]+)\]\(([^)#:]+)\)")


def _in_site(app: Sphinx, page: str, source: list[str]) -> None:
    """What a page of the repository needs on the site.

    The model card stands beside the weights, and on a page that includes it. A folder has no page, so its name stays
    without a link. The log's pages are below its list.
    """
    here = (Path(app.srcdir) / page).parent
    source[0] = LINK.sub(lambda link: link[1] if (here / link[2]).is_dir() else link[0], source[0])
    if page != "model-card":
        source[0] = source[0].replace("../weights/README.md", "model-card.md")
    if page == "log/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n2*\n```\n"


class Page(HTMLParser):
    """What an HTML page refers to, and what in it can be referred to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        self.loaded += [found["src"]] if "src" in found else []
        self.loaded += [found["href"]] if tag == "link" and "href" in found else []


def check(folder: Path) -> list[str]:
    """What is wrong with the links of a site's pages."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    wrong = []
    for path, page in pages.items():
        name = path.relative_to(folder)
        wrong += [f"{name}: loads {url} from the network" for url in page.loaded if urlsplit(url).netloc]
        for url in (*page.links, *page.loaded):
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                wrong.append(f"{name}: {url} leads nowhere")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                wrong.append(f"{name}: {url}: the page has no such place")
    return wrong


def _check(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        for problem in check(Path(app.outdir).resolve()):
            logger.warning("%s", problem)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _in_site)
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
