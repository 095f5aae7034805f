"""What all models promise, and the networks against their torch.nn twins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from photomend import models
from photomend.core import Array, Module, PhotomendError, Tensor, gradcheck, runtime
from photomend.models import RepairNetwork
from photomend.tests.reference import cell_twins, model_twins

from .holes import crops, photo, rectangle

#: Small versions, so that every test takes a moment only.
SMALL: dict[str, dict[str, Any]] = {
    "linear": {"splits": 3, "window": 48},
    "cnn": {"width": 8, "window": 48},
    "attention": {"width": 16, "dilations": [1, 2], "window": 48},
    "attention-report": {"window": 64},
    "gan": {"width": 16, "dilations": [1, 2], "window": 48},
}


def build(name: str) -> Any:
    runtime.seed_everything(0)
    if name in ("telea", "ns"):
        pytest.importorskip("cv2")
    model = models.build(name, **SMALL.get(name, {}))
    if isinstance(model, RepairNetwork):
        # The last layer starts at zero; here it must show what the layers before it do.
        for parameter in model.parameters():
            if not parameter.data.any():
                parameter.data.normal_(0, 0.05)
        model.eval()
    return model


def twin_of(model: RepairNetwork) -> torch.nn.Module:
    twins: dict[str, Callable[[], torch.nn.Module]] = {
        "linear": lambda: cell_twins.LinearModel(3),
        "cnn": lambda: cell_twins.BasicNetwork(8),
        "attention": lambda: model_twins.AttentionModel(16, (1, 2)),
        "attention-report": model_twins.AttentionReportModel,
        "gan": lambda: model_twins.AttentionModel(16, (1, 2)),
    }
    twin = twins[model.name]()
    twin.to(model.parameters()[0].dtype).load_state_dict(model.state_dict())
    return twin.train(model.training)


@pytest.mark.parametrize("name", models.NAMES)
@pytest.mark.parametrize("size", [(224, 224), (57, 131), (20, 9)])
def test_any_size_of_photo_and_known_pixels_untouched(name: str, size: tuple[int, int]) -> None:
    height, width = size
    picture = photo(height, width)
    mask = rectangle(height, width, height // 3, width // 4, height // 3 + height // 4, width // 4 + width // 3)
    rebuilt = build(name).reconstruct(picture * (1 - mask), mask)
    known = mask.expand_as(picture) == 0
    assert rebuilt.shape == picture.shape
    assert torch.equal(rebuilt[known], picture[known])
    assert rebuilt.isfinite().all()
    assert (rebuilt[~known] != 0).any()
    assert rebuilt.min() >= 0
    assert rebuilt.max() <= 1


@pytest.mark.parametrize("name", models.NAMES)
def test_a_photo_is_rebuilt_the_same_in_any_batch(name: str) -> None:
    model = build(name)
    picture = photo(120, 120)
    masks = torch.cat([rectangle(120, 120, 20, 30, 50, 61), rectangle(120, 120, 0, 90, 40, 120)])
    together = model.reconstruct(picture * (1 - masks), masks)
    for i in range(2):
        alone = model.reconstruct(picture * (1 - masks[i : i + 1]), masks[i : i + 1])
        assert torch.allclose(alone[0], together[i], atol=1e-5)


@pytest.mark.parametrize("name", models.TRAINED)
def test_reconstructing_leaves_the_network_as_it_was(name: str) -> None:
    model = build(name).train()
    before = {key: array.clone() for key, array in model.state_dict().items()}
    picture, mask = photo(80, 80), rectangle(80, 80, 20, 20, 50, 50)
    in_training = model.reconstruct(picture, mask)
    assert model.training
    assert all(torch.equal(before[key], array) for key, array in model.state_dict().items())
    assert torch.equal(in_training, model.eval().reconstruct(picture, mask))


@pytest.mark.parametrize("name", models.NAMES)
def test_arrays_of_whole_numbers_are_refused(name: str) -> None:
    picture, mask = photo(80, 80), rectangle(80, 80, 20, 20, 50, 50)
    with pytest.raises(TypeError, match=r"mask: torch.bool must be floating point"):
        build(name).reconstruct(picture, mask > 0)
    with pytest.raises(TypeError, match=r"masked: torch.uint8 must be floating point"):
        build(name).reconstruct((255 * picture).to(torch.uint8), mask)


#: Top, left, bottom, right of holes in a photo of 30×40: at every edge, in a corner, from edge to edge, within.
EDGES = [
    (9, 20, 22, 40),
    (17, 9, 30, 25),
    (9, 0, 22, 20),
    (0, 9, 13, 25),
    (17, 22, 30, 40),
    (11, 0, 20, 40),
    (9, 9, 20, 30),
]


def seen_by(network: RepairNetwork, masked: Array, mask: Array, monkeypatch: pytest.MonkeyPatch) -> tuple[Array, Array]:
    """The windows that `reconstruct` shows the network."""
    seen: list[tuple[Array, Array]] = []

    def watched(windows: Array, masks: Array) -> Tensor:
        seen.append((windows, masks))
        return Tensor(windows)

    with monkeypatch.context() as patch:
        patch.setattr(network, "forward", watched)
        network.reconstruct(masked, mask)
    return seen[0]


@pytest.mark.parametrize("box", EDGES)
@pytest.mark.parametrize("name", models.TRAINED)
def test_in_a_photo_smaller_than_the_window_the_hole_does_not_grow(
    name: str, box: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window is filled up with known pixels only, mirrored photos look mirrored, and black holes aren't known."""
    network, picture, mask = build(name), 0.2 + 0.7 * photo(30, 40), rectangle(30, 40, *box)
    masked = picture * (1 - mask)
    windows, masks = seen_by(network, masked, mask, monkeypatch)
    if box[3] - box[1] < 40:
        assert masks.sum() == mask.sum()
    assert (windows[(masks == 0).expand_as(windows)] > 0).all()
    for axis in (2, 3):
        for array, expected in zip(
            seen_by(network, masked.flip(axis), mask.flip(axis), monkeypatch), (windows, masks), strict=True
        ):
            centred = box[axis - 2] + box[axis] == mask.shape[axis]  # then the window is filled up behind it
            assert centred or torch.equal(array.flip(axis), expected)


