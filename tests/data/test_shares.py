"""Several ranks prepare a data set: in any order, killed at any moment, it is what one process makes, to the bit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from photomend.core import PhotomendError
from photomend.core.backend.ranks import Ranks
from photomend.data.photos import SkippedPhotoWarning, find_photos
from photomend.data.preparation.hub import HubDataset
from photomend.data.preparation.hub_stream import HubStream
from photomend.data.preparation.prepare import prepare
from photomend.data.preparation.shares import in_shares, prepare_share
from photomend.data.preparation.unfinished import unfinished_folder
from photomend.data.sources import FolderSource

from .hub_helpers import write_parquet
from .test_resume import counted, interrupted, killed_at, tree

BLOCK = 3


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photomend.data.preparation.prepare.PHOTOS_PER_SHARD", BLOCK)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def expected(source: FolderSource, tmp_path: Path) -> dict[str, bytes]:
    prepare(source, tmp_path / "whole" / "set", seed=3, side=64)
    return tree(tmp_path / "whole" / "set")


def share(source: FolderSource, out: Path, rank: int, size: int) -> bool:
    """Do a rank's share; whether all is there."""
    return prepare_share(source, out, Ranks(rank, size), seed=3, side=64) is not None


@pytest.mark.parametrize("order", [[0], [0, 1], [1, 0], [2, 0, 1], [3, 2, 1, 0], list(range(6))])
def test_the_last_rank_makes_the_same_of_it(
    source: FolderSource, expected: dict[str, bytes], tmp_path: Path, order: list[int]
) -> None:
    out = tmp_path / "new" / "set"
    seen: list[str] = []
    noting = counted(source, seen)
    done = [share(noting, out, rank, len(order)) for rank in order]
    assert done == sorted(done)  # not before all are through; a rank without a share comes after
    assert done[-1]
    assert sorted(seen) == [source.name(index) for index in range(10)]  # each photo by one of them
    assert tree(out) == expected
    assert os.listdir(out.parent) == ["set"]


