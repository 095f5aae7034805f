"""Exercise 3: add arrays of different shapes.

A *rule* returns the value and its pullback, a function from ȳ to one gradient for each argument. A barred letter is the
gradient of a number L at the end of the computation: ȳ has the shape of y, ā that of a. The square, as an example:

    def square(x):
        def square_pullback(ȳ):
            return 2 * x * ȳ

        return x * x, square_pullback
"""


def add(a, b):
    """a + b, broadcast as torch does.

    [1, 2, 3] + 10 is [11, 12, 13]. If ȳ = [1, 2, 4], then ā = [1, 2, 4], and b̄ = 7: b was used three times.

    Args:
        a, b: float64 arrays whose shapes broadcast, as (3, 4) and (4,), or (3, 1) and (1, 4).

    >>> import torch
    >>> value, pullback = add(torch.tensor([1.0, 2.0, 3.0]), torch.tensor(10.0))
    >>> [gradient.tolist() for gradient in pullback(torch.tensor([1.0, 2.0, 4.0]))]
    [[1.0, 2.0, 4.0], 7.0]
    """
    # torch repeats the smaller array.
    y = a + b

    def add_pullback(ȳ):
        # Every copy of a's entry adds its own ȳ: the adjoint of repeating is summing over the copies.
        ā = _sum_to(ȳ, a.shape)
        # The same for b.
        b̄ = _sum_to(ȳ, b.shape)
        return ā, b̄

    return y, add_pullback


def _sum_to(gradient, shape):
    # Broadcasting puts new axes in front and repeats axes of size 1. Sum over both, then drop the new ones.
    new = gradient.ndim - len(shape)
    repeated = [*range(new), *(new + i for i, size in enumerate(shape) if size == 1)]
    return gradient.sum(dim=repeated).reshape(shape) if repeated else gradient.clone()
