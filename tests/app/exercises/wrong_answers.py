"""Typical wrong answers: the textbook's with a change, and what must be said of it.

A change is a pair of texts, the first of which stands in the textbook answer; or the whole answer is another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from photomend.app.exercises.catalogue import find


@dataclass(frozen=True)
class Wrong:
    """A wrong answer to an exercise, and the words that must be in what is said of it."""

    exercise: str
    name: str
    changes: tuple[tuple[str, str], ...]
    phrase: str

    @property
    def source(self) -> str:
        source = find(self.exercise).solution
        for before, after in self.changes:
            assert before in source, before
            source = source.replace(before, after)
        return source


def _of(exercise: str, *answers: tuple[Any, Any, str, str]) -> list[Wrong]:
    """(name, before, after, phrase) of one exercise; `before` may be a tuple of changes, and `after` empty."""
    return [
        Wrong(exercise, name, before if isinstance(before, tuple) else ((before, after),), phrase)
        for name, before, after, phrase in answers
    ]


_TWO_SIDED = "(f(x + step) - f(x - step)) / (2 * h)"
_RECURSIVE = """
class Node:
    pass

def backward(end):
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(end)
    end.grad = 1.0
    for node in reversed(order):
        for parent, slope in zip(node.parents, node.slopes):
            parent.grad += node.grad * slope
"""
_BREADTH_FIRST = """
def backward(end):
    end.grad = 1.0
    queue, seen = [end], {end}
    while queue:
        node = queue.pop(0)
        for parent, slope in zip(node.parents, node.slopes):
            parent.grad += node.grad * slope
            if parent not in seen:
                seen.add(parent)
                queue.append(parent)
"""
_DEPTH_FIRST = _BREADTH_FIRST.replace("queue.pop(0)", "queue.pop()")
_EVERY_WAY = """
def backward(end, share=1.0):
    end.grad += share
    for parent, slope in zip(end.parents, end.slopes):
        backward(parent, share * slope)
"""
_REVISITS = """
def backward(end):
    end.grad = 1.0
    stack = [end]
    while stack:
        node = stack.pop()
        for parent, slope in zip(node.parents, node.slopes):
            parent.grad += node.grad * slope
            stack.append(parent)
