"""Layer norm, embedding and attention: half precision, padding, masks, and backward passes in loops."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from photomend.core import Array, Tensor, no_grad
from photomend.layers import (
    GELU,
    Embedding,
    Flatten,
    Identity,
    LayerNorm,
    MultiheadAttention,
    RMSNorm,
    Unflatten,
    elu,
    embedding,
    gelu,
    layer_norm,
    logsigmoid,
    mish,
    rms_norm,
    scaled_dot_product_attention,
    softsign,
)
from photomend.tests.layers.test_loops_backward import check, normal
from photomend.tests.reference.loops import norm, sequence
from photomend.tests.verification.cases_sequences import WORDS


def test_layer_norm_backwards_in_loops() -> None:
    check(
        lambda x, w, b: layer_norm(x, w, b, normalized_shape=5),
        lambda x, w, b: F.layer_norm(x, (5,), w, b),
        lambda ȳ, x, w, b: norm.layer_norm_backward(ȳ, x, w),
        normal(3, 5, seed=0),
        normal(5, seed=1),
        normal(5, seed=2),
    )


def test_rms_norm_backwards_in_loops() -> None:
    check(
        lambda x, w: rms_norm(x, w, normalized_shape=5, eps=1e-5),
        lambda x, w: F.rms_norm(x, (5,), w, 1e-5),
        lambda ȳ, x, w: norm.rms_norm_backward(ȳ, x, w),
        normal(3, 5, seed=0),
        normal(5, seed=1),
    )


@pytest.mark.parametrize("padding_idx", [None, 2])
def test_embedding_backwards_in_loops(padding_idx: int | None) -> None:
    check(
        lambda w: embedding(WORDS, w, padding_idx=padding_idx),
        lambda w: F.embedding(WORDS, w, padding_idx),
        lambda ȳ, w: [sequence.embedding_backward(ȳ, w, WORDS.numpy(), padding_idx)],
        normal(7, 3, seed=0),
    )


def test_attention_backwards_in_loops() -> None:
    check(
        scaled_dot_product_attention,
        F.scaled_dot_product_attention,
        sequence.scaled_dot_product_attention_backward,
        normal(3, 4, seed=0),
        normal(5, 4, seed=1),
        normal(5, 2, seed=2),
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(dtype: torch.dtype) -> None:
    """Value and gradients within an eps of what float64 makes of the same numbers."""
    x, v = (normal(4, 300, seed=seed).to(dtype) + seed for seed in (0, 1))
    for f in (
        elu,
        logsigmoid,
        mish,
        softsign,
        gelu,
        lambda x: gelu(x, approximate="tanh"),
        lambda x: layer_norm(x, normalized_shape=300),
        lambda x: rms_norm(x, normalized_shape=300, eps=1e-5),
    ):
        found = []
        for precision in (dtype, torch.float64):
            leaf = Tensor(x.to(precision))
            y = f(leaf)
            y.backward(v.to(precision))
            assert leaf.grad is not None
            found.append((y.data, leaf.grad))
        for low, exact in zip(*found, strict=True):
            assert low.dtype == dtype
            rounding = torch.finfo(dtype).eps / 2 * exact.abs()
            assert ((low.double() - exact).abs() <= rounding + 1e-5 * exact.abs().max()).all()


def test_a_word_that_comes_often_is_summed_in_float32() -> None:
    """1,000 ones: a sum in bfloat16 would stop at 256."""
    weight = Tensor(torch.zeros(2, 3, dtype=torch.bfloat16))
    y = embedding(torch.zeros(1000, dtype=torch.int64), weight)
    y.backward(torch.ones_like(y.data))
    assert weight.grad is not None
    assert weight.grad.tolist() == [[1000.0] * 3, [0.0] * 3]


def test_padding_starts_at_0_and_stays_there() -> None:
    torch.manual_seed(0)
    layer = Embedding(5, 3, padding_idx=-1)
    assert not layer.weight.data[4].any()
    assert layer.weight.data[:4].all()
    y = layer(torch.tensor([4, 1, 4]))
    y.backward(torch.ones_like(y.data))
    assert layer.weight.grad is not None
    assert layer.weight.grad.sum(1).tolist() == [0, 3, 0, 0, 0]
    assert repr(layer) == "Embedding(5, 3, padding_idx=4)"


def test_embeddings_start_from_a_normal_distribution() -> None:
    torch.manual_seed(0)
    weight = Embedding(200, 50).weight.data
    assert abs(weight.mean()) < 0.03
    assert abs(weight.std() - 1) < 0.03


@pytest.mark.parametrize("index", [5, -1])
def test_an_index_without_a_row(index: int) -> None:
    with pytest.raises(IndexError, match=re.escape(f"embedding: index (={index}) must be in [0, num_embeddings (=5))")):
        Embedding(5, 3)(torch.tensor([[0, 1], [index, 2]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool])
def test_indices_are_integers(dtype: torch.dtype) -> None:
    with pytest.raises(TypeError, match=f"embedding: indices must be integers, not {dtype}"):
        Embedding(5, 3)(torch.ones(2, dtype=dtype))


def test_attention_starts_as_torchs_does() -> None:
    torch.manual_seed(0)
    ours, theirs = MultiheadAttention(64, 4).state_dict(), torch.nn.MultiheadAttention(64, 4).state_dict()
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        torch.testing.assert_close(array.std(), theirs[name].std(), rtol=0.05, atol=0)
        torch.testing.assert_close(array.abs().max(), theirs[name].abs().max(), rtol=0.01, atol=0)


@pytest.mark.parametrize("masks", [{}, {"is_causal": True}, {"attn_mask": torch.linspace(-1, 1, 16).reshape(4, 4)}])
def test_attention_is_the_same_with_and_without_its_weights(masks: dict[str, Any]) -> None:
    layer, x = MultiheadAttention(8, 2, batch_first=True), normal(3, 4, 8, seed=0).float()
    found = []
    for need_weights in (True, False):
        leaf = Tensor(x)
        y, weights = layer(leaf, leaf, leaf, need_weights=need_weights, **masks)
        assert (weights is None) is not need_weights
        y.backward(normal(3, 4, 8, seed=1).float())
        assert leaf.grad is not None
        found.append((y.data, leaf.grad))
    for with_weights, without in zip(*found, strict=True):
        torch.testing.assert_close(with_weights, without)


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("average", [True, False])
def test_masks_of_numbers_and_a_query_that_may_look_nowhere(need_weights: bool, average: bool) -> None:
    """The second sequence is nothing but padding: NaN with weights, and without them the bias alone, as in torch."""
    ours = MultiheadAttention(8, 2, batch_first=True)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    x = normal(2, 3, 8, seed=0).float()
    padding = torch.zeros(2, 3).masked_fill(torch.tensor([[False, False, True], [True, True, True]]), -torch.inf)
    options: dict[str, Any] = {
        "key_padding_mask": padding,
        "attn_mask": normal(4, 3, 3, seed=1).float(),
        "need_weights": need_weights,
        "average_attn_weights": average,
    }
    with no_grad():
        found = ours(x, x, x, **options)
    expected = theirs(x, x, x, **options)
    for mine, their in zip(found, expected, strict=True):
        assert (mine is None) is (their is None)
        if mine is not None:
            torch.testing.assert_close(mine.data, their.detach(), equal_nan=True)


@pytest.mark.parametrize("need_weights", [True, False])
def test_dropout_of_attention(need_weights: bool) -> None:
    """In training about a quarter of the weights are 0 and the others grow, in evaluation nothing happens. The values
    are the unit vectors and the projections identities, so the output is the weights."""
    layer = MultiheadAttention(64, 1, 0.25, batch_first=True)
    assert layer.in_proj_weight is not None
    layer.in_proj_weight.data = torch.cat((torch.zeros(128, 64), torch.eye(64)))
    layer.out_proj.weight.data = torch.eye(64)
    leaf = Tensor(torch.eye(64).expand(3, 64, 64))
    torch.manual_seed(0)
    y, weights = layer(leaf, leaf, leaf, need_weights=need_weights)
    dropped = y.data == 0
    assert 0.2 < dropped.float().mean() < 0.3
    torch.testing.assert_close(y.data[~dropped], torch.full_like(y.data[~dropped], 1 / 64 / 0.75))
    if need_weights:
        torch.testing.assert_close(weights.data, y.data)
    y.backward(torch.ones_like(y.data))
    assert leaf.grad is not None
    torch.testing.assert_close(leaf.grad, (~dropped).sum(1).unsqueeze(-1).expand(3, 64, 64) / 64 / 0.75)
    layer.eval()
    torch.testing.assert_close(layer(leaf, leaf, leaf)[0].data, torch.full((3, 64, 64), 1 / 64))


@pytest.mark.parametrize("options", [{"kdim": 32, "vdim": 16}, {"add_bias_kv": True}])
def test_attention_with_more_weights_starts_as_torchs_does(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    ours = MultiheadAttention(4096 if "add_bias_kv" in options else 64, 4, **options).state_dict()
    theirs = torch.nn.MultiheadAttention(len(ours["out_proj.bias"]), 4, **options).state_dict()
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        torch.testing.assert_close(array.std(), theirs[name].std(), rtol=0.05, atol=0)


def test_a_mask_that_is_learnt_receives_its_gradient() -> None:
    layer, x, mask = MultiheadAttention(4, 2), normal(3, 2, 4, seed=0).float(), Tensor(torch.zeros(3, 3))
    found = []
    for need_weights in (True, False):
        layer(x, x, x, attn_mask=mask, need_weights=need_weights)[0].backward(normal(3, 2, 4, seed=1).float())
        found.append(mask.grad)
        mask.grad = None
    assert found[0] is not None
    assert found[0].abs().max() > 0
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_attention_in_half_precision(dtype: torch.dtype) -> None:
    q, k, v = (normal(2, 2, 16, 8, seed=seed).to(dtype) for seed in range(3))
    found = []
    for precision in (dtype, torch.float64):
        leaves = [Tensor(x.to(precision)) for x in (q, k, v)]
        y = scaled_dot_product_attention(*leaves, is_causal=True)
        y.backward(normal(2, 2, 16, 8, seed=3).to(precision))
        found.append([y.data, *(leaf.grad for leaf in leaves)])
    for low, exact in zip(*found, strict=True):
        assert low.dtype == dtype
        assert (low.double() - exact).abs().max() <= 4 * torch.finfo(dtype).eps * exact.abs().max()


Q = torch.ones(2, 3, 4)
MULTIHEAD = MultiheadAttention(4, 2, batch_first=True)
MISTAKES: list[tuple[Any, str]] = [
    (lambda: gelu(Q, approximate="erf"), "gelu: approximate (='erf') must be 'none' or 'tanh'"),
    (lambda: GELU(approximate="erf")(Q), "gelu: approximate (='erf')"),
    (lambda: LayerNorm(5)(Q), "layer_norm: input of shape (2, 3, 4) must end in normalized_shape (=(5,))"),
    (lambda: LayerNorm((3, 0)), "LayerNorm: normalized_shape (=0) must be an integer of at least 1"),
    (lambda: LayerNorm(()), "LayerNorm: normalized_shape (=()) must have at least one axis"),
    (lambda: layer_norm(Q, torch.ones(3), normalized_shape=4), "layer_norm: weight of shape (3,) must be (4,)"),
    (lambda: layer_norm(Q, None, Q[0, 0], normalized_shape=(3, 4)), "layer_norm: bias of shape (4,) must be (3, 4)"),
    (lambda: RMSNorm(5)(Q), "rms_norm: input of shape (2, 3, 4) must end in normalized_shape (=(5,))"),
    (lambda: RMSNorm((3, 0)), "RMSNorm: normalized_shape (=0) must be an integer of at least 1"),
    (lambda: rms_norm(Q, Q[0], normalized_shape=4), "rms_norm: weight of shape (3, 4) must be (4,)"),
    (lambda: Embedding(0, 3), "Embedding: num_embeddings (=0) must be an integer of at least 1"),
    (lambda: Embedding(5, 3.0), "Embedding: embedding_dim (=3.0) must be an integer"),  # type: ignore[arg-type]
    (lambda: Embedding(5, 3, padding_idx=5), "Embedding: padding_idx (=5) must be below num_embeddings (=5)"),
    (lambda: Embedding(5, 3, padding_idx=-6), "Embedding: padding_idx (=-6) must be an integer of at least -5"),
    (lambda: embedding(WORDS, Q), "embedding: weight of shape (2, 3, 4) must be (num_embeddings, D)"),
    (lambda: Flatten(2, 1)(Q), "Flatten: start_dim (=2) must not come after end_dim (=1) in an input of shape"),
    (lambda: Flatten(3)(Q), "Flatten: start_dim (=3) must be an axis of an array with 3 axes"),
    (lambda: Unflatten(1, (2, 2))(Q), "unflattened_size (=(2, 2)) doesn't fit axis 1 of an input of shape (2, 3, 4)"),
    (lambda: Unflatten(1, (2, -1))(Q), "Unflatten: unflattened_size (=(2, -1)) doesn't fit axis 1"),
    (lambda: Unflatten(1, (-1, -1)), "Unflatten: unflattened_size (=(-1, -1)) may hold a single -1"),
    (
        lambda: scaled_dot_product_attention(Q, Q, Q[:, :2]),
        "scaled_dot_product_attention: query (2, 3, 4), key (2, 3, 4) and value (2, 2, 4) must be (…, L, E)",
    ),
    (
        lambda: scaled_dot_product_attention(Q, torch.ones(3, 3, 4), Q),
        "the leading axes of query (2, 3, 4), key (3, 3, 4) and value (2, 3, 4) don't broadcast",
    ),
    (
        lambda: scaled_dot_product_attention(Q, Q, Q, torch.ones(2, 2)),
        "attn_mask of shape (2, 2) doesn't broadcast to (2, 3, 3)",
    ),
    (
        lambda: scaled_dot_product_attention(Q, Q, Q, torch.ones(3, 3, dtype=torch.int64)),
        "attn_mask must be bool or floating point, not torch.int64",
    ),
    (lambda: MultiheadAttention(6, 4), "MultiheadAttention: embed_dim (=6) must be divisible by num_heads (=4)"),
    (lambda: MultiheadAttention(6, 0), "MultiheadAttention: num_heads (=0) must be an integer of at least 1"),
    (lambda: MultiheadAttention(6, 2, 1.0), "MultiheadAttention: dropout (=1.0) must be in [0, 1)"),
    (lambda: MultiheadAttention(6, 2, kdim=0), "MultiheadAttention: kdim (=0) must be an integer of at least 1"),
    (lambda: MultiheadAttention(6, 2, vdim=2.5), "MultiheadAttention: vdim (=2.5) must be"),  # type: ignore[arg-type]
    (lambda: MULTIHEAD(Q[0], Q, Q), "MultiheadAttention: key of shape (2, 3, 4) must be (L, 4)"),
    (lambda: MULTIHEAD(Q, Q[0], Q), "MultiheadAttention: key of shape (3, 4) must be (N, L, 4)"),
    (lambda: MultiheadAttention(4, 2, vdim=3)(Q, Q, Q), "value of shape (2, 3, 4) must be (L, N, 3)"),
    (lambda: MultiheadAttention(8, 2)(Q, Q, Q), "MultiheadAttention: query of shape (2, 3, 4) must be (L, N, 8)"),
    (lambda: MULTIHEAD(Q, Q, Q[:, :2]), "MultiheadAttention: key (2, 3, 4) and value (2, 2, 4) must have as many"),
    (lambda: MULTIHEAD(Q[:1], Q, Q), "as many sequences as query (1, 3, 4)"),
    (lambda: MULTIHEAD(Q, Q, Q, torch.ones(3, 3) > 2), "key_padding_mask of shape (3, 3) must be (2, 3)"),
    (lambda: MULTIHEAD(Q, Q, Q, attn_mask=torch.ones(2, 3, 3)), "attn_mask of shape (2, 3, 3) must be (3, 3) or"),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "message"), MISTAKES, ids=[m[:50] for _, m in MISTAKES])
def test_mistake_is_named(mistake: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        mistake()


def test_the_settings_are_shown() -> None:
    shown = [
        repr(layer) for layer in (GELU("tanh"), LayerNorm(4), RMSNorm(4), Flatten(), Unflatten(1, (2, -1)), Identity())
    ]
    assert shown == [
        "GELU(approximate='tanh')",
        "LayerNorm((4,), eps=1e-05)",
        "RMSNorm((4,), eps=None)",
        "Flatten(start_dim=1, end_dim=-1)",
        "Unflatten(dim=1, unflattened_size=(2, -1))",
        "Identity()",
    ]  # fmt: skip
    assert repr(MULTIHEAD).splitlines() == [
        "MultiheadAttention(4, 2, batch_first=True)",
        "  (out_proj): Linear(4, 4, bias=True)",
    ]


def test_identity_is_the_same_array() -> None:
    x: Array = torch.ones(2)
    assert Identity()(x) is x
