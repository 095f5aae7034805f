"""The training log: one JSON object a line, written at once, so a killed run has lost nothing.

A line for each step, and one more for each validation, which has its number.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..core import PhotomendError, replacing
from ..core.files import write_all, write_chunks
from ..core.reading import read_regular

LOG = "log.jsonl"
#: The most bytes of it that are read: those of ten million steps.
MOST_LOG = 2**31


class Log(Protocol):
    """Takes records."""

    def write(self, record: Mapping[str, Any]) -> None: ...
    def sync(self) -> None: ...


class Nowhere:
    """The log of a rank that keeps none."""

    def write(self, record: Mapping[str, Any]) -> None:
        pass

    def sync(self) -> None:
        pass

    def __enter__(self) -> Nowhere:
        return self

    def __exit__(self, *raised: object) -> None:
        pass


class JsonLog:
    """Append records to `path`; as a context manager it closes the file.

    Of what is there, a line that a killed run left unfinished is taken out, and so are steps after `last_step` and
    validations after `last_validation`, those of the state that the run is resumed from: they are done and logged
    again. Raises PhotomendError naming the file when it cannot be read or written.
    """

    def __init__(self, path: Path, last_step: float = math.inf, last_validation: float = math.inf) -> None:
        self.path = path
        last = {False: last_step, True: last_validation}
        records = read_log(path) if path.exists() else []
        kept = [record for record in records if record.get("step", 0) <= last[is_validation(record)]]
        try:
            with replacing(path) as draft:
                write_chunks(draft, [(json.dumps(record) + "\n").encode() for record in kept])
            self.descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise self._refused(error) from error

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record, at once: it outlives the process."""
        try:
            write_all(self.descriptor, (json.dumps(record) + "\n").encode())
        except OSError as error:
            raise self._refused(error) from error

    def sync(self) -> None:
        """Wait until all records are on the disk: they outlive a loss of power, too."""
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> PhotomendError:
        return PhotomendError(f"{self.path}: the log cannot be written ({error.strerror})")

    def __enter__(self) -> JsonLog:
        return self

    def __exit__(self, *raised: object) -> None:
        os.close(self.descriptor)


def is_validation(record: Mapping[str, Any]) -> bool:
    """Whether a record is of a validation (in runs of earlier versions, of an epoch) and not of a step."""
    return "validation" in record or "epoch" in record


def by_kind(records: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The records of steps, and those of validations."""
    kinds: tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]] = ([], [])
    for record in records:
        kinds[is_validation(record)].append(record)
    return kinds


def read_log(path: Path) -> list[dict[str, Any]]:
    """The records of a log, oldest first. A line that is no record (an interrupted write) is passed over.

    Raises PhotomendError naming the file when it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise PhotomendError(f"{path}: the log cannot be read (not a file)")
    try:
        lines = read_regular(path, MOST_LOG).decode("utf-8", "replace").splitlines()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise PhotomendError(f"{path}: the log cannot be read ({why})") from error
    records = []
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and isinstance(record.get("step", 0), int | float):
            records.append(record)
    return records
