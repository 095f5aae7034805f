"""Exercise 4: multiply and divide, entry by entry. A rule returns its value and its pullback: see exercise 3."""


def multiply(a, b):
    """a · b for arrays of one shape.

    3 · 5 = 15. If ȳ = 2, then ā = 10: a change of a by 1 changes y by 5, and L by 2 · 5.

    >>> import torch
    >>> value, pullback = multiply(torch.tensor(3.0), torch.tensor(5.0))
    >>> [gradient.item() for gradient in pullback(torch.tensor(2.0))]
    [10.0, 6.0]
    """
    # Entry by entry.
    y = a * b

    def multiply_pullback(ȳ):
        # d(a b) = b da + a db: what stands beside da is b.
        ā = ȳ * b
        # And beside db it is a.
        b̄ = ȳ * a
        return ā, b̄

    return y, multiply_pullback


def divide(a, b):
    """a / b for arrays of one shape.

    6 / 2 = 3. If ȳ = 4, then ā = 2 and b̄ = −6.

    >>> import torch
    >>> value, pullback = divide(torch.tensor(6.0), torch.tensor(2.0))
    >>> [gradient.item() for gradient in pullback(torch.tensor(4.0))]
    [2.0, -6.0]
    """
    # Entry by entry.
    y = a / b

    def divide_pullback(ȳ):
        # d(a / b) = da / b − a db / b².
        ā = ȳ / b
        # A larger b makes the quotient smaller, hence the sign: (1/b)′ = −1/b².
        b̄ = -ȳ * a / b**2
        return ā, b̄

    return y, divide_pullback
