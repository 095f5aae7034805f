"""Fill the generated tables of README.md, docs/ and the model card: `python docs/tables.py`, or `make docs-tables`.

A table stands between two comments, and what stands between them is replaced:

    <!-- table: NAME -->
    <!-- end -->

Measured numbers come from the JSON files in docs/data, as `photomend evaluate`, `bench` and `verify` and
`python -m photomend.tests.mutation` write them; lists of commands, settings and layers come from the code.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "docs" / "data"
PAGES = [
    ROOT / "README.md",
    ROOT / "weights" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "book").glob("*.md")),
]
TABLE = re.compile(r"<!-- table: ([\w-]+) -->\n.*?<!-- end -->", re.DOTALL)
#: Every table by name.
TABLES: dict[str, Callable[[], str]] = {}

#: Decimals of a metric.
DIGITS = {"mse": 2, "mae": 3, "hole_mae": 2, "ssim": 4, "sharpness": 3, "mse_to_harmonic": 3}
#: The kinds of benchmark that stand in a machine's table, in its order.
BENCHES = ("conv", "step", "repair")
#: How the models are called in tables of results, which name them as `photomend evaluate --models` does.
LABELS = {
    "random": "random fill",
    "border": "mean border colour",
    "harmonic": "harmonic fill (the Laplace equation)",
    "telea": "Telea (OpenCV)",
    "ns": "Navier–Stokes (OpenCV)",
    "biharmonic": "biharmonic fill",
    "linear": "linear regression, 3 minutes of training",
    "cnn": "basic network, 4 minutes",
    "photomend-s": "attention model, 286 minutes (`photomend-s`, shipped)",
    "photomend-s, 8 views": "`photomend-s` with test-time augmentation (8 views)",
    "photomend-m": "four blocks deeper, 8 views, 514 minutes (`photomend-m`, shipped)",
    "photomend-m, 1 view": "`photomend-m` without test-time augmentation (1 view)",
    "attention, 171 minutes": "attention model, the first 171 minutes",
    "attention, 60 minutes": "attention model, the first 60 minutes",
    "attention-report": "the report's architecture, 60 minutes",
    "attention, 16 minutes": "an earlier attention model, 16 minutes",
    "gan": "GAN, 12 minutes from the attention model",
    "gan, seed 0 of 5": "GAN from the earlier attention model",
}
#: Those that only the log needs.
EARLIER = ("attention, 16 minutes", "gan, seed 0 of 5")


def table(function: Callable[[], str]) -> Callable[[], str]:
    """Register a table under its function's name, with hyphens."""
    TABLES[function.__name__.replace("_", "-")] = function
    return function


def load(name: str) -> Any:
    """What a command wrote: a list of rows, or an object with `rows` beside what is known about their origin."""
    found = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return found["rows"] if isinstance(found, dict) and "rows" in found else found


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], right: int = 1) -> str:
    """A table whose columns are aligned to the right from the column `right` on."""
    rule = ["---" if column < right else "---:" for column in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, rule, *rows]).replace("|  |", "| |")


def estimate(row: dict[str, Any], key: str, digits: int | None = None) -> str:
    """A value with its interval, where there is one; – where there is no value."""
    digits = DIGITS[key] if digits is None else digits
    if row.get(key) is None:
        return "–"
    low, high = row.get(f"{key}_ci") or (None, None)
    return f"{row[key]:.{digits}f}" + ("" if low is None else f" ({low:.{digits}f}–{high:.{digits}f})")


def results(names: Sequence[str], metrics: dict[str, str], labels: dict[str, str]) -> str:
    """The rows `names` of the protocol's results; the smallest MSE and MAE are bold."""
    rows = {row["model"]: row for row in load("results")}
    chosen = [rows[name] for name in names]
    best = {key: min(row[key] for row in chosen) for key in ("mse", "mae")}

    def cell(row: dict[str, Any], key: str) -> str:
        text = "1" if (row["model"], key) == ("harmonic", "mse_to_harmonic") else estimate(row, key)
        value, _, interval = text.partition(" ")
        return f"**{value}** {interval}" if row[key] == best.get(key) else text

    lines = [[labels[row["model"]], *(cell(row, key) for key in metrics)] for row in chosen]
    return markdown(["model", *metrics.values()], lines)


