#!/usr/bin/env python3
"""Compares what `drift-index` makes of images with what Pillow and ONNX Runtime make of them in Python.

    .native/python/bin/python scripts/check_parity.py FOLDER_OR_FILE... [--model FILE.onnx]

Both sides decode, resize and run the same model on the same files. Compared are the probabilities of
all classes (absolute) and the embedding (norm of the difference over norm of Python's), each with a
limit of 1e-3 by default. Needs `make build`, and the packages of scripts/tests/requirements.txt.

Exit code 0: they agree. 1: they do not, or we accept a file that Pillow refuses. A file that Pillow
accepts and we refuse is listed with our error code, and counts as well with --strict. 2: nothing was
compared: wrong usage, or a program that failed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts" / "train"))

from sdd_train.data.image_files import SUFFIXES, images_below  # noqa: E402
from sdd_train.onnx_files.inference import Classifier  # noqa: E402

MODEL = ROOT / "models" / "sdd-efficientnet-lite0.onnx"
DRIFT_INDEX = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "drift-index"
AGREE, DIFFER, FAILED = 0, 1, 2
ORIENTATION_TAG = 0x0112
# Images a run of drift-index: a command line has a limited length.
BATCH = 200
# drift-index's code for what is no image's fault.
MODEL_ERROR = "model"
_SIZES = ((1, "1 px"), (63, "to 63 px"), (511, "to 511 px"), (2047, "to 2047 px"))


class NotCompared(Exception):
    """Why there is nothing to say."""


@dataclass(frozen=True)
class Answer:
    """What one side makes of one file: ``probabilities [C]`` and ``embedding [D]``, or why it refuses it."""

    probabilities: np.ndarray | None = None
    embedding: np.ndarray | None = None
    refusal: str | None = None


@dataclass(frozen=True)
class Comparison:
    """One file, by both."""

    path: Path
    kind: str
    ours: Answer
    theirs: Answer

    @property
    def answered(self) -> bool:
        return self.ours.refusal is None and self.theirs.refusal is None

    @property
    def probability(self) -> float:
        """Largest absolute difference of a class's probability."""
        return float(np.abs(self.ours.probabilities - self.theirs.probabilities).max())

    @property
    def embedding(self) -> float:
        """Norm of the difference over the norm of Python's embedding; 0 where both are zero."""
        difference = float(np.linalg.norm(self.ours.embedding - self.theirs.embedding))
        norm = float(np.linalg.norm(self.theirs.embedding))
        return difference / norm if norm > 0 else (0.0 if difference == 0 else float("inf"))


@dataclass(frozen=True)
class Limits:
    probability: float
    embedding: float

    def hold(self, comparison: Comparison) -> bool:
        # Written so that a NaN does not pass.
        return comparison.probability <= self.probability and comparison.embedding <= self.embedding


def files_of(sources: Sequence[Path]) -> list[Path]:
    """The named files, and those below the named folders whose name ends as an image's does."""
    found: list[Path] = []
    for source in sources:
        if source.is_dir():
            with suppress(FileNotFoundError):
                found.extend(images_below(source))
        elif source.is_file():
            found.append(source)
        else:
            raise NotCompared(f"{source} is neither a file nor a folder")
    if not found:
        raise NotCompared("there are no images there: names end in " + ", ".join(sorted(SUFFIXES)))
    return found


def kind_of(path: Path) -> str:
    """Format, mode, orientation and size of a file as Pillow sees it, for the summary."""
    try:
        with Image.open(path) as image:
            progressive = " progressive" if image.info.get("progressive") else ""
            orientation = image.getexif().get(ORIENTATION_TAG, 1)
            turned = f", orientation {orientation}" if orientation != 1 else ""
            longest = max(image.size)
            size = next((name for most, name in _SIZES if longest <= most), "larger")
            return f"{image.format}{progressive} {image.mode}{turned}, {size}"
    except Exception:  # noqa: BLE001 - Pillow raises nearly anything at a damaged file
        return "unreadable by Pillow"


def by_python(paths: Sequence[Path], model: Classifier) -> list[Answer]:
    """What Pillow and ONNX Runtime make of each file, one at a time."""
    answers = []
    for path in paths:
        try:
            image = model.load(path)
        except Exception as error:  # noqa: BLE001 - as above
            answers.append(Answer(refusal=f"{type(error).__name__}: {error}"))
            continue
        probability, embedding = model.run(image)
        answers.append(Answer(probability[0], embedding[0]))
    return answers


def by_drift_index(paths: Sequence[Path], program: Path, model: Path, labels: Sequence[str]) -> list[Answer]:
    """What `drift-index embed` makes of each file."""
    answers: list[Answer] = []
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            matrix = Path(folder) / f"{start}.npy"
            document = run_embed(batch, program, model, matrix)
            try:
                answers.extend(answers_of(document, matrix, labels))
            except (KeyError, IndexError, TypeError, OSError, ValueError) as error:
                raise NotCompared(f"{program} did not answer as drift-index does: {error!r}") from error
    return answers


def answers_of(document: dict, matrix: Path, labels: Sequence[str]) -> list[Answer]:
    """The answers in a document of `drift-index embed --json` and in its matrix."""
    rows = np.load(matrix) if document["rows"] else None
    answers = []
    for result in document["results"]:
        if error := result["error"]:
            if error["code"] == MODEL_ERROR:
                raise NotCompared(f"{result['image']}: {error['message']}")
            answers.append(Answer(refusal=f"{error['code']}: {error['message']}"))
        else:
            found = np.array([result["probabilities"][label] for label in labels])
            answers.append(Answer(found, rows[result["row"]]))
    return answers


