"""The exercises in course order. Imports nothing that takes time."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        name: as on the command line.
        functions: what the learner writes, in the order in which it is checked.
        about: a line for the list.
    """

    name: str
    functions: tuple[str, ...]
    about: str

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def solution(self) -> str:
        """The textbook answer, as source."""
        return (files(f"{__package__}.solutions") / f"{self.module}.py").read_text(encoding="utf-8")


EXERCISES = (
    Exercise("central-difference", ("numeric_gradient",), "measure a gradient, right to 8 digits"),
    Exercise("tape-order", ("backward",), "walk the tape: every node once, its gradients summed"),
    Exercise("broadcast-add", ("add",), "the first rule: a value and its pullback"),
    Exercise("multiply-divide", ("multiply", "divide"), "products and quotients"),
    Exercise("linear", ("linear",), "x wᵀ + b and its three gradients"),
    Exercise("relu-gelu", ("relu", "gelu"), "activations, with a kink and without"),
    Exercise("softmax", ("softmax",), "every output depends on every input"),
    Exercise("cross-entropy", ("cross_entropy",), "a classifier's loss, safe at logits of 1000"),
    Exercise("layer-norm", ("layer_norm",), "three ways from x to x̂"),
    Exercise("conv-pool", ("conv2d", "max_pool2d"), "slices forwards, the same slices backwards"),
    Exercise(
        "attention-residual", ("channel_attention", "residual"), "two paths to x, and what is shared counts twice"
    ),
    Exercise("adam-loop", ("Adam", "train", "accuracy"), "an optimizer and a loop that learn to read digits"),
)


def find(name: str) -> Exercise:
    """The exercise of that name, or of that number in the list.

    Raises:
        ValueError: there is none; the message names the nearest.

    >>> find("softmax").functions, find("4").name
    (('softmax',), 'multiply-divide')
    """
    names = [exercise.name for exercise in EXERCISES]
    wanted = name.strip().lower().replace("_", "-")
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return EXERCISES[int(wanted) - 1]
    if wanted in names:
        return EXERCISES[names.index(wanted)]
    near = get_close_matches(wanted, names, n=1)
    advice = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
    raise ValueError(f"no exercise {name!r}; {advice}")


def after(exercise: Exercise) -> Exercise | None:
    """The next exercise of the course, if there is one."""
    place = EXERCISES.index(exercise) + 1
    return EXERCISES[place] if place < len(EXERCISES) else None
