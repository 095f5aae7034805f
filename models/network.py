"""What every network that repairs photos has in common: it composites, and it looks through a window.

A network is trained on square crops with a hole in them. It sees a photo the same way: through a window of the size
it was trained with, around the hole. So a mean over "the whole image" means in use what it meant in training, and a
repair costs the same in a large photo as in a small one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from ..core import Array, Module, Tensor, no_grad
from .holes import Bounds, hole_bounds
from .reconstructor import require_hole

#: Quarter turns, and whether the window is mirrored first: all eight, the window as it is first.
_VIEWS = tuple((turned, flipped) for flipped in (False, True) for turned in range(4))
#: Known pixels that a window shows on each side of a hole too large for the trained window.
LEAST_CONTEXT = 16


class RepairNetwork(Module):
    """Base of the networks: `forward` on windows, in two parts, and `reconstruct` on photos.

    Attributes:
        name: the network's name in `photomend.models.NAMES`.
        config: the arguments it was built with, for checkpoints.
        window: side of the square crops it is trained on, pixels.
        trained_hole: the longest side of the holes it is trained on, pixels.
        stride: heights and widths must be divisible by it.
        one_hole: whether it describes the hole by its bounds, so that it can't learn from photos with several.
        views: from how many sides `reconstruct` looks through a window: 1, or the 8 that flips and quarter turns make
            of it. The answers are averaged, which costs eight times as much and errs a little less.
    """

    name: str
    window: int
    trained_hole = 61
    stride = 8
    one_hole = False
    views = 1

    @property
    def config(self) -> dict[str, Any]:
        raise NotImplementedError

    def forward(self, masked: Array, mask: Array) -> Tensor:
        """Fill the holes: masked (N, 3, H, W) in [0, 1] and mask (N, 1, H, W) to (N, 3, H, W), unclamped and
        differentiable in the parameters.

        Raises:
            ValueError: shapes don't fit, height or width isn't divisible by the stride, a mask is empty or covers its
                photo.
            TypeError: an argument isn't floating point, or the two are on different devices.
        """
        return self.predict(*self.prepare(masked, mask))

    def prepare(self, masked: Array, mask: Array) -> tuple[Array, ...]:
        """What `predict` takes: made of the photos and masks alone, without weights. Raises what `forward` does."""
        require_hole(masked, mask)
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

        Runs in evaluation mode, and leaves the network in the mode it was in.

        Returns (N, 3, H, W) in [0, 1]; known pixels are bit-identical to `masked`.

        Raises:
            ValueError: shapes don't fit, or a mask is empty or covers its photo.
            TypeError: an argument isn't floating point, or the two are on different devices.
        """
        require_hole(masked, mask)
        was_training = self.training
        self.eval()
        try:
            return self._hole_by_hole(masked, mask)
        finally:
            self.train(was_training)

    def _hole_by_hole(self, masked: Array, mask: Array) -> Array:
        """Fill each photo's hole through a window of its own side, those of equal side together."""
        bounds = hole_bounds(mask)
        sides: dict[int, list[int]] = {}
        for i, b in enumerate(bounds):
            sides.setdefault(self._side(b), []).append(i)
        result = masked.clone()
        for side, members in sides.items():
            own = [bounds[i] for i in members]
            result[members] = self._through_windows(masked[members], mask[members], own, side)
        return result

    def _side(self, b: Bounds) -> int:
        """The window's side for a hole: the trained one, or more if the hole needs it; divisible by the stride."""
        needed = max(b.bottom - b.top, b.right - b.left) + 2 * LEAST_CONTEXT
        return max(self.window, -(-needed // self.stride) * self.stride)

    def _through_windows(self, masked: Array, mask: Array, bounds: list[Bounds], side: int) -> Array:
        """Fill the holes of photos that all take windows of the same side.

        A photo smaller than the window is extended to its side, unless the network takes any size (stride 1).
        """
        spans = [
            (
                _span(b.top, b.bottom, masked.shape[2], side, self.stride > 1),
                _span(b.left, b.right, masked.shape[3], side, self.stride > 1),
            )
            for b in bounds
        ]
        windows, window_masks = _cut(masked, spans), _cut(mask, spans)
        with no_grad():
            rebuilt = self._answer(windows, window_masks).clamp(0, 1)
        result = masked.clone()
        for i, (rows, columns) in enumerate(spans):
            target = result[i, :, rows.shown, columns.shown]
            answer, missing = (x[i, :, rows.own, columns.own] for x in (rebuilt, window_masks))
            target.copy_(torch.where(missing > 0.5, answer, target))
        return result

    def _answer(self, windows: Array, masks: Array) -> Array:
        """What the network makes of the windows, averaged over the views."""
        answers = []
        for turned, flipped in _VIEWS[: self.views]:
            seen = [torch.rot90(x.flip(3) if flipped else x, turned, (2, 3)) for x in (windows, masks)]
            answer = torch.rot90(self.forward(*seen).data, -turned, (2, 3))
            answers.append(answer.flip(3) if flipped else answer)
        return torch.stack(answers).mean(dim=0)

    def _check_settings(self, **sizes: object) -> None:
        """Refuse settings that aren't whole numbers above 0, and a window that `stride` doesn't divide."""
        for name, value in sizes.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} (={value!r}) must be a whole number above 0")
        if self.window % self.stride:
            raise ValueError(f"window (={self.window}) must be divisible by {self.stride}")

    def _require_divisible(self, masked: Array) -> None:
        h, w = masked.shape[2:]
        if h % self.stride or w % self.stride:
            raise ValueError(f"{self.name}: size {h}x{w} must be divisible by {self.stride} (use reconstruct)")


class _Span(NamedTuple):
    """One axis of a window: the photo's positions in it, in order, and where those lie that are not repeated."""

    positions: list[int]
    shown: slice  # in the photo
    own: slice  # in the window


def _span(low: int, high: int, size: int, side: int, extend: bool) -> _Span:
    """Where a window of `side` lies on an axis of `size`: the hole from low to before high in its middle, or as near as
    the photo's edges allow.

    A smaller photo is shown whole, and if it is to be extended, then on the side where more is known between hole and
    edge. What is added is a reflection of these known pixels, to and fro: so a hole that touches the photo's edge
    touches the window's, as in training, and is no larger than it was. Where a hole reaches from edge to edge nothing
    along the axis is wholly known, and photo and mask are reflected together: the extension is missing where they are.
    """
    if size >= side or not extend:
        length = min(side, size)
        start = min(max((low + high - side) // 2, 0), size - length)
        return _Span(list(range(start, start + length)), slice(start, start + length), slice(0, length))
    before, after = low, size - high
    known = max(before, after) or size
    to_and_fro = [*range(known), *reversed(range(known))]
    beyond = [to_and_fro[i % (2 * known)] for i in range(side - size)]  # steps from the photo's edge
    if before > after:
        return _Span([*reversed(beyond), *range(size)], slice(0, size), slice(side - size, side))
    return _Span([*range(size), *(size - 1 - i for i in beyond)], slice(0, size), slice(0, size))


def _cut(x: Array, spans: list[tuple[_Span, _Span]]) -> Array:
    return torch.stack([x[i][:, rows.positions][:, :, columns.positions] for i, (rows, columns) in enumerate(spans)])