@pytest.mark.parametrize("box", EDGES)
@pytest.mark.parametrize("name", ["linear", "cnn"])
def test_networks_of_cells_see_a_small_photo_as_it_is(name: str, box: tuple[int, int, int, int]) -> None:
    network, picture, mask = build(name), photo(30, 40), rectangle(30, 40, *box)
    rebuilt = network.reconstruct(picture * (1 - mask), mask)
    expected = network(picture * (1 - mask), mask).data.clamp(0, 1)
    assert torch.equal(rebuilt, torch.where(mask > 0, expected, picture))


def test_a_small_photo_is_filled_up_by_reflection(monkeypatch: pytest.MonkeyPatch) -> None:
    """To and fro between the photo's edge and the hole, on the side with more known pixels."""
    network = build("attention")
    picture = torch.arange(1.0, 13).reshape(1, 1, 1, 12).expand(1, 3, 48, 12) / 20
    windows, masks = seen_by(network, picture, rectangle(48, 12, 16, 5, 32, 12), monkeypatch)
    to_and_fro = [1, 2, 3, 4, 5, 5, 4, 3, 2, 1]
    assert (20 * windows[0, 0, 0, 26:]).round().tolist() == [*to_and_fro, *range(1, 13)]
    assert torch.equal(masks, rectangle(48, 48, 16, 41, 32, 48))


