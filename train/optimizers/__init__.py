"""First-order optimizers: the update formula of each paper, in the form that torch gives it.

Where the two differ, torch's form decides what a learning rate means: in SGD it multiplies the velocity and is no part
of it, and weight decay is multiplied by the rate. Options have torch.optim's names, and so have groups of parameters.
"""

from .adagrad import Adagrad, RMSprop
from .adam import Adam, AdamW
from .clip import clip_grad_norm, grad_norm
from .muon import Muon
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Muon", "Optimizer", "RMSprop", "clip_grad_norm", "grad_norm"]
