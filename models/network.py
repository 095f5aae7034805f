"""What every network that repairs photos has in common: it composites, and it looks through a window.

A network sees a photo as it saw its training crops: through a window of that size around the hole, or a smaller one
around a small hole. So a mean over "the whole image" means in use what it meant in training, and a repair costs the
same in a large photo as in a small one.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from ..core import Array, Module, Tensor, no_grad
from .holes import Bounds, hole_bounds, window_around
from .reconstructor import require_hole

#: Quarter turns, and whether the window is mirrored first: all eight, the window as it is first.
_VIEWS = tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4))
#: The largest size among a network's settings: weights files come from anyone, and a window takes its square in memory.
MOST = 8192
#: Known pixels that a window shows on each side of a hole, at least, unless the hole is small.
LEAST_MARGIN = 16
#: A small hole, of at most half of `trained_hole`, is seen in a window so many times its side. Its mean squared error,
#: by that through the whole window of 128, on 120 photos: for photomend-s 0.99 to 1.00 with squares of 16 to 30 pixels
#: and 0.86 to 0.99 with 5 to 11, in a tenth to a half of the time; for attention-report 1.00 to 1.13. These are the
#: windows: few, since those of one size are computed together.
SMALL, WINDOWS = 3, (24, 32, 40, 48, 64, 96)


class RepairNetwork(Module):
    """Base of the networks: a call on windows, in two parts, and `reconstruct` on photos.

    Attributes:
        name: the network's name in `photomend.models.NAMES`.
        config: the arguments it was built with, for checkpoints.
        window: side of the square crops it is trained on, pixels.
        least_window: side of the smallest window that it looks through, pixels.
        trained_hole: the longest side of the holes it is trained on, pixels.
        stride: heights and widths must be divisible by it.
        one_hole: whether it describes the hole by its bounds, so that it can't learn from photos with several.
        for_comparison: whether its weights are known to be unfit for repair.
        views: test-time augmentation: how many views of a window `reconstruct` averages the answers to: 1, the window
            as it is, or the 8 that flips and quarter turns make of it, which costs eight times as much.
    """

    name: str
    window: int
    least_window = 40
    trained_hole = 61
    stride = 8
    one_hole = False
    for_comparison = False
    views = 1

    @property
    def config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __call__(self, masked: Array, mask: Array) -> Tensor:
        """Fill the holes: masked (N, 3, H, W) in [0, 1] and mask (N, 1, H, W) to (N, 3, H, W), unclamped and
        differentiable in the parameters.

        This and `reconstruct` check what they are given; `forward`, `prepare` and `predict` trust it.

        Raises what `Fill.reconstruct` does, and ValueError where height or width isn't divisible by the stride.
        """
        require_hole(masked, mask)
        h, w = masked.shape[2:]
        if h % self.stride or w % self.stride:
            raise ValueError(f"{self.name}: size {h}x{w} must be divisible by {self.stride} (use reconstruct)")
        return self.forward(masked, mask)

    def forward(self, masked: Array, mask: Array) -> Tensor:
        return self.predict(*self.prepare(masked, mask))

    def prepare(self, masked: Array, mask: Array) -> tuple[Array, ...]:
        """What `predict` takes: made of the photos and masks alone, without weights."""
        return masked, mask

    def predict(self, *args: Any, **kwargs: Any) -> Tensor:
        """What `prepare` gives to the filled photos (N, 3, H, W)."""
        raise NotImplementedError

    @property
    def dtype(self) -> torch.dtype:
        """What its weights are in, and what it computes in; photos and what is made of them stay as they came."""
        return next(self.named_parameters())[1].dtype

    def reconstruct(self, masked: Array, mask: Array) -> Array:
        """Fill the holes of photos of any size: masked (N, 3, H, W) in [0, 1], mask (N, 1, H, W), 1 = missing.

        Each photo's hole is filled through a window of the trained side, or a larger one if the hole needs it, or a
        smaller one if it is small; photos with windows of equal size go together. Runs in evaluation mode, and leaves
        the network in the mode it was in.

        Returns (N, 3, H, W) in [0, 1]; known pixels are bit-identical to `masked`. Raises what `Fill.reconstruct` does.
        """
        require_hole(masked, mask)
        return torch.stack(self._through_windows(list(masked), list(mask), hole_bounds(mask)))

    def reconstruct_each(self, masked: Sequence[Array], masks: Sequence[Array]) -> list[Array]:
        """The same for photos (3, H, W) and masks (1, H, W) of different sizes: windows of equal size go together."""
        holes = []
        for photo, mask in zip(masked, masks, strict=True):
            require_hole(photo[None], mask[None])
            holes += hole_bounds(mask[None])
        return self._through_windows(masked, masks, holes)

    def _through_windows(self, masked: Sequence[Array], masks: Sequence[Array], holes: Sequence[Bounds]) -> list[Array]:
        """Fill the holes of photos (3, H, W), with masks (1, H, W); windows of equal size in one batch."""
        alike: defaultdict[tuple[int, int], list[tuple[int, _Span, _Span]]] = defaultdict(list)
        for i, hole in enumerate(holes):
            side = self.window_side(max(hole.bottom - hole.top, hole.right - hole.left))
            rows, columns = self._spans(hole, masks[i].shape[1:], side)
            alike[len(rows.positions), len(columns.positions)].append((i, rows, columns))
        results = [photo.clone() for photo in masked]
        if was_training := self.training:
            self.eval()
        try:
            with no_grad():
                for places in alike.values():
                    windows, window_masks = (
                        torch.stack([_cut(x[i], *spans) for i, *spans in places]) for x in (masked, masks)
                    )
                    rebuilt = self._average_of_views(windows, window_masks).clamp(0, 1)
                    for (i, *spans), answer, missing in zip(places, rebuilt, window_masks, strict=True):
                        _paste(results[i], answer, missing, *spans)
        finally:
            if was_training:
                self.train()
        return results

    def window_side(self, hole: int) -> int:
        """The side of the window for a hole whose longer side is so many pixels."""
        needed = hole + 2 * LEAST_MARGIN
        usual = max(self.window, -(-needed // self.stride) * self.stride)
        if hole > self.trained_hole // 2:
            return usual
        needed = max(self.least_window, SMALL * hole)
        return next((side for side in WINDOWS if needed <= side < usual and side % self.stride == 0), usual)

    def _spans(self, hole: Bounds, shape: torch.Size, side: int) -> tuple[_Span, _Span]:
        """The window of this side around a hole of a photo (H, W).

        A photo smaller than the window is extended to its side, unless the network takes any size (stride 1).
        """
        bounds = hole.window(0, shape)
        shown = window_around(bounds, side, side, shape)
        rows, columns = map(_span, bounds, shown, [side if self.stride > 1 else 0] * 2)
        return rows, columns

    def _average_of_views(self, windows: Array, masks: Array) -> Array:
        """What the network makes of the windows, turned back and averaged over the views."""
        answers = []
        for turns, mirrored in _VIEWS[: self.views]:
            seen = [torch.rot90(x.flip(3) if mirrored else x, turns, (2, 3)) for x in (windows, masks)]
            answer = torch.rot90(self.forward(*seen).data, -turns, (2, 3))
            answers.append(answer.flip(3) if mirrored else answer)
        return torch.stack(answers).mean(dim=0)

    def _check_settings(self, **sizes: object) -> None:
        """Refuse settings that aren't whole numbers above 0 or that no machine has the memory for, and a window that
        `stride` doesn't divide."""
        for name, value in sizes.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} (={value!r:.80}) must be a whole number above 0")
            if value > MOST:
                raise ValueError(f"{name} (={value!r:.80}) must be at most {MOST}")
        if self.window % self.stride:
            raise ValueError(f"window (={self.window}) must be divisible by {self.stride}")


