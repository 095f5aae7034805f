"""Mutants that no check of gradients can notice, each group with the reason.

An entry is a mutant's whole identity, so it ends when its function is written differently, and the run says which
entries are out of date: those that no longer exist, and those that are noticed after all.
"""

from __future__ import annotations

from photomend.tests.mutation.mutants import Identity


def _of(file: str, function: str, *changes: tuple[str | int, ...]) -> tuple[Identity, ...]:
    return tuple(Identity(file, function, *change) for change in changes)  # type: ignore[arg-type]


_BASIC = "part is None or part is Ellipsis or isinstance(part, slice | int)"

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
    "A plane that is larger than needed holds more zeros, which no window reaches.": _of(
        "layers/convolution/taps.py",
        "_Grid.plane",
        ("drop_factor", "(h + 2 * ph) / sh", "h + 2 * ph"),
        ("exchange_operator", "(h + 2 * ph) / sh", "(h + 2 * ph) * sh"),
        ("change_constant", "2 * ph", "3 * ph"),
        ("drop_factor", "(w + 2 * pw) / sw", "w + 2 * pw"),
        ("exchange_operator", "(w + 2 * pw) / sw", "(w + 2 * pw) * sw"),
        ("change_constant", "2 * pw", "3 * pw"),
    ),
    "One group is a batch of one, of which the first is also the last; the plain product only saves time.": _of(
        "layers/convolution/taps.py",
        "_accumulate",
        ("take_branch", "if len(total) == 1", "if False"),
        ("change_constant", "len(total) == 1", "len(total) == 0"),
        ("change_constant", "total[0]", "total[-1]"),
        ("change_constant", "a[0]", "a[-1]"),
        ("change_constant", "b[0]", "b[-1]"),
    ),
    "Taps that could be multiplied together may as well be multiplied one by one.": _of(
        "layers/convolution/taps.py",
        "_Grid.taps",
        ("change_constant", "shape.groups == 1", "shape.groups == 0"),
        ("change_constant", "shape.dilation[1] == 1", "shape.dilation[1] == 0"),
        ("take_branch", "j // shape.stride[1] if together else j", "j"),
        ("drop_factor", "j // shape.stride[1]", "j"),
    ),
    "The general way is right for the simple case too, only slower; and of one plane or group the first is the last.": (
        *_of(
            "layers/convolution/taps.py",
            "_Grid.from_rows",
            ("take_branch", "if sh == 1", "if False"),
            ("change_constant", "sh == 1", "sh == 0"),
            ("change_constant", "planes[0, :, ph:ph + h]", "planes[-1, :, ph:ph + h]"),
        ),
        *_of(
            "layers/convolution/taps.py",
            "_accumulate",
            ("take_branch", "if a.shape[2] == 1", "if False"),
            ("change_constant", "a.shape[2] == 1", "a.shape[2] == 0"),
        ),
        *_of(
            "layers/convolution/taps.py",
            "weight_gradient",
            ("take_branch", "if shape.groups == 1", "if False"),
            ("change_constant", "shape.groups == 1", "shape.groups == 0"),
            ("change_constant", "w̄[0]", "w̄[-1]"),
            ("change_constant", "x_tap[0]", "x_tap[-1]"),
            ("change_constant", "ȳ_rows[0]", "ȳ_rows[-1]"),
            ("take_branch", "if c_group == o_group == 1", "if False"),
            ("change_constant", "c_group == o_group == 1", "c_group == o_group == 0"),
        ),
        *_of(
            "layers/convolution/pointwise.py",
            "input_gradient",
            ("take_branch", "if shape.out == shape.size", "if False"),
        ),
    ),
    "A view finds the one size that is left open by itself.": _of(
        "layers/convolution/bands.py", "_diagonals", ("drop_term", "s + kw - 1", "-1")
    ),
    "A copy of whole tiles holds the same numbers.": _of(
        "layers/convolution/blocks.py",
        "whole_tiles",
        ("take_branch", "if inside.shape[1:3] == (rows.stop - rows.start, columns.stop)", "if False"),
        ("change_constant", "inside.shape[1:3]", "inside.shape[0:3]"),
        ("change_constant", "inside.shape[1:3]", "inside.shape[2:3]"),
        ("change_constant", "inside.shape[1:3]", "inside.shape[1:4]"),
        ("change_constant", "inside.shape[1:3]", "inside.shape[1:2]"),
        ("shift_slice", "inside.shape[1:3]", "inside.shape[1 + 1:3]"),
        ("shift_slice", "inside.shape[1:3]", "inside.shape[1:3 + 1]"),
        ("shift_slice", "inside.shape[1:3]", "inside.shape[1:3 - 1]"),
        ("drop_term", "rows.stop - rows.start", "rows.stop"),
        ("drop_term", "rows.stop - rows.start", "-rows.start"),
        ("flip_sign", "rows.stop - rows.start", "rows.stop + rows.start"),
        ("swap_operands", "rows.stop - rows.start", "rows.start - rows.stop"),
    ),
    "The transforms as additions give what the matrices give, compiled or not.": (
        *_of(
            "layers/convolution/tiles.py",
            "Tiles.output_to_points",
            ("take_branch", "if _compiled(images)", "if False"),
            ("take_branch", "if _compiled(images)", "if True"),
        ),
        *_of(
            "layers/convolution/tiles.py",
            "Tiles.points_to_input",
            ("take_branch", "if _compiled(images)", "if False"),
            ("take_branch", "if _compiled(images)", "if True"),
        ),
    ),
    "What is set to 0 too early is written afterwards, and a slice ends where the array does.": _of(
        "layers/convolution/tiles.py",
        "Tiles.points_to_input",
        ("drop_factor", "4 * windows.shape[3]", "4"),
        ("drop_factor", "4 * windows.shape[3]", "windows.shape[3]"),
        ("change_constant", "4 * windows.shape[3]", "3 * windows.shape[3]"),
        ("drop_factor", "4 * windows.shape[4]", "4"),
        ("drop_factor", "4 * windows.shape[4]", "windows.shape[4]"),
        ("change_constant", "4 * windows.shape[4]", "3 * windows.shape[4]"),
        ("shift_slice", "slice(4, n)", "slice(4, n + 1)"),
    ),
    "Before a block that isn't an image's first there was another one.": _of(
        "layers/convolution/winograd_strided.py",
        "input_gradient",
        ("drop_term", "seen is not None and tile_rows.start", "tile_rows.start"),
    ),
    "Either side's planes give the same sum, and so does the general way, a row for each output.": (
        *_of(
            "layers/convolution/planar.py",
            "weight_gradient",
            ("take_branch", "if c <= o", "if True"),
            ("take_branch", "if c <= o", "if False"),
            ("flip_comparison", "c <= o", "c < o"),
            ("flip_comparison", "c <= o", "c >= o"),
        ),
        *_of(
            "layers/convolution/im2col.py",
            "weight_gradient",
            ("take_branch", "if shape.stride == (1, 1)", "if False"),
            ("change_axis", "shape.stride == (1, 1)", "shape.stride == (1,)"),
            ("change_constant", "shape.stride == (1, 1)", "shape.stride == (2, 1)"),
            ("change_constant", "shape.stride == (1, 1)", "shape.stride == (0, 1)"),
            ("change_constant", "shape.stride == (1, 1)", "shape.stride == (1, 0)"),
        ),
    ),
    "How many planes are made at a time changes nothing, nor do a row and a column more that nobody looks at.": _of(
        "layers/convolution/planar.py",
        "_planes_by_pixels",
        ("drop_factor", "BLOCK // (across * taps * few.element_size())", "BLOCK"),
        (
            "swap_operands",
            "BLOCK // (across * taps * few.element_size())",
            "across * taps * few.element_size() // BLOCK",
        ),
        ("drop_factor", "across * taps * few.element_size()", "across * taps"),
        ("drop_factor", "across * taps * few.element_size()", "few.element_size()"),
        ("exchange_operator", "across * taps * few.element_size()", "across * taps / few.element_size()"),
        ("drop_factor", "across * taps", "across"),
        ("drop_factor", "across * taps", "taps"),
        ("drop_term", "kh - 1", "kh"),
        ("flip_sign", "kh - 1", "kh + 1"),
        ("change_constant", "kh - 1", "kh - 0"),
        ("drop_term", "kw - 1", "kw"),
        ("flip_sign", "kw - 1", "kw + 1"),
        ("change_constant", "kw - 1", "kw - 0"),
    ),
    "Neighbouring columns of the padded images are neighbours in memory.": _of(
        "layers/convolution/planar.py", "_planes_by_pixels", ("drop_factor", "dw * column", "dw")
    ),
    "The rows below the last output are 0 already.": _of(
        "layers/convolution/taps.py",
        "_Grid.output_to_rows",
        ("shift_slice", "padded[:, :rows, columns:]", "padded[:, :rows + 1, columns:]"),
    ),
    "Without padding the copy is of the same size as x, and with more than was asked for no window reaches it.": _of(
        "layers/pooling.py",
        "_padded",
        ("take_branch", "if padding == (0, 0)", "if False"),
        ("change_axis", "padding == (0, 0)", "padding == (0,)"),
        ("change_constant", "padding == (0, 0)", "padding == (-1, 0)"),
        ("change_constant", "padding == (0, 0)", "padding == (0, -1)"),
        ("change_constant", "2 * ph", "3 * ph"),
        ("change_constant", "2 * pw", "3 * pw"),
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
    "It is applied twice, to rows and to columns, and (−1)² = 1.": _of(
        "layers/upsample.py", "_add", ("negate", "total", "-1 * total")
    ),
}


def reasons() -> dict[Identity, str]:
    """Why each listed mutant is equivalent."""
    return {identity: reason for reason, group in EQUIVALENTS.items() for identity in group}
