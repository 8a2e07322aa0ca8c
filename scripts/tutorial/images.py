"""The images of docs/tutorial-drift.md: production before and after a drift that we make.

``kolektor`` takes a copy of KolektorSDD sorted by label and the shipped reference, whose ids tell the items;
``folders`` takes any two folders of sound images.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from PIL import Image

UNSEEN = {0, 5, 6, 7, 21, 31, 33, 37}
"""The items that the shipped network was not trained on, see models/README.md."""


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
    known, held_out, unseen = [], [], []
    for image in sorted(json.loads(line)["id"] for line in records):
        match = re.fullmatch(r"(?:non_)?defect/item(\d+)_(\d+)\.jpg", image)
        if not match:
            continue
        is_unseen = int(match[1]) in UNSEEN
        if is_unseen:
            unseen.append(image)
        path = data / "non_defect" / f"{match[2]}.jpg"
        if image.startswith("non_defect/") and path.exists():
            (held_out if is_unseen else known).append((path, Path(image).name))
    write(out, factor, known[:100], held_out)
    # A reference that has them would not meet them as new parts.
    (out / "unseen.txt").write_text("".join(f"{image}\n" for image in unseen))


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
