"""The report: one HTML file with the table, the curves, the photos and the settings, which needs nothing beside it."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def templates() -> Environment:
    """Templates that escape everything and refuse what they weren't given."""
    loader = PackageLoader(__package__, ".")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
