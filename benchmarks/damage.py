"""How much of the damage on scans `find_damage` finds, and how much else: on half of some photos.

    python -m photomend.benchmarks.damage --photos DIR                             # precision and recall
    python -m photomend.benchmarks.damage --photos DIR --fit app/masks/judges.npz  # train it first, on the other half
    python -m photomend.benchmarks.damage --photos DIR --paint                     # black paint instead of damage

The damage is simulated (`scanning/simulate.py`); photos at even places of the sorted list are for training, the others
for measuring, each with damage of its own and once without. A piece of damage that changes 20 grey levels on average
is found if half of its pixels are. Precision: of the pixels found, the share within 2 pixels of damage.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from photomend.app.masks import damage
from photomend.app.masks.marks import TOUCHING
from photomend.app.masks.paint import find_paint
from photomend.app.paths import FILE, FOLDER
from photomend.benchmarks.scanning.simulate import NONE, Scan, simulate
from photomend.data.photos import Photo, find_photos, read_photo
from photomend.layers import Linear, ReLU, Sequential, binary_cross_entropy_with_logits
from photomend.train import fit as fit_model
from PIL import Image, ImageDraw
from scipy import ndimage
from tqdm import tqdm

#: Hidden units of a judge, and the steps of its training.
HIDDEN, STEPS = 16, 6000
#: Pixels that what is found may be off.
NEAR = 2


def scans(paths: list[Path], seed: int) -> Iterator[tuple[Photo, Scan]]:
    """Each photo, and a scan of it with damage."""
    for number, path in enumerate(tqdm(paths)):
        photo = read_photo(path)
        yield photo, simulate(photo, np.random.default_rng((seed, number)))


def shades_of(scan: Scan) -> NDArray[np.uint8]:
    return np.rint(scan.pixels @ damage.LUMA).astype(np.uint8)


def fit(paths: list[Path], seed: int) -> dict[str, damage.Judge]:
    """Train the judges of all kinds of marks: a mark is damage if more than half of it is, within a pixel."""
    numbers, truths = defaultdict[str, list[Any]](list), defaultdict[str, list[Any]](list)
    for photo, scan in scans(paths, seed):
        for each in (scan, simulate(photo, np.random.default_rng(seed), NONE)):
            mask = ndimage.binary_dilation(each.mask, TOUCHING)
            for marks in damage.candidates(shades_of(each)):
                hit = ndimage.mean(mask, marks.labels, np.arange(1, len(marks.numbers) + 1))
                numbers[marks.kind].append(marks.numbers)
                truths[marks.kind].append(hit > 0.5)
    return {kind: train(kind, np.concatenate(numbers[kind]), np.concatenate(truths[kind])) for kind in damage.KINDS}


def train(kind: str, x: NDArray[np.float64], y: NDArray[np.bool_]) -> damage.Judge:
    """Train one judge on the numbers of marks, (n, 10), and whether each is damage, (n,)."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    torch.manual_seed(0)
    model = Sequential(Linear(x.shape[1], HIDDEN), ReLU(), Linear(HIDDEN, 1))
    data = tuple(torch.from_numpy(part.astype(np.float32)) for part in ((x - mean) / deviation, y[:, None]))
    loss = binary_cross_entropy_with_logits
    history = fit_model(model, data, loss, steps=STEPS, batch_size=512, lr=5e-3, schedule="cosine", quiet=True)
    click.echo(f"{kind}: {y.sum()} of {len(y)} marks are damage; loss {np.mean(history.losses[-500:]):.4f}")
    weights = [value.numpy().astype(np.float32) for value in model.state_dict().values()]
    return damage.Judge(mean.astype(np.float32), deviation.astype(np.float32), *weights)


def measure(paths: list[Path], seed: int, certainty: float) -> None:
    """Print recall, precision, and how much is found where there is nothing."""
    seen, found = Counter[str](), Counter[str]()
    right, wrong, clean = 0, 0, list[float]()
    for number, (photo, scan) in enumerate(scans(paths, seed)):
        mask = damage.find_damage(shades_of(scan), certainty)
        near = ndimage.binary_dilation(scan.mask, TOUCHING, NEAR)
        right, wrong = right + int((mask & near).sum()), wrong + int((mask & ~near).sum())
        for kind, window, own in scan.visible:
            seen[kind] += 1
            found[kind] += int(mask[window][own].mean() >= 0.5)
        spotless = simulate(photo, np.random.default_rng((seed + 1, number)), NONE)
        clean.append(1e6 * damage.find_damage(shades_of(spotless), certainty).mean())
    recall = ", ".join(f"{kind} {found[kind] / seen[kind]:.2f} (of {seen[kind]})" for kind in seen)
    click.echo(f"certainty {certainty}: recall {recall}; precision {right / max(right + wrong, 1):.2f}")
    click.echo(
        f"    pixels in a million found on clean scans: median {np.median(clean):.0f}, mean {np.mean(clean):.0f}, "
        f"most {max(clean):.0f}"
    )


def measure_paint(paths: list[Path], seed: int) -> None:
    """Print how much black paint is found, three discs and three lines 6 pixels wide a photo, and how much else."""
    for lossy in (False, True):
        shares, false = list[float](), list[bool]()
        for number, path in enumerate(tqdm(paths)):
            image = Image.fromarray(read_photo(path))
            false.append(bool(find_paint(np.asarray(image.convert("L")), lossy).any()))
            mask = Image.new("L", image.size)
            for canvas, shade in ((ImageDraw.Draw(image), "black"), (ImageDraw.Draw(mask), "white")):
                for x, y in np.random.default_rng((seed, number)).uniform((0, 0), image.size, (3, 2)):
                    canvas.ellipse((x, y, x + 30, y + 20), fill=shade)
                    canvas.line((x, y, x + 40, y + 40), fill=shade, width=6)
            if lossy:
                file = BytesIO()
                image.save(file, "JPEG", quality=90)
                image = Image.open(file)
            painted = np.asarray(mask) > 0
            shares.append(float(find_paint(np.asarray(image.convert("L")), lossy)[painted].mean()))
        click.echo(
            f"{'after JPEG' if lossy else 'without loss'}: found on {100 * np.mean(np.array(shares) > 0):.0f} % of "
            f"{len(paths)} photos, {100 * np.mean(shares):.0f} % of the paint; falsely on {100 * np.mean(false):.0f} %"
        )


@click.command()
@click.option("--photos", type=FOLDER, required=True, help="A folder of photos, searched with its subfolders.")
@click.option("--fit", "file", type=FILE, help="Train the judges first, and write them to this file (.npz).")
@click.option("--paint", is_flag=True, help="Measure black paint.")
@click.option("--most", type=int, default=40, show_default=True, help="Photos in each half, evenly chosen.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the damage.")
@click.option("--certainty", type=float, multiple=True, default=(0.5, 0.7, 0.85), show_default=True)
def main(photos: Path, file: Path | None, paint: bool, most: int, seed: int, certainty: tuple[float, ...]) -> None:
    """Measure how much damage is found."""
    paths = find_photos(photos)
    halves = [half[:: max(1, len(half) // most)][:most] for half in (paths[::2], paths[1::2])]
    if paint:
        measure_paint(halves[1], seed)
        return
    if file is not None:
        judges = fit(halves[0], seed)
        arrays = {f"{kind}.{name}": array for kind in judges for name, array in judges[kind]._asdict().items()}
        np.savez_compressed(file, **arrays)
        damage.judges().update(judges)
    for each in certainty:
        measure(halves[1], seed + 2, each)


if __name__ == "__main__":
    main()
