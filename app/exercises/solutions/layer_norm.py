"""Exercise 9: layer norm. A rule returns its value and its pullback: see exercise 3."""


def layer_norm(x, γ, β, *, eps=1e-5):
    """γ x̂ + β with x̂ = (x − μ) / σ, where μ is the mean of each row and σ = √(var + eps).

    The variance is Σ (x − μ)² / D, as torch.nn.LayerNorm has it. For x = [[1, 3]], γ = [1, 1], β = [0, 0] and eps = 0
    the value is [[−1, 1]].

    Args:
        x: (N, D). γ, β: (D,). eps: a number, without a gradient.

    Returns:
        (N, D), and a pullback to x̄, γ̄ and β̄. (γ̄ and β̄ are two characters each; call them as you like.)

    >>> import torch
    >>> layer_norm(torch.tensor([[1.0, 3.0]]), torch.ones(2), torch.zeros(2), eps=0.0)[0].tolist()
    [[-1.0, 1.0]]
    """
    # The mean and variance of each row; the variance is divided by D, and eps belongs under the root.
    centred = x - x.mean(-1, keepdim=True)
    σ = ((centred**2).mean(-1, keepdim=True) + eps).sqrt()
    x̂ = centred / σ
    y = γ * x̂ + β

    def layer_norm_pullback(ȳ):
        # γ multiplies x̂, so what arrives at x̂ is γ ȳ, and it does so before any mean is taken.
        g = γ * ȳ
        # With g = γ ȳ: x̂ depends on x three times. Directly: g / σ. Through μ, which takes the mean of g away. And
        # through σ: a change of x along x̂ changes only σ, so that the part of g along x̂ is taken away, x̂ mean(g x̂).
        x̄ = (g - g.mean(-1, keepdim=True) - x̂ * (g * x̂).mean(-1, keepdim=True)) / σ
        # γ was used in every row, and stands beside x̂.
        γ̄ = (ȳ * x̂).sum(0)
        # β was added to every row.
        β̄ = ȳ.sum(0)
        return x̄, γ̄, β̄

    return y, layer_norm_pullback
