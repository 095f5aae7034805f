"""An ONNX file beside the network that it was made of: both compute the same?"""

from __future__ import annotations

import numpy as np
import onnx
import torch

from ...core import no_grad
from ...core.module import in_mode
from ...models import RepairNetwork

#: The most that a colour, from 0 to 1, may differ.
TOLERANCE = 1e-4


def difference(model: onnx.ModelProto, network: RepairNetwork) -> float | None:
    """The largest difference between what onnxruntime and the network make of two batches of noise with holes, of
    different sizes; None where onnxruntime isn't installed.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    generator, found = torch.Generator().manual_seed(0), 0.0
    for count, height, width in ((1, 64, 96), (2, 80, 56)):
        mask = torch.zeros(count, 1, height, width)
        mask[:, :, : height // 3, width // 4 : width // 2] = 1
        photo = torch.rand(count, 3, height, width, generator=generator)
        with no_grad(), in_mode(network, training=False):
            ours = network(photo * (1 - mask), mask).data.clamp(0, 1).numpy()
        [theirs] = session.run(None, {"photo": photo.numpy(), "mask": mask.numpy()})
        found = max(found, float(np.abs(ours - theirs).max()))
    return found
