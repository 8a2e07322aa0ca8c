"""Pictures as SVG files, each for a light and a dark page; the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no display is needed, whatever the environment says

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """The colors of a picture: lines and text, the grid, and two kinds of things to tell apart."""

    suffix: str
    text: str
    grid: str
    sound: str
    defect: str
    seeds: tuple[str, ...]


LIGHT = Theme("", "#1f2328", "#d0d7de", "#0072b2", "#d55e00", ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#9a7b00"))
DARK = Theme(
    "-dark", "#e6edf3", "#3d444d", "#56b4e9", "#ff9d5c", ("#56b4e9", "#ff9d5c", "#4fd1a5", "#e3a5c8", "#f0e442")
)


def style(theme: Theme) -> dict[str, object]:
    """Matplotlib's settings for a theme. The salt makes the ids inside of the file the same in every run."""
    return {
        "svg.hashsalt": "sdd_train",
        "font.size": 10,
        "text.color": theme.text,
        "axes.edgecolor": theme.text,
        "axes.labelcolor": theme.text,
        "axes.titlecolor": theme.text,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": theme.grid,
        "grid.linewidth": 0.6,
        "xtick.color": theme.text,
        "ytick.color": theme.text,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }


def write(path: Path, figure: Callable[[Theme], Figure]) -> None:
    """Writes ``NAME.svg`` and ``NAME-dark.svg``, both without a background of their own."""
    for theme in (LIGHT, DARK):
        with plt.rc_context(style(theme)):
            drawn = figure(theme)
            target = path.with_name(f"{path.stem}{theme.suffix}.svg")
            drawn.savefig(target, transparent=True, bbox_inches="tight", metadata={"Date": None, "Creator": None})
            plt.close(drawn)


def single(draw: Callable[[Axes, Theme], None], size: tuple[float, float]) -> Callable[[Theme], Figure]:
    """A figure of one plot from the function that draws on its axes."""

    def figure(theme: Theme) -> Figure:
        drawn, axes = plt.subplots(figsize=size)
        draw(axes, theme)
        return drawn

    return figure
