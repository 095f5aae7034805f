"""Numbers that show a classic mistake without a network, or with a very small one: see `symptoms.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from photomend import layers
from photomend.core import Array, Parameter, Tensor, mean, minimum, power, variance
from photomend.train.losses import hole_loss
from photomend.train.optimizers import SGD, Adam


def drawn(*shape: int) -> Array:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def moves(start: float, loss: Callable[[Parameter], Tensor], by: str = "sgd", lr: float = 0.1, steps: int = 200) -> str:
    """Where a single number ends that is to make a loss small, or when it ceased to be one."""
    number = Parameter(torch.tensor([start]))
    optimizer: Any = {"sgd": SGD, "adam": Adam}[by]([number], lr=lr)
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        loss(number).backward()
        optimizer.step()
        if not torch.isfinite(number.data).all():
            return f"{number.item()} in step {step}"
    return f"{number.item():.3g}"


def grad(x: Tensor) -> Array:
    assert x.grad is not None
    return x.grad


def gradient(function: Callable[[Tensor], Tensor], *x: float) -> str:
    """The gradient of the sum of what a function gives."""
    tensor = Tensor(torch.tensor(x))
    y = function(tensor)
    y.backward(torch.ones_like(y.data))
    return shown(grad(tensor))


def shown(array: Any) -> str:
    return ", ".join(f"{round(value, 2) + 0.0:g}" for value in array.flatten().tolist())


def error(run: Callable[[], Any]) -> str:
    """The first line of the error that ends it; "no error" without one."""
    try:
        run()
    except Exception as problem:  # whatever it is, it is the symptom
        return f"{type(problem).__name__}: {str(problem).splitlines()[0]}"
    return "no error"


def temperature() -> str:
    """Logits that are three times too large, divided by a trained number."""
    logits, generator = drawn(256, 4), torch.Generator().manual_seed(1)
    labels = torch.multinomial(torch.softmax(logits, 1), 1, generator=generator).flatten()
    logits = 3 * logits
    return moves(1.0, lambda t: layers.cross_entropy(logits / t, labels), lr=0.05, steps=6)


def exponent() -> str:
    """x^2.5 is learned from points between 0 and 1, from the exponent 1 on."""
    x = torch.linspace(0.05, 0.95, 50)
    return moves(1.0, lambda p: mean((power(x, p) - x**2.5) ** 2), lr=2.0)


#: 100 numbers near 1, and five far away.
OUTLIERS = torch.cat([1 + 0.1 * drawn(100), torch.full((5,), 20.0)])


def capped() -> str:
    """The place that is nearest to all, where no point counts more than 4."""
    return moves(3.0, lambda m: mean(minimum((OUTLIERS - m) ** 2, torch.tensor(4.0))), lr=0.3)


def median() -> str:
    return moves(0.0, lambda m: layers.l1_loss(m + torch.zeros(105), OUTLIERS), by="adam", steps=800, lr=0.05)


def rare() -> str:
    """The chance that is given to an event of 10 %, for a weight of 9 on it."""
    target = (torch.arange(100) < 10).float()
    weight = torch.tensor(9.0)
    logit = moves(
        0.0, lambda z: layers.binary_cross_entropy_with_logits(z + torch.zeros(100), target, pos_weight=weight), lr=0.5
    )
    return f"{torch.sigmoid(torch.tensor(float(logit))):.2f}"


def norm_of_small_channels() -> str:
    """What batch norm makes of a channel with a standard deviation of 0.001."""
    x = 0.001 * drawn(1000, 1)
    return f"{layers.BatchNorm1d(1)(x / x.std(correction=0) * 0.001).data.std():.2f}"


def two_vectors() -> str:
    """The running standard deviation after many batches of two, of numbers with the deviation 1."""
    norm, x = layers.BatchNorm1d(1, momentum=0.005), drawn(1500, 2, 1)
    for batch in x:
        norm(batch)
    return f"{norm.state_dict()['running_var'].sqrt().item():.2f}"


def groups_deviation() -> str:
    """The standard deviation of a group whose values are ten times as small as another's, after group norm."""
    x = drawn(1, 4, 8, 8) * torch.tensor([1.0, 1.0, 0.1, 0.1])[:, None, None]
    return f"{layers.GroupNorm(2, 4)(x).data[:, 2:].std():.2f}"


def neighbour() -> str:
    """How much the answer for a point changes with the other points."""
    norm, x, other = layers.LayerNorm(4), drawn(2, 4), drawn(2, 4)
    other[1] *= 10
    return f"{(norm(x).data[0] - norm(other).data[0]).abs().max():.2g}"