@table
def readme_results() -> str:
    metrics = {"mse": "MSE", "mae": "MAE", "ssim": "SSIM", "mse_to_harmonic": "MSE / harmonic"}
    return results(("border", "telea", "harmonic", "attention-report", "photomend-s", "photomend-m"), metrics, LABELS)


@table
def photo_formats() -> str:
    """What `photomend repair` keeps, by the format of its output: app/photo/formats.py."""
    from photomend.app.photo.formats import FORMATS, PAM, PFM

    words = {"exif": "EXIF", "xmp": "XMP", "icc": "profile", "iptc": "IPTC", "text": "text", "comment": "comment"}

    def bits(colours: str, depths: tuple[int, ...]) -> str:
        return f"{colours} " + ", ".join("float" if depth == 0 else str(depth) for depth in depths)

    rows = []
    for room in (*FORMATS.values(), PAM, PFM):
        pixels = "; ".join(bits(*item) for item in room.depths.items())
        said = ", ".join(words.get(name, "resolution") for name in room.metadata) or "–"
        side = f"{room.side:,}" if room.side else "–"
        rows.append([room.name, pixels, *("yes" if has else "–" for has in (room.alpha, room.pages)), said, side])
    names = ["format", "bits a channel", "alpha", "pages", "of what the file says", "longest side, pixels"]
    return markdown(names, rows, right=6)


@table
def all_results() -> str:
    metrics = {"mse": "MSE", "mae": "MAE", "hole_mae": "hole MAE", "ssim": "SSIM", "sharpness": "sharpness"}
    return results([row["model"] for row in load("results")], metrics | {"mse_to_harmonic": "MSE / harmonic"}, LABELS)


@table
def card_results() -> str:
    names = ("harmonic", "photomend-s", "photomend-m", "attention-report", "gan", "linear", "cnn")
    labels = {name: LABELS[name] if name == "harmonic" else f"`{name}`" for name in names}
    return results(names, {"mse": "MSE", "mae": "MAE", "mse_to_harmonic": "MSE / harmonic fill"}, labels)


@table
def attention_results() -> str:
    names = ("harmonic", "attention-report", "attention, 60 minutes", "photomend-s", "photomend-m")
    return results(names, {"mse": "MSE", "mae": "MAE", "mse_to_harmonic": "MSE / harmonic"}, LABELS)


@table
def results_by_area() -> str:
    rows = [row for row in load("results") if "by_area" in row and row["model"] not in EARLIER]
    areas = rows[0]["by_area"]
    photos = ["photos", *(str(area["photos"]) for area in areas)]
    lines = [[LABELS[row["model"]], *(f"{area['mse']:.2f}" for area in row["by_area"])] for row in rows]
    return markdown(["MSE by the hole's share of the photo", *(area["area"] for area in areas)], [photos, *lines])


@table
def kinds_of_holes() -> str:
    columns = {"harmonic": "harmonic", "telea": "Telea", "biharmonic": "biharmonic", "attention": "`photomend-s`"}
    kinds: dict[str, dict[str, Any]] = {}
    for row in load("kinds"):
        kinds.setdefault(row["kind"], {})[row["model"]] = row
    lines = []
    for kind, rows in kinds.items():
        best = min(row["hole_mse"] for row in rows.values())
        cells = {name: estimate(rows.get(name, {}), "hole_mse", 1) for name in columns}
        for name, row in rows.items():
            if name in cells and row["hole_mse"] == best:
                cells[name] = re.sub(r"^\S+", r"**\g<0>**", cells[name])
        ratio = estimate(rows["attention"], "mse_to_best_other", 3)
        lines.append([kind, *cells.values(), "1" if ratio.startswith("1.000") else ratio])
    return markdown(["hole", *columns.values(), "/ best classical"], lines)


