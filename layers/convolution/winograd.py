"""Winograd's convolution F(4×4, 3×3): a quarter of the multiplications, for 3×3 kernels.

Four neighbouring outputs of a kernel of 3 taps take 12 multiplications. Six are enough: input and kernel are seen as
polynomials, evaluated at six points (0, 1, −1, 2, −2, ∞), multiplied point by point, and the product's coefficients
are read off its values there. All of that is linear. For a piece d of 6 inputs and a kernel g of 3,

    y  =  Aᵀ [(G g) ⊙ (Bᵀ d)],

and for images, along rows and columns one after the other: tiles of 6×6 inputs give 4×4 outputs with 36
multiplications in place of 144. The tiles overlap by two pixels. With channels, a multiplication at a point becomes a
sum over the input channels, and for all tiles together it is a matrix product at each of the 36 points:

    U = (G ⊗ G) w          36 matrices (C, O), the kernel at the points
    V = (Bᵀ ⊗ Bᵀ) tiles    36 matrices (T, C), the T tiles of the input at the points
    Y = (Aᵀ ⊗ Aᵀ) (V · U)  16 outputs of each tile.

⊗ is the Kronecker product: rows and columns in one step. That costs 36 multiply-adds a number instead of 2 · 6, most of
them with 0 or 1, and yet it is faster, for it makes of each transform *one* large matrix product, where a core is at
its best; the same in plain additions is dozens of passes over memory.

The pullback. Each step is linear, so the adjoint is the same steps transposed, in reverse:

    Ū = Σ over tiles  Vᵀ · (A ⊗ A) Ȳ,   w̄ = (Gᵀ ⊗ Gᵀ) Ū.

The adjoint in x could go the same way; but it is a convolution itself, of ȳ with the kernel turned by half a turn and
its two channel axes exchanged, so that the steps of the forward pass serve for it.

Images are worked on in blocks of tiles small enough to stay in the cache. Memory beside input, output and U: what
`BLOCK` says, a few times for each thread. Rounding: about 10⁻⁵ of the largest output in float32, a few
times that of a plain sum of products.

Sources: Winograd, *Arithmetic complexity of computations* (1980); Lavin & Gray, *Fast algorithms for convolutional
neural networks* (2016), whose points and matrices these are.
"""

from __future__ import annotations

import functools
import itertools

import torch

from ...core import Array
from ...core.products import batch_product, product
from ...core.workspace import output, scratch
from .shape import Algorithm, ConvShape

#: Bytes of a block at the 36 points, for each thread. Its input, the products and the output need about as much each.
BLOCK = 4 * 2**20

#: A block of tiles: the first image, how many, the first row of tiles, how many.
Block = tuple[int, int, int, int]

_G = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]  # all over 24
_BT = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
_AT = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]


@functools.cache
def _transforms(dtype: torch.dtype, device: torch.device) -> tuple[Array, Array, Array]:
    """G ⊗ G (36, 9), Bᵀ ⊗ Bᵀ (36, 36) and Aᵀ ⊗ Aᵀ (16, 36)."""
    with torch.inference_mode(False):  # they are kept, and serve outside of that mode, too
        g, bt, at = (torch.tensor(rows, dtype=torch.float64) for rows in (_G, _BT, _AT))
        g = g / 24
        return tuple(torch.kron(m, m).to(device, dtype) for m in (g, bt, at))  # type: ignore[return-value]


def _suits(shape: ConvShape) -> bool:
    return (
        shape.plain
        and shape.kernel == (3, 3)
        and max(shape.padding) <= 2
        and shape.dtype in (torch.float32, torch.float64)
    )


def forward(x: Array, w: Array, b: Array | None, shape: ConvShape) -> Array:
    to_kernel_points = _transforms(x.dtype, x.device)[0]
    return _convolve(x, _kernel_at_points(to_kernel_points, w).mT, b, shape)


def _kernel_at_points(to_kernel_points: Array, w: Array) -> Array:
    """U, (36, O, C); the weights are read as they lie."""
    return product(to_kernel_points, w.reshape(-1, 9).mT).view(36, *w.shape[:2])


