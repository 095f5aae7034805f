"""Classic mistakes in what works on sequences, and in GELU. See `mistakes.py`."""

from __future__ import annotations

from photomend.tests.verification.mistake import Break

SEQUENCE_MISTAKES = (
    Break(
        "gelu-constant-gate",
        "GELU's gate Φ(x) is differentiated as if it were a constant.",
        "photomend.layers.activation",
        "gelu",
        "zφ.add_(Φ).mul_(ȳ)",
        "(Φ * ȳ)",
        ("gelu", "GELU"),
    ),
    Break(
        "layer-norm-over-batch",
        "Layer norm takes its statistics over the points and not over each point's features.",
        "photomend.layers.layer_norm",
        "layer_norm",
        "lambda own: own",
        "lambda own: own.mean(dim=0, keepdim=True)",
        ("layer_norm", "LayerNorm"),
    ),
    Break(
        "rms-constant",
        "RMS norm divides by the root mean square as if it were a constant.",
        "photomend.layers.layer_norm",
        "rms_norm",
        "(r * (x̂̄ - x̂ * (x̂ * x̂̄).mean(dim=dims, keepdim=True)))",
        "(r * x̂̄)",
        ("rms_norm", "RMSNorm"),
    ),
    Break(
        "embedding-overwritten",
        "A word that stands in several places receives the gradient of one of them only.",
        "photomend.layers.embedding",
        "embedding",
        "W̄.index_add_(0, places, wide(ȳ).reshape(-1, weight.shape[1]))",
        "W̄[places] = wide(ȳ).reshape(-1, weight.shape[1])",
        ("embedding", "Embedding"),
    ),
    Break(
        "attention-scale",
        "The gradient of the keys forgets the factor 1 / √E.",
        "photomend.layers.dot_product_attention",
        "scaled_dot_product_attention",
        "s * (Z̄.mT @ query)",
        "Z̄.mT @ query",
        ("scaled_dot_product_attention", "MultiheadAttention"),
    ),
    Break(
        "attention-weights-constant",
        "The weights of the attention are differentiated as if they were constants, and so queries receive nothing.",
        "photomend.layers.dot_product_attention",
        "scaled_dot_product_attention",
        "softmax_cotangent(wide(Ȳ @ value.mT), wide(weights), -1).to(query.dtype)",
        "torch.zeros_like(weights)",
        ("scaled_dot_product_attention", "MultiheadAttention"),
    ),
    Break(
        "causal-off-by-one",
        "Under the causal mask a query may look at the next key too.",
        "photomend.layers.dot_product_attention",
        "later",
        ".triu(1)",
        ".triu(2)",
        ("scaled_dot_product_attention", "MultiheadAttention"),
    ),
    Break(
        "mask-widened-in-front",
        "The mask is widened in front for the keys that the layer adds at the end, and so forbids the wrong ones.",
        "photomend.layers.multihead_attention",
        "MultiheadAttention.forward",
        "pad=(0, k.shape[2] - mask.shape[-1])",
        "pad=(k.shape[2] - mask.shape[-1], 0)",
        ("MultiheadAttention",),
    ),
)
