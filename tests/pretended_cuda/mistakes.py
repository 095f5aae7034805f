"""Mistakes that a CPU forgives and a GPU doesn't, as a tired author would make them: is each noticed?

Each is one edit (`photomend.tests.verification.mistake`). Its `subjects` are the registry's, or the settings of a
training step (`training.py`).
"""

from __future__ import annotations

from photomend.tests.verification.mistake import Break

#: name, mistake, module, function, old, new, subjects
_EDITS: list[tuple[str, str, str, str, str, str, str]] = [
    (
        *("zeros-for-a-gradient", "The zeros that a gradient is written into are made on the CPU."),
        *("core.ops.shaping", "getitem"),
        *("torch.zeros(shape, dtype=ȳ.dtype, device=ȳ.device)", "torch.zeros(shape, dtype=ȳ.dtype)"),
        "getitem",
    ),
    (
        *("positions", "The positions of index arrays are counted on the CPU."),
        *("core.ops.shaping", "getitem"),
        *("torch.arange(shape.numel(), device=ȳ.device)", "torch.arange(shape.numel())"),
        "getitem",
    ),
    (
        *("padding-zeros", "The zeros around an array are made on the CPU."),
        *("core.ops.shaping", "pad"),
        *("x.new_full(shape, value)", "torch.full(shape, value, dtype=x.dtype)"),
        "pad",
    ),
    (
        *("single-zero", "A single zero is on the CPU."),
        *("core.ops.elementwise", "where"),
        *("torch.zeros((), dtype=ȳ.dtype, device=ȳ.device)", "torch.zeros((), dtype=ȳ.dtype)"),
        "where",
    ),
    (
        *("largest-elsewhere", "The largest elements are found on the CPU."),
        *("core.ops.reductions", "amax"),
        *("torch.amax(x, dim=axes, keepdim=True)", "torch.amax(x.cpu(), dim=axes, keepdim=True).to(x.device)"),
        "amax",
    ),
    (
        *("branch", "A layer looks whether anything is above zero."),
        *("layers.activation", "relu"),
        *("y = torch.threshold(x, 0, 0)", "y = torch.threshold(x, 0, 0) if x.max() > 0 else torch.zeros_like(x)"),
        "relu",
    ),
    (
        *("item", "The largest singular value becomes a number."),
        *("layers.spectral_norm", "spectral_norm"),
        *("σ = u @ (matrix @ v)", "σ = (u @ (matrix @ v)).item()"),
        "spectral_norm",
    ),
    (
        *("index", "The channels of a half are picked by an index on the CPU."),
        *("layers.activation", "glu"),
        *("a, g = x.chunk(2, dim=dim)", "a, g = (x.index_select(dim, i) for i in torch.arange(x.shape[dim]).chunk(2))"),
        "glu",
    ),
    (
        *("matrix", "The matrix that interpolates takes the dtype alone."),
        *("layers.upsample", "upsample_bilinear"),
        *("_interpolation(*axis, align_corners).to(x)", "_interpolation(*axis, align_corners).to(x.dtype)"),
        "upsample_bilinear",
    ),
    (
        *("statistics", "The running mean is updated with an array on the CPU."),
        *("layers.norm", "batch_norm"),
        *("mean.reshape(-1).to(running_mean.dtype)", "mean.reshape(-1).to('cpu', running_mean.dtype)"),
        "batch_norm",
    ),
    (
        *("accumulator", "A convolution adds up in an array on the CPU."),
        *("layers.convolution.taps", "_accumulator"),
        *("like.new_zeros(images, *size, channels, dtype=dtype)", "torch.zeros(images, *size, channels, dtype=dtype)"),
        "conv2d",
    ),
    (
        *("winners", "Max pooling gathers its gradient on the CPU."),
        *("layers.pooling", "max_pool2d"),
        *("torch.zeros_like(padded), ȳ.clone()", "torch.zeros(padded.shape, dtype=x.dtype), ȳ.clone()"),
        "max_pool2d",
    ),
    (
        *("dropped-on-the-cpu", "Dropout draws on the CPU."),
        *("layers.dropout", "Dropout.forward"),
        *("torch.rand(x.shape, device=x.device)", "torch.rand(x.shape)"),
        "Dropout",
    ),
    (
        *("generator", "Dropout draws with the CPU's generator."),
        *("layers.dropout", "Dropout.forward"),
        *("device=x.device)", "device=x.device, generator=torch.default_generator)"),
        "Dropout",
    ),
    (
        *("nothing-missing", "The loss asks whether anything is missing."),
        *("train.losses", "hole_loss"),
        *(
            'if count.device.type == "cpu" and count == 0:\n        raise ValueError("hole',
            'if count == 0:\n        raise ValueError("hole',
        ),
        "hole_loss",
    ),
    (
        *("distance", "Positions in a photo are counted on the CPU."),
        *("models.holes", "distance_to_known"),
        *("dtype=distance.dtype, device=mask.device)", "dtype=distance.dtype)"),
        "attention",
    ),
    (
        *("mask-on-the-cpu", "The masks of single holes stay on the CPU."),
        *("models.harmonic", "_systems"),
        *("torch.from_numpy(missing).to(mask)", "torch.from_numpy(missing).to(mask.dtype)"),
        "attention, training",
    ),
    (
        *("modes-on-the-cpu", "The rows' eigenvectors stay on the CPU."),
        *("models.rectangle", "rectangle_solver"),
        *(".to(unknown) for each in _all_modes(rows)", " for each in _all_modes(rows)"),
        "attention, training",
    ),
    (
        *("bounds-read-back", "Where a hole begins and ends is read back and uploaded again."),
        *("models.cells", "_bounds"),
        *("hole_edges(mask)[..., None]", "torch.tensor(hole_edges(mask).tolist(), device=mask.device)[..., None]"),
        "cnn, training",
    ),
    (
        *("loss-read-back", "What goes to the log is read number by number."),
        *("train.trainer", "BaseTrainer.read"),
        *(
            "torch.stack([x.double() for x in (loss, norm, *self.seen.values())]).tolist()",
            "[x.item() for x in (loss, norm, *self.seen.values())]",
        ),
        "gan, training",
    ),
    (
        *("asked-at-each-iteration", "The host asks after each iteration whether the fill is done."),
        *("models.conjugate_gradient", "solve"),
        *('1 if solution.u.device.type == "cpu" else solution.expected', "1"),
        "attention, training",
    ),
    (
        *("clipped-by-a-number", "Whether gradients are too long is decided on the host."),
        *("train.optimizers.clip", "clip_grad_norm"),
        *("if max_norm < inf:", "if max_norm < norm < inf:"),
        "linear, training",
    ),
    (
        *("average-on-the-cpu", "The averaged weights are kept on the CPU."),
        *("train.ema", "EMA.__init__"),
        *("value.clone() for name, value in module.", "value.cpu() for name, value in module."),
        "linear, training",
    ),
    (
        *("state-on-the-cpu", "An optimizer's running averages are made on the CPU."),
        *("train.optimizers.optimizer", "Optimizer.initial"),
        *("return torch.zeros_like(θ)", "return torch.zeros(θ.shape)"),
        "linear, training",
    ),
    (
        *("gradient-on-the-cpu", "The gradients of a bfloat16 copy arrive on the CPU."),
        *("train.precision", "Precision.__call__"),
        *("torch.empty_like(parameter.data)", "torch.empty(parameter.shape)"),
        "cnn in bfloat16, training",
    ),
]

MISTAKES = [
    Break(name, mistake, f"photomend.{module}", function, old, new, (subject,))
    for name, mistake, module, function, old, new, subject in _EDITS
]
