from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from photomend.core import Array, compiling
from photomend.core.compiling import compile_functions
from photomend.layers.convolution import ConvShape, points, tiles
from photomend.layers.convolution.winograd import WINOGRAD
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
        (points.input_to_points, torch.tensor(points.BT)),
        (points.points_to_output, torch.tensor(points.AT)),
        (points.output_to_points, torch.tensor(points.AT).T),
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


def test_four_outputs_of_three_taps_from_six_products() -> None:
    d, g = numbers(6).double(), numbers(3).double()
    m = [
        (torch.tensor(row).double() @ g) / 24 * v
        for row, v in zip(points.G, points.input_to_points(d.unbind()), strict=True)
    ]
    expected = torch.stack([d[k : k + 3] @ g for k in range(4)])
    torch.testing.assert_close(torch.stack(points.points_to_output(m)), expected, rtol=1e-12, atol=1e-12)


def test_both_ways_are_the_same_map(otherwise: Callable[..., Array]) -> None:
    seen, output, points = numbers(3, 14, 10, 5), numbers(3, 8, 12, 5), numbers(36, 7, 5)
    found = [
        otherwise(tiles._input_to_points, seen),
        otherwise(tiles._output_to_points, output),
        otherwise(tiles._from_points, points),
        otherwise(tiles._from_points, list(points)),
    ]
    compile_functions(False)
    back = tiles.from_points(points)
    expected = tiles.input_to_points(seen), tiles.output_to_points(output), back, back
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_a_compiled_transform_writes_only_its_result_to_memory() -> None:
    """Without options torch 2.13 writes 24 intermediate results, too."""
    if not compile_functions():
        pytest.skip("no C++ compiler that torch can use")
    compile_functions(False)
    seen = numbers(3, 14, 10, 5)
    _, (code,) = run_and_get_code(compiling._compiled(tiles._input_to_points.function), seen)
    assert code.count("= empty_strided_cpu(") == 1


def test_convolution_by_plain_additions(monkeypatch: pytest.MonkeyPatch) -> None:
    """All three directions, as they go when functions are compiled, but for the compiler."""
    for transform in (tiles._input_to_points, tiles._output_to_points, tiles._from_points):
        monkeypatch.setattr(transform, "_fast", transform.function)
    for size in (4, 9, 14):
        x, w, ȳ = numbers(2, 5, size, size), numbers(3, 5, 3, 3), numbers(2, 3, size, size)
        shape = ConvShape.of(x, w, None, 1, 1, 1, 1)

        def directions(x: Array = x, w: Array = w, ȳ: Array = ȳ, shape: ConvShape = shape) -> list[Array]:
            return [
                WINOGRAD.forward(x, w, None, shape),
                WINOGRAD.input_gradient(ȳ, w, shape),
                WINOGRAD.weight_gradient(x, ȳ, shape),
            ]

        expected = directions()
        monkeypatch.setattr(compiling, "_on", True)
        for one, other in zip(directions(), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
        monkeypatch.setattr(compiling, "_on", False)


def test_output_to_points_is_the_adjoint_of_from_points() -> None:
    points, output = numbers(36, 6, 3).double(), numbers(1, 8, 12, 3).double()
    there = tiles.from_points(points).view(4, 4, 2, 3, 3).permute(2, 0, 3, 1, 4).reshape(1, 8, 12, 3)
    torch.testing.assert_close(
        (there * output).sum(), (points * tiles.output_to_points(output)).sum(), rtol=1e-12, atol=0
    )


def test_a_list_of_points_is_as_good_as_an_array() -> None:
    points = numbers(36, 6, 3)
    assert torch.equal(tiles.from_points(points), tiles.from_points(list(points)))
