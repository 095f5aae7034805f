"""The planner: what its rules choose, how they are overruled, and what tuning measures and keeps."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from photomend.layers.convolution import (
    Algorithm,
    ConvShape,
    plan,
    planner,
    rules,
)
from photomend.layers.convolution.bands import BANDS
from photomend.layers.convolution.im2col import IM2COL
from photomend.layers.convolution.interleaved import INTERLEAVED
from photomend.layers.convolution.kn2row import KN2ROW
from photomend.layers.convolution.pointwise import POINTWISE
from photomend.layers.convolution.taps import TAPS
from photomend.layers.convolution.winograd import WINOGRAD
from photomend.layers.convolution.winograd1d import WINOGRAD1D
from photomend.layers.convolution.winograd_strided import WINOGRAD_STRIDED

from .shapes import shape


@pytest.fixture(autouse=True)
def without_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules on every processor."""
    libraries(monkeypatch, onednn=False)


def libraries(monkeypatch: pytest.MonkeyPatch, onednn: bool, batches_by_mkl: bool = False) -> None:
    """As if oneDNN multiplied here, batches or not, or MKL did."""
    monkeypatch.setattr(rules, "has_onednn", lambda: onednn)
    monkeypatch.setattr(rules, "batches_by_mkl", lambda: batches_by_mkl)


@pytest.mark.parametrize(
    "other",
    [
        shape(x=(2, 8, 12, 12), w=(16, 8, 3, 3), stride=2),
        shape(padding=3, dilation=2),
        shape(w=(16, 8, 3, 3), groups=2),
        shape(w=(16, 16, 2, 2), padding=0),
        shape(padding=3),
    ],
    ids=["stride, few", "padding and dilation", "groups", "2x2", "padding"],
)
def test_what_nothing_else_can_do_goes_tap_by_tap(other: ConvShape) -> None:
    assert set(vars(plan(other)).values()) == {TAPS}
    with planner.only(WINOGRAD):
        assert plan(other).forward is TAPS


@pytest.mark.parametrize(
    ("this", "chosen"),
    [
        (shape(), [WINOGRAD] * 3),
        (shape(x=(2, 128, 32, 32), w=(128, 128, 3, 3)), [WINOGRAD1D] * 3),
        (shape(x=(2, 256, 32, 32), w=(256, 256, 3, 3)), [WINOGRAD] * 3),
        (shape(x=(2, 11, 12, 12), w=(16, 11, 3, 3)), [BANDS, TAPS, IM2COL]),
        (shape(x=(2, 16, 12, 12), w=(11, 16, 3, 3)), [TAPS, BANDS, IM2COL]),
        (shape(x=(2, 3, 12, 12), w=(64, 3, 3, 3)), [BANDS, KN2ROW, IM2COL]),
        (shape(x=(2, 64, 12, 12), w=(3, 64, 5, 5)), [KN2ROW, BANDS, IM2COL]),
        (shape(x=(2, 2, 12, 12), w=(1, 2, 7, 7), padding=3), [BANDS] * 3),
        (shape(x=(2, 2, 12, 12), w=(1, 2, 7, 7), padding=3, stride=2), [TAPS] * 3),
        (shape(w=(16, 16, 1, 1), padding=0, stride=2), [POINTWISE] * 3),
        (shape(x=(2, 32, 12, 12), w=(32, 32, 3, 3), padding=2, dilation=2), [INTERLEAVED] * 3),
        (shape(padding=2, dilation=2), [TAPS] * 3),
        (shape(stride=2), [IM2COL] * 3),
        (dataclasses.replace(shape(padding=2, dilation=2), dtype=torch.bfloat16), [IM2COL] * 3),
        (dataclasses.replace(shape(x=(2, 11, 12, 12), w=(16, 11, 3, 3)), dtype=torch.bfloat16), [BANDS, TAPS, IM2COL]),
    ],
    ids=[
        *(
            "3x3",
            "3x3, large",
            "3x3, large, many",
            "few in",
            "few out",
            "very few in",
            "very few out",
            "7x7",
            "7x7 stride",
            "1x1",
            "dilation",
            "dilation, few",
        ),
        *("stride", "bfloat16", "bfloat16, few"),
    ],
)
def test_the_rules(this: ConvShape, chosen: list[Algorithm]) -> None:
    assert list(vars(plan(this)).values()) == chosen


