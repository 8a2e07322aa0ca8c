"""Tables that are written as HTML and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Table:
    """A titled table of text; ``note`` says what the numbers are."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def html(self) -> str:
        """An ``h2``, the note, and a table that scrolls sideways on its own where the window is narrow."""
        head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in self.header)
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in self.rows)
        note = f"<p>{escape(self.note)}</p>\n" if self.note else ""
        return (
            f"<h2>{escape(self.title)}</h2>\n{note}"
            f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n'
        )

    def markdown(self) -> str:
        """A heading, the note, and the table."""
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        note = f"{self.note}\n\n" if self.note else ""
        return f"## {self.title}\n\n{note}{table}\n"


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many decimals, or a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(measured: dict[str, float], sign: str = "") -> str:
    """``value [low, high]`` of a measurement; with ``sign="+"`` for a difference."""
    return "{value:{f}} [{low:{f}}, {high:{f}}]".format(**measured, f=f"{sign}.4f")
