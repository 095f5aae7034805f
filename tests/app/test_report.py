"""The report: one HTML file that loads nothing, with everything in it and every name escaped."""

from __future__ import annotations

import base64
import re
import tomllib
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from photomend import models
from photomend.app.figures import columns, draw_steps, running_average, thinned
from photomend.app.report.architecture import INPUT, OUTPUT, count, listening, trace
from photomend.app.report.attention import attention_maps
from photomend.app.report.charts import curves, interval_chart, log_ticks, svg
from photomend.app.report.drawing import draw
from photomend.app.report.images import close_up
from photomend.app.report.page import write_report
from photomend.app.tables import Tables
from photomend.core import PhotomendError
from photomend.data.masks import Box, box_mask
from photomend.models import HarmonicFill
from photomend.train.evaluation.evaluate import evaluate_models
from photomend.train.evaluation.summary import Estimate
from PIL import Image

from .helpers import Shell, picture
from .pages import EVIL, Page, samples, without_pictures

#: Settings that make a network quick to run.
SMALL = {
    "attention": {"width": 16},
    "attention-report": {"width": 16, "window": 64},
    "gan": {"width": 16},
}
TINY = ("--steps", "3", "--batch-size", "1", "--workers", "0")


def decoded(uri: str) -> Image.Image:
    found = re.fullmatch(r"data:image/(png|jpeg);base64,([A-Za-z0-9+/]+=*)", uri)
    assert found, uri[:60]
    picture = Image.open(BytesIO(base64.b64decode(found[2], validate=True)))
    picture.load()
    assert picture.format == found[1].upper()
    return picture


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report of two models, one of them a network, on photos, classes and models with awkward names."""
    network = models.build("attention", width=16)
    reconstructors = {"harmonic": HarmonicFill(), EVIL: network}
    shown = samples((EVIL, "b.png"))
    tables = Tables.of(evaluate_models(reconstructors, shown))
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, f"title {EVIL}", tables, shown, reconstructors, {}, {"seed": "7"}, torch.device("cpu"))
    return path.read_text(encoding="utf-8")


def test_it_loads_nothing(written: str) -> None:
    page = Page(written)
    assert not re.search(r"(?i)https?:|url\((?!#)|@import|<link|<iframe|<object|srcset", written)
    for _, attributes in page.elements:
        for name in ("src", "href"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:image/")), value[:60]


def test_every_picture_decodes_and_is_described(written: str) -> None:
    pictures = Page(written).all("img")
    assert len(pictures) > 20
    for attributes in pictures:
        assert decoded(attributes["src"]).size == (int(attributes["width"]), int(attributes["height"]))
        assert attributes["alt"]
    assert all(svg["aria-label"] for svg in Page(written).all("svg"))


def test_every_part_is_there(written: str) -> None:
    page = Page(written)
    sections = {attributes["id"] for attributes in page.all("section")}
    assert sections == {"table", "sliders", "photos", "attention", "architecture", "settings"}
    links = {attributes["href"] for attributes in page.all("a")}
    assert links == {f"#{section}" for section in sections}
    assert page.all("html", lang="en")
    assert page.all("meta", name="viewport")
    assert len(page.ids) == len(set(page.ids))
    assert "prefers-color-scheme: dark" in written
    assert "@media print" in written


def test_sliders_have_all_they_need(written: str) -> None:
    page = Page(written)
    sliders = page.all("figure", **{"class": "slider"})
    ranges = page.all("input", type="range")
    assert len(sliders) == len(ranges) == 2
    assert all(attributes["aria-label"] for attributes in [*ranges, *page.all("select")])
    targets = [attributes["value"] for attributes in page.all("option")]
    images = {attributes["id"] for attributes in page.all("img") if "id" in attributes}
    assert len(targets) == 4
    assert set(targets) == images


def test_names_are_escaped(written: str) -> None:
    page = Page(written)
    assert len(page.all("script")) == 1
    assert "alert" not in "".join(page.text["script"])
    assert any(EVIL in text for text in page.text["th"])
    assert page.text["title"] == [f"title {EVIL}"]


def test_the_numbers_are_those_of_the_table(written: str) -> None:
    reconstructors = {"harmonic": HarmonicFill(), EVIL: models.build("attention", width=16)}
    tables = Tables.of(evaluate_models(reconstructors, samples((EVIL, "b.png"))))
    cells = Page(written).text["td"]
    for summary in tables.overall:
        assert f"{summary.metrics['mse'].value:.2f}" in cells
        assert f"{summary.metrics['hole_psnr'].value:.2f}" in cells


def test_a_run_brings_its_curves_and_settings(shell: Shell, tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / "photos" / f"{number % 2}" / f"{number}.png", seed=number)
    run = tmp_path / "run"
    outcome = shell("train", "linear", "--photos", tmp_path / "photos", "--out", run, "--seed", "11", *TINY)
    assert outcome.status == 0, outcome
    target = tmp_path / "report.html"
    outcome = shell(
        "evaluate", "--photos", tmp_path / "photos", "--split", "all", "--models", f"border,{run}", "--report", target
    )
    assert outcome.status == 0, outcome
    assert outcome.out.splitlines()[-1] == str(target)
    html = target.read_text(encoding="utf-8")
    page = Page(html)
    sections = {attributes["id"] for attributes in page.all("section")}
    assert sections == {"table", "sliders", "photos", "training", "architecture", "settings"}  # it attends to nothing
    assert any("training loss" in label for label in [a.get("aria-label", "") for a in page.all("svg")])
    rows = list(
        zip(reversed(page.text["th"]), reversed([cell for cell in page.text["td"] if cell.strip()]), strict=False)
    )
    assert ("training: seed", "11") in rows
    assert "http" not in without_pictures(html)


def test_bad_targets_and_files(shell: Shell, tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "0.png")
    arguments = ("evaluate", "--photos", tmp_path / "photos", "--split", "all", "--models", "border", "--report")
    assert "must end in .html" in shell.fails(1, *arguments, tmp_path / "photos" / "0.png")
    assert "there is no folder" in shell.fails(1, *arguments, tmp_path / "no" / "report.html")
    tables = Tables.of(evaluate_models({"harmonic": HarmonicFill()}, samples()))
    network = models.build("linear")
    with pytest.raises(PhotomendError, match="no such checkpoint"):
        write_report(
            tmp_path / "r.html", "t", tables, samples(), {"harmonic": HarmonicFill(), "net": network},
            {"net": tmp_path / "gone"}, {}, torch.device("cpu"),
        )  # fmt: skip
    assert not (tmp_path / "r.html").exists()


def test_templates_are_shipped() -> None:
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["photomend.app.report"]
    for file in (root / "app" / "report").iterdir():
        if file.is_file() and file.suffix != ".py":
            assert any(file.match(pattern) for pattern in patterns), file


@pytest.mark.parametrize("name", models.TRAINED)
def test_architectures_are_read_off_the_tape(name: str) -> None:
    network = models.build(name, **SMALL.get(name, {}))
    before = {module: vars(module).keys() for _, module in network.named_modules()}
    parts = trace(network)
    assert {module: vars(module).keys() for _, module in network.named_modules()} == before  # nothing is left behind
    assert network.training
    assert parts[-1].name == OUTPUT
    assert parts[-1].shape == (3, network.window, network.window)
    assert sum(part.parameters for part in parts[:-1]) == parts[-1].parameters == network.parameter_count()
    known = {INPUT}
    for part in parts:
        assert set(part.sources) <= known
        known.add(part.name)
    svg = ElementTree.fromstring(str(draw(parts, name)))
    names = [text.text for text in svg.iter("text") if "part-name" in text.get("class", "")]
    assert set(names) == known


def test_skips_arrive_where_they_are_joined() -> None:
    sources = {part.name: part.sources for part in trace(models.build("attention", width=16))}
    assert sources["decoder4"] == ["up4", "skip4"]
    assert sources["skip2"] == ["encoder2"]
    assert sources["encoder2"] == ["stem"]
    assert sources["stem"] == [INPUT]


def test_attention_maps_are_the_weights_that_were_used() -> None:
    network = models.build("attention", width=16)
    maps = attention_maps("attention", network, samples(), torch.device("cpu"))
    assert maps is not None
    assert len(maps.photos) == 2
    assert list(maps.photos[0].spatial) == ["skip4", "skip2"]
    assert decoded(maps.photos[0].spatial["skip2"].uri).size == (48, 48)
    assert maps.channels["encoder4.3.body.4"].width == 32
    assert all(0 <= low <= high <= 1 for low, high in maps.spans.values())
    assert attention_maps("linear", models.build("linear"), samples(), torch.device("cpu")) is None


def test_listening_ends_with_its_context_even_after_an_error() -> None:
    network = models.build("linear")
    heard: list[str] = []

    def run() -> None:
        with listening({"": network}, lambda name, arguments, result: heard.append(name)):
            network(torch.rand(1, 3, 96, 96), torch.zeros(1, 1, 96, 96))

    with pytest.raises(ValueError, match="mask"):
        run()
    assert heard == []
    assert "forward" not in vars(network)


def points() -> list[tuple[float, float]]:
    return [(float(step), 1000 / (1 + step)) for step in range(2000)]


def records(values: list[float]) -> list[dict[str, float]]:
    return [{"step": step, "loss <": value} for step, value in enumerate(values)]


def test_charts() -> None:
    (html,) = curves("all & sundry", records([value for _, value in points()]))
    chart = ElementTree.fromstring(str(html))
    assert chart.get("aria-label") == "loss < of all & sundry over its steps"
    texts = [text.text or "" for text in chart.iter("text")]
    assert "loss <" in texts
    assert "500" in texts  # by logarithm: it spans decades
    assert "5" in texts
    assert len(str(html)) < 40_000  # of 2,000 steps
    intervals = {"a": Estimate(2.0, 1.0, 3.0), "$b$": Estimate(5.0, float("nan"), float("nan"))}
    html = interval_chart("MSE", intervals, "two")
    texts = [text.text or "" for text in ElementTree.fromstring(str(html)).iter("text")]
    assert {"a", "$b$", "2.00", "5.00", "MSE"} <= set(texts)
    assert html.count("fill: var(--accent); stroke: var(--accent)") == 2  # a dot each
    assert len(re.findall(r"fill: none; stroke: var\(--second\)", html)) == 1
    assert not re.search("#[0-9a-f]{6}", html)  # every colour is the page's


@pytest.mark.parametrize("values", [[3.0, 3.0], [0.0, 0.0], [5.0, 5.1], [1.0, 900.0], [1.0, 12.0]])
def test_axes_hold_their_values(values: list[float]) -> None:
    ax = Figure().subplots()
    draw_steps(ax, list(enumerate(values)), "loss")
    if ax.get_yscale() == "log":
        log_ticks(ax.yaxis, *ax.get_ylim())
    low, high = ax.get_ylim()
    assert all(low < value < high for value in values)
    ticks = [tick for tick in ax.get_yticks() if low <= tick <= high]
    assert len(ticks) >= 2
    assert len({text.get_text() for text in ax.get_yticklabels()}) >= len(ticks)


def test_ids_of_charts_are_their_own() -> None:
    figures = [Figure() for _ in range(2)]
    for figure in figures:
        figure.subplots().plot([1, 2], marker="o")
    ids = [re.findall(' id="([^"]+)"', svg(figure, f"chart {number}")) for number, figure in enumerate(figures)]
    assert ids[0]
    assert set(ids[0]).isdisjoint(ids[1])


def test_running_average() -> None:
    steps, values = thinned(running_average(points()), 300)
    assert 250 <= len(steps) <= 300
    assert steps[0] == 49
    assert values[0] == pytest.approx(float(np.mean([1000 / (1 + step) for step in range(50)])))
    assert running_average([]) == []
    assert running_average([(3.0, 4.0)]) == [(3.0, 4.0)]
    assert len(columns([])[0]) == 0


def test_whatever_a_log_holds_is_drawn() -> None:
    steps = [{"step": s, "loss": 1.0 / s, "lr": 0.1, "grad_norm": 1.0, "photos_s": 9.0, "d_real": 0.3} for s in (1, 2)]
    validations = [
        {"step": s, "validation": e, "seconds": 1.0, "loss": 0.5, "mse": 50.0 - e} for e, s in ((0, 0), (1, 2))
    ]
    labels = [ElementTree.fromstring(str(chart)).get("aria-label") for chart in curves("net", [*steps, *validations])]
    assert [label.split(" of net")[0] for label in labels if label] == [
        "training loss",
        "score of the truth",
        "validation MSE",
    ]
    assert labels[-1] is not None
    assert labels[-1].endswith("the last is 49, at step 2")
    assert curves("net", []) == []


@pytest.mark.parametrize("box", [Box(0, 0, 31, 61), Box(60, 70, 40, 20), Box(2, 2, 99, 99)])
def test_close_ups_hold_the_hole_and_stay_in_the_photo(box: Box) -> None:
    rows, columns = close_up(torch.from_numpy(box_mask(box, 104, 110)).float()[None])
    assert 0 <= rows.start <= box.y < box.y + box.height <= rows.stop
    assert 0 <= columns.start <= box.x < box.x + box.width <= columns.stop


def test_counts() -> None:
    assert [count(n) for n in (7, 999, 1000, 4608, 1_182_456)] == ["7", "999", "1 k", "4.61 k", "1.18 M"]
