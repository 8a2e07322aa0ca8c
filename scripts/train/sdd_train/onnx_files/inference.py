"""An ONNX classifier of any precision on one CPU thread, image by image, as the service's workers run it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError

from ..data import imaging
from ..data.imaging import Preprocessing
from . import metadata


def session(model: Path | bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """A CPU session whose threads do not spin while they wait, as in the service; raises ``ValueError``."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Only errors: a warning of the optimizer is of no use to who compares files.
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # Its exceptions have no common class of their own.
        raise ValueError(f"ONNX Runtime does not load the model: {error}") from error


def every_tensor(model: onnx.ModelProto, image: np.ndarray) -> dict[str, np.ndarray]:
    """All that the graph computes from an image ``[1, 3, H, W]``, and the image, by tensor name.

    Raises ``ValueError`` if ONNX Runtime refuses the model or the image.
    """
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    source = model.graph.input[0].name
    names = [name for node in model.graph.node for name in node.output if name]
    del probed.graph.output[:]
    # Without a type: ONNX Runtime fills in the one that it infers.
    probed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    try:
        outputs = session(probed.SerializeToString()).run(names, {source: image})
    except Exception as error:  # Its exceptions have no common class of their own.
        raise ValueError(f"ONNX Runtime does not run it on one image: {error}") from error
    return dict(zip(names, outputs)) | {source: image}


def read(path: Path) -> onnx.ModelProto:
    """Loads an ONNX file; raises ``ValueError`` if it is none."""
    try:
        return onnx.load(path)
    except DecodeError:
        raise ValueError(f"{path}: expected an ONNX file") from None


def describe(path: Path) -> dict[str, object]:
    """The model's own metadata, else that of ``model.json`` beside ``model.onnx``.

    Raises ``KeyError`` if there is neither, ``ValueError`` if it departs from the schema.
    """
    sidecar = path.with_suffix(".json")
    try:
        return metadata.read(read(path))
    except KeyError as missing:
        if not sidecar.is_file():
            raise KeyError(f"{path}: {missing.args[0]}, and there is no {sidecar}") from None
        return metadata.parse(sidecar.read_text())


class Classifier:
    """An ONNX file and what it says of itself."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.path = path
        self.document = describe(path)
        self.labels: list[str] = self.document["labels"]
        self.preprocessing = Preprocessing.from_metadata(self.document["preprocessing"])
        self.session = session(path, threads)

    @property
    def positive_label(self) -> str | None:
        """The label that a binary model's probability is of; ``None`` for a softmax model."""
        return self.document["decision"].get("positive_label")

    def load(self, image: Path) -> np.ndarray:
        """Image file -> float32 ``[1, 3, H, W]``."""
        return imaging.preprocess(image, self.preprocessing)[None]

    def outputs(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float32 ``[N, 3, H, W]`` -> the file's own probability ``[N, 1]`` or ``[N, labels]``, embedding ``[N, D]``."""
        names = self.document["outputs"]
        try:
            probability, embedding = self.session.run(
                [names["probability"], names["embedding"]], {self.document["input"]: image}
            )
        except Exception as error:
            raise ValueError(f"{self.path}: ONNX Runtime does not run it: {error}") from error
        return probability, embedding.reshape(len(embedding), -1)

    def run(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float32 ``[N, 3, H, W]`` -> probability ``[N, labels]``, in the labels' order, and embedding ``[N, D]``."""
        probability, embedding = self.outputs(image)
        if self.positive_label is not None:
            positive = probability[:, 0]
            columns = [positive if label == self.positive_label else 1 - positive for label in self.labels]
            probability = np.stack(columns, axis=1)
        return probability, embedding

    def predict(self, images: list[Path]) -> tuple[np.ndarray, np.ndarray]:
        """Image files -> probability ``[M, labels]`` and embedding ``[M, D]``, one image at a time."""
        rows = [self.run(self.load(image)) for image in images]
        return np.concatenate([p for p, _ in rows]), np.concatenate([e for _, e in rows])

    def classes(self, probability: np.ndarray) -> np.ndarray:
        """probability ``[M, labels]`` -> index of the class ``[M]``, by the model's own rule."""
        if self.positive_label is None:
            return probability.argmax(axis=1)
        positive = self.labels.index(self.positive_label)
        threshold = np.float32(self.document["decision"]["threshold"])
        return np.where(probability[:, positive] >= threshold, positive, 1 - positive)
