"""Two networks that train against each other: the generator fills holes, the discriminator looks for filled ones.

Each step both learn from the same crops. First the discriminator: true photos on one side, the same photos with their
holes filled on the other, and only patches inside the hole count, real there or fake here. (Outside the two are equal,
and nothing can be learned from them.) Then the generator: the mean absolute error in the hole, and −λ times the mean
score that the discriminator, which stands still now, gives the filled patches.

λ begins low, while the discriminator still knows nothing, and rises; a controller lowers it where texture would cost
too much error. Adam goes without momentum, the discriminator learns faster, the generator's weights are averaged.

Sources: Goodfellow et al., *Generative adversarial nets* (2014); Yu et al., *Free-form image inpainting with gated
convolution* (2019); Lim & Ye, *Geometric GAN* (2017), the hinge; Miyato et al., *Spectral normalization* (2018); Heusel
et al., *GANs trained by a two time-scale update rule* (2017); Yazıcı et al., *The unusual effectiveness of averaging in
GAN training* (2019).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from ..core import Array, Tensor, clamp, where
from ..models.discriminator import PatchDiscriminator, hole_patches
from .averaging import averaging
from .config import AdversarialConfig
from .distributed import mean_loss, means, norm
from .evaluation.metrics import PEAK
from .losses import hinge_loss, hole_loss, patch_mean, value_and_gradient
from .optimizers import Adam, grad_norm
from .progress import Counters
from .trainer import PhotoTrainer

#: What share of the tolerance λ aims at, and beyond which weights are no longer kept: a margin for other photos.
AIM, MOST_KEPT = 0.8, 0.9
#: Grey levels: a hole MAE that begins below this one counts as this one. Photos of one colour begin at 0.
LEAST_MAE = 0.5


@dataclass
class Balance(Counters):
    """Where a run stands between error and texture.

    Attributes:
        initial_mae: the hole MAE of the weights it began with; None before they are validated.
        rise: of the hole MAE since then, as a share of it.
        restraint: λ is the ramp's times this, from 0 to 1.
        distance: of the kept weights' sharpness from the truth's, which is 1.
        stopped: the hole MAE has risen too far, and the run is over.
    """

    initial_mae: float | None = None
    rise: float = 0.0
    restraint: float = 1.0
    distance: float = math.inf
    stopped: bool = False


class AdversarialTrainer(PhotoTrainer[AdversarialConfig]):
    """A generator in training, and the discriminator beside it."""

    def __init__(self, config: AdversarialConfig, device: torch.device | str = "cpu") -> None:
        super().__init__(config, device)
        self.discriminator = PatchDiscriminator().to(self.device)
        self.discriminator_optimizer = Adam(self.discriminator.parameters(), config.discriminator_lr, betas=(0.0, 0.9))
        self.balance = Balance()

    @property
    def weight(self) -> float:
        """λ now: the ramp's, as far as the error allows."""
        return self.config.weight(self.fraction) * self.balance.restraint

    def loss(self, prediction: Array, photo: Array, mask: Array) -> tuple[Array, Array]:
        """One step of the discriminator; then the generator's loss, and its gradient by the prediction.

        `observed` will have the ratio of the norms of the gradient's two parts, λ included.
        """
        missing, patches = mask > 0.5, hole_patches(mask)
        seen = self._step_discriminator(photo, torch.where(missing, prediction.clamp(0, 1), photo), mask, patches)
        found = value_and_gradient(
            lambda output: hole_loss(output, photo, mask, mse_weight=0.0, mae_weight=1.0), prediction
        )
        error, from_error = mean_loss(*found, count=mask.sum())
        score, from_score = mean_loss(*self._score(prediction, photo, mask, patches), count=patches.sum())
        weight = self.weight
        ratio = (norm(from_score) / norm(from_error)).double()
        error, score = error.double(), score.double()
        self.seen = seen | {
            "adversarial_weight": torch.full_like(error, weight),
            "gradient_ratio": weight * ratio,
            "hole_mae": PEAK * error,
        }
        return error - weight * score, from_error - weight * from_score

    def require_finite(self, loss: float, norm: float) -> None:
        """The discriminator's, too, which has made its step by now: a run that has no numbers left ends anyway."""
        super().require_finite(self.observed["d_loss"], self.observed.pop("d_norm"))
        super().require_finite(loss, norm)

    def _step_discriminator(self, photo: Array, filled: Array, mask: Array, patches: Array) -> dict[str, Array]:
        """Let the discriminator learn from true and filled photos. Returns the mean scores of the hole's patches, the
        loss, and the gradients' norm."""
        self.discriminator.train().freeze(False)
        self.discriminator_optimizer.zero_grad()
        scores = self.discriminator(torch.cat((photo, filled)), torch.cat((mask, mask)))
        real, fake = scores[: len(photo)], scores[len(photo) :]
        loss = hinge_loss(real, patches, sign=1) + hinge_loss(fake, patches, sign=-1)
        d_real, d_fake = (patch_mean(of.data, patches) for of in (real, fake))
        share, (d_real, d_fake, d_loss) = means(patches.sum(), d_real, d_fake, loss.data)
        with averaging(self.discriminator_optimizer.parameters):
            loss.backward(share)
        d_norm = grad_norm(self.discriminator_optimizer.parameters)
        self.discriminator_optimizer.lr = self.config.discriminator_lr * self.config.rate(self.fraction)
        self.discriminator_optimizer.step()
        return {"d_real": d_real, "d_fake": d_fake, "d_loss": d_loss, "d_norm": d_norm}

    def _score(self, prediction: Array, photo: Array, mask: Array, patches: Array) -> tuple[Array, Array]:
        """The mean score of the hole's patches, and its gradient by the prediction: none where that is no colour.

        The discriminator stands still: its weights are frozen, and in evaluation its power iteration rests.
        """
        self.discriminator.eval().freeze()

        def score(output: Tensor) -> Tensor:
            filled = where(mask > 0.5, clamp(output, min=0.0, max=1.0), photo)
            return patch_mean(self.discriminator(filled, mask), patches)

        return value_and_gradient(score, prediction)

    @property
    def fraction(self) -> float:
        return 1.0 if self.balance.stopped else super().fraction

    @property
    def ending(self) -> str:
        if not self.balance.stopped:
            return super().ending
        return (
            f"this run stopped at step {self.progress.steps}: its hole MAE is more than "
            f"{100 * self.config.tolerance:g} % above the {self.balance.initial_mae:.2f} that it began with; "
            "a lower last_weight or lr may help"
        )

    def after_validation(self, metrics: dict[str, float] | None) -> bool:
        """Adjust λ, and return whether the weights are to be kept: the sharpest whose error has not risen too far are.
        The run stops when the hole MAE is beyond its tolerance, or no number.

        The error rises nearly in proportion to λ, within a validation's time. So λ is multiplied by e to the power of
        what is missing to AIM: the run settles at what texture may cost.
        """
        if metrics is None:
            return True
        now = self.balance
        if now.initial_mae is None:
            now.initial_mae = metrics["hole_mae"]
        now.rise = metrics["hole_mae"] / max(now.initial_mae, LEAST_MAE) - 1
        used = now.rise / self.config.tolerance
        now.stopped = not used <= 1
        if now.stopped:
            return False
        now.restraint = min(1.0, now.restraint * math.exp(min(1.0, AIM - used)))
        distance = abs(1 - metrics["sharpness"])
        distance = math.inf if math.isnan(distance) else distance  # of photos of one colour
        if used > MOST_KEPT or distance > now.distance:
            return False
        now.distance = distance
        return True

    def parts(self) -> dict[str, Any]:
        return super().parts() | {
            "discriminator": self.discriminator,
            "discriminator_optimizer": self.discriminator_optimizer,
            "balance": self.balance,
        }
