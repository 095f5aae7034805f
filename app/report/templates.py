"""The templates of the page; its style sheet and script go into it in the same way."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment() -> Environment:
    """Templates that escape everything and refuse what they weren't given."""
    loader = PackageLoader(__package__, ".")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
