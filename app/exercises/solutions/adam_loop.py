"""Exercise 12: Adam, and the loop that trains a network to read handwritten digits.

`check` trains a network with your optimizer and your loop: of 360 digits that it hasn't seen it must read 95 %.
"""

import torch


class Adam:
    """Adam: a step for each weight, in proportion to its gradient's mean over its root mean square.

    Args:
        parameters: a list of things with `.data`, the array to change in place, and `.grad`, its gradient or None.
        lr, betas, eps: the learning rate, how much of the two running averages is kept each step, and ε.

    Whatever the gradient's size is, the first step is as long as lr: from 1 with the gradient 50 to 0.9 for lr = 0.1.

    Source: Kingma & Ba, *Adam: a method for stochastic optimization* (2015), algorithm 1.
    """

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps = list(parameters), lr, betas, eps
        # The running averages m and v, and the number of steps.
        self.m = [torch.zeros_like(p.data) for p in self.parameters]
        self.v = [torch.zeros_like(p.data) for p in self.parameters]
        self.t = 0

    def zero_grad(self):
        """Forget the gradients."""
        for p in self.parameters:
            p.grad = None

    def step(self):
        """Change every parameter that has a gradient."""
        β1, β2 = self.betas
        self.t += 1
        for p, m, v in zip(self.parameters, self.m, self.v, strict=True):
            if p.grad is None:
                continue
            # Running averages of the gradient and of its square.
            m.mul_(β1).add_((1 - β1) * p.grad)
            v.mul_(β2).add_((1 - β2) * p.grad**2)
            # They begin at 0, so that after t steps they hold only the share 1 − βᵗ of an average: divide by it.
            m_hat = m / (1 - β1**self.t)
            v_hat = v / (1 - β2**self.t)
            # Downhill; ε outside the root keeps the quotient finite where the gradient was always 0.
            p.data -= self.lr * m_hat / (v_hat.sqrt() + self.eps)


def train(model, optimizer, loss, batches):
    """Go once through the batches, and make a step for each.

    Args:
        model: a photomend Module: `model.train()` switches dropout on, `model(images)` gives the logits.
        optimizer: with `zero_grad()` and `step()`.
        loss: `loss(logits, labels)` is a Tensor, whose `backward()` adds to the `.grad` of each parameter.
        batches: pairs (images, labels).
    """
    # Dropout only drops in training mode, and `accuracy` may have left the other one.
    model.train()
    for images, labels in batches:
        # backward() adds to the gradients, so those of the last batch must go.
        optimizer.zero_grad()
        loss(model(images), labels).backward()
        optimizer.step()


def accuracy(model, images, labels):
    """The share of images whose largest logit is that of their label, as a float, in evaluation mode.

    Args:
        model: as in `train`; `model.eval()` switches dropout off. `model(images).data` is an array (N, classes).
    """
    # In training mode dropout would blot out a part of every image.
    model.eval()
    chosen = model(images).data.argmax(1)
    return (chosen == labels).double().mean().item()