@pytest.mark.parametrize(
    ("this", "chosen"),
    [
        (shape(), [IM2COL] * 3),
        (shape(x=(2, 16, 16, 16)), [IM2COL] * 3),
        (shape(x=(2, 32, 16, 16), w=(12, 32, 3, 3)), [KN2ROW, IM2COL, IM2COL]),
        (shape(x=(2, 128, 16, 16), w=(128, 128, 5, 5)), [IM2COL] * 3),
        (shape(x=(8, 64, 64, 64), w=(64, 64, 3, 5)), [IM2COL] * 3),
        (shape(x=(2, 32, 12, 12), w=(32, 32, 3, 3), padding=2, dilation=2), [IM2COL] * 3),
        (shape(x=(2, 11, 12, 12), w=(16, 11, 3, 3)), [BANDS, TAPS, IM2COL]),
        (shape(w=(16, 8, 3, 3), groups=2), [TAPS] * 3),
        (dataclasses.replace(shape(), dtype=torch.float64), [WINOGRAD] * 3),
    ],
    ids=["small", "few", "few out", "5x5", "3x5", "dilation", "few in", "groups", "float64"],
)
def test_where_onednn_multiplies_one_large_product_is_preferred(
    this: ConvShape, chosen: list[Algorithm], monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries(monkeypatch, onednn=True)
    assert list(vars(plan(this)).values()) == chosen


def square(pixels: tuple[int, int, int], channels: tuple[int, int]) -> ConvShape:
    """3×3, so many images of rows × columns, from so many channels to so many."""
    n, rows, columns = pixels
    return shape(x=(n, channels[0], rows, columns), w=(channels[1], channels[0], 3, 3))


#: Just within and just outside each limit of large convolutions: (shape, with oneDNN, with MKL).
LIMITS = {
    "2²⁴ of work": (square((1, 64, 64), (64, 64)), [WINOGRAD1D, WINOGRAD1D, IM2COL], [WINOGRAD1D] * 3),
    "less work": (square((1, 64, 63), (64, 64)), [IM2COL] * 3, [WINOGRAD] * 3),
    "more channels behind": (square((1, 32, 64), (64, 128)), [WINOGRAD1D, WINOGRAD1D, IM2COL], [WINOGRAD1D] * 3),
    "more channels before": (square((1, 32, 64), (128, 64)), [WINOGRAD1D, WINOGRAD1D, IM2COL], [WINOGRAD1D] * 3),
    "1,200 pixels": (square((1, 30, 40), (128, 128)), [WINOGRAD1D, WINOGRAD1D, IM2COL], [WINOGRAD1D] * 3),
    "1,199 pixels": (square((1, 11, 109), (128, 128)), [IM2COL] * 3, [WINOGRAD] * 3),
    "47 channels before": (square((2, 64, 64), (47, 48)), [IM2COL] * 3, [WINOGRAD1D] * 3),
    "47 channels behind": (square((2, 64, 64), (48, 47)), [IM2COL] * 3, [WINOGRAD1D] * 3),
    "12 channels": (square((8, 128, 128), (12, 12)), [IM2COL] * 3, [WINOGRAD1D] * 3),
    "2²⁶ of work": (square((4, 64, 64), (64, 64)), [WINOGRAD1D] * 3, [WINOGRAD1D] * 3),
    "less than 2²⁶": (square((4, 64, 63), (64, 64)), [WINOGRAD1D, WINOGRAD1D, IM2COL], [WINOGRAD1D] * 3),
    "63 channels before": (square((8, 64, 64), (63, 64)), [WINOGRAD1D, WINOGRAD1D, IM2COL], [WINOGRAD1D] * 3),
    "63 channels behind": (square((8, 64, 64), (64, 63)), [WINOGRAD1D, WINOGRAD1D, IM2COL], [WINOGRAD1D] * 3),
    "256 channels": (square((1, 40, 40), (256, 256)), [WINOGRAD1D] * 3, [WINOGRAD] * 3),
    "255 channels before": (square((1, 40, 40), (255, 256)), [WINOGRAD1D] * 3, [WINOGRAD1D] * 3),
    "255 channels behind": (square((1, 40, 40), (256, 255)), [WINOGRAD1D] * 3, [WINOGRAD1D] * 3),
    "float64": (
        dataclasses.replace(square((1, 40, 40), (256, 256)), dtype=torch.float64),
        [WINOGRAD] * 3,
        [WINOGRAD] * 3,
    ),
}


@pytest.mark.parametrize("onednn", [True, False], ids=["oneDNN", "MKL"])
@pytest.mark.parametrize("limit", LIMITS)
def test_what_is_large_is_convolved_along_one_axis(limit: str, onednn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    libraries(monkeypatch, onednn)
    this, with_onednn, with_mkl = LIMITS[limit]
    assert list(vars(plan(this)).values()) == (with_onednn if onednn else with_mkl)


@pytest.mark.parametrize("onednn", [True, False], ids=["oneDNN", "MKL"])
def test_compiled_transforms_are_preferred_where_both_axes_win(onednn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    libraries(monkeypatch, onednn)
    monkeypatch.setattr(rules, "compiles_functions", lambda: True)
    along_one = [WINOGRAD1D, WINOGRAD1D, IM2COL] if onednn else [WINOGRAD1D] * 3
    for channels, chosen in (((64, 64), along_one), ((127, 128), [WINOGRAD1D] * 3), ((128, 127), [WINOGRAD1D] * 3)):
        assert list(vars(plan(square((4, 40, 40), channels))).values()) == chosen
    assert list(vars(plan(square((4, 40, 40), (128, 128)))).values()) == [WINOGRAD] * 3
    of_weights = WINOGRAD1D if onednn else WINOGRAD
    assert list(vars(plan(square((4, 40, 40), (255, 256)))).values()) == [WINOGRAD] * 3
    assert list(vars(plan(square((4, 40, 40), (256, 256)))).values()) == [WINOGRAD, WINOGRAD, of_weights]
    assert list(vars(plan(square((4, 12, 12), (64, 64)))).values()) == [IM2COL if onednn else WINOGRAD] * 3


def dilated(side: int, channels: tuple[int, int], dilation: int) -> ConvShape:
    sizes = {"x": (8, channels[0], side, side), "w": (channels[1], channels[0], 3, 3)}
    return shape(**sizes, padding=dilation, dilation=dilation)


#: Where oneDNN multiplies, but batches are MKL's, just within and just outside each limit: (shape, not compiled,
#: compiled).
BATCHED_LIMITS = {
    "2²³ of work": (square((8, 16, 64), (32, 32)), [WINOGRAD1D, WINOGRAD1D, WINOGRAD], [WINOGRAD] * 3),
    "less work": (square((8, 16, 63), (32, 32)), [IM2COL] * 3, [IM2COL] * 3),
    "256 pixels": (square((1, 16, 16), (256, 256)), [WINOGRAD] * 3, [WINOGRAD] * 3),
    "fewer pixels": (square((1, 15, 17), (256, 256)), [IM2COL] * 3, [IM2COL] * 3),
    "24 channels": (square((8, 64, 64), (24, 24)), [WINOGRAD1D, WINOGRAD1D, WINOGRAD], [WINOGRAD] * 3),
    "23 channels before": (square((8, 64, 64), (23, 32)), [IM2COL] * 3, [IM2COL] * 3),
    "23 channels behind": (square((8, 64, 64), (32, 23)), [IM2COL] * 3, [IM2COL] * 3),
    "96 channels": (square((8, 32, 64), (96, 96)), [WINOGRAD] * 3, [WINOGRAD] * 3),
    "95 channels before": (square((8, 32, 64), (95, 96)), [WINOGRAD1D, WINOGRAD1D, WINOGRAD], [WINOGRAD] * 3),
    "95 channels behind": (square((8, 32, 64), (96, 95)), [WINOGRAD1D, WINOGRAD1D, WINOGRAD], [WINOGRAD] * 3),
    "64 channels, 8,192 pixels": (square((8, 16, 64), (64, 64)), [WINOGRAD] * 3, [WINOGRAD] * 3),
    "more pixels": (square((1, 8193, 1), (64, 64)), [WINOGRAD1D, WINOGRAD1D, WINOGRAD], [WINOGRAD] * 3),
    "63 channels": (square((8, 16, 64), (63, 64)), [WINOGRAD1D, WINOGRAD1D, WINOGRAD], [WINOGRAD] * 3),
    "sub-images of 8": (dilated(16, (96, 96), 2), [INTERLEAVED] * 3, [INTERLEAVED] * 3),
    "sub-images of 7": (dilated(15, (96, 96), 2), [IM2COL] * 3, [IM2COL] * 3),
    "dilation, 95 channels": (dilated(16, (95, 96), 2), [IM2COL] * 3, [IM2COL] * 3),
    "few in": (square((8, 64, 64), (3, 64)), [BANDS, KN2ROW, IM2COL], [BANDS, KN2ROW, IM2COL]),
    "float64": (
        dataclasses.replace(square((1, 40, 40), (128, 128)), dtype=torch.float64),
        [WINOGRAD1D] * 3,
        [WINOGRAD] * 3,
    ),
}


@pytest.mark.parametrize("compiled", [False, True], ids=["not compiled", "compiled"])
@pytest.mark.parametrize("limit", BATCHED_LIMITS)
def test_where_batches_are_as_fast_as_large_products(
    limit: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries(monkeypatch, onednn=True, batches_by_mkl=True)
    monkeypatch.setattr(rules, "compiles_functions", lambda: compiled)
    this, plain, with_compiler = BATCHED_LIMITS[limit]
    assert list(vars(plan(this)).values()) == (with_compiler if compiled else plain)


def strided(pixels: tuple[int, int, int], channels: tuple[int, int], dtype: torch.dtype = torch.float32) -> ConvShape:
    """4×4 with stride 2, so many images of rows × columns of output, from so many channels to so many."""
    n, rows, columns = pixels
    this = shape(x=(n, channels[0], 2 * rows, 2 * columns), w=(channels[1], channels[0], 4, 4), stride=2)
    return dataclasses.replace(this, dtype=dtype)


@pytest.mark.parametrize("library", ["MKL", "oneDNN", "oneDNN, batches by MKL"])
@pytest.mark.parametrize(
    ("this", "large"),
    [
        (strided((1, 32, 32), (48, 48)), True),
        (strided((1, 31, 33), (48, 48)), False),
        (strided((1, 32, 32), (47, 48)), False),
        (strided((1, 32, 32), (48, 47)), False),
        (strided((1, 32, 32), (48, 48), torch.float64), True),
        (strided((1, 32, 32), (48, 48), torch.bfloat16), False),
        (dataclasses.replace(strided((1, 32, 32), (48, 48)), kernel=(3, 3)), False),
    ],
    ids=["large", "1,023 pixels", "47 channels before", "47 behind", "float64", "bfloat16", "3x3"],
)
def test_large_kernels_of_4x4_with_stride_2_go_by_tiles(
    this: ConvShape, large: bool, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries(monkeypatch, onednn="oneDNN" in library, batches_by_mkl="batches" in library)
    measured = library != "oneDNN" or this.dtype == torch.float64
    assert list(vars(plan(this)).values()) == [WINOGRAD_STRIDED if large and measured else IM2COL] * 3


def test_elsewhere_only_what_needs_no_tiles() -> None:
    for this, chosen in ((shape(), TAPS), (shape(w=(16, 16, 1, 1), padding=0), POINTWISE)):
        assert set(vars(rules.by_rule(dataclasses.replace(this, device="cuda"))).values()) == {chosen}


def test_only_ends_with_its_context() -> None:
    with planner.only(TAPS):
        assert plan(shape()).weight_gradient is TAPS
    assert plan(shape()).weight_gradient is WINOGRAD


def test_tuning_measures_a_shape_once_and_keeps_the_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []

    def seconds(this: ConvShape) -> dict[str, dict[Algorithm, float]]:
        measured.append(this)
        directions = ("forward", "input_gradient", "weight_gradient")
        return {d: {TAPS: 1.0, WINOGRAD: 2.0 if d == "forward" else 0.5} for d in directions}

    monkeypatch.setattr(planner, "seconds", seconds)
    try:
        with planner.tuning():
            first, second = plan(shape()), plan(shape())
        assert measured == [shape()]
        assert first is second is plan(shape())
        assert (first.forward, first.input_gradient, first.weight_gradient) == (TAPS, WINOGRAD, WINOGRAD)
        assert planner.tuned() == ["3×3, 16→16 at 12×12, ×2, padding (1, 1): taps, winograd, winograd"]
    finally:
        planner.forget()
    assert plan(shape()).forward is WINOGRAD


def test_measuring_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    found = planner.seconds(shape(x=(1, 2, 5, 5), w=(2, 2, 3, 3)), repeats=1)
    assert torch.equal(torch.rand(3), expected)
    assert all(set(by_name) == {TAPS, BANDS, KN2ROW, WINOGRAD, WINOGRAD1D, IM2COL} for by_name in found.values())
    assert all(t > 0 for by_name in found.values() for t in by_name.values())