@pytest.mark.parametrize("name", models.TRAINED)
def test_a_hole_larger_than_the_window_is_filled_too(name: str) -> None:
    mask = rectangle(200, 160, 20, 10, 170, 140)
    network = build(name)
    for parameter in network.parameters():
        parameter.data.mul_(0.1)  # so that no colour is so wrong that it is clamped to black
    rebuilt = network.reconstruct(photo(200, 160) * (1 - mask), mask)
    assert rebuilt.shape == (1, 3, 200, 160)
    cells = rebuilt[:, :, 20:170, 10:140].unfold(2, 10, 10).unfold(3, 10, 10)
    assert (cells.amax(dim=(4, 5)) > 0).all()  # no part of the hole is left black


@pytest.mark.parametrize(
    ("hole", "side"),
    [(5, 24), (8, 24), (9, 32), (11, 40), (16, 48), (17, 64), (30, 96), (31, 128), (61, 128), (120, 152)],
)
def test_the_window_fits_the_hole(hole: int, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of the training crops, but for what is small and for what is too large."""
    network = models.build("attention", width=8, dilations=[1], window=128)
    mask = rectangle(160, 200, 20, 30, 20 + hole, 35)
    windows, masks = seen_by(network, photo(160, 200) * (1 - mask), mask, monkeypatch)
    assert windows.shape == (1, 3, side, side)
    assert masks.sum() == 5 * hole


@pytest.mark.parametrize(
    ("name", "window", "sides"),
    [
        ("attention", 48, {1: 24, 8: 24, 9: 32, 13: 40, 14: 48, 30: 64, 31: 64}),
        ("attention", 64, {8: 24, 16: 48, 17: 64, 30: 64, 40: 72}),
        ("gan", 128, {8: 24, 17: 64, 30: 96}),
        ("attention-report", 224, {1: 40, 13: 40, 14: 48, 30: 96, 31: 224}),
        ("linear", 32, {1: 33, 30: 62}),
    ],
)
def test_the_window_of_a_small_hole_is_never_larger_than_that_of_others(
    name: str, window: int, sides: dict[int, int]
) -> None:
    network = build(name)
    network.window = window
    assert {hole: network.window_side(hole) for hole in sides} == sides
    usual = [max(window, -(-(hole + 32) // network.stride) * network.stride) for hole in range(1, 200)]
    assert all(network.window_side(hole + 1) <= most for hole, most in enumerate(usual))
    assert all(network.window_side(hole) % network.stride == 0 for hole in range(1, 200))


@pytest.mark.parametrize("name", models.TRAINED)
def test_photos_of_different_sizes_are_filled_together(name: str) -> None:
    """Also where windows of one side have different shapes, as those of a network that takes any size."""
    network = build(name)
    shapes = [(128, 128), (128, 112), (60, 50), (128, 112)]
    pictures = [photo(*shape)[0] for shape in shapes]
    masks = [rectangle(*shape, 20, 20, 45, 42)[0] for shape in shapes]
    black = [picture * (1 - mask) for picture, mask in zip(pictures, masks, strict=True)]
    found = network.eval().reconstruct_each(black, masks)
    for i in range(len(shapes)):
        [alone] = network.reconstruct_each([black[i]], [masks[i]])
        torch.testing.assert_close(found[i], alone, rtol=0, atol=1e-5)


def test_training_starts_at_the_harmonic_fill() -> None:
    picture, masks = crops(3, 48, dtype=torch.float32)
    masked = picture * (1 - masks)
    network = models.build("attention", **SMALL["attention"])
    assert torch.equal(network(masked, masks).data, models.HarmonicFill().reconstruct(masked, masks))


@pytest.mark.parametrize("name", models.TRAINED)
@pytest.mark.parametrize("training", [False, True])
def test_forward_and_gradients_are_the_twins(name: str, training: bool) -> None:
    model = build(name).to(dtype=torch.float64).train(training)
    twin = twin_of(model)
    picture, masks = crops(3, model.window)
    masked = picture * (1 - masks)
    y = model(masked, masks)
    expected = twin(masked, masks)
    assert torch.allclose(y.data, expected, rtol=1e-10, atol=1e-12)
    v = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y.backward(v)
    expected.backward(v)
    theirs = dict(twin.named_parameters())
    ours = dict(model.named_parameters())
    assert ours.keys() == theirs.keys()
    for key, parameter in ours.items():
        gradient, expected = parameter.grad, theirs[key].grad
        assert gradient is not None
        assert expected is not None
        assert (gradient - expected).abs().max() <= 1e-10 * expected.abs().max(), key


@pytest.mark.parametrize("name", models.TRAINED)
def test_weights_travel_both_ways(name: str) -> None:
    model = build(name)
    twin = twin_of(model)
    other = build(name)
    for parameter in other.parameters():
        parameter.data.zero_()
    other.load_state_dict(dict(twin.state_dict()))
    for key, array in model.state_dict().items():
        assert torch.equal(array, other.state_dict()[key]), key


class OnePhoto(Module):
    """The network on one photo, as a function of its parameters alone."""

    def __init__(self, network: RepairNetwork, masked: Array, mask: Array) -> None:
        self.network = network
        self.masked, self.mask = masked, mask

    def forward(self) -> Tensor:
        return self.network(self.masked, self.mask)


@pytest.mark.slow  # differences through a whole network
def test_the_attention_models_gradient_is_the_differences() -> None:
    """CBAM's maxima may change their winner along a direction, so the steps are small and the bar is 1e-6."""
    picture, masks = crops(1, 48)
    whole = OnePhoto(build("attention").to(dtype=torch.float64), picture * (1 - masks), masks)
    assert gradcheck(whole, step=3e-7, rtol=1e-6) < 1e-6


def test_unknown_names_and_settings_name_the_nearest() -> None:
    with pytest.raises(PhotomendError, match="did you mean 'harmonic'"):
        models.build("harmonik")
    with pytest.raises(PhotomendError, match="no setting 'widht'; did you mean 'width'"):
        models.build("attention", widht=3)
    with pytest.raises(PhotomendError, match=r"window \(=50\) must be divisible by 8"):
        models.build("attention", window=50)
    with pytest.raises(PhotomendError, match=r"window \(=64.0\) must be a whole number"):
        models.build("attention-report", window=64.0)
    with pytest.raises(PhotomendError, match="no setting 'name'"):
        models.build("attention", **{"name": "x"})
    with pytest.raises(ValueError, match="size 50x48 must be divisible by 8"):
        build("attention")(torch.zeros(1, 3, 50, 48), rectangle(50, 48, 9, 9, 20, 20))


def test_a_config_from_before_a_setting_existed_builds_the_same_network() -> None:
    assert models.build("attention-report", window=64).config == {"width": 64, "window": 64}


def test_random_fill_is_seeded_noise() -> None:
    picture, mask = photo(64, 64), rectangle(64, 64, 5, 5, 60, 60)
    first = models.RandomFill(seed=1).reconstruct(picture, mask)
    assert torch.equal(first, models.RandomFill(seed=1).reconstruct(picture, mask))
    assert not torch.equal(first, models.RandomFill(seed=2).reconstruct(picture, mask))
    values = first[mask.expand_as(first) > 0]
    assert abs(values.mean() - 0.5) < 0.02
    assert abs(values.var() - 1 / 12) < 0.01


def test_border_fill_is_the_mean_of_the_touching_pixels() -> None:
    picture, mask = photo(40, 40), rectangle(40, 40, 0, 10, 20, 30)
    ring = rectangle(40, 40, 0, 9, 21, 31) - mask
    expected = (picture * ring).sum(dim=(0, 2, 3)) / ring.sum()
    rebuilt = models.BorderFill().reconstruct(picture * (1 - mask), mask)
    assert torch.allclose(rebuilt[0, :, 5, 15], expected)
    assert torch.equal(rebuilt[0, :, 0, 10], rebuilt[0, :, 19, 29])
