"""Patches continue textures whose continuation is known; the parts of the search and the vote against plain loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from photomend.core import Array
from photomend.models import HarmonicFill, conjugate_gradient
from photomend.models.conjugate_gradient import ConjugateGradient
from photomend.models.exemplar import ExemplarFill, TextureFill
from photomend.models.exemplar import search as search_module
from photomend.models.exemplar import vote as vote_module
from photomend.models.exemplar.blend import AT_EDGE, FACTOR, FALLS, LEAST, LENGTH, blend, false_edges
from photomend.models.exemplar.resampling import blurred, doubled, halved
from photomend.models.exemplar.search import RADIUS, REACHES, SIDE, STEPS, Description, Known, patches
from photomend.models.exemplar.synthesis import steps_inwards, synthesize
from photomend.models.exemplar.vote import vote
from photomend.models.holes import near
from photomend.train.evaluation.metrics import gradient_energy
from photomend.train.evaluation.texture import texture_distance

HOLE = slice(50, 90), slice(45, 97)  # rows and columns of a hole in a photo of 144×144


def stripes(y: Array, x: Array) -> Array:
    return (0.5 + 0.4 * torch.sin(2 * math.pi * (x + 0.5 * y) / 9)).expand(3, -1, -1)


def bricks(y: Array, x: Array) -> Array:
    course = (y // 12).long()
    mortar = (y % 12 < 2) | ((x + 12 * (course % 2)) % 24 < 2)
    return torch.where(mortar, 0.8, 0.4) * torch.tensor([1.0, 0.7, 0.6])[:, None, None]


def photo_of(pattern: str) -> tuple[Array, Array]:
    """A photo (1, 3, 144, 144) and its mask."""
    y, x = torch.meshgrid(torch.arange(144.0), torch.arange(144.0), indexing="ij")
    grain = 0.08 * torch.randn(1, 144, 144, generator=torch.Generator().manual_seed(0))
    pictures = {
        "stripes": lambda: stripes(y, x),
        "bricks": lambda: bricks(y, x),
        "grain": lambda: (0.3 + 0.4 * x / 144) + grain.expand(3, -1, -1),
        "border": lambda: torch.where(y < 70, 0.8, 0.3 + grain).expand(3, -1, -1),
    }
    mask = torch.zeros(1, 1, 144, 144)
    mask[0, 0, *HOLE] = 1
    return pictures[pattern]()[None].clamp(0, 1).contiguous(), mask


def filled(pattern: str) -> tuple[Array, Array, Array]:
    photo, mask = photo_of(pattern)
    return photo, ExemplarFill().reconstruct(photo * (1 - mask), mask), mask


def root_mean_square(photo: Array, rebuilt: Array) -> float:
    """The error in the hole, grey levels."""
    return 255 * (photo - rebuilt)[..., *HOLE].square().mean().sqrt().item()


@pytest.mark.parametrize(("pattern", "bound"), [("stripes", 12.0), ("bricks", 12.0)])
def test_a_pattern_goes_on(pattern: str, bound: float) -> None:
    photo, rebuilt, mask = filled(pattern)
    smooth = HarmonicFill().reconstruct(photo * (1 - mask), mask)
    assert root_mean_square(photo, rebuilt) < min(bound, root_mean_square(photo, smooth) / 3)


def test_grain_on_a_slope_has_its_strength_and_the_slope_its_colours() -> None:
    photo, rebuilt, mask = filled("grain")
    energies = [gradient_energy(each, mask).item() for each in (rebuilt, photo)]
    assert 0.5 < energies[0] / energies[1] < 1.3
    assert texture_distance(photo[0], rebuilt[0], mask[0]) < 0.35
    assert abs(255 * (photo - rebuilt)[..., *HOLE].mean(dim=2)).max() < 25  # along each column


def test_sky_stays_smooth_and_ground_rough_with_their_border_between() -> None:
    photo, rebuilt, _ = filled("border")
    sky, ground = rebuilt[..., 50:67, 45:97], rebuilt[..., 74:90, 45:97]
    assert 255 * (sky - 0.8).abs().max() < 10
    assert ground.std() > 0.6 * photo[..., 74:90, 45:97].std()
    brighter = (rebuilt[0, 0, 50:90, 45:97] > 0.6).float().sum(dim=0) + 50
    assert (brighter - 70).abs().max() <= 3  # the row where the sky ends, in each column


@pytest.mark.parametrize("fill", [ExemplarFill(3), TextureFill(HarmonicFill(), 3)])
def test_the_same_seed_gives_the_same_bits_and_known_pixels_stay(fill: ExemplarFill) -> None:
    photo, mask = photo_of("bricks")
    mask[0, 0, 130:144, 0:20] = 1  # a second hole, in the corner
    first, second = (fill.reconstruct(photo * (1 - mask), mask) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(first[(mask == 0).expand_as(photo)], photo[(mask == 0).expand_as(photo)])
    assert 0 <= first.min() <= first.max() <= 1


def test_no_patch_is_taken_from_another_hole() -> None:
    photo, mask = photo_of("grain")
    mask[0, 0, 100:130, 45:97] = 1
    garbage = torch.where(mask > 0.5, torch.rand_like(photo), photo)
    fill = ExemplarFill()
    assert torch.equal(fill.reconstruct(garbage, mask), fill.reconstruct(photo * (1 - mask), mask))


def test_where_nothing_is_known_enough_the_guide_stays() -> None:
    photo, own = torch.rand(3, 20, 24), torch.zeros(20, 24, dtype=torch.bool)
    own[5:15, 5:19] = True
    guide = torch.rand(3, 20, 24)
    filled, matches = synthesize(photo, own, own, guide)
    assert torch.equal(filled, torch.where(own, guide, photo))
    assert torch.equal(matches.flatten(1), own.new_ones(20, 24).nonzero().T)


def test_the_search_finds_what_loops_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all components the distance is that of whole patches, and the guesses end nearer than they began."""
    monkeypatch.setattr(search_module, "DIMENSIONS", 3 * SIDE**2)
    generator = torch.Generator().manual_seed(0)
    photo = torch.rand(3, 30, 34, generator=generator, dtype=torch.float64)
    about = torch.rand(2, 30, 34, generator=generator, dtype=torch.float64)
    places = torch.tensor([y * 34 + x for y in range(RADIUS, 14) for x in range(RADIUS, 31)])
    middles = torch.tensor([y * 34 + x for y in range(20, 26) for x in range(5, 25)])
    describe = Description(photo, about, places)
    known = Known(places, describe(photo, places), photo.shape[1:])
    numbers, distances = known.nearest(describe(photo, middles))
    for middle, number, distance in zip(middles[:5].tolist(), numbers, distances, strict=False):
        expected = [loop_distance(photo, about, middle, place) for place in places.tolist()]
        assert int(number) == int(np.argmin(expected))
        assert distance.item() == pytest.approx(min(expected), abs=1e-9)
    start = torch.zeros_like(numbers)
    begun = (describe(photo, middles) - known.described[start]).square().sum(dim=1)
    improved, found = known.improve(describe(photo, middles), middles, start, torch.Generator().manual_seed(0))
    assert (found <= begun).all()
    assert (found >= distances - 1e-12).all()
    assert found.mean() < (begun.mean() + distances.mean()) / 2
    assert torch.allclose((describe(photo, middles) - known.described[improved]).square().sum(dim=1), found)


