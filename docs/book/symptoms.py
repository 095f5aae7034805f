"""Measures what one would see of each mistake of the gallery: `python docs/book/symptoms.py` → docs/data/symptoms.json.

Every measurement is made twice, as it is and with the mistake, and takes seconds; all of them take some two minutes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path

import symptom_numbers as n
import torch
from photomend import layers
from photomend.core import Module, Tensor, getitem, log, matmul
from photomend.layers import Conv2d, Linear, ReLU, Sequential
from photomend.tests.verification.breaks import BREAKS, broken
from symptom_trainings import (
    Perceptron,
    Streams,
    Words,
    around,
    by_taps,
    dense,
    last_loss,
    moved,
    read,
    rows_and_columns,
    slope,
)

RECORDED = Path(__file__).resolve().parents[1] / "data" / "symptoms.json"
#: A measurement: what it is called, and what makes it.
Measured = tuple[str, Callable[[], str]]


def conv(**settings: object) -> Callable[[], Conv2d]:
    return lambda: Conv2d(8, 8, 3, **{"padding": 1, **settings})  # type: ignore[arg-type]


def trained(build: Callable[[], Module], **settings: object) -> tuple[Measured, Measured]:
    """The loss after a training with SGD, and with Adam."""
    return (
        ("loss with SGD", cache(partial(last_loss, build, **settings))),
        ("loss with Adam", cache(partial(last_loss, build, **{**settings, "by": "adam", "lr": 0.01}))),
    )


def uncached(measure: Callable[[], str]) -> Callable[[], str]:
    """A measurement that is made now, whatever was found before."""
    found: Callable[[], str] = getattr(measure, "__wrapped__", measure)
    return found


def with_taps(*middle: Callable[[], Module]) -> tuple[Measured, ...]:
    return tuple((name, cache(partial(by_taps, uncached(measure)))) for name, measure in trained(around(*middle)))


def nll_of_softmax(x: Tensor, target: torch.Tensor) -> Tensor:
    return layers.nll_loss(log(layers.softmax(x, 1)), target)


def one_hot_error(x: Tensor, target: torch.Tensor) -> Tensor:
    return layers.mse_loss(x, torch.eye(10)[target])


PLAIN, NORMED = trained(around()), around(conv(), lambda: layers.BatchNorm2d(8))
RESIDUAL = around(*[lambda: layers.Residual(Sequential(ReLU(), Conv2d(8, 8, 3, padding=1)))] * 2)
GATED = around(conv(), lambda: layers.SqueezeExcitation(8, 2))
SLOPED = dense(layers.PReLU)
GLU = around(lambda: Conv2d(8, 16, 3, padding=1), lambda: layers.GLU(1))
SHUFFLED = around(lambda: Conv2d(8, 16, 3, padding=1), lambda: layers.PixelShuffle(2), channels=4)
SKIPPED = around(lambda: layers.SkipConnection(Conv2d(8, 4, 1)), channels=12)
LOOKED_UP, EMBEDDED = (partial(Words, look_up) for look_up in (getitem, lambda t, i: layers.embedding(i, t)))
TAKEN_APART = ("gradient of a in b = a + a", partial(n.gradient, lambda a: a + a, 1.0))


def read_by(size: int) -> Measured:
    return f"read of new digits, {size} at a time", cache(partial(read, NORMED, size))


SYMPTOMS: dict[str, Iterable[Measured]] = {
    "overwritten-gradient": (TAKEN_APART, *trained(RESIDUAL)),
    "broadcast-not-summed": (("in a training", lambda: n.error(partial(last_loss, GATED, steps=2))),),
    "broadcast-averaged": (("moved by SGD", partial(moved, "sgd")), ("moved by Adam", partial(moved, "adam"))),
    "product-rule-swapped": trained(GATED),
    "quotient-sign": (("a trained temperature", n.temperature),),
    "exponent-constant": (("a trained exponent", n.exponent),),
    "minimum-as-maximum": (("the place nearest to most", n.capped),),
    "mean-without-n": trained(around(lambda: Conv2d(8, 32, 3), ReLU, lambda: layers.GlobalAvgPool2d(), channels=32)),
    "variance-without-2": (("gradient of a variance", n.variance_gradient),),
    "relu-mask": PLAIN,
    "sigmoid-of-x": trained(dense(layers.Sigmoid)),
    "gate-constant": trained(dense(layers.SiLU)),
    "gelu-constant-gate": trained(dense(layers.GELU)),
    "prelu-slope-of-all": (*trained(SLOPED), ("the slope after SGD", cache(partial(slope, SLOPED)))),
    "glu-halves-swapped": trained(GLU),
    "dropout-unscaled": trained(dense(lambda: Sequential(ReLU(), layers.Dropout(0.5)))),
    "stack-reversed": trained(Streams),
    "transpose-once": trained(rows_and_columns),
    "repeated-index": trained(LOOKED_UP),
    "concatenate-swapped": trained(SKIPPED),
    "matmul-untransposed": (
        (
            "2×3 times 3×4",
            lambda: n.error(lambda: n.gradient(lambda x: matmul(x.reshape(2, 3), n.drawn(3, 4)), *6 * [1.0])),
        ),
        *trained(partial(Perceptron, squares=1)),
    ),
    "one-per-mille": PLAIN,
    "view-of-rows": (
        ("a transposed input", lambda: n.error(lambda: Linear(4, 2)(torch.ones(2, 3, 4).transpose(0, 1)))),
    ),
    "softmax-diagonal": (("sum of the gradient", n.row_sum), *trained(around(), loss=nll_of_softmax)),
    "log-softmax-uniform": trained(around(layers.ReLU), loss=lambda x, t: layers.nll_loss(layers.log_softmax(x, 1), t)),
    "softmax-axis": (("sum over the axis", lambda: n.shown(layers.softmax(torch.zeros(2, 3), 0).sum(0))),),
    "cross-entropy-of-log-probabilities": PLAIN,
    "cross-entropy-mean": (("loss of guessing, 3 of 4 points padding", n.padded_loss),),
    "mse-without-mean": trained(around(), loss=one_hot_error),
    "l1-without-sign": (("centre of 100 numbers near 1 and 5 outliers", n.median),),
    "bce-pos-weight": (("chance given to a rare event of weight 9", n.rare),),
    "kernel-flipped": with_taps(conv()),
    "kernel-untransposed": with_taps(conv()),
    "bias-averaged": trained(around(conv())),
    "padding-kept": with_taps(conv(), ReLU, conv()),
    "stride-mixed-up": trained(around(conv(stride=2))),
    "dilation-ignored": with_taps(conv(dilation=2, padding=2)),
    "same-uneven": trained(around(lambda: Conv2d(8, 8, 2, padding="same"))),
    "batch-norm-mean-term": (*trained(NORMED), read_by(450)),
    "batch-norm-variance-term": (*trained(NORMED), read_by(450)),
    "eps-outside-root": (("deviation of a channel that hardly varies", n.norm_of_small_channels),),
    "running-variance-biased": (("running deviation, batches of two", n.two_vectors),),
    "eval-with-batch-statistics": (read_by(450), read_by(2), read_by(1)),
    "scale-from-x": trained(NORMED),
    "group-norm-axes": (("deviation of the smaller group", n.groups_deviation),),
    "layer-norm-over-batch": (("change by another point", n.neighbour),),
    "rms-constant": trained(partial(Perceptron, lambda h: layers.relu(layers.rms_norm(h, normalized_shape=(64,))))),
    "max-pool-to-all": PLAIN,
    "max-pool-overwritten": trained(around(conv(), lambda: layers.MaxPool2d(3, 1, 1))),
    "max-pool-zero-padding": (("largest maximum of numbers below −1", n.border),),
    "avg-pool-undivided": trained(around(conv(), lambda: layers.AvgPool2d(2))),
    "padding-counted": (("mean of ones in a corner", n.corner),),
    "pooling-dilation-ignored": trained(around(conv(), lambda: layers.MaxPool2d(2, 1, 1, dilation=2))),
    "bilinear-weights": (("what the second of four gives back", n.spread),),
    "bilinear-half-pixel": (("moved by enlarging and reducing eight times", n.drift),),
    "nearest-averaged": trained(around(conv(), lambda: layers.UpsampleNearest(2))),
    "nearest-overwritten": trained(around(conv(), lambda: layers.Upsample(scale_factor=1.5))),
    "shuffle-by-reshape": trained(SHUFFLED),
    "embedding-overwritten": trained(EMBEDDED),
    "attention-scale": (("size of the keys' gradient", n.key_gradient),),
    "attention-weights-constant": (("size of the queries' gradient", n.query_gradient),),
    "causal-off-by-one": (("change of the first output by the second word", n.later_word),),
    "mask-widened-in-front": (("change by what stands in the padding", n.attended),),
    "loss-without-area": (("norm of the gradient", n.hole_gradient),),
    "loss-without-sign": (("grey that 10 black pixels and 5 white ones get", n.hole_error),),
}


def measured(name: str) -> list[dict[str, str]]:
    """What was measured for a mistake, as it is and with it."""
    rows = []
    for what, measure in SYMPTOMS[name]:
        right = measure()
        with broken(BREAKS[name]):
            wrong = uncached(measure)()
        rows.append({"what": what, "right": right, "wrong": wrong})
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    names = sys.argv[1:] or list(SYMPTOMS)
    found = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    for name in names:
        found[name] = measured(name)
        for row in found[name]:
            print(f"{name:36} {row['what']:46} {row['right']:>10} {row['wrong']}", flush=True)
        kept = {name: found[name] for name in SYMPTOMS if name in found}
        RECORDED.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
