"""A batch finishes: what is wrong with one photo is said and counted, and the others are done."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from photomend.app.batch import loop, work
from photomend.app.batch.jobs import Job
from photomend.app.masks.choice import Choice
from photomend.app.photo.files import read
from photomend.app.repair import Repairer
from photomend.models import HarmonicFill
from PIL import Image

from ..helpers import Outcome, Shell, holes, picture, pixels, tree

FIELDS = ["photo", "mask", "output", "status", "missing", "holes", "seconds", "expected", "done", "lost"]
FIELDS += ["warnings", "error"]
BOX = ("--box", "10,20,30,25", "--model", "border")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photos in three formats."""
    for name in ("a.png", "b.jpg", "sub/c.bmp"):
        picture(tmp_path / "photos" / name)
    return tmp_path / "photos"


def records(outcome: Outcome) -> list[dict[str, Any]]:
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_each_photo_is_a_line_of_json(shell: Shell, photos: Path, tmp_path: Path) -> None:
    (photos / "broken.png").write_bytes(b"no photo")
    target = tmp_path / "out"
    picture(target / "a.png")
    outcome = shell("repair", photos, *BOX, "-o", target, "--json", "--skip-existing")
    assert outcome.status == 1
    found = {Path(record["photo"]).name: record for record in records(outcome)}
    assert {name: record["status"] for name, record in found.items()} == {
        "a.png": "skipped",
        "b.jpg": "repaired",
        "broken.png": "failed",
        "c.bmp": "repaired",
    }
    for record in found.values():
        assert list(record) == FIELDS
    done = found["c.bmp"]
    assert (done["missing"], done["holes"], done["error"], done["mask"]) == (750, 1, None, None)
    assert (done["photo"], done["output"]) == (str(photos / "sub/c.bmp"), str(target / "sub/c.bmp"))
    assert done["seconds"] > 0
    assert "JPEG blocks encoded anew" in found["b.jpg"]["done"][0]
    assert found["broken.png"]["error"].startswith(f"{photos / 'broken.png'}: can't be read")
    first, last = outcome.err.splitlines()
    assert first == f"photomend: error: {found['broken.png']['error']}"
    assert last == "photomend: 2 of 4 photos repaired, 1 there already, 1 not"


def see_through(path: Path, colours: np.ndarray) -> None:
    """Write a photo with a pixel that isn't opaque."""
    alpha = np.full(colours.shape[:2], 255, np.uint8)
    alpha[-1, -1] = 0
    Image.fromarray(np.dstack((colours, alpha))).save(path)


def test_json_has_what_was_lost_and_warned_of(shell: Shell, tmp_path: Path) -> None:
    see_through(tmp_path / "a.png", picture(tmp_path / "a.png"))
    mask = holes(tmp_path / "m.png", 80, 100, (0, 0, 100, 60), (2, 70, 3, 3))
    outcome = shell("repair", tmp_path / "a.png", "--mask", tmp_path / "m.png", "-o", tmp_path / "b.jpg", "--json")
    [record] = records(outcome)
    assert (record["missing"], record["holes"], record["mask"]) == (int(mask.sum()), 2, str(tmp_path / "m.png"))
    assert record["lost"] == ["JPEG can't hold everything: transparent pixels are laid on white"]
    assert "75 % of the photo is missing" in record["warnings"][0]
    assert len(outcome.err.splitlines()) == 2


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(shell: Shell, photos: Path, tmp_path: Path) -> None:
    picture(photos / "small.png", 20, 20)
    before = tree(tmp_path)
    outcome = shell("repair", photos, *BOX, "-o", tmp_path / "out", "--dry-run")
    assert outcome.status == 1
    assert f"{tmp_path / 'out/a.png'}  750 pixels to rebuild, 9.4 % of {photos / 'a.png'}, 1 hole\n" in outcome.out
    assert outcome.out.endswith("3 of 4 photos can be repaired, 1 not\n")
    assert outcome.err.count("\n") == 1
    assert "small.png: box: 10,20,30,25" in outcome.err
    shell("repair", photos, *BOX, "-o", tmp_path / "out", "--dry-run", "--json", "--format", "jpg")
    assert tree(tmp_path) == before