def _convolve(x: Array, u: Array, b: Array | None, shape: ConvShape) -> Array:
    """x convolved with the kernel whose values at the points are u (36, C, O)."""
    c, o = u.shape[1:]
    (rows, columns), across = shape.out, -(-shape.out[1] // 4)
    _, to_points, from_points = _transforms(x.dtype, x.device)
    pixels = x.permute(0, 2, 3, 1).contiguous()
    y = output((shape.images, rows, columns, o), x)

    for place in _blocks(shape, max(c, o)):
        first, images, top, down = place
        v = _at_points(pixels, place, shape, to_points)
        products = batch_product(v, u, out=scratch("tiles", (36, v.shape[1], o), x))
        tiles = product(from_points, products.view(36, -1))
        tiles = tiles.view(4, 4, images, down, across, o).permute(2, 3, 0, 4, 1, 5)
        inside = y[first : first + images, 4 * top : 4 * (top + down)]
        if inside.shape[1:3] == (4 * down, 4 * across):
            inside = inside.view(tiles.shape)
        else:  # tiles reach beyond the last row or column
            whole = scratch("pixels", tiles.shape, x).copy_(tiles).view(images, 4 * down, 4 * across, o)
            tiles = whole[:, : inside.shape[1], :columns]
        inside.copy_(tiles) if b is None else torch.add(tiles, b, out=inside)
    return y.permute(0, 3, 1, 2)


def input_gradient(ȳ: Array, w: Array, shape: ConvShape) -> Array:
    """With the kernel turned by half a turn, which is its nine weights from the last to the first."""
    (ph, pw), to_kernel_points = shape.padding, _transforms(ȳ.dtype, ȳ.device)[0]
    u = _kernel_at_points(to_kernel_points.flip(1), w)
    return _convolve(ȳ, u, None, ConvShape.of(ȳ, w.transpose(0, 1), None, 1, (2 - ph, 2 - pw), 1, 1))


def weight_gradient(x: Array, ȳ: Array, shape: ConvShape) -> Array:
    c, o = shape.channels, shape.out_channels
    to_kernel_points, to_points, from_points = _transforms(x.dtype, x.device)
    pixels, cotangents = x.permute(0, 2, 3, 1).contiguous(), ȳ.permute(0, 2, 3, 1).contiguous()
    ū = x.new_zeros(36, o, c)
    for place in _blocks(shape, max(c, o)):
        v = _at_points(pixels, place, shape, to_points)
        tiles = _output_tiles(cotangents, place)
        ȳ_points = product(from_points.T, tiles).view(36, -1, o)
        ū.baddbmm_(ȳ_points.mT, v)
    return torch.mm(ū.view(36, o * c).mT, to_kernel_points).view(o, c, 3, 3)  # as w lies


def _blocks(shape: ConvShape, channels: int) -> list[Block]:
    """All tiles in blocks of about `BLOCK` bytes a thread: several whole images, or some rows of tiles of one."""
    down, across = -(-shape.out[0] // 4), -(-shape.out[1] // 4)
    tiles = BLOCK * torch.get_num_threads() // (36 * channels * shape.dtype.itemsize)
    if down * across <= tiles:
        images = _parts(shape.images, tiles // (down * across))
        return [(i.start, i.stop - i.start, 0, down) for i in images]
    rows = _parts(down, max(1, tiles // across))
    return [(image, 1, r.start, r.stop - r.start) for image in range(shape.images) for r in rows]


def _parts(length: int, most: int) -> list[slice]:
    """range(length) in parts of at most `most`, as few as there can be, which differ by one at most."""
    count = -(-length // most)
    edges = [length * i // max(1, count) for i in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


def _at_points(pixels: Array, place: Block, shape: ConvShape, to_points: Array) -> Array:
    """The input's tiles of a block at the points: V (36, T, C). They are copied out of the padded block, where a tile
    row begins every four pixels, and transformed."""
    first, images, top, down = place
    h, w, c = pixels.shape[1:]
    (ph, pw), across = shape.padding, -(-shape.out[1] // 4)
    padded = scratch("pixels", (images, 4 * down + 2, 4 * across + 2, c), pixels)
    start = 4 * top - ph  # the image row that lies in the block's row 0
    above, below = max(0, -start), min(4 * down + 2, h - start)
    padded[:, :above] = 0
    padded[:, below:] = 0
    wide = min(w, padded.shape[2] - pw)  # without padding the last columns may be outside all tiles
    padded[:, above:below, :pw] = 0
    padded[:, above:below, pw + wide :] = 0
    rows = slice(start + above, start + below)
    padded[:, above:below, pw : pw + wide] = pixels[first : first + images, rows, :wide]
    image, row, column, channel = padded.stride()
    t = images * down * across
    tiles = scratch("tiles", (36, t * c), pixels)
    tiles.view(6, 6, images, down, across, c).copy_(
        padded.as_strided((6, 6, images, down, across, c), (row, column, image, 4 * row, 4 * column, channel))
    )
    return product(to_points, tiles).view(36, t, c)


def _output_tiles(cotangents: Array, place: Block) -> Array:
    """The cotangent's tiles of a block, (16, T · O), with zeros beyond the last row and column."""
    first, images, top, down = place
    columns, o = cotangents.shape[2:]
    across = -(-columns // 4)
    inside, whole = cotangents[first : first + images, 4 * top : 4 * (top + down)], (images, 4 * down, 4 * across, o)
    if inside.shape != whole:
        padded = scratch("pixels", whole, cotangents).zero_()
        padded[:, : inside.shape[1], :columns] = inside
        inside = padded
    tiles = scratch("output tiles", (16, images * down * across * o), cotangents)
    tiles.view(4, 4, images, down, across, o).copy_(
        inside.view(images, down, 4, across, 4, o).permute(2, 4, 0, 1, 3, 5)
    )
    return tiles


WINOGRAD = Algorithm("winograd", _suits, forward, input_gradient, weight_gradient)