class _Span(NamedTuple):
    """One axis of a window: the photo's positions in it, in order, and where those lie that are not repeated."""

    positions: list[int]
    shown: slice  # in the photo
    own: slice  # in the window


def _span(hole: slice, shown: slice, side: int) -> _Span:
    """An axis of which positions `shown` are to be seen, in a window of `side`.

    Where that is fewer the whole photo is shown, and extended on the side where more is known between hole and edge, by
    a reflection of these known pixels, back and forth: so a hole that touches the photo's edge touches the window's, as
    in training. Where a hole reaches from edge to edge, photo and mask are reflected together.
    """
    positions = list(range(shown.start, shown.stop))
    size = len(positions)
    if size >= side:
        return _Span(positions, shown, slice(0, size))
    before, after = hole.start, size - hole.stop
    known = max(before, after) or size
    back_and_forth = [*range(known), *reversed(range(known))]
    beyond = [back_and_forth[i % (2 * known)] for i in range(side - size)]  # steps from the photo's edge
    if before > after:
        return _Span([*reversed(beyond), *positions], shown, slice(side - size, side))
    return _Span([*positions, *(size - 1 - i for i in beyond)], shown, slice(0, size))


def _cut(x: Array, rows: _Span, columns: _Span) -> Array:
    """A window of a photo (C, H, W)."""
    return x[:, rows.positions][:, :, columns.positions]


def _paste(photo: Array, window: Array, missing: Array, rows: _Span, columns: _Span) -> None:
    """Put the missing pixels of a window where it was cut from."""
    target = photo[:, rows.shown, columns.shown]
    answer, own = (x[:, rows.own, columns.own] for x in (window, missing))
    target.copy_(torch.where(own > 0.5, answer, target))
