"""The classic mistakes themselves; `photomend verify --break NAME` runs one. See `breaks.py`.

In each, the old words stand exactly once in the file, within the function.
"""

from __future__ import annotations

from photomend.tests.verification.mistake import Break
from photomend.tests.verification.mistakes_layers import LAYER_MISTAKES
from photomend.tests.verification.mistakes_loss import LOSS_MISTAKES
from photomend.tests.verification.mistakes_sequences import SEQUENCE_MISTAKES

_TAPE = [
    Break(
        "overwritten-gradient",
        "A value used twice receives only the last of its gradients: overwritten, not added.",
        "photomend.core.tape",
        "_visit",
        "_sum(held.pop(parent, None), gradient)",
        "gradient, False",
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
        raises=True,
    ),
    Break(
        "broadcast-averaged",
        "The gradient of a broadcast argument is the mean over its repetitions, not their sum.",
        "photomend.core.primitive",
        "sum_to_shape",
        "gradient.sum(dim=axes)",
        "gradient.mean(dim=axes)",
        ("add", "multiply", "broadcast_to", "ChannelAttention"),
    ),
]

_CORE = [
    Break(
        "product-rule-swapped",
        "Each factor of a product receives its own value in place of the other's.",
        "photomend.core.ops.elementwise",
        "multiply",
        "sum_to_shape(ȳ * b, shape_a), lambda: sum_to_shape(ȳ * a, shape_b)",
        "sum_to_shape(ȳ * a, shape_a), lambda: sum_to_shape(ȳ * b, shape_b)",
        ("multiply", "SqueezeExcitation"),
    ),
    Break(
        "quotient-sign",
        "The minus sign of the quotient rule is lost.",
        "photomend.core.ops.elementwise",
        "divide",
        "(ȳ * kept).div_(b).neg_()",
        "(ȳ * kept).div_(b)",
        ("divide",),
    ),
    Break(
        "matmul-untransposed",
        "The gradient of a matrix product's first factor is multiplied by B and not by Bᵀ.",
        "photomend.core.ops.matmul",
        "matmul",
        "_product(Ȳ, right.mT, left.shape)",
        "_product(Ȳ, right, left.shape)",
        ("matmul",),
    ),
    Break(
        "mean-without-n",
        "The gradient of a mean isn't divided by the number of elements.",
        "photomend.core.ops.reductions",
        "mean",
        "_spread(ȳ / n,",
        "_spread(ȳ,",
        ("mean", "GlobalAvgPool2d", "SqueezeExcitation"),
    ),
    Break(
        "variance-without-2",
        "The gradient of a square is taken without its factor 2.",
        "photomend.core.ops.reductions",
        "variance",
        "ȳ * 2 / n",
        "ȳ / n",
        ("variance",),
    ),
    Break(
        "exponent-constant",
        "The gradient of an exponent forgets the logarithm of the base.",
        "photomend.core.ops.elementwise",
        "power",
        "kept * torch.log(base)",
        "kept",
        ("power",),
    ),
    Break(
        "minimum-as-maximum",
        "The larger of two numbers receives the gradient of the smaller.",
        "photomend.core.ops.elementwise",
        "minimum",
        "unless(torch.gt, a, b, ȳ)",
        "unless(torch.lt, a, b, ȳ)",
        ("minimum",),
    ),
    Break(
        "stack-reversed",
        "The slices of what was stacked receive each other's gradients.",
        "photomend.core.ops.shaping",
        "stack",
        "return ȳ.unbind(dim)",
        "return ȳ.unbind(dim)[::-1]",
        ("stack",),
    ),
    Break(
        "transpose-once",
        "The gradient of a transpose is only reshaped, and its elements stay in each other's places.",
        "photomend.core.ops.shaping",
        "transpose",
        "return ȳ.transpose(dim0, dim1)",
        "return ȳ.reshape(x.shape)",
        ("transpose",),
    ),
    Break(
        "repeated-index",
        "An element that was taken several times receives only the last of its gradients.",
        "photomend.core.ops.shaping",
        "getitem",
        "x̄.view(-1).index_add_(0, positions.reshape(-1), ȳ.reshape(-1))",
        "x̄.view(-1)[positions.reshape(-1)] = ȳ.reshape(-1)",
        ("getitem",),
    ),
    Break(
        "concatenate-swapped",
        "The parts of what was joined receive each other's gradients.",
        "photomend.core.ops.shaping",
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
        "where_not_zero(ȳ, y)",
        "where_not_zero(ȳ, ȳ.clamp_min(0) + 0)",
        ("relu", "ReLU", "ResidualBlock"),
    ),
    Break(
        "sigmoid-of-x",
        "The derivative of the sigmoid is computed from x and not from y = σ(x).",
        "photomend.layers.activation",
        "sigmoid",
        "torch.addcmul(y, y, y, value=-1)",
        "torch.addcmul(x, x, x, value=-1)",
        ("sigmoid", "Sigmoid", "SqueezeExcitation"),
    ),
    Break(
        "gate-constant",
        "SiLU's gate is differentiated as if it were a constant.",
        "photomend.layers.activation",
        "silu",
        "torch.lerp(y, one, σ).mul_(ȳ)",
        "σ * ȳ",
        ("silu", "SiLU", "Sequential"),
    ),
    Break(
        "prelu-slope-of-all",
        "The gradient of a PReLU's slope sums over all elements, and not only over those that it multiplied.",
        "photomend.layers.activation_pieces",
        "prelu",
        "torch.where(x > 0, 0, ȳ * x)",
        "(ȳ * x)",
        ("prelu", "PReLU"),
    ),
    Break(
        "glu-halves-swapped",
        "The two halves of a gated linear unit receive each other's gradients.",
        "photomend.layers.activation",
        "glu",
        "ā, ḡ = x̄.chunk(2, dim=dim)",
        "ḡ, ā = x̄.chunk(2, dim=dim)",
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

MISTAKES: tuple[Break, ...] = (
    *_TAPE,
    *_CORE,
    *_ACTIVATION,
    *LAYER_MISTAKES,
    *LOSS_MISTAKES,
    *SEQUENCE_MISTAKES,
    *_LOSS,
)
