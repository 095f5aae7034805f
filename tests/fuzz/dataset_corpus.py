"""Small prepared datasets, journals and replies of a hub, made here from nothing: what the fuzzer starts from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from photomend.data.preparation.unfinished import Journal
from photomend.data.prepared import FORMAT, PROVENANCE, write_json, write_metadata, write_shard
from PIL import Image

from .structure import BETWEEN

SIDE = 12
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHARD = "train/data-00000.arrow"


def photo_bytes(number: int) -> bytes:
    target = BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(target, "PNG" if number % 2 else "JPEG")
    return target.getvalue()


def rows() -> list[dict[str, Any]]:
    target = BytesIO()
    Image.new("L", (SIDE, SIDE), 0).save(target, "PNG")
    box = {"x": 1, "y": 1, "width": 3, "height": 3}
    mask = {"bytes": target.getvalue(), "path": None}
    return [
        {"photo": {"bytes": photo_bytes(i), "path": None}, "mask": mask, "class": "cat", "path": f"{i}.png", "box": box}
        for i in range(3)
    ]


@cache
def dataset_parts() -> dict[str, bytes]:
    """The files of a prepared dataset."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_shard(folder / SHARD, rows())
        write_metadata(folder, [SHARD], "fuzz")
        counts = {"train": {"cat": 3}, "validation": {}, "test": {}}
        about = {"source": "folder", "seed": 0, "side": SIDE, "counts": counts, "skipped": {"a.png": "truncated"}}
        write_json(folder / PROVENANCE, {"format": FORMAT, **about})
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shards() -> list[bytes]:
    return [dataset_parts()[SHARD]]


def provenance() -> list[bytes]:
    return [dataset_parts()[PROVENANCE]]


def info() -> list[bytes]:
    return [dataset_parts()["train/dataset_info.json"]]


def state() -> list[bytes]:
    return [dataset_parts()["train/state.json"]]


def journals() -> list[bytes]:
    journal = Journal({"source": "folder", "seed": 0, "classes": None, "limit": 3}, {"row": 3, "digest": "9f"})
    journal.places["train"], journal.counts["train"], journal.shards = 3, {"cat": 3}, {SHARD: 4321}
    journal.skipped["a.png"] = "truncated"
    done = {"format": FORMAT, "source": "folder", "counts": {}, "skipped": {}}
    return [json.dumps(asdict(journal)).encode(), json.dumps(done).encode()]


def replies() -> list[bytes]:
    """What a hub says of a dataset and of its files, and the file, as parquet."""
    import datasets

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    images = [{"bytes": photo_bytes(i), "path": f"{i}.jpg"} for i in range(4)]
    table = datasets.Dataset.from_dict({"image": images, "label": [0, 1, 0, 1]}, features)
    target = BytesIO()
    table.to_parquet(target, batch_size=2)
    about = {"id": "owner/name", "sha": COMMIT, "private": False, "tags": [], "downloads": 0, "siblings": []}
    return [
        BETWEEN.join((json.dumps(about).encode(), json.dumps(tree(len(target.getvalue()))).encode(), target.getvalue()))
    ]


def tree(size: int, path: str = "data/train-00000-of-00001.parquet") -> list[dict[str, Any]]:
    return [
        {"type": "directory", "oid": "0" * 40, "size": 0, "path": "data"},
        {"type": "file", "oid": "0" * 40, "size": size, "path": path},
    ]


def reply(
    replies: Mapping[str, bytes], method: str, path: str, asked: Mapping[str, str]
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a request; the parts of `replies` are what this hub has to say."""
    about, listing, *rest = [*replies["all"].split(BETWEEN, 2), b"", b""][:3]
    file, kind = b"".join(rest), {"Content-Type": "application/json"}
    if path.startswith("/api/"):
        if path.endswith("/auth-check"):
            return 200, kind, b"{}"
        if "/tree/" in path or "/paths-info/" in path:
            return 200, kind, listing
        return 200, kind, about
    headers = {"X-Repo-Commit": COMMIT, "ETag": '"file"', "Accept-Ranges": "bytes", "Content-Length": str(len(file))}
    if not path.endswith(".parquet"):
        return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b""
    if part := re.match(r"bytes=(\d+)-(\d*)", asked.get("range") or ""):
        first, last = int(part[1]), min(int(part[2] or len(file)), len(file) - 1)
        headers |= {
            "Content-Range": f"bytes {first}-{last}/{len(file)}",
            "Content-Length": str(max(0, last - first + 1)),
        }
        return 206, headers, b"" if method == "HEAD" else file[first : last + 1]
    return 200, headers, b"" if method == "HEAD" else file
