"""A run on two ranks: who writes, who sees which photo, and how it ends when one fails, is stopped, or is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from photomend.core import Array, PhotomendError
from photomend.core.backend.ranks import Ranks
from photomend.data.evaluation_set import EvaluationSet
from photomend.data.loader import CropLoader
from photomend.data.sources import FolderSource
from photomend.models.weights import BEST, LAST, load_checkpoint
from photomend.train.checkpoint import PREVIOUS, STATE, load_state
from photomend.train.config import TrainConfig
from photomend.train.distributed import LostRankError, join, speaks
from photomend.train.log import LOG, by_kind, read_log
from photomend.train.recorder import Recorder
from photomend.train.trainer import Trainer
from photomend.train.validation import Validator

from .ranks import on_ranks
from .runs import config, run

SHORT: dict[str, Any] = {"steps": 4, "batch_size": 4, "validation_interval": 2}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As in the ranks, whose sums are to be the same to the bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def records(out: Path) -> list[Any]:
    """What a log says, times apart."""
    timed = {"seconds", "photos_s"}
    return [{key: value for key, value in record.items() if key not in timed} for record in read_log(out / LOG)]


def files_in(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in (BEST, LAST)}


@pytest.mark.parametrize(("photos_in_all", "batch", "size"), [(10, 4, 2), (9, 6, 3), (7, 8, 4)])
def test_each_photo_is_seen_once_an_epoch_over_all_ranks(
    photos_in_all: int, batch: int, size: int, photos: FolderSource
) -> None:
    source = FolderSource(photos.paths[:photos_in_all], photos.root)
    loaders = [CropLoader(source, batch, 64, seed=5, ranks=Ranks(rank, size)) for rank in range(size)]
    whole = CropLoader(source, batch, 64, seed=5)
    for step in range(photos_in_all):
        shares = [loader.names(step) for loader in loaders]
        assert [name for share in shares for name in share] == whole.names(step)
        assert {len(share) for share in shares} == {batch // size}
    seen = [name for step in range(photos_in_all) for loader in loaders for name in loader.names(step)]
    epochs = [seen[start : start + photos_in_all] for start in range(0, batch * photos_in_all, photos_in_all)]
    assert all(sorted(epoch) == sorted(source.name(i) for i in range(photos_in_all)) for epoch in epochs)

    crops, masks = next(whole.__iter__())
    parts = [next(loader.__iter__()) for loader in loaders]
    assert torch.equal(torch.cat([part.photo for part in parts]), crops)
    assert torch.equal(torch.cat([part.mask for part in parts]), masks)


def test_a_run_on_two_ranks_is_that_on_one_and_has_one_writer(
    photos: FolderSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, alone = tmp_path / "two", tmp_path / "one"
    run(config(**SHORT), photos, alone)
    opened = os.open

    def writes(rank: int) -> tuple[list[str], list[Any]]:
        """The files in the run's folder that a rank opens to write, and the validations that it hears of."""
        written, heard = [], []

        def watched(path: Any, flags: int, *more: Any, **named: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR) and str(path).startswith(str(out)):
                written.append(str(path))
            return opened(path, flags, *more, **named)

        monkeypatch.setattr(os, "open", watched)
        run(config(**SHORT), photos, out, on_validation=lambda interval: heard.append(interval.validation.metrics))  # type: ignore[union-attr]
        return written, heard

    (written, heard), (none, heard_too) = on_ranks(2, tmp_path, writes)
    assert written
    assert none == []
    assert heard == heard_too
    assert len(heard) == 3
    assert {path.name for path in out.iterdir()} == {"config.json", LOG, BEST, LAST, STATE, PREVIOUS}
    assert json.loads((out / "config.json").read_text())["world_size"] == 2
    assert json.loads((alone / "config.json").read_text())["world_size"] == 1
    for mine, expected in zip(records(out), records(alone), strict=True):
        assert mine == pytest.approx(expected, rel=1e-3)
    for name in (BEST, LAST):
        mine_, expected_ = (load_checkpoint(folder / name).weights for folder in (out, alone))
        assert all(torch.allclose(mine_[key], expected_[key], rtol=1e-2, atol=1e-4) for key in expected_)


def test_validation_is_spread_over_the_ranks(photos: FolderSource, tmp_path: Path) -> None:
    """Three ranks and seven photos, of which one can't be read."""
    for path in photos.paths[:6]:
        shutil.copy(path, tmp_path)
    (tmp_path / "9.png").write_bytes(b"no photo")
    source = FolderSource(sorted(tmp_path.glob("*.png")), tmp_path)

    def validated(rank: int) -> tuple[dict[str, float], int]:
        join(torch.device("cpu"))
        validator = Validator(EvaluationSet(source))
        return validator(Trainer(config()).network).metrics, len(validator._samples[0])

    ranks = on_ranks(3, tmp_path, validated)
    expected = Validator(EvaluationSet(source))(Trainer(config()).network).metrics
    assert [count for _, count in ranks] == [2, 2, 2]
    for metrics, _ in ranks:
        assert metrics == pytest.approx(expected, rel=1e-5)


