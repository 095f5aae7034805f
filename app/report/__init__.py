"""The report: one HTML file with the table, the curves, the photos and the settings, which needs nothing beside it."""

from __future__ import annotations

from .page import write_report

__all__ = ["write_report"]