def border() -> str:
    """The least maximum of negative numbers, with a padding of 1."""
    return f"{layers.MaxPool2d(3, 1, 1)(-1 - drawn(1, 1, 5, 5).abs()).data.max():.2f}"


def corner() -> str:
    """The mean of ones in a corner, padding not counted."""
    return f"{layers.AvgPool2d(3, 1, 1, count_include_pad=False)(torch.ones(1, 1, 5, 5)).data[0, 0, 0, 0]:.2f}"


def drift() -> str:
    """How far the centre of a spot moves when it is enlarged and reduced again, eight times, in pixels."""
    at = torch.arange(32.0)
    x = torch.exp(-((at[:, None] - 12) ** 2 + (at - 12) ** 2) / 20)[None, None]
    for _ in range(8):
        x = layers.AvgPool2d(2)(layers.UpsampleBilinear(2)(x)).data
    return f"{float((x[0, 0].sum(0) * at).sum() / x.sum()) - 12:.2f}"


def spread() -> str:
    """How much of the second of four pixels the pullback gives to the two that it was interpolated from."""
    x = Tensor(torch.zeros(1, 1, 1, 2))
    cotangent = torch.tensor([0.0, 1.0, 0.0, 0.0]).reshape(1, 1, 1, 4)
    layers.upsample_bilinear(x, scale_factor=(1, 2)).backward(cotangent)
    return shown(grad(x))


def attended() -> str:
    """How much a sequence of one word and three of padding is changed by what stands in the padding."""
    torch.manual_seed(0)
    layer = layers.MultiheadAttention(8, 2, add_zero_attn=True, batch_first=True)
    padding, x = torch.tensor([[False, True, True, True]]), drawn(1, 4, 8)
    other = torch.cat([x[:, :1], x[:, 1:] * 5], dim=1)
    given = [layer(s[:, :1], s, s, key_padding_mask=padding, need_weights=False)[0].data for s in (x, other)]
    return f"{(given[0] - given[1]).abs().max():.2g}"


def later_word() -> str:
    """How much the first output of a causal attention changes with the second word, of which it may know nothing."""
    x = drawn(1, 3, 8)
    other = torch.cat([x[:, :1], 5 * x[:, 1:2], x[:, 2:]], dim=1)
    given = [layers.scaled_dot_product_attention(s, s, s, is_causal=True)[0, 0] for s in (x, other)]
    return f"{(given[0] - given[1]).abs().max():.2g}"


def query_gradient() -> str:
    x, keys = Tensor(drawn(1, 4, 8)), drawn(1, 5, 8)
    layers.scaled_dot_product_attention(x, keys, keys).backward(drawn(1, 4, 8))
    return f"{grad(x).norm():.2g}"


def key_gradient() -> str:
    keys, x = Tensor(drawn(1, 5, 8)), drawn(1, 4, 8)
    layers.scaled_dot_product_attention(x, keys, drawn(1, 5, 8)).backward(drawn(1, 4, 8))
    return f"{grad(keys).norm():.2g}"


def hole_gradient() -> str:
    """The norm of the gradient of the loss of a hole of 40×40 pixels."""
    x, truth, mask = Tensor(torch.zeros(1, 3, 64, 64)), drawn(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    mask[..., 10:50, 10:50] = 1
    hole_loss(x, truth, mask).backward()
    return f"{grad(x).norm():.2g}"


def hole_error() -> str:
    """The colour that a hole of 10 black pixels and 5 white ones gets."""
    truth, mask = torch.tensor([0.0] * 10 + [1.0] * 5).reshape(1, 1, 3, 5), torch.ones(1, 1, 3, 5)
    return moves(0.5, lambda c: hole_loss(c + torch.zeros(1, 1, 3, 5), truth, mask), lr=0.02)


def variance_gradient() -> str:
    return gradient(lambda x: variance(x, correction=0), 1.0, 3.0)


def padded_loss() -> str:
    """The loss of guessing among ten, where three of four points are padding."""
    labels = torch.tensor([0, -100, -100, -100])
    return f"{layers.cross_entropy(Tensor(torch.zeros(4, 10)), labels).item():.2f}"


def row_sum() -> str:
    """The sum of softmax's gradient, which must be 0, for ȳ = (1, 2, 0)."""
    x = Tensor(torch.tensor([[0.0, 1.0, 2.0]]))
    layers.softmax(x, 1).backward(torch.tensor([[1.0, 2.0, 0.0]]))
    return f"{abs(grad(x).sum().item()):.2g}"
