"""Mutants that no check of gradients can notice, each group with the reason.

An entry is a mutant's whole identity, so it ends when its function is written differently, and the run says which
entries are out of date: those that no longer exist, and those that are noticed after all.
"""

from __future__ import annotations

from photomend.tests.mutation.mutants import Identity


def _of(file: str, function: str, *changes: tuple[str | int, ...]) -> tuple[Identity, ...]:
    return tuple(Identity(file, function, *change) for change in changes)  # type: ignore[arg-type]


_BASIC = "part is None or part is Ellipsis or isinstance(part, slice | int)"
_FINITE = "y.device.type == 'cpu' and math.isfinite(y.sum().item())"
_PADDED_INSIDE = "padded[:, top:top + height, left:left + width]"
_X_INSIDE = _PADDED_INSIDE.replace("padded", "x̄")
_MASK = "lambda: sum_to_shape(Z̄, added.shape)"
_AT_POINTS = "torch.where((q == 0).all(dim=axis, keepdim=True), 0, l̄.unsqueeze(axis) if l̄.ndim else l̄)"

#: By the reason why each computes the same gradients.
EQUIVALENTS: dict[str, tuple[Identity, ...]] = {
    "Every entry of the inverse permutation is written over.": _of(
        "core/ops/shaping.py",
        "permute",
        ("change_constant", "[0]", "[1]"),
        ("change_constant", "[0]", "[-1]"),
    ),
    "The general way, an array of positions, is right for basic indices too, only slower.": (
        *_of("core/ops/shaping.py", "getitem", ("take_branch", "if _is_basic(index)", "if False")),
        *_of(
            "core/ops/shaping.py",
            "_is_basic",
            ("take_branch", "index if isinstance(index, tuple) else (index,)", "(index,)"),
            ("drop_term", _BASIC, _BASIC.removeprefix("part is None or ")),
            ("drop_term", _BASIC, _BASIC.replace("part is Ellipsis or ", "")),
            ("drop_term", _BASIC, "part is None or part is Ellipsis"),
        ),
    ),
    "In half precision a product in float32 is right where nothing is summed, too.": _of(
        "core/ops/matmul.py",
        "_product",
        ("drop_term", "p.dtype in HALF_PRECISION and p.ndim > len(shape)", "p.dtype in HALF_PRECISION"),
        ("flip_comparison", "p.ndim > len(shape)", "p.ndim >= len(shape)"),
    ),
    "im2col convolves, too, only slower; and any output of a tile shows what is not finite in it.": (
        *_of(
            "layers/convolution/winograd.py",
            "input_gradient",
            (
                "take_branch",
                "im2col.input_gradient(ȳ, w, problem) if x̄ is None else x̄",
                "im2col.input_gradient(ȳ, w, problem)",
            ),
        ),
        *_of(
            "layers/convolution/winograd.py",
            "weight_gradient",
            (
                "take_branch",
                "w̄ if all_finite(w̄) else im2col.weight_gradient(x, ȳ, problem)",
                "im2col.weight_gradient(x, ȳ, problem)",
            ),
        ),
        *_of(
            "layers/convolution/winograd.py",
            "_convolve",
            ("take_branch", "if not all_finite(tiles[::15])", "if True"),
            ("change_constant", "tiles[::15]", "tiles[::16]"),
            ("change_constant", "tiles[::15]", "tiles[::14]"),
        ),
        *_of(
            "layers/convolution/winograd_rows.py",
            "forward",
            ("take_branch", "if not all_finite(tiles[:, :, 3])", "if True"),
            ("change_constant", "tiles[:, :, 3]", "tiles[:, :, 2]"),
        ),
    ),
    "Where nothing is infinite or NaN, to look for it changes nothing; and what stands in its place is written over.": (
        *_of(
            "layers/upsample.py",
            "_between",
            ("take_branch", f"if {_FINITE}", "if False"),
            ("exchange_call", "y.sum()", "y.mean()"),
            ("change_constant", "torch.where(x.isfinite(), x, 0)", "torch.where(x.isfinite(), x, 1)"),
            ("change_constant", "torch.where(x.isfinite(), x, 0)", "torch.where(x.isfinite(), x, -1)"),
        ),
        *_of(
            "layers/pooling.py",
            "max_pool2d",
            ("take_branch", "if left.device.type != 'cpu' or left.any()", "if True"),
            ("flip_sign", "_padded(x, windows, fill=-torch.inf)", "_padded(x, windows, fill=torch.inf)"),
        ),
    ),
    "`conv2d` cuts off what stands beyond its input.": (
        *_of(
            "layers/convolution/im2col.py",
            "input_gradient",
            ("shift_slice", _X_INSIDE, _X_INSIDE.replace("height", "height + 1")),
            ("shift_slice", _X_INSIDE, _X_INSIDE.replace("width", "width + 1")),
        ),
        *_of(
            "layers/convolution/taps.py",
            "input_gradient",
            ("shift_slice", _PADDED_INSIDE, _PADDED_INSIDE.replace("height", "height + 1")),
            ("shift_slice", _PADDED_INSIDE, _PADDED_INSIDE.replace("width", "width + 1")),
        ),
    ),
    "On the CPU, where this runs, a GPU isn't waited for; and to look for NaN where there is none changes nothing.": (
        *_of(
            "layers/upsample.py",
            "_between",
            ("drop_term", _FINITE, _FINITE.removeprefix("y.device.type == 'cpu' and ")),
            ("flip_comparison", "y.device.type == 'cpu'", "y.device.type != 'cpu'"),
        ),
        *_of(
            "layers/pooling.py",
            "max_pool2d",
            ("drop_term", "left.device.type != 'cpu' or left.any()", "left.any()"),
            ("flip_comparison", "left.device.type != 'cpu'", "left.device.type == 'cpu'"),
        ),
    ),
    "The first axis of an array with one axis is also its last.": _of(
        "core/ops/shaping.py",
        "getitem",
        (
            "change_constant",
            "x̄.view(-1).index_add_(0, positions.reshape(-1), ȳ.reshape(-1))",
            "x̄.view(-1).index_add_(-1, positions.reshape(-1), ȳ.reshape(-1))",
        ),
    ),
    "All terms have one shape and dtype.": _of(
        "layers/standardise.py", "_combined", ("change_constant", "terms[0]", "terms[-1]")
    ),
    "A sum that is copied to its place, or onto itself, is the same one.": _of(
        "layers/standardise.py",
        "_combined",
        ("take_branch", "target if target.dtype == total.dtype else None", "None"),
        ("take_branch", "if out is None", "if True"),
    ),
    "Where y has the sign of x, both tell where x > 0; y is kept anyway.": _of(
        "layers/activation.py",
        "leaky_relu",
        ("take_branch", "y if negative_slope >= 0 else x", "x"),
        ("flip_comparison", "negative_slope >= 0", "negative_slope > 0"),
        ("change_constant", "negative_slope >= 0", "negative_slope >= 1"),
    ),
    "No image has no row of outputs, and of one row the two ways to cut are one.": _of(
        "layers/convolution/blocks.py",
        "blocks",
        ("change_constant", "max(1, most)", "max(0, most)"),
        ("change_constant", "max(1, rows)", "max(0, rows)"),
    ),
    "What is set to 0 too much is written afterwards, or was 0 already; and nothing can be put beyond the end.": _of(
        "layers/convolution/blocks.py",
        "zero_padded",
        ("change_constant", "max(0, down.stop)", "max(1, down.stop)"),
        ("change_constant", "max(0, across.stop)", "max(1, across.stop)"),
        ("shift_slice", "padded[..., :top, :, :]", "padded[..., :top + 1, :, :]"),
        ("shift_slice", "padded[..., top:bottom, :left, :]", "padded[..., top:bottom + 1, :left, :]"),
        ("shift_slice", "padded[..., top:bottom, :left, :]", "padded[..., top:bottom, :left + 1, :]"),
        ("shift_slice", "padded[..., top:bottom, right:, :]", "padded[..., top:bottom + 1, right:, :]"),
    ),
    "An adjoint without a stride may be added up like one with a stride, and either side's pixels give the same sum.": (
        *_of(
            "layers/convolution/im2col.py",
            "input_gradient",
            ("take_branch", "if problem.stride == (1, 1)", "if False"),
            ("change_axis", "problem.stride == (1, 1)", "problem.stride == (1,)"),
            ("change_constant", "problem.stride == (1, 1)", "problem.stride == (0, 1)"),
            ("change_constant", "problem.stride == (1, 1)", "problem.stride == (1, 0)"),
        ),
        *_of(
            "layers/convolution/im2col.py",
            "weight_gradient",
            ("take_branch", "if by_tap and o < c", "if False"),
            ("change_axis", "problem.stride == (1, 1)", "problem.stride == (1,)"),
            ("change_constant", "problem.stride == (1, 1)", "problem.stride == (0, 1)"),
            ("change_constant", "problem.stride == (1, 1)", "problem.stride == (1, 0)"),
            ("flip_comparison", "o < c", "o > c"),
        ),
    ),
    "Of a plane of pixels the last axis has one entry.": _of(
        "layers/convolution/im2col.py",
        "weight_gradient",
        ("change_axis", "windows.permute(0, 4, 5, 1, 2, 3, 6)", "windows.permute(0, 4, 5, 1, 2, 6, 3)"),
    ),
    "A view takes what it needs from where it starts, whatever was cut out for it.": _of(
        "layers/convolution/im2col.py",
        "input_gradient",
        (
            "shift_slice",
            "x̄[images, down.start + top:down.stop + top]",
            "x̄[images, down.start + top:down.stop + top + 1]",
        ),
        (
            "shift_slice",
            "x̄[images, down.start + top:down.stop + top]",
            "x̄[images, down.start + top:down.stop + top - 1]",
        ),
        ("drop_term", "down.stop + top", "down.stop"),
        ("drop_term", "down.stop + top", "top"),
        ("flip_sign", "down.stop + top", "down.stop - top"),
    ),
    "More zeros around an image than any window, tap or tile reaches change nothing.": (
        *_of(
            "layers/convolution/im2col.py",
            "input_gradient",
            ("change_constant", "2 * top", "3 * top"),
            ("change_constant", "2 * left", "3 * left"),
        ),
        *_of(
            "layers/convolution/problem.py",
            "Problem.seen",
            ("shift_slice", "slice(0, self.out[1])", "slice(0, self.out[1] + 1)"),
            (
                "shift_slice",
                "slice(s * these.start - p, s * (these.stop - 1) + d * (k - 1) + 1 - p)",
                "slice(s * these.start - p, s * (these.stop - 1) + d * (k - 1) + 1 - p + 1)",
            ),
            ("drop_term", "these.stop - 1", "these.stop"),
            ("flip_sign", "these.stop - 1", "these.stop + 1"),
            ("change_constant", "these.stop - 1", "these.stop - 0"),
            ("drop_term", "k - 1", "k"),
            ("flip_sign", "k - 1", "k + 1"),
            ("change_constant", "k - 1", "k - 0"),
            ("change_constant", "s * (these.stop - 1) + d * (k - 1) + 1", "s * (these.stop - 1) + d * (k - 1) + 2"),
        ),
        *_of(
            "layers/convolution/taps.py",
            "input_gradient",
            ("change_constant", "2 * top", "3 * top"),
            ("change_constant", "2 * left", "3 * left"),
        ),
        *_of(
            "layers/convolution/taps.py",
            "_padded",
            ("change_constant", "2 * top", "3 * top"),
            ("change_constant", "2 * left", "3 * left"),
        ),
        *_of(
            "layers/convolution/winograd.py",
            "_input_at_points",
            (
                "shift_slice",
                "slice(4 * tile_rows.start, 4 * tile_rows.stop)",
                "slice(4 * tile_rows.start, 4 * tile_rows.stop + 1)",
            ),
            ("shift_slice", "slice(0, 4 * _tiles(problem.out[1]))", "slice(0, 4 * _tiles(problem.out[1]) + 1)"),
            (
                "shift_slice",
                "slice(outputs.start - p, outputs.stop - p + 2)",
                "slice(outputs.start - p, outputs.stop - p + 2 + 1)",
            ),
            ("drop_term", "outputs.stop - p", "outputs.stop"),
            ("change_constant", "outputs.stop - p + 2", "outputs.stop - p + 3"),
        ),
        *_of(
            "layers/convolution/winograd_rows.py",
            "_input_at_points",
            (
                "shift_slice",
                "slice(4 * tile_rows.start - ph, 4 * tile_rows.stop - ph + 2)",
                "slice(4 * tile_rows.start - ph, 4 * tile_rows.stop - ph + 2 + 1)",
            ),
            ("drop_term", "4 * tile_rows.stop - ph", "4 * tile_rows.stop"),
            ("change_constant", "4 * tile_rows.stop - ph + 2", "4 * tile_rows.stop - ph + 3"),
        ),
    ),
    "Whole tiles that are copied to their place hold the same numbers.": (
        *_of(
            "layers/convolution/winograd.py",
            "_put",
            ("take_branch", "if rows % 4 == columns % 4 == 0", "if False"),
            ("change_constant", "rows % 4 == columns % 4 == 0", "rows % 4 == columns % 4 == -1"),
        ),
        *_of(
            "layers/convolution/winograd_rows.py",
            "forward",
            ("drop_factor", "4 * down", "4"),
            ("exchange_operator", "4 * down", "4 / down"),
            ("change_constant", "4 * down", "5 * down"),
        ),
    ),
    "torch shrinks an array to what is written into it, and a point or a row too many is looked at by nobody.": _of(
        "layers/convolution/winograd_rows.py",
        "_input_at_points",
        ("change_constant", "padded.new_empty(6, n, height // 4, *rest)", "padded.new_empty(7, n, height // 4, *rest)"),
        ("drop_factor", "height // 4", "height"),
        ("change_constant", "height // 4", "height // 3"),
        ("shift_slice", "padded[:, r:r + height - 5:4]", "padded[:, r:r + height - 5 + 1:4]"),
        ("change_constant", "r + height - 5", "r + height - 4"),
        ("change_constant", "range(6)", "range(7)"),
    ),
    "Where no window reaches beyond x its copy is of the same size, and what lies beyond all windows is unseen.": _of(
        "layers/pooling.py",
        "_padded",
        ("take_branch", "if (height, width) == (h, w)", "if False"),
        ("drop_term", "out - 1", "out"),
        ("flip_sign", "out - 1", "out + 1"),
        ("change_constant", "out - 1", "out - 0"),
        ("drop_term", "k - 1", "k"),
        ("flip_sign", "k - 1", "k + 1"),
        ("change_constant", "k - 1", "k - 0"),
        ("change_constant", "s * (out - 1) + d * (k - 1) + 1", "s * (out - 1) + d * (k - 1) + 2"),
    ),
    "The counts of rows and of columns are multiplied, and (−1)² = 1.": _of(
        "layers/pooling.py",
        "_counts",
        (
            "swap_operands",
            "(starts + k).clamp_max(last) - starts.clamp_min(first)",
            "starts.clamp_min(first) - (starts + k).clamp_max(last)",
        ),
    ),
    "A dilation of 0 is refused later on.": _of(
        "layers/conv.py",
        "_padding",
        ("change_constant", "pair(dilation, 'dilation', 1)", "pair(dilation, 'dilation', 0)"),
    ),
    "By index the same pixels are copied as in blocks, only slower.": _of(
        "layers/upsample.py",
        "upsample_nearest",
        ("drop_factor", "rows * ratios[0]", "rows"),
        ("drop_factor", "rows * ratios[0]", "ratios[0]"),
        ("exchange_operator", "rows * ratios[0]", "rows / ratios[0]"),
        ("change_constant", "ratios[0]", "ratios[1]"),
        ("change_constant", "ratios[0]", "ratios[-1]"),
        ("drop_factor", "columns * ratios[1]", "columns"),
        ("drop_factor", "columns * ratios[1]", "ratios[1]"),
        ("exchange_operator", "columns * ratios[1]", "columns / ratios[1]"),
    ),
    "|a − b| = |b − a|.": _of(
        "layers/upsample.py",
        "_interpolation",
        (
            "swap_operands",
            "centre.clamp(0, size - 1)[:, None] - torch.arange(size)",
            "torch.arange(size) - centre.clamp(0, size - 1)[:, None]",
        ),
    ),
    "Where q is 0 a finite cotangent passes 0 on, whatever it is.": _of(
        "layers/cross_entropy.py",
        "_at_points",
        *(("change_constant", _AT_POINTS, _AT_POINTS.replace("True), 0", f"True), {n}")) for n in (1, -1)),
    ),
    "A mask of bools is no Tensor, so nobody asks for its gradient.": _of(
        "layers/dot_product_attention.py",
        "scaled_dot_product_attention",
        ("take_branch", f"None if added is None else {_MASK}", _MASK),
    ),
    "It is applied twice, to rows and to columns, and (−1)² = 1.": _of(
        "layers/upsample.py", "_add", ("negate", "total", "-1 * total")
    ),
}


def reasons() -> dict[Identity, str]:
    """Why each listed mutant is equivalent."""
    return {identity: reason for reason, group in EQUIVALENTS.items() for identity in group}
