"""Exercise 10: convolution and max pooling. A rule returns its value and its pullback: see exercise 3."""

import torch


def conv2d(x, w, *, stride, padding):
    """The convolution of torch.nn.Conv2d, which mathematicians call a correlation: the kernel isn't flipped.

    y[n, o, i, j] = Σ over c, k, m of w[o, c, k, m] · x̃[n, c, stride i + k, stride j + m], where x̃ is x with `padding`
    zeros on each side. The kernel [[1, 2]] makes [[1 · 3 + 2 · 4]] = [[11]] of the image [[3, 4]].

    Args:
        x: (N, C, H, W). w: (O, C, K, K). stride, padding: numbers.

    Returns:
        (N, O, (H + 2 padding − K) // stride + 1, …), and a pullback to x̄ and w̄.

    >>> value, pullback = conv2d(torch.tensor([[[[3.0, 4.0]]]]), torch.tensor([[[[1.0, 2.0]]]]), stride=1, padding=0)
    >>> value.tolist(), [gradient.tolist() for gradient in pullback(torch.ones(1, 1, 1, 1))]
    ([[[[11.0]]]], [[[[[1.0, 2.0]]]], [[[[3.0, 4.0]]]]])
    """
    n, c, height, width = x.shape
    padded = x.new_zeros(n, c, height + 2 * padding, width + 2 * padding)
    padded[:, :, padding : padding + height, padding : padding + width] = x
    rows = (height + 2 * padding - w.shape[2]) // stride + 1
    columns = (width + 2 * padding - w.shape[3]) // stride + 1

    def seen_by(k, m, image):
        # What tap (k, m) sees, one pixel for each output: a slice, from the tap's own place on, in steps of the stride.
        return image[:, :, k : k + stride * (rows - 1) + 1 : stride, m : m + stride * (columns - 1) + 1 : stride]

    taps = [(k, m) for k in range(w.shape[2]) for m in range(w.shape[3])]
    # Each tap adds its weight times what it sees, first tap at the upper left.
    y = sum(torch.einsum("nchw,oc->nohw", seen_by(k, m, padded), w[:, :, k, m]) for k, m in taps)

    def conv2d_pullback(ȳ):
        x̃, w̄ = torch.zeros_like(padded), torch.zeros_like(w)
        for k, m in taps:
            # What a tap saw gets its gradient back, through the same slice; windows overlap, so it is added.
            seen_by(k, m, x̃)[...] += torch.einsum("nohw,oc->nchw", ȳ, w[:, :, k, m])
            # A weight was used at every pixel of every image.
            w̄[:, :, k, m] = torch.einsum("nohw,nchw->oc", ȳ, seen_by(k, m, padded))
        # The padding's gradient is of no use to anybody: cut x's own part out.
        x̄ = x̃[:, :, padding : padding + height, padding : padding + width]
        return x̄, w̄

    return y, conv2d_pullback


def max_pool2d(x, *, size):
    """The largest pixel of every size × size square; the squares lie side by side.

    The square [[1, 5], [2, 3]] becomes 5; ȳ = 7 goes to the 5, and 0 to the others. If pixels tie, any share will do.

    Args:
        x: (N, C, H, W), where `size` divides H and W.

    >>> value, pullback = max_pool2d(torch.tensor([[[[1.0, 5.0], [2.0, 3.0]]]]), size=2)
    >>> value.tolist(), pullback(torch.full((1, 1, 1, 1), 7.0)).tolist()
    ([[[[5.0]]]], [[[[0.0, 7.0], [0.0, 0.0]]]])
    """
    n, c, height, width = x.shape
    # The pixels of each square side by side along the last axis.
    squares = x.reshape(n, c, height // size, size, width // size, size).transpose(3, 4).flatten(4)
    # The largest, and which one it was.
    y, chosen = squares.max(-1)

    def max_pool2d_pullback(ȳ):
        # Only the chosen pixel had a say: it gets all of ȳ.
        to_squares = torch.zeros_like(squares).scatter_(-1, chosen[..., None], ȳ[..., None])
        # Back to rows and columns, the way the squares were cut.
        x̄ = to_squares.unflatten(-1, (size, size)).transpose(3, 4).reshape(x.shape)
        return x̄

    return y, max_pool2d_pullback
