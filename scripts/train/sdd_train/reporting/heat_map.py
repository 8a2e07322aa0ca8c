"""A heat map of changed images: kinds of change down, severities across."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import plots
from .plots import Theme

PANELS = {
    "drift_auroc": ("drift score: AUROC", 0.5),
    "flagged": ("share flagged at 5 %", 0.0),
    "found": ("share of the defects found", 0.0),
}
"""What is shown, its title, and the value at the pale end of the colors."""
COLORS = "cividis"


class Measured(Protocol):
    """What a cell shows; see :class:`sdd_train.drift.unseen.Row`."""

    change: str
    severity: int
    drift_auroc: float
    flagged: float
    found: float | None


def grid(rows: Sequence[Measured], metric: str) -> tuple[list[str], np.ndarray]:
    """Names of the changes ``[K]`` and values ``[K, severities]``; NaN where a change has fewer severities."""
    shown = [row for row in rows if row.severity > 0]
    names = list(dict.fromkeys(row.change for row in shown))
    values = np.full((len(names), max(row.severity for row in shown)), np.nan)
    for row in shown:
        values[names.index(row.change), row.severity - 1] = getattr(row, metric)
    return names, values


def panel(axes: Axes, names: Sequence[str], values: np.ndarray, title: str, lowest: float) -> None:
    axes.imshow(values, vmin=lowest, vmax=1.0, cmap=COLORS, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            shade = (value - lowest) / (1.0 - lowest)
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color="black" if shade > 0.5 else "white")
    axes.set_title(title)
    axes.set_xticks(range(values.shape[1]), [str(number + 1) for number in range(values.shape[1])])
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("severity")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def write(path: Path, rows: Sequence[Measured]) -> None:
    """Writes the heat map, light and dark."""

    def figure(theme: Theme) -> Figure:
        drawn, panels = plt.subplots(1, len(PANELS), figsize=(12, 4.6), sharey=True, layout="constrained")
        for axes, (metric, (title, lowest)) in zip(panels, PANELS.items(), strict=True):
            panel(axes, *grid(rows, metric), title, lowest)
        return drawn

    plots.write(path, figure)
