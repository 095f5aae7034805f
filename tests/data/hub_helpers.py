"""Datasets as a hub keeps them."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
from photomend.data.preparation.hub_stream import HubStream
from photomend.data.preparation.stream import StreamedPhoto
from PIL import Image

from .conftest import smooth_photo

NAMES = ["macaw", "goldfish, Carassius auratus", "red panda, panda", "giant panda, panda", "king penguin"]
PETS = "timm/oxford-iiit-pet"


def encoded(number: int) -> bytes:
    buffer = BytesIO()
    Image.fromarray(smooth_photo(number, 70, 64 + number)).save(buffer, "JPEG")
    return buffer.getvalue()


def write_parquet(folder: Path, rows: dict[str, int] | None = None, named: bool = True, labels: int = 5) -> None:
    """Two files a split, row groups of three rows, labels 0, 1, 2, … in turn: as the hub keeps photos."""
    (folder / "data").mkdir(parents=True)
    names = NAMES if labels == 5 else [f"class {number}, alias {number}" for number in range(labels)]
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=names),
            "image_id": datasets.Value("string"),
        }
    )
    number = 0
    for split, count in (rows or {"train": 11, "test": 5}).items():
        for part, size in enumerate((count - count // 2, count // 2)):
            chosen = range(number, number + size)
            images = [{"bytes": encoded(i), "path": f"{i}.jpg" if named else None} for i in chosen]
            columns = {"image": images, "label": [i % labels for i in chosen], "image_id": [str(i) for i in chosen]}
            table = datasets.Dataset.from_dict(columns, features)
            table.to_parquet(folder / "data" / f"{split}-{part:05d}-of-00002.parquet", batch_size=3)
            number += size


def write_webdataset(folder: Path) -> None:
    folder.mkdir(parents=True)
    for part in range(2):
        with tarfile.open(folder / f"train-{part:04d}.tar", "w") as archive:
            for number in range(part * 8, part * 8 + 8):
                for suffix, data in (("jpg", encoded(number)), ("cls", str(number % 5).encode())):
                    member = tarfile.TarInfo(f"{number:04d}.{suffix}")
                    member.size = len(data)
                    archive.addfile(member, BytesIO(data))


def photos(stream: HubStream, position: dict[str, Any] | None = None) -> list[StreamedPhoto]:
    return [photo for photo in stream.photos(position) if photo is not None]


def names(stream: HubStream) -> list[str]:
    return [photo.name for photo in photos(stream)]
