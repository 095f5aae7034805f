"""What the attention model is made of can be left out, part by part."""

from __future__ import annotations

import pytest
import torch
from photomend import models
from photomend.core import PhotomendError, Tensor, runtime
from photomend.layers import SpatialAttention, SqueezeExcitation
from photomend.models.attention import ABLATIONS, features

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


@pytest.mark.parametrize("parts", [*((part,) for part in ABLATIONS), ("channel", "spatial"), ABLATIONS], ids="+".join)
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


def test_eight_views_are_averaged_and_turned_back() -> None:
    one = small()
    one.window = 64
    eight = models.build("attention", **{**one.config, "views": 8})
    eight.load_state_dict(one.state_dict())
    assert eight.config == {**one.config, "views": 8}
    picture, masks = crops(2, 64, dtype=torch.float32)
    masks = torch.zeros_like(masks)
    masks[0, :, 20:40, 24:50] = masks[1, :, 30:54, 18:30] = 1
    masked = picture * (1 - masks)
    answers = []
    for mirrored in (False, True):
        for turned in range(4):
            seen = [torch.rot90(x.flip(3) if mirrored else x, turned, (2, 3)) for x in (masked, masks)]
            answer = torch.rot90(one(*seen).data, -turned, (2, 3))
            answers.append(answer.flip(3) if mirrored else answer)
    expected = torch.stack(answers).mean(0).clamp(0, 1)
    found = eight.reconstruct(masked, masks)
    hole = (masks > 0.5).expand_as(found)
    torch.testing.assert_close(found[hole], expected[hole], rtol=0, atol=1e-6)
    assert torch.equal(found[~hole], masked[~hole])
    turned_back = torch.rot90(eight.reconstruct(*(torch.rot90(x, 1, (2, 3)) for x in (masked, masks))), -1, (2, 3))
    torch.testing.assert_close(turned_back, found, rtol=0, atol=1e-5)


def test_other_numbers_of_views_are_refused() -> None:
    with pytest.raises(PhotomendError, match=r"views \(=2\) must be 1 or 8"):
        models.build("attention", views=2)
