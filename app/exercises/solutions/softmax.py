"""Exercise 7: numbers as probabilities. A rule returns its value and its pullback: see exercise 3."""


def softmax(x):
    """e^xᵢ / Σⱼ e^xⱼ along the last axis.

    softmax([0, ln 3]) = [1/4, 3/4]. If ȳ = [4, 0], then Σ ȳ y = 1 and x̄ = [3/4, −3/4]. Numbers as large as 1000 must
    work, though e¹⁰⁰⁰ doesn't.

    Args:
        x: (N, C).

    >>> import torch
    >>> value, pullback = softmax(torch.tensor([[1.0, 3.0]]).log())
    >>> value.round(decimals=3).tolist(), pullback(torch.tensor([[4.0, 0.0]])).round(decimals=3).tolist()
    ([[0.25, 0.75]], [[0.75, -0.75]])
    """
    # A factor e^−m cancels from the fraction; with the largest x for m no exponent is above 0.
    e = (x - x.amax(-1, keepdim=True)).exp()
    # The sum runs over the classes, the last axis, and keeps it to divide by.
    y = e / e.sum(-1, keepdim=True)

    def softmax_pullback(ȳ):
        # dyᵢ = yᵢ (dxᵢ − Σⱼ yⱼ dxⱼ): x̄ᵢ collects ȳᵢ yᵢ from the numerator, and from the denominator, which every yⱼ
        # shares, −yᵢ Σⱼ ȳⱼ yⱼ. A sum, not a mean.
        x̄ = y * (ȳ - (ȳ * y).sum(-1, keepdim=True))
        return x̄

    return y, softmax_pullback