def test_a_dry_run_says_what_would_be_lost(shell: Shell, photos: Path, tmp_path: Path) -> None:
    see_through(photos / "a.png", pixels(photos / "a.png"))
    said = {}
    for more in (["--dry-run"], []):
        outcome = shell("repair", photos / "a.png", *BOX, "-o", tmp_path / "b.jpg", *more, "--json")
        said[bool(more)] = records(outcome)[0]["lost"]
    assert said[True] == said[False] != []


def test_a_dry_run_of_one_photo_previews_the_mask(shell: Shell, photos: Path, tmp_path: Path) -> None:
    outcome = shell("repair", photos / "b.jpg", *BOX, "--grow", "2", "-o", tmp_path / "mask.png", "--dry-run")
    assert outcome.status == 0, outcome
    with Image.open(tmp_path / "mask.png") as image:
        missing = np.asarray(image)
    assert missing.dtype == np.bool_
    assert missing[18:47, 8:42].sum() == missing.sum() > 750
    assert "exists already" in shell.fails(1, "repair", photos / "b.jpg", *BOX, "-o", tmp_path / "mask.png")


def test_skipping_what_exists_goes_on_where_a_batch_stopped(shell: Shell, photos: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    assert shell("repair", photos, *BOX, "-o", target).status == 0
    assert "--skip-existing leaves it" in shell.fails(1, "repair", photos, *BOX, "-o", target)
    (target / "b.jpg").unlink()
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*.*")}
    outcome = shell("repair", photos, *BOX, "-o", target, "--skip-existing")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1] == "1 of 3 photos repaired, 2 there already"
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(tree(target)) == 3
    assert "exclude each other" in shell.fails(
        2, "repair", photos, *BOX, "-o", target, "--skip-existing", "--overwrite"
    )


def test_results_within_the_folder_of_photos_are_no_photos(shell: Shell, photos: Path, tmp_path: Path) -> None:
    for _ in range(2):
        outcome = shell("repair", photos, *BOX, "-o", photos / "repaired", "--overwrite")
        assert outcome.status == 0, outcome
        assert outcome.out.splitlines()[-1] == "3 of 3 photos repaired"
    assert sorted(tree(photos / "repaired")) == ["a.png", "b.jpg", "sub/c.bmp"]
    picture(tmp_path / "void/repaired/a.png")
    error = shell.fails(1, "repair", tmp_path / "void", *BOX, "-o", tmp_path / "void/repaired")
    assert "no photos in this folder, only those in" in error


def test_a_folder_is_converted(shell: Shell, photos: Path, tmp_path: Path) -> None:
    Image.fromarray(pixels(photos / "a.png")).save(photos / "d.gif")
    outcome = shell("repair", photos, *BOX, "-o", tmp_path / "out", "--format", "PNG")
    assert outcome.status == 0, outcome
    assert sorted(tree(tmp_path / "out")) == ["a.png", "b.png", "d.png", "sub/c.png"]
    assert all(read(path).origin.form == "PNG" for path in (tmp_path / "out").rglob("*.png"))  # type: ignore[union-attr]
    shutil.copy(photos / "a.png", photos / "b.png")
    assert "would both be written" in shell.fails(1, "repair", photos, *BOX, "-o", tmp_path / "x", "--format", "png")


def test_formats_that_make_no_sense(shell: Shell, photos: Path, tmp_path: Path) -> None:
    one = ("repair", photos / "a.png", *BOX, "-o", tmp_path / "b.png")
    assert "--format gif: can't write photos as '.gif'" in shell.fails(1, *one, "--format", "gif")
    assert "b.png: isn't called .jpg" in shell.fails(1, *one, "--format", "jpg")
    assert not (tmp_path / "b.png").exists()


