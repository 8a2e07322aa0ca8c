"""The images of docs/tutorial-drift.md: production before and after a drift that we make.

``kolektor`` takes a copy of KolektorSDD sorted by label and a reference whose network was trained on some of it: what
the reference does not hold, the network has not seen. ``folders`` takes any two folders of sound images.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from PIL import Image

def item(number: int) -> str:
    """The item of a running image number; one of them has seven images, not eight (see models/README.md)."""
    return f"item{(number + (number >= 119)) // 8:02d}"


def darker(source: Path, target: Path, factor: float) -> None:
    """The image in less light: every gray level times the factor."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        image.point(lambda level: round(level * factor)).save(target, quality=95)


Named = tuple[Path, str]
"""An image, and what it is called in the tutorial: with its item where that is known, by which images are grouped."""


def write(out: Path, factor: float, known: list[Named], held_out: list[Named]) -> None:
    """``known``: sound images of the training; ``held_out``: sound images that it did not see, part after part."""
    for image, name in held_out:
        darker(image, out / "before" / name, 1.0)
    for image, name in known:
        darker(image, out / "dark" / name, factor)
    half = len(held_out) // 2
    for image, name in held_out[:half]:
        darker(image, out / "dark-held-out" / "non_defect" / name, factor)
    for image, name in held_out[half:]:
        darker(image, out / "dark-after" / name, factor)


def of_kolektor(data: Path, reference: Path, out: Path, factor: float) -> None:
    manifest = json.loads((reference / "manifest.json").read_text())
    records = (reference / manifest["records"]["file"]).read_text().splitlines()
    held = {Path(json.loads(line)["id"]).name for line in records}
    known, held_out = [], []
    for path in sorted((data / "non_defect").glob("[0-9]*.jpg")):
        name = f"{item(int(path.stem))}_{path.name}"
        (known if name in held else held_out).append((path, name))
    if not held_out:
        raise SystemExit(f"{reference} holds every sound image of {data}: there is none that its network has not seen")
    write(out, factor, known[:100], held_out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factor", type=float, default=0.75, help="gray levels of the darker light (default 0.75)")
    parser.add_argument("--out", type=Path, required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    kolektor = commands.add_parser("kolektor")
    kolektor.add_argument("data", type=Path)
    kolektor.add_argument("reference", type=Path)
    folders = commands.add_parser("folders")
    folders.add_argument("known", type=Path)
    folders.add_argument("held_out", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "kolektor":
        of_kolektor(arguments.data, arguments.reference, arguments.out, arguments.factor)
    else:
        listed = [
            [(path, path.name) for path in sorted(folder.iterdir()) if path.is_file()]
            for folder in (arguments.known, arguments.held_out)
        ]
        write(arguments.out, arguments.factor, *listed)


if __name__ == "__main__":
    main()
