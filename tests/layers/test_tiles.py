from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from photomend.core import Array
from photomend.core.backend import compiling
from photomend.core.backend.compiling import Compilable, compile_functions
from photomend.layers.convolution import Algorithm, ConvShape, points
from photomend.layers.convolution.tiles import THREE_TAPS, TWO_TAPS, Tiles
from photomend.layers.convolution.winograd import WINOGRAD
from photomend.layers.convolution.winograd_strided import WINOGRAD_STRIDED
from torch._inductor.utils import run_and_get_code


def numbers(*sizes: int) -> Array:
    return torch.randn(sizes, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=["as additions", "compiled"])
def otherwise(request: pytest.FixtureRequest) -> Iterator[Callable[..., Array]]:
    """The transform by plain additions, as it was written or compiled."""
    if request.param == "as additions":
        yield lambda function, argument: function.function(argument)
        return
    if not compile_functions():
        pytest.skip("no C++ compiler that torch can use")
    yield lambda function, argument: function(argument)
    compile_functions(False)


@pytest.mark.parametrize(
    ("transform", "matrix"),
    [
        (points.input_to_points, torch.tensor(points.F43.bt)),
        (points.points_to_output, torch.tensor(points.F43.at)),
        (points.output_to_points, torch.tensor(points.F43.at).T),
    ],
    ids=["input", "output", "adjoint"],
)
def test_of_one_axis_the_additions_are_the_matrix(transform: Callable[..., list[Array]], matrix: Array) -> None:
    given = numbers(matrix.shape[1], 3, 2).double()
    expected = torch.einsum("ij,jkl->ikl", matrix.double(), given)
    torch.testing.assert_close(torch.stack(transform(given.unbind())), expected, rtol=1e-12, atol=1e-12)


def test_of_one_axis_results_are_written_where_they_are_wanted() -> None:
    given, into = numbers(6, 4), torch.zeros(6, 4, 2)
    found = points.input_to_points(given.unbind(), into[..., 1].unbind())
    assert torch.equal(torch.stack(found), into[..., 1])
    assert torch.equal(torch.stack(points.input_to_points(given.unbind())), into[..., 1])
    assert not into[..., 0].any()


@pytest.mark.parametrize("axis", [points.F43, points.F42], ids=["three taps", "two taps"])
def test_four_outputs_from_as_many_products_as_points(axis: points.Points) -> None:
    g, bt, at = (torch.tensor(m).double() for m in (axis.g, axis.bt, axis.at))
    d, kernel = numbers(len(bt)).double(), numbers(g.shape[1]).double()
    expected = torch.stack([d[k : k + len(kernel)] @ kernel for k in range(4)])
    torch.testing.assert_close(at @ ((g @ kernel / axis.over) * (bt @ d)), expected, rtol=1e-12, atol=1e-12)


BOTH = pytest.mark.parametrize("tiles", [THREE_TAPS, TWO_TAPS], ids=["three taps", "two taps"])


@BOTH
def test_both_ways_are_the_same_map(tiles: Tiles, otherwise: Callable[..., Array]) -> None:
    n = tiles.side
    seen, output, points = numbers(3, 8 + n, 4 + n, 2, 5), numbers(3, 8, 12, 5), numbers(tiles.points, 7, 5)
    found = [
        otherwise(tiles._compiled_input, seen),
        otherwise(tiles._compiled_output_adjoint, output),
        otherwise(tiles._compiled_output, points),
        otherwise(tiles._compiled_output, list(points)),
        otherwise(tiles._compiled_input_adjoint, points),
        otherwise(tiles._compiled_input_adjoint, list(points)),
    ]
    compile_functions(False)
    back = tiles.points_to_output(points)
    before = (tiles.matrices(points)[1].T @ points.flatten(1)).view(points.shape)
    expected = tiles.input_to_points(seen), tiles.output_to_points(output), back, back, before, before
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_a_compiled_transform_writes_only_its_result_to_memory() -> None:
    """Without options torch 2.13 writes 24 intermediate results, too."""
    if not compile_functions():
        pytest.skip("no C++ compiler that torch can use")
    compile_functions(False)
    seen = numbers(3, 14, 10, 5)
    _, (code,) = run_and_get_code(compiling._compiled(THREE_TAPS._compiled_input.function), seen)
    assert code.count("= empty_strided_cpu(") == 1


@pytest.mark.parametrize("algorithm", [WINOGRAD, WINOGRAD_STRIDED], ids=lambda a: a.name)
def test_convolution_by_plain_additions(algorithm: Algorithm, monkeypatch: pytest.MonkeyPatch) -> None:
    """All three directions, as they go when functions are compiled, but for the compiler."""
    for tiles in (THREE_TAPS, TWO_TAPS):
        for name, transform in vars(tiles).items():
            if isinstance(transform, Compilable):
                monkeypatch.setattr(getattr(tiles, name), "_fast", transform.function)
    kernel, stride = (3, 1) if algorithm is WINOGRAD else (4, 2)
    for size in (4, 9, 14):
        x, w = numbers(2, 5, size, size), numbers(3, 5, kernel, kernel)
        shape = ConvShape.of(x, w, None, stride, 1, 1, 1)
        ȳ = numbers(2, 3, *shape.out)

        def directions(x: Array = x, w: Array = w, ȳ: Array = ȳ, shape: ConvShape = shape) -> list[Array]:
            return [
                algorithm.forward(x, w, None, shape),
                algorithm.input_gradient(ȳ, w, shape),
                algorithm.weight_gradient(x, ȳ, shape),
            ]

        expected = directions()
        monkeypatch.setattr(compiling, "_on", True)
        for one, other in zip(directions(), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
        monkeypatch.setattr(compiling, "_on", False)


@BOTH
def test_output_to_points_is_the_adjoint_of_points_to_output(tiles: Tiles) -> None:
    points, output = numbers(tiles.points, 6, 3).double(), numbers(1, 8, 12, 3).double()
    there = tiles.points_to_output(points).view(4, 4, 2, 3, 3).permute(2, 0, 3, 1, 4).reshape(1, 8, 12, 3)
    torch.testing.assert_close(
        (there * output).sum(), (points * tiles.output_to_points(output)).sum(), rtol=1e-12, atol=0
    )


@BOTH
def test_points_to_input_is_the_adjoint_of_input_to_points(tiles: Tiles) -> None:
    seen, points = (
        numbers(2, 8 + tiles.side - 4, 12 + tiles.side - 4, 3).double(),
        numbers(tiles.points, 12, 3).double(),
    )
    back = torch.full_like(seen, torch.nan)
    tiles.points_to_input(points, back)
    torch.testing.assert_close((tiles.input_to_points(seen) * points).sum(), (seen * back).sum(), rtol=1e-12, atol=0)


def test_a_list_of_points_is_as_good_as_an_array() -> None:
    points = numbers(36, 6, 3)
    assert torch.equal(THREE_TAPS.points_to_output(points), THREE_TAPS.points_to_output(list(points)))
