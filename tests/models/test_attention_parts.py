"""What the attention model is made of can be left out, part by part."""

from __future__ import annotations

import pytest
import torch
from photomend import models
from photomend.core import PhotomendError, Tensor, runtime
from photomend.layers import SpatialAttention, SqueezeExcitation
from photomend.models.attention import PARTS, features

from .holes import crops


def small(*without: str) -> models.AttentionModel:
    runtime.seed_everything(0)
    model = models.AttentionModel(16, (1, 2), 48, without)
    for name, parameter in model.named_parameters():
        if not parameter.data.any():
            parameter.data.normal_(0, 0.05)
        if name.endswith("mlp.0.bias"):  # so that the few hidden units of channel attention are on
            parameter.data += 1
    return model


def kinds(model: models.AttentionModel) -> set[type]:
    return {type(module) for _, module in model.named_modules()} & {SpatialAttention, SqueezeExcitation}


@pytest.mark.parametrize("parts", [*((part,) for part in PARTS), ("channel", "spatial"), PARTS], ids="+".join)
def test_every_parameter_of_what_is_left_learns(parts: tuple[str, ...]) -> None:
    model = small(*parts)
    picture, masks = crops(2, 48, dtype=torch.float32)
    y = model(picture * (1 - masks), masks)
    y.backward(torch.randn(y.shape, generator=torch.Generator().manual_seed(0)))
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
    again = models.build("attention", **model.config)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(picture * (1 - masks), masks).data, y.data)


def test_without_channel_or_spatial_attention_there_is_none() -> None:
    assert kinds(small()) == {SpatialAttention, SqueezeExcitation}
    assert kinds(small("channel")) == {SpatialAttention}
    assert kinds(small("spatial")) == {SqueezeExcitation}
    assert kinds(small("channel", "spatial")) == set()


def test_without_the_fill_nothing_of_it_is_used() -> None:
    picture, masks = crops(2, 48)
    fill, _, _ = features(picture * (1 - masks), masks, ("fill",))
    known = (picture * (1 - masks)).sum((2, 3)) / (1 - masks).sum((2, 3))
    for i in range(2):
        hole = masks[i, 0] > 0.5
        assert torch.allclose(fill[i][:, hole], known[i][:, None].expand(3, int(hole.sum())))
        assert torch.equal(fill[i][:, ~hole], picture[i][:, ~hole])


def test_without_the_mask_nothing_says_where_the_hole_is() -> None:
    picture, masks = crops(2, 48)
    _, _, seen = features(picture * (1 - masks), masks, ("mask",))
    assert not seen[:, 3:].any()
    assert seen[:, :3].any()


def test_without_skips_the_encoder_reaches_the_decoder_only_through_the_bottleneck() -> None:
    model = small("skips")
    for parameter in model.bottleneck.parameters():
        parameter.data.zero_()
    for parameter in model.up4.parameters():
        parameter.data.zero_()
    a, b = (model.residual(torch.randn(1, 5, 48, 48, generator=torch.Generator().manual_seed(s))) for s in (0, 1))
    assert isinstance(a, Tensor)
    assert torch.equal(a.data, b.data)


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(PhotomendError, match=r"without \(='skip'\) is no part of it; did you mean 'skips'"):
        models.AttentionModel(without=("skip",))
