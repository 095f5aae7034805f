"""The SVG that `draw` makes of a tape: valid, whole, without overlap, the same every time."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import photomend
import pytest
import torch
from photomend import models
from photomend.core import Drawing, Module, Parameter, Tensor, draw, keep_values, matmul, no_grad
from photomend.core.drawing.draw import numbers
from photomend.layers import BatchNorm2d, Conv2d, Dropout, Linear, ReLU, Residual, Sequential

SVG = "{http://www.w3.org/2000/svg}"


class Seen(NamedTuple):
    """A box as a browser would show it."""

    kind: str
    title: str
    texts: list[str]
    left: float
    top: float
    right: float
    bottom: float


class Picture:
    """An SVG file, read."""

    def __init__(self, drawing: Drawing) -> None:
        self.root: Any = ElementTree.fromstring(drawing.svg)
        self.boxes: dict[str, Seen] = {}
        group: Any
        for group in self.root.iter(f"{SVG}g"):
            if (number := group.get("data-node")) is not None:
                rect = group.find(f"{SVG}rect")
                x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
                texts = [text.text or "" for text in group.iter(f"{SVG}text")]
                self.boxes[number] = Seen(
                    group.get("data-kind"), group.findtext(f"{SVG}title"), texts, x, y, x + width, y + height
                )
        self.paths: list[Any] = [path for path in self.root.iter(f"{SVG}path") if path.get("data-from") is not None]

    @property
    def arrows(self) -> list[tuple[str, str]]:
        """From which box to which, by their names."""
        return sorted((self.named(path.get("data-from")), self.named(path.get("data-to"))) for path in self.paths)

    def named(self, number: str | None) -> str:
        return self.boxes[number or ""].texts[0]

    def box(self, name: str) -> Seen:
        (found,) = (box for box in self.boxes.values() if box.texts[0] == name)
        return found


def diamond() -> tuple[Tensor, Tensor]:
    a = Tensor(torch.tensor(1.5))
    b = a + a
    return a, b + b


def network() -> Sequential:
    torch.manual_seed(0)
    block = Residual(Sequential(Conv2d(4, 4, 3, padding=1), BatchNorm2d(4), ReLU(), Dropout(0.5)))
    return Sequential(Conv2d(3, 4, 3, padding=1), block, block, Conv2d(4, 1, 1))


def attention() -> Drawing:
    torch.manual_seed(0)
    model = models.build("attention", width=8, window=32)
    masked, mask = torch.full((1, 3, 32, 32), 0.5), torch.zeros(1, 1, 32, 32)
    mask[:, :, 8:24, 8:24] = 1
    return draw(model, masked * (1 - mask), mask)


DRAWINGS = {
    "a leaf": lambda: draw(Tensor(torch.ones(2))),
    "diamond": lambda: draw(diamond()[1], values=True),
    "network": lambda: draw(network().eval(), Tensor(torch.ones(1, 3, 8, 8)), values=True),
    "attention": attention,
    "a deep chain": lambda: draw(chain(200)),
    "one leaf used everywhere": lambda: draw(fan(40), values=True),
}


def chain(length: int) -> Tensor:
    x = Tensor(torch.ones(2, 3))
    y = x
    for i in range(length):
        y = y * x if i % 9 == 0 else y + 1.0
    return y


def fan(count: int) -> Tensor:
    x, total = Tensor(torch.ones(2, 2)), Tensor(torch.zeros(2, 2))
    for i in range(count):
        total = total + matmul(x * float(i), x)
    return total


def test_diamond() -> None:
    """Both operations once, each with two arrows from the one before."""
    _, c = diamond()
    picture = Picture(draw(c))
    assert [box.texts for box in picture.boxes.values()] == [["add", "scalar"], ["add", "scalar"], ["leaf", "scalar"]]
    assert picture.arrows == [("add", "add")] * 2 + [("leaf", "add")] * 2
    ends = [re.findall(r"[\d.]+", path.get("d"))[-2] for path in picture.paths[:2]]
    assert all(re.search(r"C\S+ \S+ \S+$", path.get("d")) for path in picture.paths)  # heads point where the curves do
    assert ends[0] != ends[1]  # the two arrows arrive side by side


def test_data_flows_downwards() -> None:
    picture = Picture(draw(chain(20)))
    for path in picture.paths:
        assert picture.boxes[path.get("data-from")].bottom < picture.boxes[path.get("data-to")].top


@pytest.mark.parametrize("name", DRAWINGS)
def test_no_boxes_overlap_and_none_is_cut(name: str) -> None:
    picture = Picture(DRAWINGS[name]())
    width, height = (float(picture.root.get(side)) for side in ("width", "height"))
    for box in picture.boxes.values():
        assert 0 < box.left < box.right < width
        assert 0 < box.top < box.bottom < height
    for a, b in itertools.combinations(picture.boxes.values(), 2):
        assert a.right < b.left or b.right < a.left or a.bottom < b.top or b.bottom < a.top


@pytest.mark.parametrize("name", DRAWINGS)
def test_no_arrow_crosses_a_box(name: str) -> None:
    """Vertical lines through rows are clear of the boxes there; curves stay between rows, where there are none."""
    picture = Picture(DRAWINGS[name]())
    for path in picture.paths:
        x, y = 0.0, 0.0
        others = [
            box for number, box in picture.boxes.items() if number not in (path.get("data-from"), path.get("data-to"))
        ]
        for command, rest in re.findall(r"([MVC])([^MVC]*)", path.get("d")):
            at = [float(number) for number in re.findall(r"-?[\d.]+", rest)]
            if command == "M":
                x, y = at
                continue
            if command == "V":
                left, right, top, bottom = x, x, y, at[0]
                y = at[0]
            else:
                left, right, top, bottom = min(x, at[4]), max(x, at[4]), y, at[5]
                x, y = at[4:]
            for box in others:
                clear = right < box.left or box.right < left or bottom <= box.top or box.bottom <= top
                assert clear, (box.texts, command, at)


@pytest.mark.parametrize("name", DRAWINGS)
def test_texts_lie_in_their_boxes(name: str) -> None:
    """By a generous estimate of a monospaced character's width."""
    root = Picture(DRAWINGS[name]()).root
    for group in root.iter(f"{SVG}g"):
        if group.get("data-node") is None:
            continue
        rect = group.find(f"{SVG}rect")
        x, y, width, height = (float(rect.get(side)) for side in ("x", "y", "width", "height"))
        lines = []
        for text in group.iter(f"{SVG}text"):
            start, base = float(text.get("x")), float(text.get("y"))
            assert x < start
            assert start + 0.605 * 12 * len(text.text) < x + width
            assert y + 9 < base < y + height - 3
            lines.append(base)
        assert all(b - a >= 14 for a, b in itertools.pairwise(lines))


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_same_bytes_every_time(name: str) -> None:
    assert DRAWINGS[name]().svg == DRAWINGS[name]().svg