@table
def calibration() -> str:
    """Of both looks: the same holes."""
    both = zip(load("calibration"), load("calibration-natural"), strict=True)
    lines = [
        [faithful["holes"], str(faithful["number"])]
        + [
            cell
            for row in (faithful, natural)
            for cell in (f"{row['expected_mae']:.2f}", f"{row['mae']:.2f}", f"{row['within']:.0f} %")
        ]
        for faithful, natural in both
    ]
    columns = ["expected", "true", "in the range"]
    return markdown(["holes", "number", *columns, *(f"natural: {column}" for column in columns)], lines)


@table
def sample_photos() -> str:
    """What `photomend evaluate --seed 0` prints, from what it writes with --json."""
    from photomend.app.tables import COLUMNS, aligned

    rows = load("sample-photos")
    metrics = [metric for metric in COLUMNS if metric in rows[0]]
    header = ["model", "photos", *(COLUMNS[metric][0] for metric in metrics)]
    lines = [[r["model"], str(r["photos"]), *(f"{r[m]:.{COLUMNS[m][1]}f}" for m in metrics)] for r in rows]
    return f"```text\n{aligned([header, *lines])}\n```"


def bench(machine: str) -> str:
    """What `photomend bench --json` wrote on a machine."""
    rows = load(f"bench-{machine}")
    cases: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row["ratio"] is not None and row["kind"] in BENCHES:
            cases.setdefault((row["kind"], row["name"]), {})[row["peer"].split()[0]] = row
    lines = []
    for kind, name in sorted(cases, key=lambda case: BENCHES.index(case[0])):
        eager, compiled = (cases[kind, name].get(peer) for peer in ("torch.nn", "torch.compile"))
        if eager is None:
            continue
        times = [1000 * eager[key] for key in ("ours_s", "peer_s")]
        cells = (f"{ms:,.{1 if kind == 'conv' or times[0] < 50 else 0}f}" for ms in times)
        lines.append([f"{kind} `{name}`", *cells, spread(eager), spread(compiled) if compiled else ""])
    row = rows[0]
    where = f"{row['machine']}, {row['threads']} threads, measured {row['measured']}."
    header = ["case", "ours, ms", "torch.nn, ms", "ratio (10th–90th percentile)", "torch.compile"]
    columns = len(header) if any(line[-1] for line in lines) else -1
    return where + "\n\n" + markdown(header[:columns], [line[:columns] for line in lines])


def spread(row: dict[str, Any]) -> str:
    """The ratio of a row of the benchmark, with its percentiles."""
    return f"{row['ratio']:.2f} ({row['ratio_p10']:.2f}–{row['ratio_p90']:.2f})"


@table
def bench_emerald_rapids() -> str:
    return bench("emerald-rapids")


@table
def verify_summary() -> str:
    oracles = ("differences", "adjoint", "torch", "loops", "float32")
    rows = load("verify")

    def worst(found: list[dict[str, Any]], oracle: str) -> str:
        worst_row = max((row for row in found if row[oracle] is not None), key=lambda row: row[oracle], default=None)
        return "–" if worst_row is None else f"{worst_row[oracle]:.1e} `{worst_row['name']}`"

    lines = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        found = [row for row in rows if row["kind"] == kind]
        name = "losses" if kind == "loss" else f"{kind}s"
        cases = sum(row["cases"] for row in found)
        lines.append([f"{len(found)} {name}", str(cases), *(worst(found, oracle) for oracle in oracles)])
    return markdown(["", "cases", *oracles], lines)


@table
def mutation_summary() -> str:
    columns = ("mutants", "killed", "timed_out", "equivalent", "survivors")
    data = load("mutation")
    header = [f"run of {data['measured']}", *(name.replace("_", " ") for name in columns)]
    return markdown(header, [["", *(str(data[key]) for key in columns)]])


@table
def mutants_by_oracle() -> str:
    data = load("mutation")
    lines = [[row["oracle"], str(row["noticed"]), str(row["alone"])] for row in data["oracles"]]
    return markdown(["oracle", f"notices, of {data['killed'] - data['crashed']}", "the only one"], lines)


def escaped(text: str) -> str:
    return text.replace("|", r"\|")


