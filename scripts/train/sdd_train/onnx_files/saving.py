"""Writing an ONNX file whole or not at all, and never over the file that it was made from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import onnx


def refuse_own_source(source: Path, out: Path) -> None:
    """Raises ``ValueError`` if ``out`` is the file ``source``: the original would be lost."""
    if out.exists() and out.samefile(source):
        raise ValueError(f"{out} is the file to convert: name another one with --out")


def save(model: onnx.ModelProto, out: Path, check: Callable[[Path], None] | None = None) -> None:
    """Writes a file beside ``out``, lets ``check`` look at it, and gives it its name at the end.

    Raises what ``check`` raises and ``OSError``; ``out`` is then as it was.
    """
    with tempfile.TemporaryDirectory(prefix=".saving-", dir=out.parent) as folder:
        # The same name: what is beside a model may be found by it.
        unfinished = Path(folder) / out.name
        onnx.save(model, unfinished)
        if check is not None:
            check(unfinished)
        unfinished.replace(out)
