"""The plots of a run's report: ROC and precision-recall curves, reliability, and the scores' histogram."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from scipy.special import logit
from sklearn.metrics import precision_recall_curve, roc_curve

from ..quality import calibration_error
from ..quality.predictions import Columns
from . import plots
from .plots import Theme

SQUARE, WIDE = (4.6, 4.4), (7.0, 3.4)
TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
HISTOGRAM_EDGES = np.linspace(-8.0, 8.0, 41)
"""Bins of the histogram, in logits; what lies outside is counted in the first and last one."""


def networks(columns: Columns, theme: Theme) -> Iterator[tuple[Columns, dict[str, object]]]:
    """Each network's predictions and how to draw its line; the first one of a seed carries the label."""
    for number, seed in enumerate(columns.seeds):
        color = theme.seeds[number % len(theme.seeds)]
        for fold in columns.folds:
            part = columns.where((columns.seed == seed) & (columns.fold == fold))
            label = f"seed {seed}, each fold" if fold == columns.folds[0] else None
            yield part, {"color": color, "linewidth": 0.8, "alpha": 0.8, "label": label}


def pooled_line(theme: Theme) -> dict[str, object]:
    return {"color": theme.text, "linewidth": 2.2, "label": "pooled"}


def unit_square(axes: Axes, x: str, y: str) -> None:
    axes.set(xlabel=x, ylabel=y, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def roc(columns: Columns) -> Callable[[Axes, Theme], None]:
    """The ROC curve of each network and of all pooled predictions."""

    def draw(axes: Axes, theme: Theme) -> None:
        lines = [*networks(columns, theme), (columns, pooled_line(theme))]
        for part, line in lines:
            false_alarms, found, _ = roc_curve(part.is_defect, part.logit)
            axes.plot(false_alarms, found, **line)
        axes.plot([0, 1], [0, 1], color=theme.grid, linestyle="--", linewidth=1)
        unit_square(axes, "share of sound parts called defective", "share of defects found")
        axes.legend(loc="lower right")

    return draw


def precision_recall(columns: Columns) -> Callable[[Axes, Theme], None]:
    """The precision-recall curve of each network and of all pooled predictions."""

    def draw(axes: Axes, theme: Theme) -> None:
        lines = [*networks(columns, theme), (columns, pooled_line(theme))]
        for part, line in lines:
            precision, recall, _ = precision_recall_curve(part.is_defect, part.logit)
            axes.plot(recall, precision, drawstyle="steps-post", **line)
        unit_square(axes, "recall: share of defects found", "precision: share of alarms that are defects")
        axes.legend(loc="lower left")

    return draw


def reliability(probabilities: dict[str, np.ndarray], is_defect: np.ndarray) -> Callable[[Axes, Theme], None]:
    """Share of defects against mean probability in ten bins; a dot's area grows with its bin's predictions."""

    def draw(axes: Axes, theme: Theme) -> None:
        axes.plot([0, 1], [0, 1], color=theme.grid, linestyle="--", linewidth=1)
        for (name, probability), color in zip(probabilities.items(), (theme.defect, theme.sound), strict=False):
            bins = calibration_error.reliability(
                probability, is_defect, calibration_error.equal_width_bins(probability)
            )
            axes.plot(bins.probability, bins.share, color=color, linewidth=1, label=name)
            axes.scatter(bins.probability, bins.share, s=12 + 6 * np.sqrt(bins.count), color=color)
        unit_square(axes, "mean probability in the bin", "share of defects in the bin")
        axes.legend(loc="upper left")

    return draw


def histogram(probability: np.ndarray, is_defect: np.ndarray, threshold: float) -> Callable[[Axes, Theme], None]:
    """How many predictions have which probability; the axis is in logits, so that the ends are not squeezed."""

    def draw(axes: Axes, theme: Theme) -> None:
        inside = np.clip(logit(probability), HISTOGRAM_EDGES[0], HISTOGRAM_EDGES[-1])
        for label, chosen, color in (("sound", ~is_defect, theme.sound), ("defect", is_defect, theme.defect)):
            axes.hist(inside[chosen], bins=HISTOGRAM_EDGES, color=color, alpha=0.65, label=label)
        axes.axvline(logit(threshold), color=theme.text, linestyle="--", linewidth=1, label=f"threshold {threshold:g}")
        axes.set_yscale("symlog", linthresh=1)
        axes.set_yticks([0, 1, 10, 100], ["0", "1", "10", "100"])
        axes.set_xticks(logit(np.array(TICKS)), [f"{tick:g}" for tick in TICKS])
        axes.set(xlabel="calibrated probability of a defect", ylabel="predictions")
        axes.legend(loc="upper right")

    return draw


def write(
    folder: Path, columns: Columns, before_and_after: dict[str, np.ndarray], probability: np.ndarray, threshold: float
) -> None:
    """Writes ``roc``, ``precision-recall``, ``reliability`` and ``scores``, each light and dark.

    ``before_and_after`` holds probabilities ``[M]`` by what they are called in the legend;
    ``probability`` ``[M]`` and the threshold are on the shipped scale.
    """
    plots.write(folder / "roc.svg", plots.single(roc(columns), SQUARE))
    plots.write(folder / "precision-recall.svg", plots.single(precision_recall(columns), SQUARE))
    plots.write(folder / "reliability.svg", plots.single(reliability(before_and_after, columns.is_defect), SQUARE))
    plots.write(folder / "scores.svg", plots.single(histogram(probability, columns.is_defect, threshold), WIDE))