def test_a_patch_asks_its_neighbours_and_guesses_as_loops_do() -> None:
    """Also at the photo's corners, where what is asked or guessed lies beyond its edge."""
    height, width = 24, 20
    generator = torch.Generator().manual_seed(1)
    inner = [y * width + x for y in range(RADIUS, height - RADIUS) for x in range(RADIUS, width - RADIUS)]
    places = torch.tensor([place for place in inner if place % width < 11])
    described = torch.rand(len(places), 5, generator=generator)
    middles = torch.tensor([y * width + x for y in range(height) for x in range(width) if x > 11 or y < 2])
    wanted = torch.rand(len(middles), 5, generator=generator)
    start = torch.randint(len(places), middles.shape, generator=generator)
    known = Known(places, described, torch.Size((height, width)))
    found, distances = known.improve(wanted, middles, start, torch.Generator().manual_seed(2))

    numbers, of_middle = places.tolist(), {middle: n for n, middle in enumerate(middles.tolist())}
    matches, guesses = start.tolist(), torch.Generator().manual_seed(2)

    def best(proposed: list[list[int]]) -> list[int]:
        choices = [
            [match, *(numbers.index(place) for place in own if place in numbers)]
            for match, own in zip(matches, proposed, strict=True)
        ]
        return [
            min(own, key=lambda number: (described[number] - wanted[n]).square().sum().item())
            for n, own in enumerate(choices)
        ]

    for step in STEPS:
        shifts = [step * towards for towards in (-width, width, -1, 1)]
        matches = best(
            [
                [numbers[matches[of_middle[m + shift]]] - shift for shift in shifts if m + shift in of_middle]
                for m in of_middle
            ]
        )
    drawn = [torch.randint(-reach, reach + 1, (2, len(middles)), generator=guesses) for reach in REACHES]
    matches = best(
        [[numbers[matches[n]] + int(d[0, n]) * width + int(d[1, n]) for d in drawn] for n in range(len(matches))]
    )
    assert found.tolist() == matches
    assert torch.allclose(distances, (described[found] - wanted).square().sum(dim=1))