def summary(thing: Any) -> str:
    """The first sentence of a docstring."""
    paragraph = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    found = re.match(r".+?(?:\.(?= [A-Z`(]|$)|;(?= ))", paragraph)
    return escaped(found[0].rstrip(".;") if found else paragraph).replace("``", "`")


def source(module: str) -> str:
    """A module's file, linked from docs/."""
    path = "/".join(module.split(".")[1:])
    path += ".py" if (ROOT / f"{path}.py").exists() else "/__init__.py"
    return f"[`{path}`](../{path})"


@table
def commands() -> str:
    from photomend.app.cli import COMMANDS

    return markdown(["command", ""], [[f"`photomend {name}`", text.rstrip(".")] for name, text in COMMANDS.items()], 2)


@table
def primitives() -> str:
    from photomend import layers, train  # noqa: F401  what registers them
    from photomend.core import all_primitives
    from photomend.train import losses  # noqa: F401

    ours = ("photomend.core.", "photomend.layers.", "photomend.train.")
    found = [(p.rule.__module__, name, p.rule) for name, p in all_primitives().items()]
    lines = [
        [f"`{name}`", summary(rule), source(module)]
        for module, name, rule in sorted(found, key=lambda row: row[:2])
        if module.startswith(ours)
    ]
    return markdown(["primitive", "", "file"], lines, 3)


@table
def models() -> str:
    from photomend import models as package

    made = {getattr(one, "name", None): one for one in vars(package).values()}
    lines = [[f"`{name}`", summary(made[name]), source(made[name].__module__)] for name in package.NAMES]
    return markdown(["model", "", "file"], lines, 3)


@table
def modules() -> str:
    from photomend import layers
    from photomend.core import Module

    made = [(name, getattr(layers, name)) for name in layers.__all__]
    chosen = [(one.__module__, name, one) for name, one in made if isinstance(one, type) and issubclass(one, Module)]
    lines = [[f"`{name}`", summary(one), source(module)] for module, name, one in sorted(chosen, key=lambda r: r[:2])]
    return markdown(["layer", "", "file"], lines, 3)


def settings(config: type, defaults: dict[str, dict[str, Any]]) -> Iterator[list[str]]:
    """Each setting of a configuration with its default and its meaning, which its class's docstring says."""
    meanings: dict[str, str] = {}
    for cls in reversed(config.__mro__):
        text = inspect.cleandoc(cls.__dict__.get("__doc__") or "").partition("Attributes:\n")[2]
        for names, meaning in re.findall(r"^ {4}(\w[\w, ]*): (.*(?:\n {8}.*)*)", text, re.MULTILINE):
            meanings |= dict.fromkeys(names.split(", "), " ".join(meaning.split()))
    for name, field in config.__dataclass_fields__.items():  # type: ignore[attr-defined]
        if name in meanings:
            default = "" if callable(field.default_factory) else field.default
            text = f"`{json.dumps(default)}`" if default not in (None, "") else "–"
            text += "".join(f"; {model} `{json.dumps(own[name])}`" for model, own in defaults.items() if name in own)
            yield [f"`{name}`", text, escaped(meanings[name].rstrip("."))]


@table
def training_settings() -> str:
    from photomend.train.config import MODEL_DEFAULTS, TrainConfig

    return markdown(["setting", "default", "meaning"], list(settings(TrainConfig, MODEL_DEFAULTS)), 3)


@table
def adversarial_settings() -> str:
    from photomend.train.config import AdversarialConfig, TrainConfig

    known = {tuple(line) for line in settings(TrainConfig, {})}
    lines = [line for line in settings(AdversarialConfig, {}) if tuple(line) not in known]
    return markdown(["setting", "default", "meaning"], lines, 3)


def filled(text: str) -> str:
    """A page with its tables made anew. Raises KeyError for a table that nobody makes."""
    return TABLE.sub(lambda block: f"<!-- table: {block[1]} -->\n\n{TABLES[block[1]]()}\n\n<!-- end -->", text)


def main() -> int:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if (new := filled(text)) != text:
            page.write_text(new, encoding="utf-8")
            print(page.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