"""


def _whole(exercise: str, name: str, source: str, phrase: str) -> Wrong:
    return Wrong(exercise, name, ((find(exercise).solution, source),), phrase)


WRONG: list[Wrong] = [
    *_of(
        "central-difference",
        ("one-sided", _TWO_SIDED, "(f(x + step) - f(x)) / h", "one-sided"),
        ("backward", _TWO_SIDED, "(f(x) - f(x - step)) / h", "at x and x − h only"),
        ("h = 1e-12", "h = 5e-6", "h = 1e-12", "rounding is all that is left"),
        ("one-sided, h = 1e-12", ((_TWO_SIDED, "(f(x + step) - f(x)) / h"), ("5e-6", "1e-12")), "", "one-sided"),
        ("h = 0.1", "h = 5e-6", "h = 0.1", "too long a step"),
        ("divided by h", "/ (2 * h)", "/ h", "the two points are 2h apart"),
        ("all entries at once", "step.view(-1)[i] = h", "step += h", "several entries move at once"),
        (
            "entries stay moved",
            ((
                "    for i in range(x.numel()):\n        # A copy moves, so that x itself stays; one entry at a time.\n"
                "        step = torch.zeros_like(x)\n",
                "    step = torch.zeros_like(x)\n    for i in range(x.numel()):\n",
            ),),
            "",
            "x isn't moved back",
        ),
        ("first entry only", "step.view(-1)[i] = h", "step.view(-1)[0] = h", "only entry 0 is moved"),
        ("flat", "return gradient", "return gradient.view(-1)", "one entry for each entry of x"),
        (
            "x changed in place",
            (("f(x + step) - f(x - step)", "f(x.add_(step)) - f(x.sub_(2 * step))"),),
            "",
            "x isn't moved back",
        ),
        (
            "x rounded by moving it back",
            ((_TWO_SIDED, "(f(x.add_(step)) - f(x.sub_(2 * step))) / (2 * h); x.add_(step)"),),
            "",
            "adding h and taking it away again rounds",
        ),
    ),
    _whole("tape-order", "recursion", _RECURSIVE, "recursion: Python's stack ends"),
    _whole("tape-order", "breadth first", _BREADTH_FIRST, "passed on too early"),
    _whole("tape-order", "depth first", _DEPTH_FIRST, "passed on too early"),
    _whole("tape-order", "every way by itself", _EVERY_WAY, "every way through the tape is walked by itself"),
    _whole("tape-order", "visited again", _REVISITS, "counted several times"),
    *_of(
        "tape-order",
        ("gradient overwritten", "parent.grad += node", "parent.grad = node", "overwritten: a node that is used"),
        ("end without gradient", "end.grad = 1.0", "end.grad = 0.0", "the end's own, dc/dc = 1, is missing"),
        ("slopes missing", "node.grad * slope", "node.grad", "the slopes are missing"),
        ("nothing passed on", "ready = [end]", "ready = []", "only the end has a gradient"),
    ),
    *_of(
        "broadcast-add",
        ("not summed", "_sum_to(ȳ, b.shape)", "ȳ", "the sum over the first axis is missing"),
        ("averaged", "gradient.sum(dim=repeated)", "gradient.mean(dim=repeated)", "averaged over the copies"),
        ("only new axes", "repeated = [*range(new), *(new + i for i, size in enumerate(shape) if size == 1)]",
         "repeated = [*range(new)]", "the sum over axis"),
        ("first row only", "b̄ = _sum_to(ȳ, b.shape)", "b̄ = ȳ[0]", "the sum over that axis is missing"),
        ("sign", "b̄ = _sum_to(ȳ, b.shape)", "b̄ = -_sum_to(ȳ, b.shape)", "every entry has the wrong sign"),
    ),
    *_of(
        "multiply-divide",
        ("factors swapped", (("ā = ȳ * b\n", "ā = ȳ * a\n"), ("b̄ = ȳ * a\n", "b̄ = ȳ * b\n")), "",
         "two gradients are returned in the wrong order"),
        ("sign lost", "b̄ = -ȳ * a", "b̄ = ȳ * a", "every entry has the wrong sign"),
        ("square lost", "a / b**2", "a / b", "lacks it in a denominator"),
        ("ȳ forgotten", "ā = ȳ * b\n", "ā = b\n", "ȳ is missing"),
        ("returned the other way round", "return ā, b̄", "return b̄, ā", "two gradients are returned in the wrong order"),
        ("one gradient", "return ā, b̄", "return ā", "1 gradient for 2 arguments"),
        ("only the value", "return y, multiply_pullback", "return y", "return y, pullback"),
        ("nothing returned", "    return y, multiply_pullback", "", "return is missing"),
    ),
    *_of(
        "linear",
        ("untransposed", "x @ w.mT", "x @ w", "row o of w belongs to output o"),
        ("transposed backwards", "x̄ = ȳ @ w", "x̄ = ȳ @ w.mT", "transposed once too often: x̄ is ȳ w"),
        ("w̄ untransposed", "w̄ = ȳ.mT @ x", "w̄ = x.mT @ ȳ", "w̄ is untransposed"),
        ("b̄ not summed", "ȳ.sum(0)", "ȳ", "the sum over the first axis is missing"),
        ("b̄ averaged", "ȳ.sum(0)", "ȳ.mean(0)", "b̄ is averaged"),
        ("bias forgotten", "x @ w.mT + b", "x @ w.mT", "the bias is forgotten"),
    ),
    *_of(
        "relu-gelu",
        ("mask from ȳ", "ȳ * (x > 0)", "ȳ * (ȳ > 0)", "a mask is taken from ȳ"),
        ("mask inverted", "ȳ * (x > 0)", "ȳ * (x < 0)", "the mask is inverted"),
        ("relu's ȳ forgotten", "ȳ * (x > 0)", "(x > 0).double()", "ȳ is missing"),
        ("gate constant", "ȳ * (Φ + x * φ)", "ȳ * Φ", "the gate Φ(x) is treated as a constant"),
        ("gate only", "ȳ * (Φ + x * φ)", "ȳ * x * φ", "the product rule's first term, Φ(x), is missing"),
        ("x missing", "ȳ * (Φ + x * φ)", "ȳ * (Φ + φ)", "the factor x of the second term"),
        ("ȳ forgotten", "ȳ * (Φ + x * φ)", "Φ + x * φ", "ȳ is forgotten"),
        ("density's root", " / math.sqrt(2 * math.pi)", "", "factor 1/√(2π) is missing"),
        ("tanh", "Φ = (1 + torch.erf(x / math.sqrt(2))) / 2",
         "Φ = (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2", "tanh's approximation"),
        ("beyond the kink", "ȳ * (x > 0)", "ȳ * ((x > 0) + 2.0 * (x == 0))", "at the kink"),
    ),
    *_of(
        "softmax",
        ("wrong axis backwards", "(ȳ * y).sum(-1, keepdim=True)", "(ȳ * y).sum(0, keepdim=True)",
         "where the last axis is due"),
        ("diagonal only", "y * (ȳ - (ȳ * y).sum(-1, keepdim=True))", "ȳ * y * (1 - y)", "diagonal only"),
        ("mean for sum", "(ȳ * y).sum(", "(ȳ * y).mean(", "a mean where a sum is due"),
        ("y missing in the sum", "(ȳ * y).sum(", "ȳ.sum(", "y is missing in it"),
        ("sum missing", "y * (ȳ - (ȳ * y).sum(-1, keepdim=True))", "y * ȳ", "sum"),
        ("overflow", "(x - x.amax(-1, keepdim=True)).exp()", "x.exp()", "overflow: e¹⁰⁰⁰"),
        ("wrong axis", "e.sum(-1, keepdim=True)", "e.sum(0, keepdim=True)", "the sum runs over axis 0"),
        ("over everything", "e.sum(-1, keepdim=True)", "e.sum()", "the sum runs over all entries"),
    ),
    *_of(
        "cross-entropy",
        ("1/N missing", " / len(x)", "", "1/N, the mean over the samples, is missing"),
        ("sign", "log_p.exp() - one_hot", "one_hot - log_p.exp()", "the cross-entropy's sign is wrong"),
        ("one-hot forgotten", "(log_p.exp() - one_hot)", "log_p.exp()", "the one-hot labels are forgotten"),
        ("only the labels", "(log_p.exp() - one_hot)", "-one_hot", "softmax(x) is missing"),
        ("sum in the value", "labels].mean()", "labels].sum()", "1/N is missing in the value"),
        ("sign of the value", "y = -log_p", "y = log_p", "the sign is lost in the value"),
        ("overflow", "x - x.amax(1, keepdim=True)", "x", "overflow: e¹⁰⁰⁰"),
        ("log of a softmax", "log_p = shifted - shifted.exp().sum(1, keepdim=True).log()",
         "log_p = (shifted.exp() / shifted.exp().sum(1, keepdim=True)).log()", "overflow: e¹⁰⁰⁰"),
        ("ε in the logarithm", "log_p = shifted - shifted.exp().sum(1, keepdim=True).log()",
         "log_p = (shifted.exp() / shifted.exp().sum(1, keepdim=True) + 1e-30).log()", "ε inside the logarithm"),
        ("labels' gradient left out", "return x̄, None", "return x̄", "1 gradient for 2 arguments"),
    ),
    *_of(
        "layer-norm",
        ("mean term", "g - g.mean(-1, keepdim=True) - ", "g - ", "the mean's term is missing"),
        ("variance term", " - x̂ * (g * x̂).mean(-1, keepdim=True)", "", "the variance's term is missing"),
        ("γ outside", (("g = γ * ȳ", "g = ȳ"), ("x̄ = (", "x̄ = γ * (")), "", "γ is outside"),
        ("γ forgotten", "g = γ * ȳ", "g = ȳ", "γ is forgotten"),
        ("γ forgotten in one term", "x̂ * (g * x̂)", "x̂ * (ȳ * x̂)", "γ is forgotten in the variance's term"),
        ("γ forgotten in the mean", "g - g.mean(", "g - ȳ.mean(", "γ is forgotten in the mean's term"),
        ("n − 1", "(centred**2).mean(-1, keepdim=True)", "x.var(-1, keepdim=True)", "divided by n − 1"),
        ("ε outside", "((centred**2).mean(-1, keepdim=True) + eps).sqrt()",
         "(centred**2).mean(-1, keepdim=True).sqrt() + eps", "ε stands outside the root"),
        ("ε missing", " + eps", "", "ε is missing"),
        ("1/σ missing", "keepdim=True)) / σ\n        # γ was", "keepdim=True))\n        # γ was", "1/σ is missing"),
        ("γ̄ with x", "(ȳ * x̂).sum(0)", "(ȳ * x).sum(0)", "x is taken for x̂"),
        ("β̄ not summed", "β̄ = ȳ.sum(0)", "β̄ = ȳ", "the sum over the first axis is missing"),
        ("wrong axis", "-1, keepdim", "0, keepdim", "the wrong axis"),
        ("root missing", "+ eps).sqrt()", "+ eps)", "the root is missing"),
    ),
    *_of(
        "conv-pool",
        ("flipped", "padded), w[:, :, k, m])", "padded), w.flip(2, 3)[:, :, k, m])",
         "the kernel is flipped: the first tap"),
        ("flipped backwards", "ȳ, w[:, :, k, m])", "ȳ, w.flip(2, 3)[:, :, k, m])",
         "the kernel is flipped in the pullback"),
        ("padding kept", "x̃[:, :, padding : padding + height, padding : padding + width]", "x̃[:, :, :height, :width]",
         "the padding is kept"),
        ("padding not cut", "x̃[:, :, padding : padding + height, padding : padding + width]", "x̃", "of shape"),
        ("stride ignored", "k : k + stride * (rows - 1) + 1 : stride, m : m + stride * (columns - 1) + 1 : stride",
         "k : k + rows, m : m + columns", "the stride is ignored"),
        ("overlap overwritten", "seen_by(k, m, x̃)[...] +=", "seen_by(k, m, x̃)[...] =", "overwrites the others"),
        ("padding ignored", " : padding + width] = x\n", " : padding + width] = 0\n", "x isn't there"),
        ("every pixel", "torch.zeros_like(squares).scatter_(-1, chosen[..., None], ȳ[..., None])",
         "ȳ[..., None].expand(squares.shape)", "only the largest had a say"),
        ("shared out", "torch.zeros_like(squares).scatter_(-1, chosen[..., None], ȳ[..., None])",
         "ȳ[..., None].expand(squares.shape) / size**2", "shared out evenly"),
    ),
    *_of(
        "attention-residual",
        ("gate constant", (
            (" + (to_mean @ w1)[:, :, None, None] / (height * width)", ""),
            ("        x̄.view(n, c, -1).scatter_add_(2, place[..., None], (to_largest @ w1)[..., None])\n", ""),
         ), "", "the gate's path is missing"),
        ("network counted once", " + to_largest.mT @ largest", "", "the shared network is counted once"),
        ("network counted once, w2", "(hidden_mean + hidden_largest)\n        hidden", "hidden_largest\n        hidden",
         "the shared network is counted once"),
        ("direct path missing", "x̄ = ȳ * gate[:, :, None, None] + (to", "x̄ = 0 * x + (to",
         "the direct path is missing"),
        ("sigmoid's slope", "gate_bar * gate * (1 - gate)", "gate_bar", "gate (1 − gate) is missing"),
        ("mean's share", " / (height * width)", "", "1/(H W) is missing"),
        ("skip lost", "y = x + before.clamp(min=0)", "y = before.clamp(min=0)", "the skip is lost"),
        ("skip lost backwards", "x̄ = ȳ + block @ w", "x̄ = block @ w", "the skip is lost"),
        ("skip only", "x̄ = ȳ + block @ w", "x̄ = ȳ.clone()", "the block's path is missing"),
    ),
    *_of(
        "adam-loop",
        ("no bias correction", ((" / (1 - β1**self.t)", ""), (" / (1 - β2**self.t)", "")), "", "no bias correction: m"),
        ("v uncorrected", " / (1 - β2**self.t)", "", "no bias correction of v"),
        ("m uncorrected", " / (1 - β1**self.t)", "", "no bias correction of m"),
        ("uphill", "p.data -= ", "p.data += ", "the step goes uphill"),
        ("ε inside", "v_hat.sqrt() + self.eps", "(v_hat + self.eps).sqrt()", "ε stands inside the root"),
        ("no root", "v_hat.sqrt()", "v_hat", "the root of v̂ is missing"),
        ("no zero_grad", "        optimizer.zero_grad()\n", "", "no zero_grad"),
        ("zero_grad once", (
            ("        optimizer.zero_grad()\n", ""),
            ("    for images, labels in batches", "    optimizer.zero_grad()\n    for images, labels in batches"),
         ), "", "zero_grad comes too late or too seldom"),
        ("zero_grad before the step", (
            ("        optimizer.zero_grad()\n", ""),
            ("        optimizer.step()", "        optimizer.zero_grad()\n        optimizer.step()"),
         ), "", "no gradient arrives"),
        ("one step", "        optimizer.step()", "    optimizer.step()", "step stands inside the loop"),
        ("evaluation mode forgotten", "    model.eval()\n", "", "evaluation mode forgotten"),
        ("training mode forgotten", "    model.train()\n", "", "training mode forgotten"),
        ("a number, not a share", ".double().mean().item()", ".sum().item()", "not their share"),
        ("weights not moved", "p.data -= self.lr", "_ = self.lr", "the weight doesn't move"),
    ),
]  # fmt: skip
