"""Which mask belongs to which photo: names as file systems and people write them."""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

import pytest
from photomend.app.masks.pairing import MaskFolder, Named, PairingError, say_unused, without_masks
from photomend.core import PhotomendError

NFC, NFD = normalize("NFC", "Über"), normalize("NFD", "Über")


def folder(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def named(root: Path, *names: str) -> list[Named]:
    return [Named(root / name, Path(name)) for name in names]


@pytest.mark.parametrize(
    ("photo", "mask"),
    [
        ("a.jpg", "a.png"),
        ("a.jpg", "a_mask.png"),
        ("a.jpg", "a-mask.webp"),
        ("a.jpg", "a-MASK.png"),
        ("A.JPG", "a_Mask.PNG"),
        ("a.b.jpg", "a.b.png"),
        ("a_mask.jpg", "a_mask.png"),
        (f"{NFC}.jpg", f"{NFD}.png"),
        (f"{NFD}/x.jpg", f"{NFC}/x_mask.png"),
        ("Straße.jpg", "STRASSE.png"),
        ("ΣΑΣ.jpg", "σας.png"),
        ("a.jpg", "a.heic"),
    ],
)
def test_names_that_fit(tmp_path: Path, photo: str, mask: str) -> None:
    masks = MaskFolder(folder(tmp_path, mask, "other.png"), named(Path("photos"), photo))
    assert masks.mask_of(Path(photo)) == tmp_path / mask
    assert masks.unused([tmp_path / mask]) == [tmp_path / "other.png"]


@pytest.mark.parametrize("mask", ["sub/a.png", "b.png", "a_masks.png", "a2.png", "a².png"])
def test_names_that_do_not(tmp_path: Path, mask: str) -> None:
    masks = MaskFolder(folder(tmp_path, mask), named(Path("photos"), "a.jpg"))
    with pytest.raises(PairingError, match="no mask named 'a' in"):
        masks.mask_of(Path("a.jpg"))


def test_a_miss_names_what_comes_nearest(tmp_path: Path) -> None:
    masks = MaskFolder(folder(tmp_path, "scan_011.png", "scan_02.png", "other.png"), [])
    with pytest.raises(PairingError, match=r"no mask named 'scan_11' in .*; the nearest name is 'scan_011\.png'"):
        masks.mask_of(Path("scan_11.jpg"))


def test_what_is_ambiguous_is_refused(tmp_path: Path) -> None:
    photos = named(Path("photos"), "a.jpg", "b.jpg", "Cat.jpg", "CAT.jpg")
    masks = MaskFolder(folder(tmp_path, "a.png", "a_mask.png", "b.png", "b.tif", "cat.png", "dog.png"), photos)
    for photo, words in {
        "a.jpg": r"2 masks fit: .*a\.png, .*a_mask\.png",
        "b.jpg": r"2 masks fit: .*b\.png, .*b\.tif",
        "Cat.jpg": r"cat\.png fits several photos: CAT, Cat",
    }.items():
        with pytest.raises(PairingError, match=words):
            masks.mask_of(Path(photo))
    assert masks.unused([]) == [tmp_path / "dog.png"]


def test_an_exact_name_goes_before_one_that_differs_in_case(tmp_path: Path) -> None:
    photos = named(Path("photos"), "cat.jpg", "CAT.jpg", "strasse.jpg", "straße.jpg", "dog.jpg", "DOG.jpg")
    masks = MaskFolder(folder(tmp_path, "cat.png", "CAT.png", "strasse.png", "straße.png", "dog.png"), photos)
    for name in ("cat", "CAT", "strasse", "straße", "dog"):
        assert masks.mask_of(Path(f"{name}.jpg")) == tmp_path / f"{name}.png"
    with pytest.raises(PairingError, match="no mask named 'DOG'"):
        masks.mask_of(Path("DOG.jpg"))  # dog.png is the mask of dog.jpg


def test_masks_beside_the_photos_or_below_them_are_no_photos(tmp_path: Path) -> None:
    folder(tmp_path, "a.jpg", "a_mask.png", "b_mask.jpg", "sub/a_mask.png", "masks/a.png")
    found = named(tmp_path, "a.jpg", "a_mask.png", "b_mask.jpg", "masks/a.png", "sub/a_mask.png")
    beside = without_masks(found, tmp_path)
    assert [str(photo.name) for photo in beside] == ["a.jpg", "b_mask.jpg", "masks/a.png", "sub/a_mask.png"]
    assert MaskFolder(tmp_path, beside).mask_of(Path("a.jpg")) == tmp_path / "a_mask.png"
    below = without_masks(found, tmp_path / "masks")
    assert [str(photo.name) for photo in below] == ["a.jpg", "a_mask.png", "b_mask.jpg", "sub/a_mask.png"]
    assert without_masks(named(tmp_path, "a_mask.png"), tmp_path) == named(tmp_path, "a_mask.png")
    with pytest.raises(PhotomendError, match="only the photos themselves"):
        MaskFolder(tmp_path / "masks", named(tmp_path / "masks", "a.png"))


def test_unused_masks_are_counted_and_named() -> None:
    assert say_unused([Path("m/a.png")]) == "1 mask is without a photo: m/a.png"
    line = say_unused([Path(f"{k}.png") for k in range(12)])
    assert line.startswith("12 masks are without a photo: 0.png, 1.png")
    assert line.endswith("9.png, …")
