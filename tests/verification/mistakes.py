"""The classic mistakes themselves; `photomend verify --break NAME` runs one. See `breaks.py`.

In each, `old` stands exactly once in the file, within the function. `subjects` are those whose cases show it.
"""

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
    """

    name: str
    mistake: str
    module: str
    function: str
    old: str
    new: str
    subjects: tuple[str, ...]
    only: str = ""


_TAPE = [
    Break(
        "overwritten-gradient",
        "A value used twice receives only the last of its gradients: overwritten, not added.",
        "photomend.core.tape",
        "_visit",
        "cotangents[parent] = cotangents[parent] + gradient",
        "cotangents[parent] = gradient",
        ("Residual", "SqueezeExcitation", "SpatialAttention", "ResidualBlock"),
    ),
    Break(
        "broadcast-not-summed",
        "The gradient of a broadcast argument isn't summed along axes of size 1 (the tape refuses its shape).",
        "photomend.core.primitive",
        "sum_to_shape",
        "if gradient.shape == shape:",
        "if gradient.ndim == len(shape):",
        ("add", "multiply", "broadcast_to", "ChannelAttention"),
    ),
    Break(
        "broadcast-averaged",
        "The gradient of a broadcast argument is the mean over its repetitions, not their sum.",
        "photomend.core.primitive",
        "sum_to_shape",
        "gradient.sum(dim=axes, keepdim=True)",
        "gradient.mean(dim=axes, keepdim=True)",
        ("add", "multiply", "broadcast_to", "ChannelAttention"),
    ),
]

_CORE = [
    Break(
        "product-rule-swapped",
        "Each factor of a product receives its own value in place of the other's.",
        "photomend.core.elementwise",
        "multiply",
        "sum_to_shape(ȳ * b, shape_a), lambda: sum_to_shape(ȳ * a, shape_b)",
        "sum_to_shape(ȳ * a, shape_a), lambda: sum_to_shape(ȳ * b, shape_b)",
        ("multiply", "SqueezeExcitation"),
    ),
    Break(
        "quotient-sign",
        "The minus sign of the quotient rule is lost.",
        "photomend.core.elementwise",
        "divide",
        "-ȳ * kept / b",
        "ȳ * kept / b",
        ("divide",),
    ),
    Break(
        "matmul-untransposed",
        "The gradient of a matrix product's first factor is multiplied by B and not by Bᵀ.",
        "photomend.core.products",
        "matmul",
        "Ȳ @ b.mT",
        "Ȳ @ b",
        ("matmul",),
    ),
    Break(
        "mean-without-n",
        "The gradient of a mean isn't divided by the number of elements.",
        "photomend.core.reductions",
        "mean",
        "_spread(ȳ / n,",
        "_spread(ȳ,",
        ("mean", "GlobalAvgPool2d", "SqueezeExcitation"),
    ),
    Break(
        "variance-without-2",
        "The gradient of a square is taken without its factor 2.",
        "photomend.core.reductions",
        "variance",
        "ȳ * (2 / n)",
        "ȳ * (1 / n)",
        ("variance",),
    ),
    Break(
        "repeated-index",
        "An element that was taken several times receives only the last of its gradients.",
        "photomend.core.shaping",
        "getitem",
        "x̄.view(-1).index_add_(0, positions.reshape(-1), ȳ.reshape(-1))",
        "x̄.view(-1)[positions.reshape(-1)] = ȳ.reshape(-1)",
        ("getitem",),
    ),
    Break(
        "concatenate-swapped",
        "The parts of what was joined receive each other's gradients.",
        "photomend.core.shaping",
        "concatenate",
        "return ȳ.split(sizes, dim)",
        "return ȳ.split(sizes[::-1], dim)[::-1]",
        ("concatenate", "SkipConnection"),
    ),
]

_ACTIVATION = [
    Break(
        "relu-mask",
        "ReLU lets a gradient through where the gradient is positive, not where the input was.",
        "photomend.layers.activation",
        "relu",
        "ȳ * (y > 0)",
        "ȳ * (ȳ > 0)",
        ("relu", "ReLU", "ResidualBlock"),
    ),
    Break(
        "sigmoid-of-x",
        "The derivative of the sigmoid is computed from x and not from y = σ(x).",
        "photomend.layers.activation",
        "sigmoid",
        "ȳ * y * (1 - y)",
        "ȳ * x * (1 - x)",
        ("sigmoid", "Sigmoid", "SqueezeExcitation"),
    ),
    Break(
        "gate-constant",
        "SiLU's gate is differentiated as if it were a constant.",
        "photomend.layers.activation",
        "silu",
        "ȳ * (σ * (1 + x * (1 - σ)))",
        "ȳ * σ",
        ("silu", "SiLU", "Sequential"),
    ),
    Break(
        "glu-halves-swapped",
        "The two halves of a gated linear unit receive each other's gradients.",
        "photomend.layers.activation",
        "glu",
        "torch.cat((ā, ā * a * (1 - σ)), dim=1)",
        "torch.cat((ā * a * (1 - σ), ā), dim=1)",
        ("glu", "GatedConv2d"),
    ),
    Break(
        "dropout-unscaled",
        "Dropout's gradient passes where elements were kept, but without the factor 1 / (1 − p).",
        "photomend.layers.dropout",
        "dropout",
        "return ȳ * scale",
        "return ȳ * keep",
        ("dropout",),
    ),
]

_CONVOLUTION = [
    Break(
        "kernel-flipped",
        "The kernel is flipped as in mathematics' convolution, in the forward pass only.",
        "photomend.layers.conv",
        "conv2d",
        ".permute(3, 4, 0, 2, 1).contiguous()",
        ".permute(3, 4, 0, 2, 1).flip(0, 1).contiguous()",
        ("conv2d", "Conv2d"),
    ),
    Break(
        "kernel-untransposed",
        "The gradient of a convolution's input goes through each tap's matrix and not through its transpose.",
        "photomend.layers.conv",
        "conv2d",
        "w_taps[i, j].mT",
        "w_taps[i, j]",
        ("conv2d",),
    ),
    Break(
        "bias-averaged",
        "The gradient of a convolution's bias is the mean over the batch, not the sum.",
        "photomend.layers.conv",
        "conv2d",
        "ȳ.sum(dim=(0, 2, 3))",
        "ȳ.mean(dim=0).sum(dim=(1, 2))",
        ("conv2d",),
    ),
    Break(
        "padding-kept",
        "The input's gradient is cut out at the corner, as if there were no padding around it.",
        "photomend.layers.conv",
        "_Grid.from_rows",
        "return pixels[:, ph : ph + h, pw : pw + w]",
        "return pixels[:, :h, :w]",
        ("conv2d",),
    ),
    Break(
        "stride-mixed-up",
        "With a stride, the rows of the input's gradient are sorted back as columns.",
        "photomend.layers.conv",
        "_Grid.from_rows",
        "sorted_.permute(3, 4, 0, 5, 1, 2, 6)",
        "sorted_.permute(3, 4, 1, 5, 0, 2, 6)",
        ("conv2d", "GatedConv2d"),
    ),
    Break(
        "dilation-ignored",
        "The taps of a dilated kernel lie side by side, in the forward and the backward pass alike.",
        "photomend.layers.conv",
        "_Grid.taps",
        "divmod(i * self.dilation[0], self.stride[0])",
        "divmod(i, self.stride[0])",
        ("conv2d",),
    ),
    Break(
        "one-per-mille",
        "The gradient of a weight matrix is too large by a factor of 1.001.",
        "photomend.layers.linear",
        "linear",
        "lambda: ȳ_rows.mT @ rows",
        "lambda: 1.001 * ȳ_rows.mT @ rows",
        ("linear", "Linear"),
    ),
    Break(
        "view-of-rows",
        "The input is seen as rows by `view`, which only contiguous arrays allow.",
        "photomend.layers.linear",
        "linear",
        "rows, shape = x.reshape(-1, w.shape[1])",
        "rows, shape = x.view(-1, w.shape[1])",
        ("linear", "Linear"),
        only="it fails for inputs that aren't contiguous, and only torch's oracle lays inputs out in several ways",
    ),
]

_NORM = [
    Break(
        "batch-norm-mean-term",
        "Batch norm's gradient without the term of the mean, as if μ didn't depend on x.",
        "photomend.layers.norm",
        "_standardise",
        "(x̂̄ - mean_part - x̂ * variance_part)",
        "(x̂̄ - x̂ * variance_part)",
        ("batch_norm", "BatchNorm2d", "GroupNorm", "ResidualBlock"),
    ),
    Break(
        "batch-norm-variance-term",
        "Batch norm's gradient without the term of the variance, as if σ didn't depend on x.",
        "photomend.layers.norm",
        "_standardise",
        "(x̂̄ - mean_part - x̂ * variance_part)",
        "(x̂̄ - mean_part)",
        ("batch_norm", "BatchNorm2d", "GroupNorm", "ResidualBlock"),
    ),
    Break(
        "eps-outside-root",
        "ε is added to the standard deviation and not to the variance.",
        "photomend.layers.norm",
        "_standardise",
        "torch.rsqrt(variance + eps)",
        "1 / (torch.sqrt(variance) + eps)",
        ("batch_norm", "BatchNorm2d", "GroupNorm"),
    ),
    Break(
        "running-variance-biased",
        "The running variance collects the biased variance of each batch.",
        "photomend.layers.norm",
        "batch_norm",
        "variance.reshape(-1) * (n / (n - 1))",
        "variance.reshape(-1)",
        ("batch_norm", "BatchNorm1d", "BatchNorm2d"),
    ),
    Break(
        "eval-with-batch-statistics",
        "Batch norm uses the batch's own statistics in evaluation too.",
        "photomend.layers.norm",
        "batch_norm",
        "    if training:",
        "    if True:",
        ("batch_norm", "BatchNorm1d", "BatchNorm2d"),
    ),
    Break(
        "scale-from-x",
        "The gradient of batch norm's scale is computed from x and not from the standardised x̂.",
        "photomend.layers.norm",
        "batch_norm",
        "(ȳ * x̂).sum(dim=dims)",
        "(ȳ * x).sum(dim=dims)",
        ("batch_norm", "BatchNorm1d", "BatchNorm2d"),
    ),
    Break(
        "group-norm-axes",
        "Group norm takes its statistics over all groups of an image together.",
        "photomend.layers.norm",
        "group_norm",
        "tuple(range(2, grouped.ndim))",
        "tuple(range(1, grouped.ndim))",
        ("group_norm", "GroupNorm"),
    ),
]

_RESAMPLING = [
    Break(
        "max-pool-to-all",
        "Every element under a window receives its gradient, not only the largest.",
        "photomend.layers.pooling",
        "max_pool2d",
        "x̄[under_tap] += ȳ * (winner == number)",
        "x̄[under_tap] += ȳ",
        ("max_pool2d", "MaxPool2d"),
    ),
    Break(
        "max-pool-overwritten",
        "Where windows overlap, an element that wins twice receives one gradient only.",
        "photomend.layers.pooling",
        "max_pool2d",
        "x̄[under_tap] += ȳ * (winner == number)",
        "x̄[under_tap] = torch.where(winner == number, ȳ, x̄[under_tap])",
        ("max_pool2d", "MaxPool2d"),
    ),
    Break(
        "max-pool-zero-padding",
        "The padding under a maximum holds 0, which wins over negative values.",
        "photomend.layers.pooling",
        "max_pool2d",
        "_padded(x, paddings, -torch.inf)",
        "_padded(x, paddings, 0.0)",
        ("max_pool2d", "MaxPool2d"),
    ),
    Break(
        "avg-pool-undivided",
        "Average pooling's gradient isn't divided by the number of elements under the window.",
        "photomend.layers.pooling",
        "avg_pool2d",
        "x̄[under_tap] += ȳ / n",
        "x̄[under_tap] += ȳ",
        ("avg_pool2d", "AvgPool2d"),
    ),
    Break(
        "bilinear-weights",
        "Bilinear interpolation's transpose gives the nearer pixel the farther one's weight.",
        "photomend.layers.upsample",
        "_interpolate_adjoint",
        "x̄.index_add_(dim, low, ȳ * (1 - t))",
        "x̄.index_add_(dim, low, ȳ * t)",
        ("upsample_bilinear", "UpsampleBilinear"),
    ),
    Break(
        "bilinear-half-pixel",
        "Pixels are taken for points at their corners, in the forward and the backward pass alike.",
        "photomend.layers.upsample",
        "_neighbours",
        "+ 0.5) / scale - 0.5",
        "+ 0.0) / scale",
        ("upsample_bilinear", "UpsampleBilinear"),
    ),
    Break(
        "nearest-averaged",
        "The gradient of nearest-neighbour upsampling is the mean over each block, not the sum.",
        "photomend.layers.upsample",
        "upsample_nearest",
        ".sum(dim=(3, 5))",
        ".mean(dim=(3, 5))",
        ("upsample_nearest", "UpsampleNearest"),
    ),
    Break(
        "shuffle-by-reshape",
        "The gradient of a pixel shuffle is only reshaped, and its elements stay in each other's places.",
        "photomend.layers.shuffle",
        "pixel_shuffle",
        "return _unshuffle(ȳ, r)",
        "return ȳ.reshape(x.shape)",
        ("pixel_shuffle", "PixelShuffle"),
    ),
]

_LOSS = [
    Break(
        "loss-without-area",
        "The gradient of the loss isn't divided by the area of the holes.",
        "photomend.train.losses",
        "hole_loss",
        "(ȳ / count), None, None",
        "ȳ, None, None",
        ("hole_loss",),
    ),
    Break(
        "loss-without-sign",
        "The gradient of the loss forgets its absolute error.",
        "photomend.train.losses",
        "hole_loss",
        "(2 * mse_weight * d + mae_weight * torch.sign(d))",
        "(2 * mse_weight * d)",
        ("hole_loss",),
    ),
]

MISTAKES: tuple[Break, ...] = (*_TAPE, *_CORE, *_ACTIVATION, *_CONVOLUTION, *_NORM, *_RESAMPLING, *_LOSS)
