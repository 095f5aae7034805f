"""The evaluation as text, Markdown, CSV and JSON: the same numbers everywhere."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import pytest
from photomend.app.tables import COLUMNS, Tables, as_csv, as_json, as_markdown, as_text
from photomend.train.evaluation.evaluate import Evaluation, PhotoResult
from photomend.train.evaluation.metrics import PhotoMetrics

KEYS = [
    "mse",
    "mae",
    "hole_mse",
    "hole_mae",
    "hole_psnr",
    "ssim",
    "sharpness",
    "texture",
    "mse_to_harmonic",
    "mse_to_best_other",
]


def evaluation(model: str, factor: float, psnr: float = 20.0, photos: int = 10) -> Evaluation:
    results = [
        PhotoResult(
            f"{index}.png",
            name,
            0.02 + 0.01 * (index % 3),
            PhotoMetrics(factor * (50 + index % 3), factor, 20 * factor, 9.0, psnr, 0.97, factor, 2.0, factor, 3.0),
        )
        for index, name in enumerate(("cat", "cat", "a|b\nc") * photos)
    ]
    return Evaluation(model, results)  # a class of 20 photos and one of 10, as are the groups by area


@pytest.fixture
def tables() -> Tables:
    return Tables.of([evaluation("harmonic", 1.0), evaluation("runs/net", 0.9)])


def test_text(tables: Tables) -> None:
    overall, areas, classes = as_text(tables).split("\n\n")
    lines = overall.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [title in lines[0] for title, _ in COLUMNS.values()] == [True] * len(COLUMNS)
    assert lines[2].split()[:4] == ["harmonic", "30", "51.00", "1.000"]
    low, high = map(float, lines[3].split()[0].split("–"))
    assert 50 < low < 51 < high < 52
    assert lines[4].startswith("runs/net ")
    assert areas.startswith("MSE by hole area ")
    assert [line.split("  ")[0] for line in areas.splitlines()[2:]] == ["below 3 %", "3 to 4 %", "4 to 5 %"]
    assert classes.startswith("MSE by class ")


def test_one_class_is_no_table() -> None:
    alone = Evaluation("harmonic", evaluation("harmonic", 1.0).results[:1])
    text = as_text(Tables.of([alone]))
    assert text.count("\n\n") == 1
    assert text.endswith("Averages over fewer than 10 photos have no interval: it would be too narrow.")
    assert "–" not in text
    assert "best other" not in text


def test_markdown(tables: Tables) -> None:
    overall, *groups = as_markdown(tables).split("## By ")
    assert len(groups) == 2
    for part, names in ((overall, 1), (groups[0], 2), (groups[1], 2)):
        lines = [line for line in part.splitlines() if line.startswith("|")]
        assert lines[1].startswith("| --- |")
        assert {line.replace(r"\|", "").count("|") for line in lines} == {names + 2 + len(KEYS)}
    assert re.search(r"\| runs/net \| 30 \| 45\.90 \(45\.\d\d–46\.\d\d\) \|", overall)
    assert r"| a\|b c | runs/net | 10 |" in groups[1]


def test_csv(tables: Tables) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(tables))))
    assert list(rows[0]) == [
        "model",
        "by",
        "group",
        "photos",
        *(k + end for k in KEYS for end in ("", "_low", "_high")),
    ]
    assert [(row["by"], row["group"]) for row in rows if row["model"] == "runs/net"] == [
        ("all", ""),
        ("area", "below 3 %"),
        ("area", "3 to 4 %"),
        ("area", "4 to 5 %"),
        ("class", "a|b\nc"),
        ("class", "cat"),
    ]
    assert float(rows[1]["mse"]) == pytest.approx(45.9)
    assert float(rows[1]["mse_to_harmonic_high"]) == pytest.approx(0.9)


def test_json(tables: Tables) -> None:
    rows = json.loads(as_json(tables))
    own = [key for name in KEYS for key in (name, f"{name}_ci")]
    for row, summary in zip(rows, tables.overall, strict=True):
        assert list(row) == ["model", "photos", *own, "by_area", "by_class"]
        assert row["mse"] == summary.metrics["mse"].value
        assert row["mse_ci"] == list(summary.metrics["mse"][1:])
    assert [group["area"] for group in rows[1]["by_area"]] == ["below 3 %", "3 to 4 %", "4 to 5 %"]
    assert [(group["class"], group["photos"]) for group in rows[1]["by_class"]] == [("a|b\nc", 10), ("cat", 20)]
    assert list(rows[1]["by_class"][0]) == ["class", "photos", *own]


def test_few_photos_have_no_interval_and_every_table_says_why() -> None:
    tables = Tables.of([evaluation("harmonic", 1.0, photos=3), evaluation("net", 0.9, photos=3)])
    row = json.loads(as_json(tables))[0]
    assert (row["mse"], row["mse_ci"], row["sharpness_ci"]) == (51.0, [None, None], [None, None])
    first = next(csv.DictReader(io.StringIO(as_csv(tables))))
    assert (first["mse"], first["mse_low"], first["mse_high"]) == ("51", "", "")
    for text in (as_text(tables), as_markdown(tables)):
        assert text.rstrip().endswith("have no interval: it would be too narrow.")
        assert "–" not in text
    assert len(as_text(tables).split("\n\n")[0].splitlines()) == 4  # no empty lines for what isn't there


def test_enough_photos_need_no_word(tables: Tables) -> None:
    assert tables.note == ""
    assert "no interval" not in as_text(tables) + as_markdown(tables)


def test_what_no_file_has_a_number_for() -> None:
    tables = Tables.of([evaluation("exact", 0.0, math.inf)])
    row = json.loads(as_json(tables))[0]
    assert (row["hole_psnr"], row["hole_psnr_ci"]) == (None, [None, None])
    assert next(csv.DictReader(io.StringIO(as_csv(tables))))["hole_psnr_low"] == ""
    assert "| inf |" in as_markdown(tables)
    assert "nan" not in as_text(tables)