def test_once_all_is_there_nothing_is_done_again(
    source: FolderSource, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "new" / "set"
    seen: list[str] = []
    prepare(source, out, seed=3, side=64)
    assert share(counted(source, seen), out, 1, 2)
    assert seen == []
    assert tree(out) == expected
    with pytest.raises(PhotomendError, match="set: already exists and is not an empty folder"):
        prepare_share(source, out, Ranks(1, 2), seed=4, side=64)
    assert os.listdir(out.parent) == ["set"]


@pytest.mark.parametrize("size", [1, 2])
def test_killed_at_every_step(source: FolderSource, expected: dict[str, bytes], tmp_path: Path, size: int) -> None:
    """The last rank, which puts the blocks together, is killed before each change of the disk and begun again."""
    for event in range(1, 300):
        out = tmp_path / "cut" / "set"
        out.parent.mkdir()
        for rank in range(size - 1):
            assert not share(source, out, rank, size)
        with pytest.MonkeyPatch.context() as patch:
            if not killed_at(event, out, partial(share, source, out, size - 1, size), patch):
                break
        again = [share(source, out, rank, size) for rank in range(size)]  # a launcher starts all of them anew
        assert again[-1]
        assert tree(out) == expected
        left = sorted(os.listdir(out.parent))
        assert left in (["set"], [".set.lock", "set"])  # a lock is a name without meaning once its process is dead
        shutil.rmtree(out.parent)
    assert event > 40


def test_other_ranks_go_on(source: FolderSource, expected: dict[str, bytes], tmp_path: Path) -> None:
    """Two have begun, one of them alone goes on; and the other way round."""
    out = tmp_path / "one" / "set"
    seen: list[str] = []
    assert not share(source, out, 1, 2)
    assert in_shares(out)
    assert share(counted(FolderSource(source.paths, source.root), seen), out, 0, 1)
    assert len(seen) == 10 - BLOCK - 1
    assert tree(out) == expected
    out, seen = tmp_path / "other" / "set", []
    interrupted(source, out, after=7, seed=3)
    for rank in range(2):
        share(counted(FolderSource(source.paths, source.root), seen), out, rank, 2)
    assert len(seen) == 10 - 2 * BLOCK
    assert tree(out) == expected


def test_unreadable_photos(folder: Path, tmp_path: Path) -> None:
    """Two blocks have no readable one and leave no file."""
    for name in ("cat/0.png", "cat/1.png", "cat/2.png", "dog/9.png"):
        (folder / name).write_text("no photo")
    source = FolderSource(find_photos(folder), folder)
    with pytest.warns(SkippedPhotoWarning):
        provenance = prepare(source, tmp_path / "whole", seed=3, side=64)
    warned = []
    for rank in range(2):
        with pytest.warns(SkippedPhotoWarning) as caught:
            share(source, tmp_path / "set", rank, 2)
        warned += [str(one.message) for one in caught if one.category is SkippedPhotoWarning]
    assert len(warned) == 4  # each by one rank
    assert list(provenance["skipped"]) == ["cat/0.png", "cat/1.png", "cat/2.png", "dog/9.png"]
    assert tree(tmp_path / "set") == tree(tmp_path / "whole")


@pytest.mark.filterwarnings("ignore::photomend.data.photos.SkippedPhotoWarning")
def test_nothing_readable(folder: Path, tmp_path: Path) -> None:
    for path in folder.rglob("*.png"):
        path.write_text("no photo")
    source = FolderSource(find_photos(folder), folder)
    out = tmp_path / "new" / "set"
    assert not share(source, out, 0, 2)
    with pytest.raises(PhotomendError, match="none of the 10 photos can be read"):
        share(source, out, 1, 2)
    assert os.listdir(out.parent) == []


def test_other_parameters_and_other_photos_are_refused(source: FolderSource, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    assert not share(source, out, 0, 2)
    with pytest.raises(PhotomendError, match="begun with seed 3, now 4"):
        prepare_share(source, out, Ranks(1, 2), seed=4, side=64)
    os.utime(folder / "cat" / "1.png", ns=(0, 0))
    with pytest.raises(PhotomendError, match=r"have changed while they were prepared; remove .*\.set\.partial"):
        share(FolderSource(source.paths, folder), out, 1, 2)


def test_one_process_and_several_exclude_each_other(source: FolderSource, tmp_path: Path) -> None:
    out = tmp_path / "set"

    def other() -> None:
        with pytest.raises(PhotomendError, match="another process is at work on this data set"):
            prepare(source, out, seed=3, side=64)

    prepare_share(source, out, Ranks(0, 2), seed=3, side=64, on_photo=other)
    prepare(source, tmp_path / "own", side=64, on_photo=lambda: refused_beside(source, tmp_path / "own"))


def refused_beside(source: FolderSource, out: Path) -> None:
    with pytest.raises(PhotomendError, match="another process is at work on this data set"):
        prepare_share(source, out, Ranks(0, 2), side=64)


def test_two_with_the_same_share(source: FolderSource, expected: dict[str, bytes], tmp_path: Path) -> None:
    """As when Kubernetes replaces a pod that isn't gone yet: the one is through while the other is at work."""
    out, photos = tmp_path / "set", iter(range(100))

    def on_photo() -> None:
        if next(photos) == 8:
            assert not share(source, out, 1, 2)
            assert share(source, out, 0, 2)

    assert prepare_share(source, out, Ranks(0, 2), seed=3, side=64, on_photo=on_photo) is not None
    assert tree(out) == expected
    assert not unfinished_folder(out).exists()


def test_a_stream(tmp_path: Path) -> None:
    """A dataset's rows come in order only: each rank reads all of them, and decodes its own."""
    write_parquet(tmp_path / "hub", {"train": 11})

    def stream() -> HubStream:
        return HubStream(HubDataset(str(tmp_path / "hub")))

    prepare(stream(), tmp_path / "whole", side=64)
    done = [prepare_share(stream(), tmp_path / "set", Ranks(rank, 2), side=64) is not None for rank in range(2)]
    assert done == [False, True]
    assert tree(tmp_path / "set") == tree(tmp_path / "whole")


#: A rank in a process of its own, which waits before each photo; told to, it kills itself in the midst.
RANK = f"""
import os, signal, sys, time
from pathlib import Path
from photomend.core.backend.ranks import ranks
from photomend.data.photos import find_photos
from photomend.data.preparation import prepare as module
from photomend.data.preparation.shares import prepare_share
from photomend.data.sources import FolderSource
module.PHOTOS_PER_SHARD = {BLOCK}
root, out, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

class Slow(FolderSource):
    def read(self, index, least=None):
        time.sleep(0.02)
        if index == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(index, least)

prepare_share(Slow(find_photos(root), root), out, ranks(), seed=3, side=64)
"""


@pytest.mark.slow  # processes
def test_ranks_in_processes_of_their_own(
    folder: Path, source: FolderSource, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "set"

    def start(rank: int, last: int = -1) -> subprocess.Popen[bytes]:
        place = {"RANK": str(rank), "WORLD_SIZE": "2"}
        return subprocess.Popen([sys.executable, "-c", RANK, str(folder), str(out), str(last)], env=os.environ | place)

    both = start(0), start(1, last=9)  # the second has photos 3 to 5, and 9
    assert [process.wait(120) for process in both] == [0, -signal.SIGKILL]
    assert not out.exists()
    again = start(0), start(1)
    assert [process.wait(120) for process in again] == [0, 0]
    assert tree(out) == expected
