"""What a model's name on the command line means: a classical fill, shipped weights, a run folder or a weights file.

The weights that come with the package are listed in `weights/SHA256SUMS`, in the form that `sha256sum --check` reads;
`weights/README.md` is their model card. Their SHA-256 is compared whenever they are loaded, so that a figure of the
card is never repeated with other weights than the card's.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import torch

from .. import models
from ..core import PhotomendError, did_you_mean
from ..core.reading import read_text
from ..models.calibration import Calibrations
from ..models.exemplar import TextureFill
from ..models.reconstructor import Reconstructor
from ..models.weights import BEST, LAST, Checkpoint, build_network, find_checkpoint, load_checkpoint

WEIGHTS_FOLDER = Path(__file__).resolve().parent.parent / "weights"
SUMS = "SHA256SUMS"
#: One of its lines.
SUM = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[\w-][\w.-]*)\.safetensors", re.ASCII)
#: What a network's own name means where its weights go by another.
MEANT = {"attention": "photomend-s"}
#: The names of those that are the best for their time; others come with the package to be compared.
FOR_REPAIR = ("attention", "photomend-s", "photomend-m")


def load(
    name: str | None = None, device: torch.device | str = "cpu", views: int | None = None
) -> tuple[Reconstructor, Calibrations]:
    """The model called `name`, ready to reconstruct on `device`, and the calibrations of its error, if it is known.

    A classical fill goes by its name. A network's name means the run folder of that name, if there is one here, or else
    the weights that come with the package. Anything else is a run folder (its best weights) or a weights file. No name
    means the shipped attention model, or the harmonic fill where the package was built without weights; "texture" is
    that model, drawn anew with patches of the photo.

    `views` is the test-time augmentation of a network; None, and other models, stay as they are.

    Raises PhotomendError: no such model or file (the nearest name is given), a damaged checkpoint, or a network that no
    weights come with: an untrained network repairs nothing.
    """
    if name == TextureFill.name:
        model, calibrations = load(None, device, views)
        return TextureFill(model), calibrations
    if name is None:
        name = models.AttentionModel.name
        name = name if name in shipped_names() else models.HarmonicFill.name
    if name in models.NAMES and name not in models.TRAINED:
        return models.build(name), Calibrations()
    path = find_checkpoint(find_weights(name))
    own = shipped().get(path.stem) if path.parent == WEIGHTS_FOLDER else None
    checkpoint = load_checkpoint(path, device=device, shipped=own)
    network = _network(checkpoint, path, device)
    network.views, network.for_comparison = views or network.views, checkpoint.for_comparison
    try:
        return network, Calibrations.from_dicts(checkpoint.calibration, checkpoint.natural_calibration)
    except ValueError as error:
        raise PhotomendError(f"{path}: its calibration is damaged: {error}") from error


def usual_look(name: str | None) -> str:
    """The look of the model called `name` for whoever asks for none: natural for the networks that come with the
    package to repair photos. Another model's own answer is what one wants to see who names it."""
    if name is None:
        return "natural" if models.AttentionModel.name in shipped_names() else "faithful"
    return "natural" if name in shipped_names() and name in FOR_REPAIR and not holds_run(Path(name)) else "faithful"


def load_reconstructor(name: str, device: torch.device | str = "cpu", views: int | None = None) -> Reconstructor:
    """The model called `name`, ready to reconstruct on `device`; see `load`."""
    return load(name, device, views)[0]


def load_network(name: str) -> models.RepairNetwork:
    """The network called `name`; see `load`. Raises PhotomendError for a classical fill, too."""
    model, _ = load(name)
    if not isinstance(model, models.RepairNetwork):
        raise PhotomendError(
            f"model {name!r} is a classical fill and has no layers; networks are {', '.join(models.TRAINED)}"
        )
    return model


def load_run(path: Path, device: torch.device | str = "cpu") -> models.RepairNetwork:
    """The network of a run folder (its best weights) or a weights file, whatever they are called.

    Raises PhotomendError: no such checkpoint, a damaged one, or one that doesn't fit the network.
    """
    return _network(load_checkpoint(path, device=device), find_checkpoint(path), device)


def find_weights(name: str) -> Path:
    """The run folder or weights file that `name` means; see `load`."""
    path = Path(name)
    if holds_run(path):
        return path
    if (weights := shipped_file(name)) is not None:
        return weights
    if name in models.TRAINED:
        raise PhotomendError(
            f"model {name!r} has no weights yet: train it with `photomend train {name} --out RUN`"
            " and give the run folder as the model"
        )
    if not path.exists():
        known = (*models.NAMES, TextureFill.name, *shipped_names())
        raise PhotomendError(f"no model, run folder or weights file {name!r}; {did_you_mean(name, known)}")
    return path


def _network(checkpoint: Checkpoint, path: Path, device: torch.device | str) -> models.RepairNetwork:
    """The network of the checkpoint in the file `path`."""
    return build_network(path, checkpoint).to(torch.device(device)).eval()


def name_of(path: Path) -> str:
    """What `load_reconstructor` takes for the run in `path`: a folder called like a model is told from it by a dot."""
    return f"./{path}" if str(path) in models.NAMES else str(path)


def holds_run(path: Path) -> bool:
    """Whether there are a run's weights in a folder."""
    return any((path / file).is_file() for file in (BEST, LAST))


@cache
def shipped() -> dict[str, str]:
    """The names of all weights that come with the package, and their SHA-256."""
    path = WEIGHTS_FOLDER / SUMS
    return read_sums(path) if path.exists() else {}  # a package may be built without them


def read_sums(path: Path) -> dict[str, str]:
    """The SHA-256 by the name of each weights file that a list of digests has.

    Raises PhotomendError: it can't be read, or a line isn't a digest and the name of a weights file.
    """
    try:
        lines = read_text(path).splitlines()
    except (OSError, ValueError) as error:
        raise PhotomendError(f"{path}: the digests of photomend's own weights can't be read ({error})") from error
    found = [SUM.fullmatch(line) for line in lines]
    if None in found:
        raise PhotomendError(f"{path}: line {found.index(None) + 1} isn't a digest and the name of a weights file")
    return {each["name"]: each["digest"] for each in found if each is not None}


def shipped_names() -> tuple[str, ...]:
    """All names under which `find_shipped` knows weights."""
    return (*(name for name, file in MEANT.items() if file in shipped()), *shipped())


def other_shipped() -> tuple[str, ...]:
    """The weights that no network's name means, neither as it is nor through MEANT."""
    return tuple(name for name in shipped() if name not in models.TRAINED and name not in MEANT.values())


def shipped_file(name: str) -> Path | None:
    """The weights file that `name` means, if one of that name comes with the package. Loading it compares its SHA-256.

    Raises PhotomendError: the file is missing.
    """
    stem = MEANT.get(name, name)
    if stem not in shipped():
        return None
    path = WEIGHTS_FOLDER / f"{stem}.safetensors"
    try:
        path.stat()
    except OSError as error:
        raise PhotomendError(f"{path}: photomend's own weights can't be read ({error.strerror})") from error
    return path


def find_shipped(name: str) -> Path | None:
    """The same, whose SHA-256 has been compared, for whoever loads it as any other file.

    Raises PhotomendError: the file is missing or isn't the one that was shipped.
    """
    path = shipped_file(name)
    if path is not None:
        load_checkpoint(path, shipped=shipped()[path.stem])
    return path
