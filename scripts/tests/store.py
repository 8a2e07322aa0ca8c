"""A reference store read without any of our Rust code: its JSON files, and its index by FAISS."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np


@dataclass(frozen=True)
class Neighbor:
    id: str
    label: str | None
    distance: float


class Store:
    """What lies in a store's folder, every file checked against the manifest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.records = [json.loads(line) for line in self._read(self.manifest["records"]).splitlines()]
        self._read(self.manifest["index"])
        self.index = faiss.read_index(str(folder / self.manifest["index"]["file"]))

    def _read(self, entry: dict) -> bytes:
        content = (self.folder / entry["file"]).read_bytes()
        assert len(content) == entry["bytes"]
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        return content

    def attachment(self, name: str) -> dict | None:
        """A JSON file that was attached to the store, ``None`` if it was not."""
        entry = self.manifest["attachments"].get(name)
        return json.loads(self._read(entry)) if entry else None

    def nearest(self, embedding: np.ndarray, k: int) -> list[Neighbor]:
        """The k nearest rows by FAISS; Euclidean distances, not squared."""
        query = embedding.astype(np.float64)
        if self.manifest["normalization"] == "l2":
            query /= np.linalg.norm(query)
        squared, rows = self.index.search(query.astype(np.float32)[None], k)
        return [
            Neighbor(self.records[row]["id"], self.records[row]["label"], float(np.sqrt(distance)))
            for row, distance in zip(rows[0], squared[0])
        ]


def assert_same_neighbors(found: list[dict], expected: list[Neighbor], tolerance: float) -> None:
    """The same images in the same order, at distances that agree to an absolute tolerance.

    ``expected`` holds some more than ``found``: neighbors at nearly the same distance may change places.
    """
    assert 0 < len(found) < len(expected)
    for ours, theirs in zip(found, expected):
        assert abs(ours["distance"] - theirs.distance) <= tolerance, (found, expected)
        tied = [n for n in expected if abs(n.distance - ours["distance"]) <= tolerance]
        assert (ours["id"], ours["label"]) in [(n.id, n.label) for n in tied], (found, expected)
