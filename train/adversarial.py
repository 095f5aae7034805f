"""Two networks that train against each other: the generator fills holes, the discriminator looks for filled ones.

Each step both learn from the same crops. First the discriminator: true photos on one side, the same photos with their
holes filled on the other, and only patches inside the hole count, real there or fake here. (Outside the two are equal,
and nothing can be learned from them.) Then the generator: the mean absolute error in the hole, and −λ times the mean
score that the discriminator, which stands still now, gives the filled patches.

λ begins low, while the discriminator still knows nothing, and rises; a controller lowers it where texture would cost
too much error. The discriminator's learning rate is four times the generator's, Adam goes without momentum, and the
generator's weights are averaged.

Sources: Goodfellow et al., *Generative adversarial nets* (2014); Yu et al., *Free-form image inpainting with gated
convolution* (2019); Lim & Ye, *Geometric GAN* (2017), the hinge; Miyato et al., *Spectral normalization* (2018); Heusel
et al., *GANs trained by a two time-scale update rule* (2017); Yazıcı et al., *The unusual effectiveness of averaging in
GAN training* (2019).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..core import Array, Parameter, PhotomendError, Tensor, clamp, where
from ..models.discriminator import PatchDiscriminator, hole_patches
from .clip import grad_norm
from .config import RunConfig
from .evaluation.metrics import PEAK
from .losses import hinge_loss, hole_loss, patch_mean
from .optimizers import Adam, Optimizer
from .trainer import BaseTrainer

#: What share of the tolerance λ aims at, and beyond which weights are no longer kept: other photos than those that are
#: validated on must stay within the tolerance, too.
AIM, MOST_KEPT = 0.8, 0.9
#: Grey levels: a hole MAE that begins below this one counts as this one. Photos of one colour begin at 0.
LEAST_MAE = 0.5


@dataclass(frozen=True)
class AdversarialConfig(RunConfig):
    """The settings of a run against a discriminator.

    Attributes:
        discriminator_lr: the discriminator's learning rate.
        first_weight, last_weight: λ at the beginning, and after the share `ramp` of the run.
        tolerance: how much the hole MAE may rise, as a share of what it began with; beyond it the run stops.
    """

    model: str = "gan"
    lr: float = 1e-4
    ema: float = 0.99
    discriminator_lr: float = 4e-4
    first_weight: float = 0.01
    last_weight: float = 0.1
    ramp: float = 0.5
    tolerance: float = 0.15
    epoch_steps: int = 150

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model != AdversarialConfig.model:
            raise PhotomendError(f"training: model {self.model!r} can't train against a discriminator, only 'gan' can")
        if not self.start:
            raise PhotomendError("training: gan goes on from a trained attention model; say which one: --from RUN")
        self.require_above_zero("discriminator_lr", "tolerance")
        self.require_at_least_zero("first_weight", "last_weight")
        self.require_at_most(ramp=1)

    def make_optimizer(self, parameters: list[Parameter]) -> Optimizer:
        return Adam(parameters, self.lr, betas=(0.0, 0.9))

    def make_schedule(self) -> Callable[[float], float]:
        return lambda progress: self.lr * self.rate(progress)

    def rate(self, progress: float) -> float:
        """Both networks' learning rates as a share of the full ones: 1 for the first half of the run, then falling
        straight to 0, so that the two come to rest together."""
        return min(1.0, 2 * (1 - progress))

    def weight(self, progress: float) -> float:
        """λ when this share of the run is done: a straight rise over the first `ramp` of it."""
        risen = min(1.0, progress / self.ramp) if self.ramp else 1.0
        return self.first_weight + (self.last_weight - self.first_weight) * risen


class AdversarialTrainer(BaseTrainer[AdversarialConfig]):
    """A generator in training, and the discriminator beside it.

    Attributes:
        start_mae: the hole MAE of the weights it began with; None before they are validated.
        rise: of the hole MAE since then, as a share of it.
        restraint: λ is the ramp's times this, from 0 to 1.
        distance: of the kept weights' sharpness from the truth's, which is 1.
        stopped: the hole MAE has risen too far, and the run is over.
    """

    def __init__(self, config: AdversarialConfig, device: torch.device | str = "cpu") -> None:
        super().__init__(config, device)
        self.discriminator = PatchDiscriminator().to(self.device)
        self.discriminator_optimizer = Adam(self.discriminator.parameters(), config.discriminator_lr, betas=(0.0, 0.9))
        self.start_mae: float | None = None
        self.rise = 0.0
        self.restraint = 1.0
        self.distance = math.inf
        self.stopped = False

    @property
    def progress(self) -> float:
        return 1.0 if self.stopped else super().progress

    @property
    def ending(self) -> str:
        if not self.stopped:
            return super().ending
        return (
            f"this run stopped at step {self.steps}: its hole MAE is more than {100 * self.config.tolerance:g} % above "
            f"the {self.start_mae:.2f} that it began with; a lower last_weight or lr may help"
        )

    @property
    def weight(self) -> float:
        """λ now: the ramp's, as far as the error allows."""
        return self.config.weight(self.progress) * self.restraint

    def step(self, photo: Array, mask: Array) -> tuple[float, float]:
        """One step of both networks on crops (N, 3, S, S) with holes (N, 1, S, S).

        The two gradients of the generator's loss meet at its output, so that one can be held against the other:
        `observed` has the ratio of their norms, λ included.

        Returns the generator's loss and its gradients' norm.

        Raises:
            PhotomendError: a loss or a gradient is no longer a number; the generator has not been changed.
        """
        self.optimizer.zero_grad()
        prediction = self.network(photo * (1 - mask), mask)
        filled = torch.where(mask > 0.5, prediction.data.clamp(0, 1), photo)  # in use answers are clamped, too
        patches = hole_patches(mask)
        critique = self._step_discriminator(photo, filled, mask, patches)
        error, from_error = self._error(prediction.data, photo, mask)
        score, from_score = self._score(prediction.data, photo, mask, patches)
        weight = self.weight
        prediction.backward(from_error - weight * from_score)
        norm = grad_norm(self.parameters)
        loss = error - weight * score
        self._require_finite(loss + norm)
        self.observed = critique | {
            "adversarial_weight": weight,
            "gradient_ratio": weight * (from_score.norm() / from_error.norm()).item(),
            "hole_mae": PEAK * error,
        }
        self.advance(loss)
        return loss, norm

    def _step_discriminator(self, photo: Array, filled: Array, mask: Array, patches: Array) -> dict[str, float]:
        """Let the discriminator learn from true and filled photos; the generator is out of its reach, for `filled` is a
        plain array. Returns the mean scores of the hole's patches, and the loss."""
        self.discriminator.train().freeze(False)
        self.discriminator_optimizer.zero_grad()
        scores = self.discriminator(torch.cat((photo, filled)), torch.cat((mask, mask)))
        real, fake = scores[: len(photo)], scores[len(photo) :]
        loss = hinge_loss(real, patches, sign=1) + hinge_loss(fake, patches, sign=-1)
        loss.backward()
        self._require_finite(loss.item() + grad_norm(self.discriminator_optimizer.parameters))
        self.discriminator_optimizer.lr = self.config.discriminator_lr * self.config.rate(self.progress)
        self.discriminator_optimizer.step()
        means = (patch_mean(of.data, patches).item() for of in (real, fake))
        return {**dict(zip(("d_real", "d_fake"), means, strict=True)), "d_loss": loss.item()}

    def _error(self, prediction: Array, photo: Array, mask: Array) -> tuple[float, Array]:
        """The mean absolute error in the hole, and its gradient by the prediction."""
        output = Tensor(prediction)
        error = hole_loss(output, photo, mask, mse_weight=0.0, mae_weight=1.0)
        error.backward()
        return error.item(), _gradient(output)

    def _score(self, prediction: Array, photo: Array, mask: Array, patches: Array) -> tuple[float, Array]:
        """The mean score of the hole's patches, and its gradient by the prediction: none where that is no colour.

        The discriminator stands still: its weights are frozen, and in evaluation its power iteration rests.
        """
        self.discriminator.eval().freeze()
        output = Tensor(prediction)
        filled = where(mask > 0.5, clamp(output, low=0.0, high=1.0), photo)
        score = patch_mean(self.discriminator(filled, mask), patches)
        score.backward()
        return score.item(), _gradient(output)

    def _require_finite(self, value: float) -> None:
        if not math.isfinite(value):
            raise PhotomendError(
                f"training: at step {self.steps} a loss or a gradient is no longer a number; a lower lr may help"
            )

    def judge(self, metrics: dict[str, float] | None) -> bool:
        """Whether the averaged weights are worth keeping: the sharpest so far whose error has not risen too far. The
        run goes on while the hole MAE is near what it was at the start, or below LEAST_MAE; one that is no number is
        near nothing.

        How far the error rises is nearly in proportion to λ, and comes about within a validation's time. So λ is
        multiplied by e to the power of what is missing to AIM: the run settles at what texture may cost.
        """
        if metrics is None:
            return True
        if self.start_mae is None:
            self.start_mae = metrics["hole_mae"]
        self.rise = metrics["hole_mae"] / max(self.start_mae, LEAST_MAE) - 1
        used = self.rise / self.config.tolerance
        self.stopped = not used <= 1
        if self.stopped:
            return False
        self.restraint = min(1.0, self.restraint * math.exp(min(1.0, AIM - used)))
        distance = abs(1 - metrics["sharpness"])
        distance = math.inf if math.isnan(distance) else distance  # of photos of one colour
        if used > MOST_KEPT or distance > self.distance:
            return False
        self.distance = distance
        return True

    def state(self) -> dict[str, Any]:
        return super().state() | {
            "discriminator": self.discriminator.state_dict(),
            "discriminator_optimizer": self.discriminator_optimizer.state_dict(),
            "judged": {name: getattr(self, name) for name in _JUDGED},
        }

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.discriminator.load_state_dict(state["discriminator"])
        self.discriminator_optimizer.load_state_dict(state["discriminator_optimizer"])
        for name in _JUDGED:
            setattr(self, name, state["judged"][name])


_JUDGED = ("start_mae", "rise", "restraint", "distance", "stopped")


def _gradient(leaf: Tensor) -> Array:
    assert leaf.grad is not None
    return leaf.grad
