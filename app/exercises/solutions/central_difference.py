"""Exercise 1: measure a gradient by central differences.

Whatever a backward pass claims, this is what it is compared with. It has to be exact to many digits, with numbers that
have 16 of them.
"""

import torch


def numeric_gradient(f, x):
    """The gradient of f at x, by differences.

    Args:
        f: takes a float64 array like x and returns a number.
        x: a float64 array of any shape; it must be afterwards what it was before.

    Returns:
        An array of x's shape: the derivative of f by each entry of x, right to 8 digits.

    >>> numeric_gradient(lambda x: float(x[0] ** 2 * x[1]), torch.tensor([3.0, 2.0], dtype=torch.float64)).round()
    tensor([12.,  9.], dtype=torch.float64)
    """
    # Taylor: f(x + h) = f + h f′ + h²/2 f″ + h³/6 f‴ + …
    #         f(x − h) = f − h f′ + h²/2 f″ − h³/6 f‴ + …
    # Their difference is 2h f′ + h³/3 f‴: the f″ is gone, and dividing by 2h leaves an error of h² f‴/6, while
    # (f(x + h) − f(x)) / h leaves one of h f″/2. Rounding adds about 1e-16 f / h, which rules out a tiny h: the two
    # errors are equally small near h = 1e-16^(1/3), about 5e-6.
    h = 5e-6
    gradient = torch.zeros_like(x)
    for i in range(x.numel()):
        # A copy moves, so that x itself stays; one entry at a time.
        step = torch.zeros_like(x)
        step.view(-1)[i] = h
        # The distance between the two points is 2h.
        gradient.view(-1)[i] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient
