"""Exercise 11: channel attention and a residual. A rule returns its value and its pullback: see exercise 3."""

import torch


def channel_attention(x, w1, w2):
    """x times a gate for each channel, which looks at the whole image: CBAM's, with the mean and the largest pixel.

    gate = σ(net(mean of x over its pixels) + net(largest pixel of x)), where net(v) = relu(v w1ᵀ) w2ᵀ is one shared
    network. If it gives 0, each gate is σ(0) = ½, and the value is x / 2.

    Args:
        x: (N, C, H, W). w1: (R, C). w2: (C, R).

    Returns:
        (N, C, H, W), and a pullback to x̄, w̄1 and w̄2.

    >>> value, pullback = channel_attention(torch.full((1, 1, 1, 2), 6.0), torch.ones(1, 1), torch.zeros(1, 1))
    >>> value.tolist(), pullback(torch.ones(1, 1, 1, 2))[0].tolist()
    ([[[[3.0, 3.0]]]], [[[[0.5, 0.5]]]])
    """
    n, c, height, width = x.shape
    pixels = x.flatten(2)
    mean = pixels.mean(2)
    largest, place = pixels.max(2)
    hidden_mean, hidden_largest = (mean @ w1.mT).clamp(min=0), (largest @ w1.mT).clamp(min=0)
    # One network, used twice, and the two answers added.
    gate = torch.sigmoid((hidden_mean + hidden_largest) @ w2.mT)
    y = x * gate[:, :, None, None]

    def channel_attention_pullback(ȳ):
        # y = x · gate is a product: the gate's gradient is ȳ x, summed over the pixels that share the gate.
        gate_bar = (ȳ * x).sum((2, 3))
        # σ′ = σ (1 − σ).
        s = gate_bar * gate * (1 - gate)
        # Both uses of the network add to its weights' gradients.
        w̄2 = s.mT @ (hidden_mean + hidden_largest)
        hidden = s @ w2
        to_mean, to_largest = hidden * (hidden_mean > 0), hidden * (hidden_largest > 0)
        # Each use has its own input.
        w̄1 = to_mean.mT @ mean + to_largest.mT @ largest
        # Three ways lead to x: through the product, ȳ times the gate; through the mean, shared out evenly over the
        # H · W pixels; and through the maximum, all of it to the largest pixel.
        x̄ = ȳ * gate[:, :, None, None] + (to_mean @ w1)[:, :, None, None] / (height * width)
        x̄.view(n, c, -1).scatter_add_(2, place[..., None], (to_largest @ w1)[..., None])
        return x̄, w̄1, w̄2

    return y, channel_attention_pullback


def residual(x, w):
    """x + relu(x wᵀ): a block that changes what it was given, and a skip connection around it.

    For x = [[2]] and w = [[3]] the value is [[8]]; if ȳ = [[1]], then x̄ = [[4]]: 1 over the skip and 3 through w.

    Args:
        x: (N, D). w: (D, D).

    >>> value, pullback = residual(torch.tensor([[2.0]]), torch.tensor([[3.0]]))
    >>> value.item(), [gradient.item() for gradient in pullback(torch.ones(1, 1))]
    (8.0, [4.0, 2.0])
    """
    before = x @ w.mT
    # The skip: x itself is added.
    y = x + before.clamp(min=0)

    def residual_pullback(ȳ):
        block = ȳ * (before > 0)
        # Two ways lead to x, and their gradients add up: the skip passes ȳ on as it is.
        x̄ = ȳ + block @ w
        # The weights are only in the block.
        w̄ = block.mT @ x
        return x̄, w̄

    return y, residual_pullback
