"""Several ONNX classifiers, of whatever precision, measured in one run: cost, time, quality, agreement."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from . import cost
from .inference import Classifier, read
from ..data.image_files import images_below

WARM_UP = 5


@dataclass(frozen=True)
class Row:
    """One model. ``None`` where there is nothing to measure on."""

    file: str
    precision: str
    width: int
    height: int
    gflops: float
    """10^9 operations an image; a multiply-add is two."""
    parameters: int
    megabytes: float
    """10^6 bytes."""
    milliseconds: tuple[float, float, float]
    """Processor time of an image on one thread: lower quartile, median, upper quartile."""
    auroc: float | None = None
    ap: float | None = None
    same_class: float | None = None
    """Share of the images to which the first model gives the same class."""
    max_difference: float | None = None
    """Largest absolute difference of a probability from the first model's."""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Labeled:
    """Images, and the label that each one's folder names."""

    paths: list[Path]
    labels: list[str]

    @classmethod
    def below(cls, folder: Path) -> Labeled:
        """Images sorted into one folder a label."""
        paths = images_below(folder)
        return cls(paths, [path.relative_to(folder).parts[0] for path in paths])


def milliseconds(models: list[Classifier], images: list[np.ndarray], rounds: int) -> np.ndarray:
    """Processor times ``[models, rounds]`` of one image on one thread.

    On a machine with nothing else to do that is the time that passes; on a busy one, waiting is left out.
    Each round times every model once, so that whatever else the machine does hits all alike; every other
    round goes backwards, so that no model always follows the same one. ``images`` has one input a model.
    """
    for model, image in zip(models, images):
        for _ in range(WARM_UP):
            model.run(image)
    times = np.empty((len(models), rounds))
    for at in range(rounds):
        order = range(len(models)) if at % 2 == 0 else reversed(range(len(models)))
        for index in order:
            start = time.thread_time()
            models[index].run(images[index])
            times[index, at] = (time.thread_time() - start) * 1e3
    return times


def ranking(model: Classifier, probability: np.ndarray, truth: list[str]) -> tuple[float, float]:
    """AUROC and AP of a binary model's positive label, or their means over a softmax model's labels.

    Raises ``ValueError`` if the images do not have at least two labels, all of them the model's.
    """
    present = set(truth)
    if len(present) < 2 or not present <= set(model.labels):
        raise ValueError(f"expected folders named as labels of {model.path}, {model.labels}; found {sorted(present)}")
    wanted = [model.positive_label] if model.positive_label else [l for l in model.labels if l in present]
    scores = [
        (metric([t == label for t in truth], probability[:, model.labels.index(label)]))
        for metric in (roc_auc_score, average_precision_score)
        for label in wanted
    ]
    return float(np.mean(scores[: len(wanted)])), float(np.mean(scores[len(wanted) :]))


def timing_input(model: Classifier, images: Labeled | None) -> np.ndarray:
    """An image of the set, or seeded noise ``[1, 3, H, W]`` where there is none."""
    if images is not None:
        return model.load(images.paths[0])
    shape = (1, 3, model.preprocessing.height, model.preprocessing.width)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def compare(paths: list[Path], images: Labeled | None, rounds: int) -> list[Row]:
    """Measures every file; the first one is what the others are compared with."""
    models = [Classifier(path) for path in paths]
    times = milliseconds(models, [timing_input(model, images) for model in models], rounds)
    rows = []
    first: tuple[np.ndarray, np.ndarray] | None = None
    for model, spent in zip(models, times):
        graph = read(model.path)
        quality: dict[str, float | None] = {}
        if images is not None:
            probability, _ = model.predict(images.paths)
            quality["auroc"], quality["ap"] = ranking(model, probability, images.labels)
            classes = model.classes(probability)
            first = first or (probability, classes)
            if model.labels == models[0].labels:
                quality["same_class"] = float(np.mean(classes == first[1]))
                quality["max_difference"] = float(np.abs(probability - first[0]).max())
        rows.append(
            Row(
                file=model.path.name,
                precision=cost.precision(graph),
                width=model.preprocessing.width,
                height=model.preprocessing.height,
                gflops=2e-9 * cost.multiply_adds(graph),
                parameters=cost.parameters(graph),
                megabytes=model.path.stat().st_size / 1e6,
                milliseconds=tuple(float(q) for q in np.percentile(spent, [25, 50, 75])),
                **quality,
            )
        )
    return rows


@dataclass(frozen=True)
class Agreement:
    """How far a converted model's answers are from the original's."""

    images: int
    same_class: float
    """Share of the images."""
    max_probability: float
    """Largest absolute difference of a probability."""
    mean_probability: float
    mean_embedding: float
    """Mean length of the difference of two embeddings, relative to the original's length."""
    max_embedding: float

    def __str__(self) -> str:
        return (
            f"{self.images} images: {100 * self.same_class:.1f} % same class; probability differs by at most "
            f"{self.max_probability:.4f}, by {self.mean_probability:.4f} on average; embedding by "
            f"{100 * self.mean_embedding:.1f} % of its length on average, at most {100 * self.max_embedding:.1f} %"
        )


def agreement(original: Path, converted: Path, images: list[Path]) -> Agreement:
    """Compares two files with the same labels and embedding on images."""
    first, second = Classifier(original), Classifier(converted)
    (p, e), (q, f) = first.predict(images), second.predict(images)
    probability = np.abs(p - q)
    embedding = np.linalg.norm(e - f, axis=1) / np.linalg.norm(e, axis=1)
    return Agreement(
        images=len(images),
        same_class=float(np.mean(first.classes(p) == second.classes(q))),
        max_probability=float(probability.max()),
        mean_probability=float(probability.mean()),
        mean_embedding=float(embedding.mean()),
        max_embedding=float(embedding.max()),
    )


def markdown(rows: list[Row]) -> str:
    """The rows as a table."""

    def number(value: float | None, digits: int) -> str:
        return "–" if value is None else f"{value:.{digits}f}"

    lines = [
        "| model | precision | input | GFLOPs | parameters | MB | ms an image, one thread (quartiles) "
        "| AUROC | AP | same class | max. diff. |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lower, median, upper = row.milliseconds
        same = "–" if row.same_class is None else f"{100 * row.same_class:.1f} %"
        lines.append(
            f"| {row.file} | {row.precision} | {row.width} x {row.height} | {row.gflops:.2f} "
            f"| {row.parameters / 1e6:.2f} M | {row.megabytes:.1f} | {median:.1f} ({lower:.1f} to {upper:.1f}) "
            f"| {number(row.auroc, 4)} | {number(row.ap, 4)} | {same} | {number(row.max_difference, 4)} |"
        )
    return "\n".join(lines)