def test_a_gif_and_a_format_without_loss_are_named_and_the_others_done(
    shell: Shell, photos: Path, tmp_path: Path
) -> None:
    Image.fromarray(pixels(photos / "a.png")).save(photos / "d.gif")
    outcome = shell("repair", photos, *BOX, "-o", tmp_path / "out", "--quality", "80")
    assert outcome.status == 1
    assert sorted(tree(tmp_path / "out")) == ["b.jpg"]
    assert "d.gif: can't write photos as '.gif'" in outcome.err
    assert "a.png: PNG is written without loss" in outcome.err
    assert outcome.err.count("\n") == 3
    assert outcome.out.splitlines()[-1] == "1 of 4 photos repaired, 3 not"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 67.1 MiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
        OSError(5, "Input/output error"),
        ZeroDivisionError("a mistake"),
    ],
)
def test_whatever_goes_wrong_with_one_photo_is_named(
    shell: Shell, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail_once(path: Path) -> Any:
        if path.name == "b.jpg":
            raise error
        return read(path)

    monkeypatch.setattr(work, "read", fail_once)
    outcome = shell("repair", photos, *BOX, "-o", tmp_path / "out")
    assert outcome.status == 1
    assert sorted(tree(tmp_path / "out")) == ["a.png", "sub/c.bmp"]
    [line] = outcome.err.splitlines()
    assert line.startswith(f"photomend: error: {photos / 'b.jpg'}: ")
    assert outcome.out.splitlines()[-1] == "2 of 3 photos repaired, 1 not"
    if isinstance(error, ZeroDivisionError):  # a mistake of ours, whose traceback is wanted
        with pytest.raises(ZeroDivisionError):
            shell("repair", photos / "b.jpg", *BOX, "-o", tmp_path / "b.jpg")
    else:
        assert str(photos / "b.jpg") in shell.fails(1, "repair", photos / "b.jpg", *BOX, "-o", tmp_path / "b.jpg")


def test_an_interruption_says_how_far_it_came(
    shell: Shell, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = work.attempt

    def interrupted(job: Any, *args: Any, **options: Any) -> Any:
        if job.photo.name == "c.bmp":
            raise KeyboardInterrupt
        return real(job, *args, **options)

    monkeypatch.setattr(loop, "attempt", interrupted)
    outcome = shell("repair", photos, *BOX, "-o", tmp_path / "out")
    assert outcome.status == 130
    line = "photomend: error: interrupted; 2 of 3 photos repaired, 1 left; --skip-existing goes on from here"
    assert outcome.err.strip() == line


def test_names_that_no_line_or_encoding_holds(shell: Shell, photos: Path, tmp_path: Path) -> None:
    odd = [os.fsdecode(os.fsencode(photos) + name) for name in (b"/\xff\xfe.png", b"/new\nline\x1b[2J.png")]
    for name in odd:
        shutil.copy(photos / "a.png", name)
    outcome = shell("repair", photos, *BOX, "-o", tmp_path / "out")
    assert outcome.status == 0, outcome
    assert len(outcome.out.splitlines()) == 6
    assert "\x1b" not in outcome.out
    outcome = shell("repair", photos, *BOX, "-o", tmp_path / "json", "--json")
    assert set(odd) < {record["photo"] for record in records(outcome)}


def test_outputs_that_cannot_be_written_are_said_before_the_work(
    shell: Shell, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("photomend.app.masks.choice.Choice.mend", None)  # no work is done
    one = ("repair", photos / "a.png", *BOX, "-o")
    assert "a.png is a file" in shell.fails(1, *one, photos / "a.png" / "b.png")
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert f"no file can be written to {tmp_path}" in shell.fails(1, *one, tmp_path / "out" / "b.png")
    monkeypatch.undo()
    monkeypatch.setattr("photomend.app.masks.choice.Choice.mend", None)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=2**40, free=0))
    assert "b.png: no space left: needs 0.0 MiB" in shell.fails(1, *one, tmp_path / "b.png")


def test_a_photo_without_damage_is_copied_said_and_counted(shell: Shell, tmp_path: Path) -> None:
    clean = np.full((60, 80, 3), 200, np.uint8)
    scratched = clean.copy()
    scratched[30:33, 5:75] = 20
    (tmp_path / "in").mkdir()
    Image.fromarray(clean).save(tmp_path / "in/clean.jpg", quality=60, comment=b"as it was")
    Image.fromarray(scratched).save(tmp_path / "in/damaged.png")
    auto = ("--auto", "--auto-certainty", "0.05", "--model", "border")
    outcome = shell("repair", tmp_path / "in", *auto, "-o", tmp_path / "out")
    assert outcome.status == 0, outcome
    target = tmp_path / "out/clean.jpg"
    why = "no damage is found, nor black paint"
    assert f"{target}  nothing to repair on {tmp_path / 'in/clean.jpg'}; {why}; copied\n" in outcome.out
    assert outcome.out.endswith("1 of 2 photos repaired, 1 without damage\n")
    assert target.read_bytes() == (tmp_path / "in/clean.jpg").read_bytes()

    [record] = records(shell("repair", tmp_path / "in/clean.jpg", *auto, "-o", tmp_path / "new.png", "--json"))
    assert (record["status"], record["missing"], record["holes"], record["error"]) == ("unchanged", 0, 0, None)
    assert record["lost"] == []
    with Image.open(tmp_path / "in/clean.jpg") as old, Image.open(tmp_path / "new.png") as new:
        assert np.array_equal(np.asarray(old), np.asarray(new))
    dry = shell("repair", tmp_path / "in/clean.jpg", *auto, "-o", tmp_path / "mask.png", "--dry-run")
    assert (dry.status, why in dry.out) == (0, True)
    assert not np.asarray(Image.open(tmp_path / "mask.png")).any()
    dry = shell("repair", tmp_path / "in", *auto, "-o", tmp_path / "no", "--dry-run")
    assert dry.out.endswith("1 of 2 photos can be repaired, 1 without damage\n")
    assert not (tmp_path / "no").exists()
    failed = shell("repair", tmp_path / "in/clean.jpg", "--auto-colour", "magenta", "-o", tmp_path / "no.png")
    assert failed.status == 1
    assert "no pixel has the colour 255,0,255" in failed.err


def test_a_search_and_the_repair_after_it_are_half_of_the_work_each(tmp_path: Path) -> None:
    scan = np.full((90, 120, 3), 200, np.uint8)
    scan[30:33, 5:115] = 20
    Image.fromarray(scan).save(tmp_path / "a.png")
    told = list[float]()
    plan = work.Plan(Choice(damage=True, certainty=0.05), Repairer(HarmonicFill()))
    job = Job(tmp_path / "a.png", None, tmp_path / "b.png")
    assert work.attempt(job, plan, lambda done, total: told.append(done / total)).error is None
    assert told == sorted(told)
    assert 0.5 in told
    assert told[-1] == 1


def test_nothing_is_written_through_a_link_within_the_output_folder(shell: Shell, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")  # which the person has named, and may be one
    (tmp_path / "real/sub").symlink_to(tmp_path / "elsewhere")
    for dry in ((), ("--dry-run",)):
        outcome = shell("repair", photos, *BOX, "-o", tmp_path / "out", "--overwrite", *dry)
        assert outcome.status == 1
        link = tmp_path / "out/sub"
        assert f"error: {link / 'c.bmp'}: {link} is a symbolic link; nothing is written through one\n" in outcome.err
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert {path.name for path in (tmp_path / "real").iterdir()} == {"a.png", "b.jpg", "sub"}
