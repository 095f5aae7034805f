"""Classic mistakes in the softmax family and in losses. See `mistakes.py`."""

from __future__ import annotations

from photomend.tests.verification.mistake import Break

_SOFTMAX = [
    Break(
        "softmax-diagonal",
        "Softmax's gradient is y (1 − y) ȳ, as if each output depended on its own input only.",
        "photomend.layers.softmax",
        "softmax_cotangent",
        "x̄.addcmul_(y, x̄.sum(dim=dim, keepdim=True), value=-1)",
        "x̄.addcmul_(y, x̄, value=-1)",
        ("softmax", "Softmax"),
    ),
    Break(
        "log-softmax-uniform",
        "The gradient of log-softmax takes the mean of ȳ away, and not its sum times the probabilities.",
        "photomend.layers.softmax",
        "log_softmax_cotangent",
        "probabilities = y.exp()",
        "probabilities = torch.full_like(y, 1 / y.shape[dim])",
        ("log_softmax", "LogSoftmax"),
    ),
    Break(
        "softmax-axis",
        "Softmax sums over the last axis, whichever it is asked for.",
        "photomend.layers.softmax",
        "softmax_along",
        "y.div_(y.sum(dim=dim, keepdim=True))",
        "y.div_(y.sum(dim=-1, keepdim=True))",
        ("softmax", "Softmax"),
    ),
]

_LOSS = [
    Break(
        "cross-entropy-of-log-probabilities",
        "The gradient of cross entropy is −q, as if the logits were log-probabilities already.",
        "photomend.layers.cross_entropy",
        "cross_entropy",
        "p = log_p.exp().mul_(q.sum(dim=axis, keepdim=True) * ℓ̄)",
        "p = torch.zeros_like(log_p)",
        ("cross_entropy", "CrossEntropyLoss"),
    ),
    Break(
        "cross-entropy-mean",
        "The mean of cross entropy divides by the number of all points, ignored ones included.",
        "photomend.layers.cross_entropy",
        "cross_entropy",
        "number = q.sum()\n        if ε > 0",
        "number = input.numel() / classes\n        if ε > 0",
        ("cross_entropy", "CrossEntropyLoss"),
    ),
    Break(
        "mse-without-mean",
        "The gradient of the mean squared error isn't divided by the number of elements.",
        "photomend.layers.loss",
        "reduced",
        "return total / number, lambda ȳ: wide(ȳ) / number",
        "return total / number, wide",
        ("mse_loss", "MSELoss", "L1Loss", "CrossEntropyLoss"),
    ),
    Break(
        "l1-without-sign",
        "The gradient of the absolute error is d, as if it were the squared error.",
        "photomend.layers.loss",
        "l1_loss",
        "lambda: (ℓ̄ * d.sign()).to(dtype)",
        "lambda: (ℓ̄ * d).to(dtype)",
        ("l1_loss", "L1Loss"),
    ),
    Break(
        "bce-pos-weight",
        "The gradient of the binary cross entropy is σ(x) − t, whatever pos_weight is.",
        "photomend.layers.loss",
        "binary_cross_entropy_with_logits",
        "lambda: (ℓ̄ * ((1 - t) - gain * torch.sigmoid(-x))).to(dtype)",
        "lambda: (ℓ̄ * (torch.sigmoid(x) - t)).to(dtype)",
        ("binary_cross_entropy_with_logits", "BCEWithLogitsLoss"),
    ),
]

LOSS_MISTAKES = (*_SOFTMAX, *_LOSS)
