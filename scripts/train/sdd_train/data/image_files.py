"""Which files of a folder are images: the rule of `drift-index build`."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = {".bmp", ".dib", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def images_below(folder: Path) -> list[Path]:
    """All image files in a folder and its subfolders, hidden ones left out, sorted.

    Raises ``FileNotFoundError`` if there are none.
    """
    found = sorted(
        path for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise FileNotFoundError(f"{folder}: expected images, found none; names end in {', '.join(sorted(SUFFIXES))}")
    return found
