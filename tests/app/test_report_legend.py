"""What the report says about its numbers: what each means, which way is better, and how sure it is."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from photomend.app.report.legend import MEANINGS, reliability
from photomend.app.report.page import best, write_report
from photomend.app.tables import COLUMNS, Tables
from photomend.models import HarmonicFill
from photomend.train.evaluation.evaluate import Evaluation, PhotoResult, evaluate_models
from photomend.train.evaluation.metrics import PhotoMetrics

from .pages import Page, samples


def many_photos() -> Tables:
    """Twelve photos with two holes each, by three models; the blurred one is the best by its error."""
    evaluations = []
    for name, factor in (("harmonic", 1.0), ("net", 0.8), ("seams", 3.0)):
        metrics = [
            PhotoMetrics(factor * (50 + i), factor, 9.0, 9.0, 20.0, 0.9, factor, 3.0, factor, 4.0) for i in range(12)
        ]
        results = [PhotoResult(f"{i}.png", "", 0.02, metric) for i, metric in enumerate(metrics)]
        evaluations.append(Evaluation(name, results * 2))
    return Tables.of(evaluations)


def page_of(tables: Tables, path: Path) -> str:
    write_report(path, "t", tables, samples(), {"harmonic": HarmonicFill()}, {}, {}, torch.device("cpu"))
    return path.read_text(encoding="utf-8")


def test_every_column_says_what_it_is_and_which_way_is_better(tmp_path: Path) -> None:
    assert MEANINGS.keys() == COLUMNS.keys()
    html = page_of(many_photos(), tmp_path / "r.html")
    page = Page(html)
    titles = {attributes["title"] for attributes in page.all("abbr")}
    legend = " ".join(page.text["dd"])
    assert len(titles) == len(COLUMNS)
    assert all(title in legend for title in titles)
    words = [text.strip() for text in page.text["dt"] if text.strip()]
    assert words == [name for name, _ in COLUMNS.values()]
    directions = re.findall(r"<abbr[^>]*>([^<]*)</abbr>(?: <span aria-hidden=\"true\">([↑↓])</span>)?", html)
    assert dict(directions) == {
        name: "" if name == "sharpness" else "↑" if name in ("hole PSNR", "SSIM") else "↓"
        for name, _ in COLUMNS.values()
    }
    assert "Over all photos that is net, and for net itself harmonic." in legend
    assert "Seams and noise raise it too" in legend


def test_the_best_is_said_in_words_and_sharpness_has_none(tmp_path: Path) -> None:
    tables = many_photos()
    html = page_of(tables, tmp_path / "r.html")
    marked = re.findall(r'<td class="best">([^<]*)<span class="hidden"> \(best\)</span>', html)
    assert len(marked) == html.count('class="best"') == html.count("(best)") > 5
    assert f"{tables.overall[1].metrics['mse'].value:.2f}" in marked
    assert best(tables.overall, "mse") == {"net"}
    assert best(tables.overall, "sharpness") == set()  # though that of the seams is nearest to 1


def test_the_page_says_how_much_its_photos_can_say(tmp_path: Path) -> None:
    many, few = (
        page_of(many_photos(), tmp_path / "many.html"),
        page_of(Tables.of(evaluate_models({"harmonic": HarmonicFill()}, samples())), tmp_path / "few.html"),
    )
    assert "12 photos, 24 holes, the same for all models" in many
    assert "makes a gain likely on photos like these, not certain" in many
    assert "no interval" not in many
    assert "with 95 % intervals" in many
    assert "2 photos, 2 holes, the same for all models" in few
    assert "2 photos are too few for intervals" in few
    assert "have no interval" in few
    assert "95 %" not in few
    assert "surely" not in many + few
    said = {photos: reliability(photos) for photos in (1, 9, 10, 99, 100, 1301)}
    assert [len(set(map(said.get, pair))) for pair in ((9, 10), (10, 99), (99, 100), (100, 1301))] == [2, 1, 2, 1]
    assert said[1].startswith("1 photo is too few")
