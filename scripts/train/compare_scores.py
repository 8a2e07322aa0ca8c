"""How well each drift score tells changed and other images from held-out sound parts.

    python compare_scores.py --model RUN/fold0/model.onnx --store RUN/fold0/store \\
        --held-out RUN/fold0/unseen --other OTHER_PRODUCT PHOTOGRAPHS

Prints a Markdown table of AUROC: held-out sound parts against the same parts changed (the kinds and levels of
`sdd_train unseen`, all levels of a kind pooled, and the mildest alone) and against folders of other
images. The scores are computed here from their definitions, on the embeddings that the store holds. For a model
with a binary decision. Needs ONNX Runtime, not torch.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from make_golden_mahalanobis import distances
from sdd_train.data.image_files import images_below
from sdd_train.drift.changes import CHANGES, changed
from sdd_train.onnx_files.serving import ServedModel

SCORES = ("knn", "knn-same-class", "mean-l1", "mean-l1-same-class", "mahalanobis", "max-probability", "energy")
NEIGHBORS = 5

Answers = tuple[np.ndarray, np.ndarray]
"""Probability of the positive class ``[M]`` and embedding ``[M, D]``."""


def stored(store: Path) -> tuple[np.ndarray, np.ndarray]:
    """The embeddings ``[N, D]`` of a reference store, as they were given, and their classes ``[N]``."""
    manifest = json.loads((store / "manifest.json").read_text())
    shape = (manifest["count"], manifest["dimension"])
    rows = np.fromfile(store / manifest["index"]["file"], dtype=np.uint8)
    # The rows are the end of a FAISS flat index.
    rows = rows[-4 * shape[0] * shape[1] :].view("<f4").reshape(shape).astype(np.float64)
    records = [json.loads(line) for line in (store / manifest["records"]["file"]).read_text().splitlines()]
    if manifest["normalization"] == "l2":
        rows *= np.array([record["norm"] for record in records])[:, None]
    return rows.astype(np.float32), np.array([record["label"] for record in records])


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows ``[M, D]`` scaled to length one."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def neighbor_distance(queries: np.ndarray, reference: np.ndarray, k: int = NEIGHBORS) -> np.ndarray:
    """Distance ``[M]`` of each query ``[M, D]`` to its k-th nearest reference row ``[R, D]``, on unit vectors."""
    squared = 2.0 - 2.0 * unit(queries).astype(np.float64) @ unit(reference).astype(np.float64).T
    return np.sqrt(np.maximum(np.partition(squared, k - 1, axis=1)[:, k - 1], 0.0))


def mean_l1(queries: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Mean L1 distance ``[M]`` of each query ``[M, D]`` to all reference rows ``[R, D]``, as they are."""
    return cdist(queries, reference, "cityblock").mean(axis=1)


class Scorer:
    """All scores against one reference."""

    def __init__(self, model: ServedModel, store: Path) -> None:
        decision = model.metadata["decision"]
        self.threshold, self.positive = decision["threshold"], decision["positive_label"]
        self.negative = next(label for label in model.metadata["labels"] if label != self.positive)
        self.rows, self.labels = stored(store)

    def scores(self, answers: Answers) -> dict[str, np.ndarray]:
        probability, embedding = answers[0].astype(np.float64), answers[1]
        is_positive = probability >= self.threshold
        _, nearest, background = distances(self.rows, self.labels, embedding)

        def by_class(score) -> np.ndarray:
            of = {label: score(embedding, self.rows[self.labels == label]) for label in (self.positive, self.negative)}
            return np.where(is_positive, of[self.positive], of[self.negative])

        found = (
            neighbor_distance(embedding, self.rows),
            by_class(neighbor_distance),
            mean_l1(embedding, self.rows),
            by_class(mean_l1),
            nearest - background,
            np.minimum(probability, 1 - probability),
            np.log1p(-np.minimum(probability, 1 - 2.0**-24)),
        )
        return dict(zip(SCORES, found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True, help="the model's reference store")
    parser.add_argument("--held-out", type=Path, required=True, help="folder of held-out images, one folder a class")
    parser.add_argument("--other", type=Path, nargs="*", default=[], help="folders of images of something else")
    arguments = parser.parse_args()
    model = ServedModel(arguments.model)
    scorer = Scorer(model, arguments.store)

    def answer(images) -> Answers:
        probability, embedding = model.predict_images(images)
        return probability[:, 0], embedding

    paths = [path for path in images_below(arguments.held_out) if path.parent.name != scorer.positive]
    images = [model.load(path) for path in paths]
    known = scorer.scores(answer(images))

    def row(name: str, new: dict[str, np.ndarray]) -> None:
        cells = [
            roc_auc_score(np.repeat([0, 1], [len(known[s]), len(new[s])]), np.concatenate([known[s], new[s]]))
            for s in SCORES
        ]
        print(f"| {name} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |", flush=True)

    print("| | " + " | ".join(f"`{score}`" for score in SCORES) + " |")
    print("| --- |" + " --- |" * len(SCORES))
    for folder in arguments.other:
        row(f"{folder.name} ({len(images_below(folder))})", scorer.scores(answer(map(model.load, images_below(folder)))))
    for change in CHANGES:
        levels = [scorer.scores(answer(changed(images, change, level))) for level in change.levels]
        pooled = {score: np.concatenate([level[score] for level in levels]) for score in SCORES}
        row(f"{change.name}, all {len(levels)} levels" if len(levels) > 1 else change.name, pooled)
        if len(levels) > 1:
            row(f"{change.name}, {change.unit} {change.levels[0]:g}", levels[0])


if __name__ == "__main__":
    main()
