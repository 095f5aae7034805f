"""The templates of the page, and the style sheet and script that go into it."""

from __future__ import annotations

from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def environment() -> Environment:
    """Templates that escape everything and refuse what they weren't given."""
    loader = PackageLoader(__package__, ".")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def asset(name: str) -> Markup:
    """A style sheet or a script of ours, as it stands in its file beside this one."""
    return Markup(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
