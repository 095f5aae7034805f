"""What the page on pooling draws: windows that move over a small image, and slopes at a kink."""

from __future__ import annotations

import torch
from IPython.display import HTML
from matplotlib import pyplot as plt
from photomend.core.tape import Array
from pictures import grid, number, side_by_side, stepper


def pool_steps(x: Array, y: Array, ȳ: Array, x̄: Array, window: int) -> tuple[HTML, HTML]:
    """Max pooling with stride 1 over a small image (H, W), forwards and backwards, one output a step.

    Args:
        x, y: the image and what pooling makes of it.
        ȳ, x̄: the cotangent of y, and the gradient that the steps must arrive at.
    """
    outputs = [(r, c) for r in range(y.shape[0]) for c in range(y.shape[1])]
    forward, backward, sum_so_far = [], [], torch.zeros_like(x)
    for step, (r, c) in enumerate(outputs):
        seen = [(r + i, c + j) for i in range(window) for j in range(window)]
        values = [x[at].item() for at in seen]
        winner = seen[values.index(max(values))]
        result = grid("y", y, {"made": {(r, c)}, "later": set(outputs[step + 1 :])})
        largest = f"the largest of {', '.join(map(number, values))} is {number(max(values))}"
        forward.append((side_by_side(grid("x", x, {"seen": seen}), "→", result), f"Row {r}, column {c}: {largest}."))
        given = ȳ[r, c]
        sum_so_far[winner] += given
        marks = {"seen": {winner}}
        backward.append(
            (
                side_by_side(grid("ȳ", ȳ, {"made": {(r, c)}}), "→", grid("x̄ so far", sum_so_far, marks)),
                f"This window's winner was {number(max(values))}, at row {winner[0]}, column {winner[1]}. "
                f"All of ȳ = {number(given.item())} is added there.",
            )
        )
    assert torch.equal(sum_so_far, x̄)
    return stepper("The windows of max pooling", forward), stepper("The way back to the winners", backward)


def slopes_at_zero() -> None:
    """ReLU with the lines through its kink that stay below it, one for each subgradient that is drawn."""
    _, axis = plt.subplots(figsize=(5, 2.6), layout="constrained")
    x = torch.linspace(-1.5, 1.5, 301)
    for slope in (0.0, 0.25, 0.5, 0.75, 1.0):
        label = f"slope {slope:g}" if slope in (0, 0.5, 1) else None
        axis.plot(x, slope * x, color=plt.get_cmap("viridis")(0.85 * slope), linewidth=1, linestyle="--", label=label)
    axis.plot(x, x.clamp_min(0), color="C0", linewidth=2, label="relu(x)")
    axis.set(xlabel="x", ylim=(-0.7, 1.5))
    axis.legend(fontsize=8)
    plt.show()
