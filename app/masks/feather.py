"""A repair whose edge is blended into the photo: the one that changes known pixels, and only when asked to."""

from __future__ import annotations

import numpy as np

from ...data.photos import Mask
from ..photo.canvas import BYTE, Pixels, RepairError, check_mask
from ..photo.mend import mend
from ..photo.picture import Picture
from ..repair import Repairer
from ..steps import OnStep
from .shaping import Ring, ring


def mend_feathered(
    picture: Picture,
    missing: Mask,
    repairer: Repairer,
    feather: int = 0,
    on_step: OnStep = lambda done, total: None,
) -> Picture:
    """`mend`, with the ring of `feather` pixels around the mask rebuilt, too, and blended into what was there.

    The share of the rebuilt colour falls from pixel to pixel: f/(f + 1) beside the mask, 1/(f + 1) at the ring's end.
    Pixels that show no colour, such as transparent ones, stay as they are.

    Raises RepairError: as `mend` does, or if there is no known pixel farther away; PhotomendError: `feather` < 0.
    """
    if feather == 0:
        return mend(picture, missing, repairer, on_step)
    check_mask(missing, picture.shape)
    edge, hidden = ring(missing, feather, "feather"), picture.hidden()
    wider = missing.copy()
    wider[edge.rows, edge.columns] = True
    if wider.all():
        raise RepairError(f"feather (={feather}) reaches every known pixel: nothing is left to repair from")
    before = picture.pixels[edge.rows, edge.columns]
    seen = np.ones(len(before), np.bool_) if hidden is None else ~hidden[edge.rows, edge.columns]
    mended = mend(picture, wider, repairer, on_step)
    picture.pixels[edge.rows[~seen], edge.columns[~seen]] = before[~seen]
    edge = Ring(edge.rows[seen], edge.columns[seen], edge.distances[seen])
    _blend(picture, wider, edge, before[seen], feather)
    return mended


def _blend(picture: Picture, missing: Mask, edge: Ring, before: Pixels, feather: int) -> None:
    """Mix what was at the pixels of a ring, (n,) or (n, C), with what is there now."""
    places, share = (edge.rows, edge.columns), 1 - edge.distances / (feather + 1)
    after = picture.pixels[places]
    if picture.palette is not None:
        old, new = (BYTE.to_unit(picture.palette[indices, :3]) for indices in (before, after))
        picture.canvas(missing).paint(*places, old + share[:, None] * (new - old))
        return
    share = share.reshape(-1, *[1] * (before.ndim - 1))
    exact = (1 - share) * before.astype(np.float64) + share * after.astype(np.float64)
    mixed: Pixels = (exact if before.dtype.kind == "f" else np.rint(exact)).astype(before.dtype)
    if picture.key is not None:  # a mixture that happens to be the colour that counts as transparent
        mixed[(np.array(picture.key) == mixed.reshape(len(mixed), -1)).all(axis=1)] ^= 1
    picture.pixels[places] = mixed
