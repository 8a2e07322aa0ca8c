"""The report of a run: a folder with a page, its pictures and the model card's tables.

``RUN/report/index.html`` needs nothing but the files beside it: no network and no script. With the
data set's folder it also gets thumbnails of the worst mistakes, so it stays outside the
repository, as the run does.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image
from scipy.special import expit

from ..data import imaging
from ..quality import evaluation, mistakes, probability_calibration
from ..quality.mistakes import Mistake
from ..quality.predictions import Columns, read_csv
from ..quality.probability_calibration import Platt
from . import card, curves
from .tables import Table

LISTED = 20
"""Mistakes of a kind that are listed; the title says how many there are."""
THUMBNAIL_HEIGHT = 400

PICTURES = {
    "roc": ("ROC", "ROC curves, a thin line for each network and a bold one for all pooled predictions"),
    "precision-recall": ("Precision and recall", "precision-recall curves, thin for each network and bold pooled"),
    "reliability": ("Reliability, out of fold", "share of defects against probability, before and after calibration"),
    "scores": ("Scores", "histogram of calibrated probabilities of sound parts and defects, with the threshold"),
}

STYLE = """
:root { color-scheme: light dark; --back: #ffffff; --text: #1f2328; --line: #d0d7de; --soft: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --back: #0d1117; --text: #e6edf3; --line: #3d444d; --soft: #161b22; }
}
body { margin: 0 auto; max-width: 68rem; padding: 1rem; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
h2 { margin: 2rem 0 .5rem; font-size: 1.2rem; }
.facts, .pictures, .thumbnails { display: flex; flex-wrap: wrap; gap: 1rem; }
.facts div { flex: 1 1 10rem; padding: .75rem; background: var(--soft); border: 1px solid var(--line);
  border-radius: .5rem; }
.facts b { display: block; font-size: 1.4rem; }
figure { flex: 1 1 20rem; min-width: 0; margin: 0; }
figure img { max-width: 100%; height: auto; }
figcaption { font-size: .9rem; overflow-wrap: anywhere; }
.thumbnails figure { flex: 0 1 10rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { background: var(--soft); }
"""


def facts(summary: dict) -> str:
    """The headline numbers."""
    decision = summary["decision"]
    auroc, ap = (card.mean_and_sd(summary["mean"][metric]) for metric in ("auroc", "ap"))
    shown = {
        "AUROC, mean ± sd over folds": auroc,
        "AP, mean ± sd over folds": ap,
        "decision threshold": f"{decision['threshold']:g}",
        "defects found at it": f"{decision['found']} of {decision['found'] + decision['missed']}",
        "false alarms at it": f"{decision['false_alarms']} of {decision['sound']}",
    }
    return "".join(f"<div>{escape(name)} <b>{escape(value)}</b></div>\n" for name, value in shown.items())


def pictures() -> str:
    """The plots, each in the version that fits the page's colors."""
    return "".join(
        f'<figure><picture><source srcset="{name}-dark.svg" media="(prefers-color-scheme: dark)">'
        f'<img src="{name}.svg" alt="{escape(alt)}"></picture><figcaption>{escape(title)}</figcaption></figure>\n'
        for name, (title, alt) in PICTURES.items()
    )


def write_thumbnail(mistake: Mistake, data: Path, folder: Path) -> str:
    """Writes a reduced copy of a mistake's image; returns its path relative to the report.

    Raises ``FileNotFoundError`` if the data set does not hold the image.
    """
    folder.mkdir(exist_ok=True)
    target = folder / (mistake.image.replace("/", "_").rsplit(".", 1)[0] + ".jpg")
    image = imaging.load(data / mistake.image, "gray")
    width = round(image.width * THUMBNAIL_HEIGHT / image.height)
    image.resize((width, THUMBNAIL_HEIGHT), Image.Resampling.LANCZOS).save(target, quality=85)
    return f"{folder.name}/{target.name}"


def thumbnails(listed: Sequence[Mistake], data: Path, out: Path) -> str:
    """The mistakes' pictures with their names and probabilities."""
    shown = [
        f'<figure><img src="{escape(write_thumbnail(m, data, out / "images"))}" alt="{escape(m.image)}">'
        f"<figcaption>{escape(m.image)}, item {escape(m.item)}: {escape(m.seen)}</figcaption></figure>\n"
        for m in listed
    ]
    return f'<div class="thumbnails">\n{"".join(shown)}</div>\n'


def page(summary: dict, tables: Sequence[Table], listing: str) -> str:
    """The report's HTML."""
    seeds = ", ".join(summary["seeds"])
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Training report</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Training report</h1>\n<p>{summary['pooled']['images']} out-of-fold predictions, one for each image and "
        f"seed (seeds: {escape(seeds)}); {summary['pooled']['defects']} of them are of defects.</p>\n"
        f'<div class="facts">\n{facts(summary)}</div>\n<h2>Curves</h2>\n<div class="pictures">\n{pictures()}</div>\n'
        f"{''.join(table.html() for table in tables)}{listing}</body>\n</html>\n"
    )


def mistake_tables(missed: Sequence[Mistake], alarms: Sequence[Mistake]) -> list[Table]:
    """The worst missed defects and the worst false alarms."""
    return [
        card.mistaken(f"{title} ({len(found)} images)", found[:LISTED])
        for title, found in (("Missed defects", missed), ("False alarms", alarms))
    ]


def write(run: Path, data: Path | None = None) -> Path:
    """Writes ``RUN/report/`` from ``RUN/predictions.csv``; returns the page's path.

    ``RUN/vgg16/predictions.csv`` is shown beside it if it exists. Raises ``FileNotFoundError`` if
    the run has no predictions, or if ``data`` lacks an image that is to be shown.
    """
    predictions = read_csv(run / "predictions.csv")
    columns = Columns.of(predictions)
    summary = evaluation.summary(predictions)
    summaries = {"this run": summary}
    if (baseline := run / "vgg16" / "predictions.csv").exists():
        summaries["VGG16 baseline"] = evaluation.summary(read_csv(baseline))
    platt = Platt(summary["calibration"]["scale"], summary["calibration"]["offset"])
    threshold = summary["decision"]["threshold"]

    out = run / "report"
    out.mkdir(parents=True, exist_ok=True)
    before_and_after = {"before": expit(columns.logit)}
    if len(columns.folds) > 1:
        before_and_after["after"] = probability_calibration.cross_fitted(columns.logit, columns.is_defect, columns.fold)
    curves.write(out, columns, before_and_after, platt.probability(columns.logit), threshold)

    missed, alarms = mistakes.find(predictions, platt, threshold)
    tables = [card.ranking(summaries), card.folds(summary), card.calibration(summary), card.decision(summary)]
    worst = mistake_tables(missed, alarms)
    listing = ""
    for table, found in zip(worst, (missed, alarms), strict=True):
        listing += table.html() + (thumbnails(found[:LISTED], data, out) if data else "")
    (out / "index.html").write_text(page(summary, tables, listing), encoding="utf-8")
    (out / "card.md").write_text("\n".join(table.markdown() for table in [*tables, *worst]), encoding="utf-8")
    return out / "index.html"
