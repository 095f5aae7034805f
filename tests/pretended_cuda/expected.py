"""What the package may do on the CPU, or ask the device for, while it computes on a device."""

from __future__ import annotations

from collections.abc import Iterable

from .device import MADE, READ_BACK, UPLOAD, Event

#: What functions do, by file, each with its reason.
ALLOWED = {
    ("core/ops/shaping.py", "getitem", UPLOAD): "an index that the caller gives as a list",
    ("core/ops/shaping.py", "getitem.<locals>.getitem_pullback", UPLOAD): "the same",
    ("layers/convolution/transforms.py", "all_finite", READ_BACK): "Winograd, which is chosen on CPUs alone",
    ("layers/convolution/transforms.py", "matrices", UPLOAD): "once for all convolutions",
    ("layers/convolution/transforms.py", "tile_matrices.<locals>.<genexpr>", UPLOAD): "the same",
    ("layers/upsample.py", "_interpolation", MADE): "a small matrix of sizes alone",
    ("layers/upsample.py", "upsample_bilinear.<locals>.<genexpr>", UPLOAD): "the same",
    ("models/reconstructor.py", "require_hole", READ_BACK): "checks what a user gives; a training step doesn't",
    ("models/harmonic.py", "_systems", READ_BACK): "which pixels belong to one hole is found out on the CPU",
    ("models/harmonic.py", "_systems.<locals>.holes", UPLOAD): "the holes, one by one",
    ("models/harmonic.py", "_started.<locals>.colours.<locals>.<genexpr>", UPLOAD): "the places of known pixels",
    ("models/harmonic.py", "_started.<locals>.write.<locals>.<genexpr>", UPLOAD): "and of missing ones",
    ("models/harmonic.py", "_scattered", UPLOAD): "and which missing ones they are beside",
    ("models/multigrid.py", "_Level.__init__", UPLOAD): "the equations of a level, which are made on the CPU",
    ("models/multigrid.py", "_Level.__init__.<locals>.<genexpr>", UPLOAD): "the same",
    ("models/multigrid.py", "_Level.coarser.<locals>.<genexpr>", UPLOAD): "the same",
    ("models/rectangle.py", "modes", MADE): "small matrices of sizes alone",
    ("models/rectangle.py", "rectangle_solver.<locals>.<genexpr>", UPLOAD): "the same",
    ("models/conjugate_gradient.py", "solve", READ_BACK): "asks whether it is done, once for all holes",
    ("train/trainer.py", "BaseTrainer.read", READ_BACK): "what goes to the log, in one read-back",
}


def unexpected(events: Iterable[Event]) -> list[Event]:
    """What the package did and isn't allowed to; what tests do themselves is their business."""
    ours = (event for event in events if not event.file.startswith("tests/"))
    return [event for event in ours if (event.file, event.function, event.kind) not in ALLOWED]


def read_backs(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.kind == READ_BACK]
