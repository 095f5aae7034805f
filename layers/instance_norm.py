"""Instance norm: standardise each channel of each image by itself, so that nothing of its contrast and colour is left.

It is group norm with as many groups as channels. Running statistics, which it gathers if asked to, are the means over
the batch of what each image has.

Source: Ulyanov, Vedaldi & Lempitsky, *Instance normalization* (2016).
"""

from __future__ import annotations

from ..core import Array, Buffer, Tensor, squeeze, unsqueeze
from .norm import ChannelNorm, batch_norm, group_norm
from .windows import require_array


class _InstanceNorm(ChannelNorm):
    """What instance norm over sequences and over images share; see `InstanceNorm1d` and `InstanceNorm2d`."""

    axes = 0
    momentum: float  # batch norm's may be None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias=bias)

    def forward(self, x: Array | Tensor) -> Tensor:
        require_array(x, type(self).__name__)
        return squeeze(self._of_batch(unsqueeze(x, 0)), 0) if x.ndim == self.axes - 1 else self._of_batch(x)

    def _of_batch(self, x: Array | Tensor) -> Tensor:
        op, shape = type(self).__name__, tuple(x.shape)
        if x.ndim != self.axes or shape[1] != self.num_features:
            raise ValueError(
                f"{op}: input of shape {shape} must have {self.num_features} channels (axis 1) and {self.axes} axes, "
                "or one axis less for a single one"
            )
        mean, var = self.running_mean, self.running_var
        if mean is not None and var is not None and not self.training:
            return batch_norm(
                x,
                self.weight,
                self.bias,
                running_mean=mean.data,
                running_var=var.data,
                training=False,
                eps=self.eps,
            )
        if x.shape[2:].numel() == 1:
            raise ValueError(f"{op}: input of shape {shape} has one value per channel, whose variance says nothing")
        if mean is not None and var is not None:
            self._gather(x.data if isinstance(x, Tensor) else x, mean, var)
        return group_norm(x, self.weight, self.bias, num_groups=self.num_features, eps=self.eps)

    def _gather(self, x: Array, mean: Buffer, var: Buffer) -> None:
        """Move the running statistics towards those of a batch, the variance unbiased."""
        pixels = tuple(range(2, x.ndim))
        mean.data.lerp_(x.mean(dim=pixels).mean(dim=0).to(mean.data.dtype), self.momentum)
        var.data.lerp_(x.var(dim=pixels).mean(dim=0).to(var.data.dtype), self.momentum)


class InstanceNorm1d(_InstanceNorm):
    """Standardises each channel of each sequence (N, C, L), or of a single one (C, L), by itself.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: how far the running statistics move towards each batch's.
        affine: whether a scale `weight` (C,) is trained.
        track_running_stats: whether statistics are gathered in training, and used in evaluation.
        bias: whether a shift `bias` (C,) is trained beside the scale.

    `num_batches_tracked` stays 0, as torch's does.

    Raises:
        ValueError: num_features isn't a whole number above 0, or eps not a number above 0.
    """

    axes = 3


class InstanceNorm2d(_InstanceNorm):
    """Standardises each channel of each image (N, C, H, W), or of a single one, by itself; see `InstanceNorm1d`."""

    axes = 4