def run_embed(paths: Sequence[Path], program: Path, model: Path, matrix: Path) -> dict:
    """The document that `drift-index embed --json` prints."""
    library = ROOT / ".native" / "onnxruntime" / "libonnxruntime.so"
    environment = {"SDD_ONNXRUNTIME": str(library)} | os.environ
    command = [program, "embed", "--json", "--model", model, "--out", matrix, "--", *paths]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise NotCompared(f"cannot run {program} ({error}); `make build` builds it") from error
    try:
        document = json.loads(done.stdout)
        if len(document["results"]) == len(paths):
            return document
    except (ValueError, KeyError, TypeError):
        pass
    raise NotCompared(f"{program} ended with {done.returncode}: {done.stderr.strip()}")


def compare(sources: Sequence[Path], model: Path, program: Path) -> list[Comparison]:
    """Every image among ``sources``, by both sides."""
    paths = files_of(sources)
    try:
        classifier = Classifier(model)
    except Exception as error:  # noqa: BLE001 - of protobuf, onnx or onnxruntime
        raise NotCompared(f"cannot use the model {model}: {error}") from error
    ours = by_drift_index(paths, program, model, classifier.labels)
    theirs = by_python(paths, classifier)
    return [Comparison(p, kind_of(p), o, t) for p, o, t in zip(paths, ours, theirs, strict=True)]


def report(comparisons: Sequence[Comparison], limits: Limits, worst: int) -> str:
    """The worst files, the kinds, and who refused what."""
    answered = sorted((c for c in comparisons if c.answered), key=lambda c: badness(c, limits), reverse=True)
    lines = [f"{len(answered)} of {len(comparisons)} images answered by both"]
    if answered:
        lines += ["", f"worst (limits: probability {limits.probability:g}, embedding {limits.embedding:g})"]
        lines += [f"  {'probability':>11}  {'embedding':>9}  file"]
        lines += [
            f"  {c.probability:>11.1e}  {c.embedding:>9.1e}  {c.path} ({c.kind}){mark(c, limits)}"
            for c in answered[:worst]
        ]
        lines += ["", f"  {'images':>6}  {'probability':>11}  {'embedding':>9}  kind"]
        for kind, members in sorted(grouped(answered).items()):
            probability, embedding = (max(getattr(c, what) for c in members) for what in ("probability", "embedding"))
            lines.append(f"  {len(members):>6}  {probability:>11.1e}  {embedding:>9.1e}  {kind}")
    for title, members in (
        ("accepted by Pillow, refused by us", refused_by_us(comparisons)),
        ("REFUSED BY PILLOW, ACCEPTED BY US", accepted_by_us(comparisons)),
        ("refused by both", [c for c in comparisons if c.ours.refusal and c.theirs.refusal]),
    ):
        if members:
            lines += ["", f"{title}: {len(members)}"]
            lines += [f"  {c.path} ({c.kind}): {c.ours.refusal or c.theirs.refusal}" for c in members]
    return "\n".join(lines)


def badness(comparison: Comparison, limits: Limits) -> float:
    ratios = (comparison.probability / limits.probability, comparison.embedding / limits.embedding)
    return float("inf") if np.isnan(ratios).any() else max(ratios)


def mark(comparison: Comparison, limits: Limits) -> str:
    return "" if limits.hold(comparison) else "  TOO FAR"


def grouped(comparisons: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    groups: dict[str, list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        groups[comparison.kind].append(comparison)
    return groups


def refused_by_us(comparisons: Sequence[Comparison]) -> list[Comparison]:
    return [c for c in comparisons if c.ours.refusal and not c.theirs.refusal]


def accepted_by_us(comparisons: Sequence[Comparison]) -> list[Comparison]:
    return [c for c in comparisons if c.theirs.refusal and not c.ours.refusal]


def agree(comparisons: Sequence[Comparison], limits: Limits, strict: bool) -> bool:
    close = all(limits.hold(c) for c in comparisons if c.answered)
    return close and not accepted_by_us(comparisons) and not (strict and refused_by_us(comparisons))


def positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("sources", nargs="+", type=Path, metavar="FOLDER_OR_FILE", help="images, or folders with all below them")
    add("--model", type=Path, default=MODEL, help="default: %(default)s")
    add("--drift-index", type=Path, default=DRIFT_INDEX, help="default: %(default)s")
    add("--max-probability", type=positive, default=1e-3, help="largest difference of a probability")
    add("--max-embedding", type=positive, default=1e-3, help="largest relative difference of an embedding")
    add("--worst", type=int, default=10, help="how many files are listed (default: %(default)s)")
    add("--strict", action="store_true", help="a file that Pillow accepts and we refuse is a failure, too")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(arguments)
    limits = Limits(given.max_probability, given.max_embedding)
    try:
        # Absolute, or a program in this folder would be looked for in PATH.
        comparisons = compare(given.sources, given.model, given.drift_index.absolute())
    except NotCompared as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    print(report(comparisons, limits, given.worst))
    if not any(c.answered for c in comparisons) and not accepted_by_us(comparisons):
        print("error: no image was answered by both sides", file=sys.stderr)
        return FAILED
    same = agree(comparisons, limits, given.strict)
    print(f"\n{'they agree' if same else 'THEY DO NOT AGREE'}")
    return AGREE if same else DIFFER


if __name__ == "__main__":
    sys.exit(main())