def test_a_batch_that_ranks_cannot_share_evenly_is_refused(photos: FolderSource, tmp_path: Path) -> None:
    for error in on_ranks(2, tmp_path, lambda rank: run(config(batch_size=5), photos, tmp_path / "run")):
        assert str(error) == "training: batch_size (=5) must be divisible by the number of ranks (=2)"
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_on_one_rank_stops_all_with_the_same_words(
    photos: FolderSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poisoned(rank: int) -> tuple[str, bool]:
        def inputs(self: Any, photo: Array, mask: Array) -> tuple[Array, ...]:
            photo[:] = float("nan") if rank == 1 and self.progress.steps == 2 else photo
            return self.network.prepare(photo * (1 - mask), mask)

        monkeypatch.setattr(Trainer, "inputs", inputs)
        with pytest.raises(PhotomendError) as caught:
            run(config(**SHORT), photos, tmp_path / "run")
        return str(caught.value), speaks()

    (said, speaks_0), (said_too, speaks_1) = on_ranks(2, tmp_path, poisoned)
    assert said == said_too
    assert said.startswith("training: at step 2 the loss is nan")
    assert "it began in the batch, which holds NaN or infinities" in said
    assert "photos of this step: " in said
    assert speaks_0 + speaks_1 == 1
    assert load_state(tmp_path / "run" / STATE)["progress"]["steps"] == 2


def test_an_error_of_one_rank_ends_the_others_and_is_said_once(
    photos: FolderSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(rank: int) -> tuple[str, bool]:
        names, real = [], CropLoader.__getitem__

        def broken(self: CropLoader, key: tuple[int, int]) -> Any:
            names.append(key)
            if rank == 1 and len(names) > 5:
                raise PhotomendError("the disk of rank 1 is gone")
            return real(self, key)

        monkeypatch.setattr(CropLoader, "__getitem__", broken)
        try:
            run(config(**SHORT), photos, tmp_path / "run")
        except PhotomendError as error:
            said = f"{type(error).__name__}: {error}", speaks()
            if rank == 1:
                torch.distributed.destroy_process_group()  # what the end of a process does
            return said
        raise AssertionError("nothing was raised")

    (lost, spoke), (said, spoke_too) = on_ranks(2, tmp_path, failing)
    assert said == "PhotomendError: the disk of rank 1 is gone"
    assert lost.startswith(f"{LostRankError.__name__}: rank 0 of 2 can't go on without the others")
    assert (spoke, spoke_too) == (False, True)


def test_a_signal_to_one_rank_stops_all_after_the_same_step(
    photos: FolderSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = tmp_path / "run", tmp_path / "whole"
    on_ranks(2, tmp_path, lambda rank: bool(run(config(**SHORT), photos, whole)))

    def stopped(rank: int) -> str:
        record = Recorder.record_step

        def then_told(self: Any, *numbers: float) -> None:
            record(self, *numbers)
            if rank == 1:
                os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(Recorder, "record_step", then_told)
        try:
            run(config(**SHORT), photos, out)
        except KeyboardInterrupt:
            return "interrupted"
        return "ended"

    assert on_ranks(2, tmp_path, stopped) == ["interrupted", "interrupted"]
    assert load_state(out / STATE)["progress"]["steps"] == 1
    on_ranks(2, tmp_path, lambda rank: bool(run(config(**SHORT), photos, out, resume=True)))
    assert files_in(out) == files_in(whole)
    assert records(out) == records(whole)


def test_a_launcher_that_starts_all_anew_goes_on_only_with_its_own_run(photos: FolderSource, tmp_path: Path) -> None:
    out, again = tmp_path / "run", {"TORCHELASTIC_RESTART_COUNT": "1"}

    def trained(steps: int, **settings: Any) -> list[Any]:
        given = config(**{**SHORT, "steps": steps, **settings})
        return on_ranks(2, tmp_path, lambda rank: run(given, photos, out).progress.steps, **again)

    assert trained(2) == [2, 2]  # nothing was saved before it was started anew
    before = files_in(out)
    assert trained(2) == [2, 2]  # it had come to its end, but not said so
    assert files_in(out) == before
    first, second = trained(2, lr=1e-4)
    assert "holds a run already" in str(first)
    assert isinstance(second, LostRankError)
    assert files_in(out) == before


@pytest.mark.slow
def test_a_rank_that_is_killed_is_started_anew_and_ends_in_the_same_weights(tmp_path: Path) -> None:
    """By torchrun, which starts both anew; the one that is killed is in the middle of a step."""
    settings = tmp_path / "small.toml"
    settings.write_text(
        "model_config = { width = 16, dilations = [1], window = 64 }\n"
        "validation_photos = 4\nbatch_size = 2\nworkers = 0\nsteps = 24\nvalidation_interval = 4\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    train = ["-m", "photomend", "train", "attention", "--device", "cpu", "--config", str(settings)]
    whole, out = tmp_path / "whole", tmp_path / "out"
    done = subprocess.run([*command, *train, "--out", str(whole)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    launcher = subprocess.Popen([*command, "--max-restarts", "1", *train, "--out", str(out)], stderr=subprocess.PIPE)
    try:
        log, until = out / LOG, time.monotonic() + 300
        while time.monotonic() < until and (not log.exists() or len(by_kind(read_log(log))[0]) < 6):
            time.sleep(0.002)
        ranks = children_of(launcher.pid)
        assert len(ranks) == 2
        os.kill(ranks[1], signal.SIGKILL)
        _, said = launcher.communicate(timeout=600)
    finally:
        for process in (*children_of(launcher.pid), launcher.pid):  # none, if all went well
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    assert launcher.returncode == 0, said
    assert files_in(out) == files_in(whole)
    assert records(out) == records(whole)


def children_of(parent: int) -> list[int]:
    """The processes that this one has started, in that order."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found += [int(path.parent.name)] * (int(fields[1]) == parent)
    return sorted(found)


def test_settings_of_a_run_on_ranks_come_back(tmp_path: Path) -> None:
    given = config(sync_batch_norm=True)
    assert TrainConfig.from_dict(given.to_dict() | {"world_size": 8}) == given
