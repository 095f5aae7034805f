from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
import torch
from photomend.core import Array
from photomend.core.compiling import compile_functions
from photomend.layers.convolution import tiles


def numbers(*sizes: int) -> Array:
    return torch.randn(sizes, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=["as additions", "compiled"])
def otherwise(request: pytest.FixtureRequest) -> Iterator[Callable[..., Array]]:
    """The transform by plain additions, as it was written or compiled."""
    if request.param == "as additions":
        yield lambda function, argument: function.function(argument)
        return
    if not any(map(shutil.which, ("g++", "clang++"))):
        pytest.skip("no C++ compiler here")
    assert compile_functions()
    yield lambda function, argument: function(argument)
    compile_functions(False)


def test_both_ways_are_the_same_map(otherwise: Callable[..., Array]) -> None:
    image, output, points = numbers(14, 10, 5), numbers(8, 12, 5), numbers(36, 7, 5)
    found = [
        otherwise(tiles._input_to_points, image).flatten(1, 2),
        otherwise(tiles._output_to_points, output).flatten(1, 2),
        otherwise(tiles._from_points, list(points)),
    ]
    compile_functions(False)
    expected = tiles.input_to_points(image), tiles.output_to_points(output), tiles.from_points(points)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_output_to_points_is_the_adjoint_of_from_points() -> None:
    points, output = numbers(36, 6, 3), numbers(8, 12, 3)
    there = tiles.from_points(points).view(4, 4, 2, 3, 3).permute(2, 0, 3, 1, 4).reshape(8, 12, 3)
    torch.testing.assert_close((there * output).sum(), (points * tiles.output_to_points(output)).sum())


def test_a_list_of_points_is_as_good_as_an_array() -> None:
    points = numbers(36, 6, 3)
    assert torch.equal(tiles.from_points(points), tiles.from_points(list(points)))
