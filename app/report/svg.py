"""Drawings as SVG elements: text is escaped by the XML writer, colours come from the page's style sheet."""

from __future__ import annotations

from xml.etree import ElementTree

from markupsafe import Markup

Element = ElementTree.Element


def element(tag: str, text: str = "", **attributes: object) -> Element:
    """An SVG element. In names of attributes `_` stands for `-`; `class_` is `class`; numbers get two decimals."""
    made = Element(tag)
    made.text = text or None
    for name, value in attributes.items():
        shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        made.set(name.strip("_").replace("_", "-"), shown)
    return made


def drawing(width: float, height: float, title: str, parts: list[Element], class_: str = "chart") -> Markup:
    """An SVG of this size in pixels, unless the style of its class has another; `title` says what it shows."""
    root = element("svg", viewBox=f"0 0 {width:g} {height:g}", class_=class_, role="img", aria_label=title)
    root.set("width", f"{width:g}")
    root.extend(parts)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def polyline(points: list[tuple[float, float]], class_: str) -> Element:
    return element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_)
