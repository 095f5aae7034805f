"""What a batch norm gets and gives while a small network learns: histograms to step through, of a real training run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import torch
from IPython.display import HTML
from photomend.core import Array, Module, no_grad
from photomend.layers import BatchNorm1d, CrossEntropyLoss, Linear, ReLU, Sequential
from photomend.train.optimizers import SGD
from pictures import number, stepper
from sklearn.datasets import load_digits

#: After how many steps of the training there is a frame.
SHOWN = (0, 1, 3, 10, 30, 100, 300)
BATCH, BARS = 128, 48
#: A histogram's size in its own units, and the room below it for the numbers along its axis.
WIDTH, HEIGHT, BELOW = 320.0, 120.0, 22.0


@dataclass(frozen=True)
class Moment:
    """One channel of a batch norm after some steps: what it gets for all images, what it gives, and its γ and β."""

    step: int
    before: Array
    after: Array
    scale: float
    shift: float
    accuracy: float


def norm_steps(channel: int) -> HTML:
    """A batch norm's histograms before and after, for one of its 32 channels, while a network learns to read digits."""
    moments = train(channel)
    every = torch.cat([torch.cat((m.before, m.after)) for m in moments])
    low, high = every.min().floor().item(), every.max().ceil().item()
    frames = []
    for moment in moments:
        μ, σ = moment.before.mean().item(), moment.before.std(correction=0).item()
        pictures = (
            histogram("before", moment.before, low, high, "before"),
            histogram("after", moment.after, low, high, "after"),
        )
        steps = (
            "Before the first step" if moment.step == 0 else f"After {moment.step} step{'s' if moment.step > 1 else ''}"
        )
        frames.append(
            (
                f'<div class="histograms">{"".join(pictures)}</div>',
                f"{steps} ({moment.accuracy:.0%} of the digits are read). Before the norm: μ = {number(round(μ, 2))}, "
                f"σ = {number(round(σ, 2))}. After it the mean is β = {number(round(moment.shift, 2))} and the "
                f"deviation γ = {number(round(moment.scale, 2))}.",
            )
        )
    return stepper("A batch norm's numbers before and after, while a network learns", frames)


def train(channel: int) -> list[Moment]:
    """Train a network of two hidden layers, a batch norm before the second ReLU, and look at it on the way."""
    torch.manual_seed(0)
    digits = load_digits()
    images, labels = torch.from_numpy(digits.data).float() / 16, torch.from_numpy(digits.target).long()
    first = Sequential(Linear(64, 32), ReLU(), Linear(32, 32))
    norm, last = BatchNorm1d(32), Sequential(ReLU(), Linear(32, 10))
    network = Sequential(first, norm, last)
    optimizer, loss_of = SGD(network.parameters(), lr=0.5), CrossEntropyLoss()
    moments = []
    for step in range(SHOWN[-1] + 1):
        if step in SHOWN:
            moments.append(_look(step, first, norm, last, images, labels, channel))
        batch = torch.randint(len(images), (BATCH,))
        loss = loss_of(network(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return moments


def _look(
    step: int, first: Module, norm: BatchNorm1d, last: Module, images: Array, labels: Array, channel: int
) -> Moment:
    """All images at once through the network; the running statistics stay as they are."""
    assert norm.weight is not None
    assert norm.bias is not None
    kept = {name: values.clone() for name, values in norm.state_dict().items()}
    with no_grad():
        before = first(images)
        after = norm(before)
        right = (last(after).data.argmax(dim=1) == labels).float().mean().item()
    norm.load_state_dict(kept)
    scale, shift = (p.data[channel].item() for p in (norm.weight, norm.bias))
    return Moment(step, before.data[:, channel], after.data[:, channel], scale, shift, right)


def histogram(title: str, values: Array, low: float, high: float, kind: str) -> str:
    """How many of the values lie in each of BARS equal parts from low to high, as an SVG picture; μ is dashed."""
    counts = torch.histc(values, BARS, low, high)
    across, tallest = WIDTH / BARS, counts.max().item()
    bars = "".join(
        f'<rect x="{i * across:.4g}" y="{HEIGHT * (1 - count / tallest):.4g}" width="{across:.4g}" '
        f'height="{HEIGHT * count / tallest:.4g}"/>'
        for i, count in enumerate(counts.tolist())
        if count
    )
    place = WIDTH / (high - low)
    middle = (values.mean().item() - low) * place
    ticks = "".join(
        f'<text x="{(tick - low) * place:.4g}" y="{HEIGHT + 16:g}">{number(tick)}</text>' for tick in _ticks(low, high)
    )
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg class="histogram {kind}" role="img" '
        f'aria-label="histogram {escape(title)}" viewBox="-10 0 {WIDTH + 20:g} {HEIGHT + BELOW:g}">{bars}'
        f'<path class="axis" d="M0,{HEIGHT:g} H{WIDTH:g}"/><path class="mean" d="M{middle:.4g},0 V{HEIGHT:g}"/>'
        f"{ticks}</svg></figure>"
    )


def _ticks(low: float, high: float) -> Sequence[float]:
    """Whole numbers from low to high, about six of them."""
    step = next(s for s in (1, 2, 5, 10, 20, 50) if (high - low) / s <= 7)
    return [float(t) for t in range(int(low), int(high) + 1) if t % step == 0]