@pytest.mark.parametrize(("side", "times", "every"), [(10, 5, True), (34, 5, False), (50, 2, False), (80, 1, False)])
def test_small_holes_are_searched_more_often_on_the_finest_level(
    monkeypatch: pytest.MonkeyPatch, side: int, times: int, every: bool
) -> None:
    asked: list[tuple[int, str]] = []
    for name in ("nearest", "improve"):
        search = getattr(Known, name)

        def noted(self: Known, *arguments: Any, name: str = name, search: Any = search) -> Any:
            asked.append((self.width, name))
            return search(self, *arguments)

        monkeypatch.setattr(Known, name, noted)
    photo = torch.rand(3, 160, 160, generator=torch.Generator().manual_seed(0))
    own = torch.zeros(160, 160, dtype=torch.bool)
    own[40 : 40 + side, 40 : 40 + side] = True
    synthesize(255 * photo, own, own, torch.full_like(photo, 128))
    assert [name for width, name in asked if width == 160] == times * ["nearest" if every else "improve"]
    assert [name for width, name in asked if width < 80] == ["nearest", *3 * ["improve"]]


def test_descriptions_are_those_of_patches_wherever_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the photo's edges and corners, one alone, and a few rows at a time."""
    generator = torch.Generator().manual_seed(0)
    photo = torch.rand(3, 40, 34, generator=generator, dtype=torch.float64)
    about = torch.rand(2, 40, 34, generator=generator, dtype=torch.float64)
    describe = Description(photo, about, torch.arange(40 * 34))
    mean = patches(photo, torch.arange(40 * 34)).mean(dim=0)
    for block in (2**14, 70):
        monkeypatch.setattr(search_module, "BLOCK", block)
        for places in (torch.arange(40 * 34), torch.tensor([0]), torch.tensor([39 * 34 + 33, 5, 7 * 34])):
            components = (patches(photo, places) - mean) @ describe.basis
            expected = torch.cat((components, about.flatten(1)[:, places].T), dim=1)
            assert torch.allclose(describe(photo, places), expected, atol=1e-9)