def test_an_arrow_for_each_argument_of_each_operation() -> None:
    y = fan(5)
    nodes, seen = [y.node], set()
    arrows = 0
    while nodes:
        node = nodes.pop()
        if node not in seen:
            seen.add(node)
            parents = [parent for parent in node.parents if parent is not None]
            arrows += len(parents)
            nodes += parents
    picture = Picture(draw(y))
    assert len(picture.boxes) == len(seen)
    assert len(picture.paths) == arrows


def test_a_networks_parameters_have_their_names() -> None:
    net = network().eval()
    picture = Picture(draw(net, torch.ones(1, 3, 8, 8)))
    shown = {box.texts[0]: box.texts[1] for box in picture.boxes.values() if box.kind == "parameter"}
    assert shown == {name: " × ".join(map(str, p.shape)) for name, p in net.named_parameters()}
    (source,) = (box for box in picture.boxes.values() if box.texts[0] == "x")
    assert source.kind == "constant"
    assert source.texts[1] == "1 × 3 × 8 × 8"
    assert ("0.weight", "conv2d") in picture.arrows


def test_a_model() -> None:
    picture = Picture(attention())
    model = models.build("attention", width=8, window=32)
    shown = {box.texts[0] for box in picture.boxes.values() if box.kind == "parameter"}
    assert shown == {name for name, _ in model.named_parameters()}
    operations = [box for box in picture.boxes.values() if box.kind == "operation"]
    assert f"{len(operations)} operations" in picture.root.findtext(f"{SVG}title")


def test_a_networks_input_as_a_leaf() -> None:
    assert Picture(draw(Linear(3, 2), Tensor(torch.ones(1, 3)))).box("x").kind == "leaf"


def test_names_of_ones_own() -> None:
    a, b = Tensor(torch.ones(2)), Parameter(torch.ones(2))
    picture = Picture(draw(a * b, names={"slope": b}))
    assert picture.arrows == [("leaf", "multiply"), ("slope", "multiply")]
    assert picture.box("slope").title == "parameter slope: 2, float32"


def test_values_and_cotangents_of_a_function() -> None:
    a, w = Tensor(torch.tensor([1.0, 2.0])), Tensor(torch.tensor([3.0, -1.0]))
    picture = Picture(draw(lambda a, w: (a * w + 0.5) * 2, a, w, values=True, backward=torch.tensor([1.0, 10.0])))
    assert picture.box("add").texts == ["add", "2", "y = [3.5, -1.5]", "ȳ = [2, 20]"]
    assert picture.box("a").texts == ["a", "2", "y = [1, 2]", "ȳ = [6, -20]"]
    assert picture.box("w").texts == ["w", "2", "y = [3, -1]", "ȳ = [2, 40]"]
    assert picture.box("0.5").kind == "constant"
    assert picture.box("add").title == "add: 2, float32, of multiply, 0.5"
    assert a.grad is None
    assert w.grad is None


