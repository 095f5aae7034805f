"""What the commands here share: where the project is, and how they fail."""

from pathlib import Path

ROOT = Path(__file__).parents[1]


class ReleaseError(Exception):
    """What stands in the way; the message says what to do."""
