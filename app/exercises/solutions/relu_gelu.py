"""Exercise 6: two activations. A rule returns its value and its pullback: see exercise 3."""

import math

import torch


def relu(x):
    """max(x, 0), entry by entry.

    [−1, 2] becomes [0, 2]; ȳ = [5, −7] becomes x̄ = [0, −7]. At the kink x = 0 any slope from 0 to 1 will do.

    >>> value, pullback = relu(torch.tensor([-1.0, 2.0]))
    >>> value.tolist(), pullback(torch.tensor([5.0, -7.0])).tolist()
    ([0.0, 2.0], [0.0, -7.0])
    """
    # Numbers below 0 become 0.
    y = x.clamp(min=0)

    def relu_pullback(ȳ):
        # The slope is 1 where x > 0 and 0 elsewhere, whatever ȳ's sign is.
        x̄ = ȳ * (x > 0)
        return x̄

    return y, relu_pullback


def gelu(x):
    """x Φ(x), where Φ(x) = (1 + erf(x / √2)) / 2 is the normal distribution's: a ReLU without a kink.

    gelu(1) = 0.8413, and the slope there is 1.0833. Φ is meant exactly (`torch.erf`), not tanh's approximation.

    >>> value, pullback = gelu(torch.tensor(1.0))
    >>> round(value.item(), 4), round(pullback(torch.tensor(2.0)).item(), 4)
    (0.8413, 2.1666)
    """
    # The share of a normal distribution that lies below x is the gate.
    Φ = (1 + torch.erf(x / math.sqrt(2))) / 2
    y = x * Φ

    def gelu_pullback(ȳ):
        # The derivative of Φ is the normal density φ(x) = exp(−x²/2) / √(2π).
        φ = torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        # The product rule: x is in both factors, so (x Φ(x))′ = Φ(x) + x φ(x).
        x̄ = ȳ * (Φ + x * φ)
        return x̄

    return y, gelu_pullback
