"""Exercise 5: the linear layer. A rule returns its value and its pullback: see exercise 3."""


def linear(x, w, b):
    """x wᵀ + b, as torch.nn.Linear computes it.

    With one point of two features, x = [[1, 2]], w = [[3, 4], [5, 6]] and b = [10, 20], the value is [[21, 37]]. If
    ȳ = [[1, 0]], then x̄ = [[3, 4]], the first row of w.

    Args:
        x: (N, I), N points of I features. w: (O, I). b: (O,).

    Returns:
        (N, O), and a pullback to x̄, w̄ and b̄.

    >>> import torch
    >>> weights = torch.tensor([[3.0, 4.0], [5.0, 6.0]])
    >>> value, pullback = linear(torch.tensor([[1.0, 2.0]]), weights, torch.tensor([10.0, 20.0]))
    >>> value.tolist(), [gradient.tolist() for gradient in pullback(torch.tensor([[1.0, 0.0]]))]
    ([[21.0, 37.0]], [[[3.0, 4.0]], [[1.0, 2.0], [0.0, 0.0]], [1.0, 0.0]])
    """
    # Row o of w belongs to output o, so w is transposed.
    y = x @ w.mT + b

    def linear_pullback(ȳ):
        # y_no = Σᵢ x_ni w_oi + b_o, so x̄_ni = Σ_o ȳ_no w_oi: a product with w itself, (N, O) (O, I).
        x̄ = ȳ @ w
        # w̄_oi = Σ_n ȳ_no x_ni: the sum over the points, (O, N) (N, I).
        w̄ = ȳ.mT @ x
        # b_o was added to every point: b̄_o = Σ_n ȳ_no.
        b̄ = ȳ.sum(0)
        return x̄, w̄, b̄

    return y, linear_pullback
