"""The attention model once more, trained on against a discriminator (`photomend.train.adversarial`).

The squared and the absolute error reward a blur: where many textures are possible, their mean is wrong by least. A
discriminator that tells generated pieces from real ones rewards a texture. What it teaches is in the weights; the
network is the same.
"""

from __future__ import annotations

from .attention import AttentionModel


class GanModel(AttentionModel):
    """An `AttentionModel` under a name of its own, so that a checkpoint says how its weights were trained."""

    name = "gan"
