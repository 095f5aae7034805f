"""What the numbers of the table mean, and how reliable they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...train.evaluation.bootstrap import MIN_PHOTOS
from ...train.evaluation.summary import Summary
from ..tables import COLUMNS

#: From so many photos on, intervals hold about what they promise (see train/evaluation/bootstrap.py).
ENOUGH = 100


class Meaning(NamedTuple):
    """A metric in words, and which way is better: "lower", "higher", or "" for neither."""

    words: str
    better: str


MEANINGS = {
    "mse": Meaning(
        "Mean squared error: how far a pixel is from the original, squared, on average over the whole photo. One large "
        "mistake weighs more than many small ones.",
        "lower",
    ),
    "mae": Meaning(
        "Mean absolute error: how many grey levels a pixel is off, on average over the whole photo.", "lower"
    ),
    "hole_mse": Meaning("The mean squared error over the missing pixels only.", "lower"),
    "hole_mae": Meaning("The mean absolute error over the missing pixels only: grey levels.", "lower"),
    "hole_psnr": Meaning(
        "Peak signal-to-noise ratio in the hole, in decibels: 3 more is half the squared error.", "higher"
    ),
    "ssim": Meaning(
        "Structural similarity over the whole photo: how alike brightness, contrast and pattern are; 1 is the same.",
        "higher",
    ),
    "sharpness": Meaning(
        "How much neighbouring pixels differ in the hole, relative to the original: about 1 is as sharp, less is "
        "blurred. Seams and noise raise it too, so more need not be better and no best is marked.",
        "",
    ),
    "texture": Meaning(
        "How far small patches of the hole are from the original's, wherever in it they lie: 0 is the same texture, 1 "
        "none at all, and a foreign one may exceed that. It is no error: grain in the wrong place counts as right.",
        "lower",
    ),
    "mse_to_harmonic": Meaning(
        "The MSE divided by that of the harmonic fill, a smooth fill that learns nothing: below 1 beats it.", "lower"
    ),
    "mse_to_best_other": Meaning(
        "The MSE divided by that of the model with the lowest MSE among the others: below 1 beats all of them.", "lower"
    ),
}


def meanings(summaries: Sequence[Summary]) -> dict[str, Meaning]:
    """The meaning of each metric that these have; the best other model is named."""
    found = {metric: MEANINGS[metric] for metric in COLUMNS if metric in summaries[0].metrics}
    if "mse_to_best_other" in found:
        best, second, *_ = sorted(summaries, key=lambda summary: summary.metrics["mse"].value)
        own = found["mse_to_best_other"]
        who = f"Over all photos that is {best.model}, and for {best.model} itself {second.model}."
        found["mse_to_best_other"] = own._replace(words=f"{own.words} {who}")
    return found


def reliability(photos: int) -> str:
    """How far so many photos can tell two models apart."""
    if photos < MIN_PHOTOS:
        return (
            f"{photos} photo{'s are' if photos > 1 else ' is'} too few for intervals: a difference between two models "
            "may be an accident of these photos."
        )
    if photos < ENOUGH:
        return (
            "Each value stands over its 95 % bootstrap interval by photo. For so few photos it is too narrow: of 100 "
            "such intervals of skewed errors about 80 to 90 hold the true value. A ratio whose interval is below 1 "
            "makes a gain likely on photos like these, not certain."
        )
    return (
        "Each value stands over its 95 % bootstrap interval by photo; of 100 such intervals of skewed errors 91 to 95 "
        "hold the true value. A ratio whose interval is below 1 is rarely an accident of these photos; it says nothing "
        f"about photos of another kind. Groups of fewer than {ENOUGH} photos have intervals that are too narrow."
    )
