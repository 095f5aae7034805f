"""The cases of what works on sequences: layer norm, embedding, and the attention of transformers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from photomend import core, layers
from photomend.core import Array, Tensor
from photomend.tests.reference import twins
from photomend.tests.reference.loops import norm, sequence
from photomend.tests.verification.case import Case, Draw, Groups, State, layer, normal, op
from torch import nn

_NORM = [
    op(
        f"layer_norm/{setting}",
        layers.layer_norm,
        *draws,
        twin=twins.layer_norm,
        loops=norm.layer_norm,
        linear_in=((1, 2),) if len(draws) == 3 else (),
        normalized_shape=shape,
        **options,  # type: ignore[arg-type]
    )
    for setting, draws, shape, options in (
        ("sequences", (normal(2, 3, 4), normal(4), normal(4)), (4,), {}),
        ("images", (normal(2, 3, 2, 4), normal(3, 2, 4), normal(3, 2, 4)), (3, 2, 4), {}),
        ("a single point", (normal(5), normal(5), normal(5)), (5,), {}),
        ("no shift", (normal(3, 4), normal(4)), (4,), {}),
        ("not affine", (normal(2, 3, 4),), (3, 4), {}),
        ("large eps", (normal(3, 4), normal(4), normal(4)), (4,), {"eps": 0.2}),
    )
]


def _layer_norm(shape: tuple[int, ...], **options: float) -> Callable[[State, np.ndarray], np.ndarray]:
    return lambda s, x: norm.layer_norm(x, s.get("weight"), s.get("bias"), normalized_shape=shape, **options)


_NORM += [
    layer(
        "LayerNorm", (4,), lambda: nn.LayerNorm(4), normal(2, 3, 4), _layer_norm((4,)), linear_in=(("weight", "bias"),)
    ),
    layer(
        "LayerNorm/large eps",
        ((3, 4), 0.2),
        lambda: nn.LayerNorm((3, 4), 0.2),
        normal(2, 3, 4),
        _layer_norm((3, 4), eps=0.2),
        linear_in=(("weight", "bias"),),
    ),
    layer(
        "LayerNorm/not affine",
        ((3, 4),),
        lambda: nn.LayerNorm((3, 4), elementwise_affine=False),
        normal(2, 3, 4),
        _layer_norm((3, 4)),
        elementwise_affine=False,
    ),
    layer(
        "LayerNorm/no shift",
        (4,),
        lambda: nn.LayerNorm(4, bias=False),
        normal(2, 3, 4),
        _layer_norm((4,)),
        linear_in=(("weight",),),
        bias=False,
    ),
]
_NORM += [
    op(
        f"rms_norm/{setting}",
        layers.rms_norm,
        *draws,
        twin=twins.rms_norm,
        loops=norm.rms_norm,
        linear_in=((1,),) if len(draws) == 2 else (),
        normalized_shape=shape,
        **options,  # type: ignore[arg-type]
    )
    for setting, draws, shape, options in (
        ("sequences", (normal(2, 3, 4), normal(4)), (4,), {}),
        ("images", (normal(2, 3, 2, 4), normal(3, 2, 4)), (3, 2, 4), {"eps": 1e-3}),
        ("a single point", (normal(5), normal(5)), (5,), {}),
        ("not affine", (normal(2, 3, 4),), (3, 4), {}),
        ("large eps", (normal(3, 4), normal(4)), (4,), {"eps": 0.2}),
    )
]
_NORM += [
    layer("RMSNorm", (4,), lambda: nn.RMSNorm(4), normal(2, 3, 4),
          lambda s, x: norm.rms_norm(x, s["weight"], normalized_shape=(4,)), linear_in=(("weight",),)),
    layer("RMSNorm/large eps", ((3, 4), 0.2), lambda: nn.RMSNorm((3, 4), 0.2), normal(2, 3, 4),
          lambda s, x: norm.rms_norm(x, s["weight"], normalized_shape=(3, 4), eps=0.2), linear_in=(("weight",),)),
    layer("RMSNorm/not affine", (4,), lambda: nn.RMSNorm(4, elementwise_affine=False), normal(2, 3, 4),
          lambda s, x: norm.rms_norm(x, normalized_shape=(4,)), elementwise_affine=False),
]  # fmt: skip


def embedding(weight: Tensor, *, indices: Array, padding_idx: int | None = None) -> Tensor:
    """The primitive as a function of what is differentiated."""
    return layers.embedding(indices, weight, padding_idx=padding_idx)


def embedding_case(name: str, indices: Array, **options: int) -> Case:
    """Seven words of three numbers each."""
    return op(name, embedding, normal(7, 3), twin=twins.embedding, loops=sequence.embedding,
              linear_in=() if options else ((0,),), indices=indices, **options)  # type: ignore[arg-type]  # fmt: skip


#: A word in several places, the first and the last word, and one that is nowhere.
WORDS = torch.tensor([[0, 2, 2, 6], [5, 2, 3, 1]])


def looking_up(kind: Any, indices: Array, *arguments: Any, **options: Any) -> Callable[[], Any]:
    """Makes an embedding, ours or torch's, that knows its words."""

    class LookingUp(kind):  # type: ignore[misc]
        def forward(self) -> Any:
            return super().forward(indices.to(self.weight.device))

    return lambda: LookingUp(*arguments, **options)


