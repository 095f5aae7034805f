"""What every network that repairs photos has in common: it composites, and it looks through a window.

A network is trained on square crops with a hole in them. It sees a photo the same way: through a window of the size
it was trained with, around the hole. So a mean over "the whole image" means in use what it meant in training, and a
repair costs the same in a large photo as in a small one.
"""

from __future__ import annotations

from typing import Any

import torch

from ..core import Array, Module, Tensor, no_grad
from .geometry import Bounds, hole_bounds, require_hole

#: Known pixels that a window shows on each side of a hole too large for the trained window.
LEAST_CONTEXT = 16


class RepairNetwork(Module):
    """Base of the networks: `forward` on windows, `reconstruct` on photos.

    Attributes:
        name: the network's name in `photomend.models.NAMES`.
        config: the arguments it was built with, for checkpoints.
        window: side of the square crops it is trained on, pixels.
        trained_hole: the longest side of the holes it is trained on, pixels.
        stride: heights and widths must be divisible by it.
    """

    name: str
    window: int
    trained_hole = 61
    stride = 8

    @property
    def config(self) -> dict[str, Any]:
        raise NotImplementedError

    def forward(self, masked: Array, mask: Array) -> Tensor:
        """The photos (N, 3, H, W) with the holes of mask (N, 1, H, W) filled, differentiable in the parameters."""
        raise NotImplementedError

    def reconstruct(self, masked: Array, mask: Array) -> Array:
        """Fill the holes of photos of any size: masked (N, 3, H, W) in [0, 1], mask (N, 1, H, W), 1 = missing.

        Runs in evaluation mode, and leaves the network in the mode it was in.

        Returns (N, 3, H, W) in [0, 1]; known pixels are bit-identical to `masked`.

        Raises:
            ValueError: shapes don't fit, or a mask is empty or covers its photo.
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
        """Fill the holes of photos that all take windows of the same side."""
        result, extended_mask = _extend(masked, side).clone(), _extend(mask, side)
        corners = [_corner(b, side, result.shape[2], result.shape[3]) for b in bounds]
        windows, window_masks = _cut(result, corners, side), _cut(extended_mask, corners, side)
        with no_grad():
            rebuilt = self.forward(windows, window_masks).data.clamp(0, 1)
        for i, (top, left) in enumerate(corners):
            target = result[i, :, top : top + side, left : left + side]
            target.copy_(torch.where(window_masks[i] > 0.5, rebuilt[i], target))
        return result[:, :, : masked.shape[2], : masked.shape[3]]

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


def _extend(x: Array, side: int) -> Array:
    """x (N, C, H, W), its last row and column repeated until height and width are at least `side`."""
    rows = torch.arange(max(x.shape[2], side), device=x.device).clamp(max=x.shape[2] - 1)
    columns = torch.arange(max(x.shape[3], side), device=x.device).clamp(max=x.shape[3] - 1)
    return x if len(rows) == x.shape[2] and len(columns) == x.shape[3] else x[:, :, rows][:, :, :, columns]


def _corner(b: Bounds, side: int, height: int, width: int) -> tuple[int, int]:
    """Top and left of the window of `side` that has the hole in its middle, or as near as the photo's edges allow."""
    top = (b.top + b.bottom - side) // 2
    left = (b.left + b.right - side) // 2
    return min(max(top, 0), height - side), min(max(left, 0), width - side)


def _cut(x: Array, corners: list[tuple[int, int]], side: int) -> Array:
    return torch.stack([x[i, :, top : top + side, left : left + side] for i, (top, left) in enumerate(corners)])
