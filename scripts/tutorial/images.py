"""The images of docs/tutorial-drift.md: production before and after a drift that we make.

``kolektor`` takes a copy of KolektorSDD sorted by label and the shipped reference, and tells by the reference's ids which
images the network never saw; ``folders`` takes any two folders of sound images.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from PIL import Image


def darker(source: Path, target: Path, factor: float) -> None:
    """The image in less light: every gray level times the factor."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        image.point(lambda level: round(level * factor)).save(target, quality=95)


def write(out: Path, factor: float, known: list[Path], held_out: list[Path]) -> None:
    """``known``: sound images of the training; ``held_out``: sound images that it did not see, part after part."""
    for image in held_out:
        darker(image, out / "before" / image.name, 1.0)
    for image in known:
        darker(image, out / "dark" / image.name, factor)
    half = len(held_out) // 2
    for image in held_out[:half]:
        darker(image, out / "dark-held-out" / "non_defect" / image.name, factor)
    for image in held_out[half:]:
        darker(image, out / "dark-after" / image.name, factor)


def numbers(ids: list[str]) -> list[str]:
    """The running numbers in ``non_defect/item37_300.jpg``."""
    found = (re.fullmatch(r"non_defect/item\d+_(\d+)\.jpg", name) for name in ids)
    return [match[1] for match in found if match]


def of_kolektor(data: Path, reference: Path, out: Path, factor: float) -> None:
    manifest = json.loads((reference / "manifest.json").read_text())
    images = json.loads((reference / manifest["attachments"]["calibration-images.json"]["file"]).read_text())
    records = (reference / manifest["records"]["file"]).read_text().splitlines()

    def files(ids: list[str]) -> list[Path]:
        paths = (data / "non_defect" / f"{number}.jpg" for number in numbers(ids))
        return [path for path in paths if path.exists()]

    held_out = files([image["id"] for image in images["images"]])
    write(out, factor, files([json.loads(line)["id"] for line in records])[:100], held_out)


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
        listed = [sorted(path for path in folder.iterdir() if path.is_file()) for folder in (arguments.known, arguments.held_out)]
        write(arguments.out, arguments.factor, *listed)


if __name__ == "__main__":
    main()