_EMBEDDING = [
    embedding_case("embedding/words", WORDS),
    embedding_case("embedding/one word", torch.tensor(4)),
    embedding_case("embedding/int32", WORDS.to(torch.int32)),
    Case(
        "Embedding",
        looking_up(layers.Embedding, WORDS, 7, 3),
        looking_up(nn.Embedding, WORDS, 7, 3),
        (),
        lambda state: sequence.embedding(state["weight"], WORDS.numpy()),
        linear_in=(("weight",),),
    ),
]

_LOOKS = torch.tensor(
    [[True, False, True, True, False], [False, True, True, False, True], [True, True, False, False, False]]
)
_BLIND = _LOOKS & torch.tensor([[True], [False], [True]])
_QKV = (normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 2))
_ATTENTION = [
    op(
        f"scaled_dot_product_attention/{setting}",
        layers.scaled_dot_product_attention,
        *draws,
        twin=F.scaled_dot_product_attention,
        loops=sequence.scaled_dot_product_attention,
        linear_in=((2,),),
        **options,  # type: ignore[arg-type]
    )
    for setting, draws, options in (
        ("plain", _QKV, {}),
        ("heads", (normal(2, 2, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 3)), {}),
        ("no leading axes", (normal(3, 4), normal(5, 4), normal(5, 2)), {}),
        ("shared keys", (normal(2, 2, 3, 4), normal(2, 1, 5, 4), normal(1, 2, 5, 3)), {}),
        ("causal", _QKV, {"is_causal": True}),
        ("scale", _QKV, {"scale": 0.3}),
        ("bool mask", _QKV, {"attn_mask": _LOOKS}),
        ("a query that may look nowhere", _QKV, {"attn_mask": _BLIND}),
        ("numbers added", (*_QKV, normal(3, 5)), {}),
        ("numbers added for each", (normal(2, 2, 3, 4), *[normal(2, 2, 5, 4)] * 2, normal(2, 1, 3, 5)), {}),
    )
]


def attending(kind: Any, arguments: tuple[Any, ...], options: dict[str, Any], call: dict[str, Any]) -> Any:
    """An attention, ours or torch's, that gives its output and weights as one array; a single input looks at itself."""

    class Attending(kind):  # type: ignore[misc]
        def forward(self, *inputs: Any) -> Any:
            masks = {k: v.to(inputs[0].device) if isinstance(v, Array) else v for k, v in call.items()}
            masks = {k: v.to(inputs[0].dtype) if _is_float(v) else v for k, v in masks.items()}
            output, weights = super().forward(*(inputs * 3 if len(inputs) == 1 else inputs), **masks)
            if weights is None:
                return output
            if isinstance(output, Tensor):
                return core.concatenate(*(core.reshape(part, shape=(-1,)) for part in (output, weights)), dim=0)
            return torch.cat((output.reshape(-1), weights.reshape(-1)))

    return Attending(*arguments, **options)


def _is_float(value: Any) -> bool:
    return isinstance(value, Array) and value.is_floating_point()


def _loops(
    state: State,
    *inputs: np.ndarray,
    heads: int,
    batch_first: bool,
    call: dict[str, Any],
    causal: bool = False,
    add_zero_attn: bool = False,
) -> np.ndarray:
    """The loops' output, and weights if they are wanted, from what the layer is called with."""
    if single := inputs[0].ndim == 2:
        inputs, batch_first = tuple(x[None] for x in inputs), True
    if not batch_first:
        inputs = tuple(np.swapaxes(x, 0, 1) for x in inputs)
    query, key, value = inputs * 3 if len(inputs) == 1 else inputs
    allowed, added = np.array(True), np.array(0.0)
    if (padding := call.get("key_padding_mask")) is not None:
        allowed = allowed & ~np.atleast_2d(padding.numpy())[:, None, None]
    if (mask := call.get("attn_mask")) is not None:
        mask = mask.reshape(-1, heads if mask.ndim == 3 else 1, *mask.shape[-2:]).numpy()
        allowed, added = (allowed & ~mask, added) if mask.dtype == bool else (allowed, mask)
    if causal:
        allowed = allowed & np.tri(query.shape[1], key.shape[1], dtype=bool)
    output, weights = sequence.multihead_attention(state, query, key, value, heads, allowed, added, add_zero_attn)
    if single:
        output, weights = output[0], weights[0]
    output = output if batch_first else np.swapaxes(output, 0, 1)
    if call.get("need_weights") is False:
        return output
    if call.get("average_attn_weights", True):
        weights = weights.mean(-3)
    return np.concatenate((output.reshape(-1), weights.reshape(-1)))