def test_a_shared_leafs_cotangent_is_the_sum() -> None:
    a, c = diamond()
    picture = Picture(draw(c, values=True, backward=True))
    assert picture.box("leaf").texts == ["leaf", "scalar", "y = 1.5", "ȳ = 4"]
    assert a.grad is not None
    assert a.grad.item() == 4


def test_a_tensors_gradients_are_those_of_backward() -> None:
    a, c = diamond()
    a.grad = torch.tensor(100.0)
    picture = Picture(draw(c, backward=True))
    assert picture.box("leaf").texts[-1] == "ȳ = 4"
    assert a.grad.item() == 104
    with pytest.raises(RuntimeError, match="draw: the tape behind 'add' was already used and freed; draw before"):
        draw(c)


def test_drawing_forward_changes_nothing() -> None:
    a, c = diamond()
    draw(c, values=True)
    c.backward()
    assert a.grad is not None
    assert a.grad.item() == 4


def test_a_tensors_results_are_known_where_they_were_kept() -> None:
    a = Tensor(torch.tensor(3.0))
    y = a * 2 + 1.0
    assert Picture(draw(y, values=True)).box("multiply").texts == ["multiply", "scalar"]
    with keep_values():
        y = a * 2 + 1.0
    picture = Picture(draw(y, values=True))
    assert picture.box("multiply").texts == ["multiply", "scalar", "y = 6"]
    assert picture.arrows == [("1", "add"), ("2", "multiply"), ("leaf", "multiply"), ("multiply", "add")]
    node = y.node
    y.backward()
    assert node.kept is None


def test_a_look_at_a_network_leaves_it_as_it_was() -> None:
    net = network().train()
    state = {name: array.clone() for name, array in net.state_dict().items()}
    net.parameters()[0].grad = gradient = torch.ones(4, 3, 3, 3)
    draw(net, torch.randn(2, 3, 8, 8), backward=torch.ones(2, 1, 8, 8))
    assert all(torch.equal(array, state[name]) for name, array in net.state_dict().items())
    assert net.parameters()[0].grad is gradient
    assert net.parameters()[1].grad is None
    assert net.training


def test_random_numbers_are_left_as_they_were() -> None:
    net, x = network().train(), torch.ones(1, 3, 8, 8)
    random = torch.get_rng_state()
    draw(net, x)
    assert torch.equal(torch.get_rng_state(), random)


def test_under_no_grad_too() -> None:
    with no_grad():
        assert Picture(draw(Linear(2, 1), torch.ones(1, 2))).box("weight")


def test_any_name_makes_valid_xml() -> None:
    a = Tensor(torch.ones(1))
    name = 'a<b>&"quoted"\'\x00\x1b ]]> ȳ 漢字' + "x" * 60
    picture = Picture(draw(a * 2, names={name: a}))
    (box,) = (box for box in picture.boxes.values() if box.kind == "leaf")
    assert box.title == f"leaf {name}: 1, float32".replace("\x00", "\ufffd").replace("\x1b", "\ufffd")
    assert "…" in box.texts[0]
    assert len(box.texts[0]) <= 44


def test_every_box_has_a_title() -> None:
    for box in Picture(attention()).boxes.values():
        assert box.title.startswith((box.texts[0][:5], "parameter", "constant", "leaf"))


def test_a_notebook_and_a_file(tmp_path: Path) -> None:
    drawing = photomend.draw(diamond()[1])
    assert drawing._repr_svg_() == drawing.svg
    drawing.save(tmp_path / "tape.svg")
    assert (tmp_path / "tape.svg").read_text(encoding="utf-8") == drawing.svg
    with pytest.raises(ValueError, match=r"path \(=tape\.png\) must end in \.svg"):
        drawing.save("tape.png")


@pytest.mark.parametrize(
    ("array", "lines"),
    [
        (torch.tensor(0.123456), ["y = 0.1235"]),
        (torch.zeros(0, 3), []),
        (torch.tensor([1.0, float("nan")]), ["y = [1, nan]"]),
        (torch.ones(2, 3, 4), ["y: 1 … 1"]),
        (torch.arange(5.0), ["y: 0 … 4"]),
        (torch.tensor([[True], [False]]), ["y = [1]", "    [0]"]),
    ],
)
def test_numbers(array: torch.Tensor, lines: list[str]) -> None:
    assert numbers("y", array) == lines


class Pair(Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * 2, x


@pytest.mark.parametrize(
    ("wrong", "inputs", "error", "message"),
    [
        (3, (), TypeError, "draw: a Tensor, a module or a function is due, not a int"),
        (torch.ones(2), (), TypeError, "not a torch.Tensor"),
        (Pair(), (Tensor(torch.ones(1)),), TypeError, "draw: a single Tensor is due from Pair, not a tuple"),
        (Tensor(torch.ones(1)), (1,), TypeError, "draw: inputs are for a module or a function"),
        (Tensor(torch.ones(1), tracked=False), (), RuntimeError, "draw: nothing was recorded"),
    ],
)
def test_what_cannot_be_drawn(wrong: Any, inputs: tuple[object, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        draw(wrong, *inputs)
