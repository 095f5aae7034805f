"""What a mistake is: one edit of one rule, and whom it harms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Break:
    """One mistake.

    Attributes:
        name: how it is called on the command line.
        mistake: what is wrong, in a line.
        module, function: where it is made; ``name`` or ``Class.name``.
        old, new: the words that are replaced, and by which.
        subjects: the primitives, layers and models that are asked about.
        only: why a single oracle can see it; empty where at least two do.
        raises: it only ever raises an error or gives a wrong shape; otherwise at least one oracle sees a wrong number.
    """

    name: str
    mistake: str
    module: str
    function: str
    old: str
    new: str
    subjects: tuple[str, ...]
    only: str = ""
    raises: bool = False