def attention_case(
    name: str,
    draws: tuple[Draw, ...],
    *,
    size: tuple[int, int] = (4, 2),
    linear_in: Groups = (),
    causal: bool = False,
    batch_first: bool = True,
    loops: Callable[..., np.ndarray] = _loops,
    layer: dict[str, Any] | None = None,
    **call: Any,
) -> Case:
    """The case of a layer of `size` (embed_dim, num_heads) and options `layer` that is called with the options `call`.

    torch wants to be told the causal mask too, which ours makes.
    """
    length = draws[0](torch.Generator()).shape[1 if batch_first else 0]
    options = {"batch_first": batch_first} | (layer or {})
    theirs = call | ({"attn_mask": torch.ones(length, length, dtype=torch.bool).triu(1)} if causal else {})
    return Case(
        name,
        lambda: attending(layers.MultiheadAttention, size, options, call | {"is_causal": causal}),
        lambda: attending(nn.MultiheadAttention, size, options, theirs),
        draws,
        partial(
            loops,
            heads=size[1],
            batch_first=batch_first,
            call=call,
            causal=causal,
            **{k: v for k, v in options.items() if k == "add_zero_attn"},
        ),
        linear_in=linear_in,
    )


_OUTPUT: Groups = (("out_proj.weight", "out_proj.bias"),)
_SELF, _CROSS = (normal(2, 3, 4),), (normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 4))
_PADDING = torch.tensor([[False, False, True, False, True], [False, False, False, False, True]])
_MULTIHEAD = [
    attention_case("MultiheadAttention/itself", _SELF),
    attention_case("MultiheadAttention/another sequence", _CROSS),
    attention_case("MultiheadAttention/output only", _CROSS, linear_in=_OUTPUT, need_weights=False),
    attention_case("MultiheadAttention/length first", (normal(3, 2, 4), normal(5, 2, 4), normal(5, 2, 4)),
                   batch_first=False),
    attention_case("MultiheadAttention/length first, output only", (normal(3, 2, 4),), batch_first=False,
                   linear_in=_OUTPUT, need_weights=False),
    attention_case("MultiheadAttention/no bias", _SELF, layer={"bias": False}, need_weights=False, size=(4, 4)),
    attention_case("MultiheadAttention/causal", _SELF, causal=True),
    attention_case("MultiheadAttention/causal, output only", _SELF, causal=True, need_weights=False),
    attention_case("MultiheadAttention/padding", _CROSS, key_padding_mask=_PADDING),
    attention_case("MultiheadAttention/padding and mask", _CROSS, key_padding_mask=_PADDING & ~_LOOKS[0],
                   attn_mask=~_LOOKS[[0, 1, 1]], need_weights=False),
    attention_case("MultiheadAttention/a mask for each head", _CROSS, average_attn_weights=False,
                   attn_mask=torch.linspace(-1, 1, 60, dtype=torch.float64).reshape(4, 3, 5)),
    attention_case("MultiheadAttention/one sequence", (normal(3, 4), normal(5, 4), normal(5, 4)),
                   attn_mask=~_LOOKS, key_padding_mask=_PADDING[1]),
    attention_case("MultiheadAttention/one sequence, each head", (normal(3, 4), normal(5, 4), normal(5, 4)),
                   batch_first=False, average_attn_weights=False, attn_mask=torch.stack((~_LOOKS, ~_LOOKS[[1, 0, 2]]))),
    attention_case("MultiheadAttention/one sequence, output only", (normal(3, 4),), need_weights=False),
    attention_case("MultiheadAttention/keys and values of their own",
                   (normal(2, 3, 4), normal(2, 5, 3), normal(2, 5, 2)), layer={"kdim": 3, "vdim": 2}),
    attention_case("MultiheadAttention/values of their own", (normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 2)),
                   layer={"vdim": 2, "bias": False}, need_weights=False, linear_in=((2,), ("v_proj_weight",))),
    attention_case("MultiheadAttention/one more key", _CROSS, layer={"add_bias_kv": True}, key_padding_mask=_PADDING,
                   linear_in=()),
    attention_case("MultiheadAttention/one more key, causal", _SELF, layer={"add_bias_kv": True}, causal=True,
                   need_weights=False),
    attention_case("MultiheadAttention/a key of 0", (normal(3, 2, 4), normal(5, 2, 4), normal(5, 2, 4)),
                   batch_first=False, layer={"add_zero_attn": True}, attn_mask=~_LOOKS),
    attention_case("MultiheadAttention/both keys, output only", _CROSS, need_weights=False, attn_mask=~_LOOKS,
                   layer={"add_bias_kv": True, "add_zero_attn": True}),
]  # fmt: skip

SEQUENCE_CASES: list[Case] = [*_NORM, *_EMBEDDING, *_ATTENTION, *_MULTIHEAD]
