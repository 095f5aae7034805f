"""What the tests of the report share: a page as a browser would read it, and samples to show on one."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import torch
from photomend.data.evaluation_set import MaskedPhoto
from photomend.data.masks import Box, box_mask

EVIL = "<script>alert('x')</script> & \"b\""
VOID = {"meta", "img", "input", "br", "link", "hr"}


class Page(HTMLParser):
    """What a browser would find: the elements, what they load, and whether all of them are closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self.open[-1] if self.open else "", []).append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [a for t, a in self.elements if t == tag and all(a.get(k) == v for k, v in wanted.items())]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


def without_pictures(html: str) -> str:
    """A page without what its data: URIs hold, in which any letters may stand, "http" too."""
    return re.sub(r"base64,[^\"]*", "", html)


def samples(names: tuple[str, ...] = ("a.png", "b.png")) -> list[MaskedPhoto]:
    generator = torch.Generator().manual_seed(0)
    made = []
    for index, name in enumerate(names):
        box = Box(8 * index, 20, 40, 31)
        mask = torch.from_numpy(box_mask(box, 112, 104)).float()[None]
        made.append(
            MaskedPhoto(name, EVIL if index else "cat", torch.rand(3, 112, 104, generator=generator), mask, box)
        )
    return made
