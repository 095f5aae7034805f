"""An evaluation in shares: by several ranks, and restartable; the last of them has the results of all.

The unit is the block, so many consecutive photos of the set, readable or not; each rank has consecutive blocks. A
network's answer may depend in its last bits on the batch that a photo is in. A block is evaluated in the same batches
whoever does it, so that the results are the same to the bit. What is done lies in a folder that all ranks see:

    evaluation.json     what was asked for
    00003.json          the results of a block, photo by photo, and the photos that couldn't be read

Ranks need nothing else of each other: they may run at the same time or one after another, be killed and begun again,
also in another number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ...core import PhotomendError, replacing
from ...core.backend.ranks import ALONE, Ranks
from ...core.files import locked
from ...core.reading import parse_json, read_text
from ...data.evaluation_set import EvaluationSet
from ...models.reconstructor import Reconstructor
from .evaluate import Evaluation, PhotoResult, batches, evaluate_batch
from .metrics import PhotoMetrics

ASKED = "evaluation.json"


class Block(NamedTuple):
    """The results of a block by model, and why photos of it couldn't be read, by name."""

    results: dict[str, list[PhotoResult]]
    skipped: dict[str, str]


class Parts:
    """The folder of what is done.

    Args:
        folder: a new or an empty one, or one with parts of the same evaluation.
        asked: what was asked for, as JSON: parts of something else are refused.

    Raises PhotomendError: it holds parts of another evaluation or something else, or can't be written.
    """

    def __init__(self, folder: Path, asked: dict[str, Any]) -> None:
        self.folder = folder
        try:
            with locked(self.lock):
                folder.mkdir(parents=True, exist_ok=True)
                if not (folder / ASKED).exists():
                    if others := sorted(path.name for path in folder.iterdir() if path.suffix != ".part"):
                        raise PhotomendError(f"{folder}: holds {others[0]}, which no evaluation has left there")
                    _write(folder / ASKED, asked)
                elif (then := _read(folder / ASKED)) != asked:
                    changed = sorted(key for key in {*then, *asked} if then.get(key) != asked.get(key))
                    raise PhotomendError(
                        f"{folder}: holds parts of another evaluation, which differs in {', '.join(changed)}; "
                        "choose another folder, or remove this one"
                    )
        except OSError as error:
            raise PhotomendError(f"{folder}: can't be written ({error.strerror or error})") from error

    @property
    def lock(self) -> Path:
        """The file by whose lock ranks exclude each other for a moment."""
        return self.folder.with_name(f".{self.folder.name.lstrip('.')}.lock")

    def write(self, number: int, block: Block) -> None:
        """Keep a block. Raises PhotomendError: it can't be written."""
        results = {model: [asdict(result) for result in own] for model, own in block.results.items()}
        try:
            _write(self._path(number), {"results": results, "skipped": block.skipped})
        except OSError as error:
            raise PhotomendError(f"{self.folder}: can't be written ({error.strerror or error})") from error

    def read(self, number: int) -> Block | None:
        """A block; None if it isn't there. Raises PhotomendError for a damaged one."""
        if not self._path(number).exists():
            return None
        values = _read(self._path(number))
        try:
            results = {
                model: [PhotoResult(**{**row, "metrics": PhotoMetrics(**row["metrics"])}) for row in rows]
                for model, rows in values["results"].items()
            }
            return Block(results, dict(values["skipped"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise PhotomendError(f"{self._path(number)}: this part of an evaluation is damaged; remove it") from error

    def remove(self, count: int) -> None:
        """Remove so many blocks and, if nothing else is there, the folder."""
        for path in (*map(self._path, range(count)), self.folder / ASKED):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:05d}.json"


@contextmanager
def evaluate_share(
    reconstructors: Mapping[str, Reconstructor],
    samples: EvaluationSet,
    batch_size: int = 16,
    device: torch.device | str = "cpu",
    on_photos: Callable[[int], object] = lambda count: None,
    place: Ranks = ALONE,
    parts: Callable[[], Parts] | None = None,
) -> Iterator[list[Evaluation] | None]:
    """Evaluate this rank's share of the photos; yields what all ranks found, or None if others are still at work.

    The results are the same to the bit, however many ranks there are. Exactly one of them gets the results: the one
    that is last. The parts are removed when the block of the `with` statement has succeeded, and not before, so that a
    table which couldn't be written can be had again.

    Args:
        parts: opens the folder of what is done; without one there is one rank, and nothing is kept.

    Raises PhotomendError: not one photo can be read; and as `Parts` does.
    """
    blocks = [samples.indices[at : at + batch_size] for at in range(0, len(samples), batch_size)]
    own = place.share(len(blocks))
    if not own:
        yield None
        return
    kept, found = parts() if parts is not None else None, {}
    for number in own:
        block = kept.read(number) if kept is not None else None
        if block is None:
            block = _evaluate_block(reconstructors, samples, blocks[number], device)
            if kept is not None:
                kept.write(number, block)
        found[number] = block
        on_photos(len(blocks[number]))
    if kept is None:
        yield _together(reconstructors, samples, list(found.values()))
        return
    with locked(kept.lock):
        every = [found[number] if number in found else kept.read(number) for number in range(len(blocks))]
        there = [block for block in every if block is not None]
        if len(there) < len(every) or not kept.folder.exists():
            yield None
            return
        yield _together(reconstructors, samples, there)
        kept.remove(len(blocks))


def _evaluate_block(
    reconstructors: Mapping[str, Reconstructor], samples: EvaluationSet, indices: Any, device: torch.device | str
) -> Block:
    block, before = Block({name: [] for name in reconstructors}, {}), set(samples.skipped)
    photos = [photo for index in indices if (photo := samples.read(index)) is not None]
    for batch in batches(photos, len(indices)):
        for name, results in evaluate_batch(reconstructors, batch, device).items():
            block.results[name].extend(results)
    return block._replace(skipped={name: why for name, why in samples.skipped.items() if name not in before})


def _together(
    reconstructors: Mapping[str, Reconstructor], samples: EvaluationSet, blocks: list[Block]
) -> list[Evaluation]:
    """The results of all blocks; the photos that couldn't be read are those of all, too."""
    samples.skipped = {name: why for block in reversed(blocks) for name, why in block.skipped.items()}
    evaluations = [
        Evaluation(name, [result for block in blocks for result in block.results[name]]) for name in reconstructors
    ]
    if any(not evaluation.results for evaluation in evaluations):
        raise samples.nothing_read()
    return evaluations


def _write(path: Path, value: object) -> None:
    with replacing(path) as draft:
        draft.write_text(json.dumps(value), encoding="ascii")


def _read(path: Path) -> dict[str, Any]:
    try:
        value = parse_json(read_text(path))
    except (OSError, ValueError) as error:
        raise PhotomendError(f"{path}: this part of an evaluation can't be read; remove it") from error
    if not isinstance(value, dict):
        raise PhotomendError(f"{path}: this part of an evaluation is damaged; remove it")
    return value