def loop_distance(photo: Array, about: Array, a: int, b: int) -> float:
    width, total = photo.shape[2], 0.0
    for down in range(-RADIUS, RADIUS + 1):
        for across in range(-RADIUS, RADIUS + 1):
            (y, x), (v, u) = ((place // width + down, place % width + across) for place in (a, b))
            total += (photo[:, y, x] - photo[:, v, u]).square().sum().item()
    flat = about.flatten(1)
    return total / (3 * SIDE**2) + (flat[:, a] - flat[:, b]).square().sum().item()


def test_the_vote_is_that_of_loops() -> None:
    generator = torch.Generator().manual_seed(0)
    photo = torch.rand(3, 20, 22, generator=generator, dtype=torch.float64)
    sources = torch.full((440,), -1)
    asked = [y * 22 + x for y in range(0, 9) for x in range(2, 9)]
    sources[asked] = torch.randint(12, 16, (len(asked),), generator=generator) * 22 + 9
    weights = torch.rand(440, generator=generator, dtype=torch.float64)
    pixels = torch.tensor([y * 22 + x for y in range(0, 6) for x in range(5, 7)])
    for pixel, colour in zip(pixels.tolist(), vote(photo, pixels, sources, weights, 1.5).T, strict=True):
        total, share = torch.zeros(3, dtype=torch.float64), 0.0
        for middle in asked:
            down, across = pixel // 22 - middle // 22, pixel % 22 - middle % 22
            if max(abs(down), abs(across)) <= RADIUS:
                weight = weights[middle].item() * math.exp(-(down**2 + across**2) / (2 * 1.5**2))
                total += weight * photo[:, int(sources[middle]) // 22 + down, int(sources[middle]) % 22 + across]
                share += weight
        assert torch.allclose(colour, total / share)


def test_pixels_that_are_voted_on_in_parts_get_the_same_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    photo = torch.rand(3, 30, 30, generator=generator, dtype=torch.float64)
    sources = torch.randint(4 * 30, 25 * 30, (900,), generator=generator)
    weights, pixels = torch.rand(900, generator=generator, dtype=torch.float64), torch.arange(5 * 30, 20 * 30)
    together = vote(photo, pixels, sources, weights, 3.0)
    monkeypatch.setattr(vote_module, "IN_CACHE", 37 * SIDE**2)
    assert torch.allclose(vote(photo, pixels, sources, weights, 3.0), together, rtol=0, atol=1e-12)


def test_patches_go_on_beyond_the_edge() -> None:
    photo = torch.arange(3 * 80.0).reshape(3, 8, 10)
    corner, middle = patches(photo, torch.tensor([0, 4 * 10 + 5])).unflatten(1, (3, SIDE, SIDE))
    assert torch.equal(middle, photo[:, 1:8, 2:9])
    assert torch.equal(corner[:, :4, :4], photo[:, :1, :1].expand(3, 4, 4))
    assert torch.equal(corner[:, 3:, 3:], photo[:, :4, :4])


def test_the_blend_solves_its_equation() -> None:
    """The derivative of what it minimises is 0 at every missing pixel."""
    generator = torch.Generator().manual_seed(0)
    photo, guide = 255 * torch.rand(2, 3, 24, 20, generator=generator, dtype=torch.float64)
    own = torch.zeros(24, 20, dtype=torch.bool)
    own[4:19, 0:14] = True
    steps = steps_inwards(own)
    themselves = torch.ones_like(own).nonzero().T.unflatten(1, own.shape)
    result = blend(photo, guide, own, steps, themselves)
    assert torch.equal(result[:, ~own], photo[:, ~own])
    for y, x in own.nonzero().tolist():
        pull = LENGTH**-2 + AT_EDGE * math.exp((1 - steps[y, x].item()) / FALLS)
        slope = pull * (result - guide)[:, y, x]
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < 24 and 0 <= u < 20:
                slope += (result[:, y, x] - result[:, v, u]) - (photo[:, y, x] - photo[:, v, u])
        assert slope.abs().max() < 0.5


@pytest.mark.parametrize(("round_", "most"), [(False, 12), (True, 20)])
def test_the_blend_takes_few_iterations(monkeypatch: pytest.MonkeyPatch, round_: bool, most: int) -> None:
    """The rectangle's solution with the mean λ is near the inverse; without λ in it, it takes twice as many."""
    solved: list[ConjugateGradient] = []
    solve = conjugate_gradient.solve

    def noted(systems: list[ConjugateGradient]) -> None:
        solved.extend(systems)
        solve(systems)

    monkeypatch.setattr(conjugate_gradient, "solve", noted)
    photo, guide = 255 * torch.rand(2, 3, 420, 420, generator=torch.Generator().manual_seed(0))
    y, x = torch.meshgrid(torch.arange(420.0), torch.arange(420.0), indexing="ij")
    radius = ((y - 210) ** 2 + (x - 210) ** 2).sqrt() if round_ else torch.maximum((y - 210).abs(), (x - 210).abs())
    own = radius < 180
    blend(photo, guide, own, steps_inwards(own), torch.ones_like(own).nonzero().T.unflatten(1, own.shape))
    assert solved[0].iterations <= most


def test_false_edges_are_those_of_loops() -> None:
    """A step that neither of two matches has, and larger than twice theirs; beside a known pixel one decides."""
    generator = torch.Generator().manual_seed(0)
    photo = 30 * torch.rand(3, 20, 22, generator=generator, dtype=torch.float64)
    photo[:, :, 11:] += 60
    own = torch.zeros(20, 22, dtype=torch.bool)
    own[6:14, 7:16] = True
    matches = torch.ones_like(own).nonzero().T.unflatten(1, own.shape).clone()
    matches[:, own] = torch.stack([torch.randint(2, 5, (72,), generator=generator) for _ in range(2)])
    found = 0
    for axis, (down, across) in ((1, (1, 0)), (2, (0, 1))):
        edges = false_edges(photo, (slice(20), slice(22)), own, matches, axis)
        part = slice(5, 15), slice(6, 17)
        inner = false_edges(photo, part, own[part], matches[:, *part], axis)
        assert torch.equal(inner, edges[:, *part].narrow(axis, 0, inner.shape[axis]))
        for y in range(20 - down):
            for x in range(22 - across):
                step = photo[:, y + down, x + across] - photo[:, y, x]
                theirs = []
                if own[y, x]:
                    v, u = matches[:, y, x].tolist()
                    theirs.append(photo[:, v + down, u + across] - photo[:, v, u])
                if own[y + down, x + across]:
                    v, u = matches[:, y + down, x + across].tolist()
                    theirs.append(photo[:, v, u] - photo[:, v - down, u - across])
                expected = torch.zeros(3, dtype=torch.float64)
                if theirs and step.norm() > FACTOR * max(each.norm() for each in theirs) + LEAST:
                    expected = step - sum(theirs) / len(theirs)
                    found += 1
                assert torch.allclose(edges[:, y, x], expected)
    assert found > 8


def test_two_skies_that_meet_in_the_hole_leave_no_edge() -> None:
    """Patches of a dark and of a bright sky, side by side: neither of them has the step between them."""
    photo = torch.full((3, 60, 90), 100.0)
    photo[:, :, :30], photo[:, :, 60:] = 90.0, 140.0
    own = torch.zeros(60, 90, dtype=torch.bool)
    own[15:45, 30:60] = True
    drawn, guide = photo.clone(), photo.clone()
    drawn[:, 15:45, 30:45], drawn[:, 15:45, 45:60] = 90.0, 140.0
    guide[:, :, 30:60] = torch.linspace(90, 140, 30)
    matches = torch.ones_like(own).nonzero().T.unflatten(1, own.shape).clone()
    matches[1, 15:45, 30:45], matches[1, 15:45, 45:60] = 10, 80
    steps = steps_inwards(own)
    mended = blend(drawn, guide, own, steps, matches)[:, 30, 29:61].diff(dim=1).abs()
    kept = blend(drawn, guide, own, steps, torch.ones_like(own).nonzero().T.unflatten(1, own.shape))
    assert kept[:, 30, 44:46].diff(dim=1).abs().min() > 25
    assert mended.max() < 5


def test_resampling() -> None:
    slope = torch.arange(8.0).expand(2, 6, 8)
    assert torch.equal(halved(slope), torch.tensor([0.5, 2.5, 4.5, 6.5]).expand(2, 3, 4))
    assert torch.equal(halved(torch.arange(7.0).expand(3, 7)), torch.tensor([[0.5, 2.5, 4.5]]))
    assert torch.equal(doubled(halved(slope))[:, :, 1:-1], slope[:, :, 1:-1])
    assert torch.allclose(blurred(slope, 1.0)[:, :, 3:-3], slope[:, :, 3:-3])
    assert torch.allclose(blurred(torch.ones(5, 6), 2.0), torch.ones(5, 6))
    flags = torch.zeros(9, 9, dtype=torch.bool)
    flags[4, 4] = True
    assert near(flags, 2).sum() == 25
    assert torch.equal(steps_inwards(near(flags, 2))[4], torch.tensor([0, 0, 1, 2, 3, 2, 1, 0, 0.0]))
