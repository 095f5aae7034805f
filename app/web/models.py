"""The models and looks that the page offers, those that are here, with what a person should know to choose."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

from .. import reconstructors


class Look(NamedTuple):
    """A look to choose: its name, what it is called, and what to expect of it."""

    name: str
    title: str
    words: str


class Offer(NamedTuple):
    """A model to choose, likewise, and the look that goes with it until another is chosen."""

    name: str
    title: str
    words: str
    look: str = ""


#: What comes with the package, the best first. Models that are worse than another in every respect aren't offered.
SHIPPED = (
    Offer("attention", "Attention network", "The least error for its time. Knows how sure it is."),
    Offer("photomend-m", "Deeper network", "A little more accurate, several times as slow. Knows how sure it is."),
)
FILLS = (
    Offer("harmonic", "Smooth fill", "Joins the edges as smoothly as can be. Invents nothing, at once."),
    Offer("biharmonic", "Curved fill", "Continues slopes and lines across thin damage."),
)
#: What `Repairer` knows as looks.
LOOKS = (
    Look("natural", "Natural", "Grain and patterns go on, with patches of the photo: to look at, not to measure."),
    Look("faithful", "Faithful", "The least error; smooth where nothing can be known."),
)
TELEA = Offer("telea", "Telea (OpenCV)", "What many programs use, to compare with.")


def offered(own: str | None = None) -> tuple[Offer, ...]:
    """All that can be chosen here; `own`, which who started the server has named, comes first."""
    there = [offer for offer in SHIPPED if offer.name in reconstructors.shipped_names()]
    there += [*FILLS, *([TELEA] if find_spec("cv2") else [])]
    if own is not None:
        first = [offer for offer in there if offer.name == own]
        first = first or [Offer(own, own, "Chosen when the server was started.")]
        there = first + [offer for offer in there if offer.name != own]
    return tuple(offer._replace(look=reconstructors.usual_look(offer.name)) for offer in there)
