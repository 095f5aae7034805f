"""The readers of prepared datasets, of unfinished ones, and of what a hub answers, and what each owes."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from functools import cache, partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import huggingface_hub
import numpy as np
from photomend.core import PhotomendError
from photomend.data.masks import box_mask
from photomend.data.preparation.hub import HubDataset
from photomend.data.preparation.hub_stream import HubStream
from photomend.data.preparation.unfinished import JOURNAL, read_journal, unfinished_folder
from photomend.data.prepared import PROVENANCE, PreparedSource, write_json, write_metadata

from .dataset_corpus import dataset_parts, reply

#: Rows that a hub's photos are looked at of.
ROWS = 6


def dataset(path: Path, name: str, data: bytes) -> Path:
    """A prepared dataset beside `path`, one file of which is `data`."""
    folder = path.with_name("prepared")
    shutil.rmtree(folder, ignore_errors=True)
    for file, content in dataset_parts().items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data if file == name else content)
    return folder


def _read(path: Path, name: str) -> None:
    source = PreparedSource(dataset(path, name, path.read_bytes()), "train")
    for index in range(min(len(source), 3)):
        photo, box = source.read(index), source.box(index)
        assert photo.dtype == np.uint8
        assert box is not None
        assert box_mask(box, *photo.shape[:2]).any()
        assert isinstance(source.name(index) + source.class_name(index), str)


shard = partial(_read, name="train/data-00000.arrow")
provenance = partial(_read, name=PROVENANCE)
info = partial(_read, name="train/dataset_info.json")
state = partial(_read, name="train/state.json")


def journal(path: Path) -> None:
    """The journal is used, too: what it says is finished is put together."""
    out = path.with_name("unfinished")
    folder = unfinished_folder(out)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path.replace(folder / JOURNAL)
    if (found := read_journal(out)) is not None:
        assert found.photos >= 0
        assert all(isinstance(size, int) for size in found.shards.values())
        write_json(folder / JOURNAL, asdict(found))
        write_metadata(folder, found.shards, [found.parameters, found.position])


@cache
def _hub_client() -> dict[str, Any]:
    """Makes the client answer itself, from the replies that are put into this dict."""
    httpx2: Any = import_module("huggingface_hub.utils._http").httpx2  # called httpx before
    replies: dict[str, Any] = {}

    def answer(request: Any) -> Any:
        status, headers, body = reply(
            replies, request.method, unquote(urlsplit(str(request.url)).path), request.headers
        )
        return httpx2.Response(status, headers=headers, content=body, request=request)

    huggingface_hub.set_client_factory(lambda: httpx2.Client(transport=httpx2.MockTransport(answer)))
    return replies


def hub(path: Path) -> None:
    """The replies of a hub to all that streaming a dataset asks of it."""
    replies = _hub_client()
    replies.clear()
    replies["all"] = path.read_bytes()
    huggingface_hub.HfFileSystem.clear_instance_cache()
    huggingface_hub.constants.HF_HUB_CACHE = str(path.with_name("cache"))  # and not the user's
    stream = HubStream(HubDataset("owner/name"))
    assert stream.hub.revision is None or isinstance(stream.hub.revision, str)
    for photo in islice(stream.photos(), ROWS):
        if photo is not None:
            try:
                pixels, _ = photo.read()
                assert pixels.dtype == np.uint8
            except PhotomendError:
                continue
    json.dumps(stream.position())
