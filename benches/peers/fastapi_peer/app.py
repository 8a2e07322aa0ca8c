"""The service that sdd-server is compared with, as a team that knows its Python would write it.

    PEER_MODEL=model.onnx uvicorn app:app --workers 2 --loop uvloop --http httptools --no-access-log

Tuned: one process a core, one ONNX Runtime thread in each, no spinning, the model warmed before the
first request. The endpoint is a plain function, so FastAPI runs it on its thread pool: Pillow, NumPy
and ONNX Runtime release the interpreter's lock, so one request's upload is read and parsed while
another's image is decoded. As a coroutine on the event loop it is some 10 % slower at 16 clients,
with the pool limited to 2 or 4 threads some 5 to 10 %.
"""

from __future__ import annotations

import json
import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, HTTPException, UploadFile
from fastapi.responses import JSONResponse
from PIL import Image, ImageOps, UnidentifiedImageError

PILLOW_MODE = {"gray": "L", "rgb": "RGB"}


class Classifier:
    """An ONNX file that describes its labels, preprocessing and decision in its metadata."""

    def __init__(self, path: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        document = json.loads(self.session.get_modelmeta().custom_metadata_map["sdd_model"])
        self.model = {"name": document["name"], "version": document["version"]}
        self.labels: list[str] = document["labels"]
        self.decision: dict = document["decision"]
        self.input: str = document["input"]
        self.output: str = document["outputs"]["probability"]
        preprocessing = document["preprocessing"]
        self.size = (preprocessing["width"], preprocessing["height"])
        self.mode = PILLOW_MODE[preprocessing["color"]]
        self.filter = Image.Resampling[preprocessing["filter"].upper()]
        self.scale = np.float32(preprocessing["scale"])
        self.mean = np.asarray(preprocessing["mean"], np.float32)[:, None, None]
        self.std = np.asarray(preprocessing["std"], np.float32)[:, None, None]

    def warm_up(self) -> None:
        self.predict(Image.new(self.mode, self.size))

    def predict(self, image: Image.Image) -> dict[str, object]:
        """An image, upright, as the answer's JSON."""
        pixels = np.asarray(image.convert(self.mode).resize(self.size, self.filter))
        # Gray is repeated on the three channels by the broadcast with their means.
        planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        tensor = (planes.astype(np.float32) * self.scale - self.mean) / self.std
        (output,) = self.session.run([self.output], {self.input: tensor[None]})
        probabilities = self._of_all_labels(output[0])
        decided = self._decide(probabilities)
        return {
            "class": decided,
            "confidence": probabilities[decided],
            "probabilities": probabilities,
            "model": self.model,
        }

    def _of_all_labels(self, output: np.ndarray) -> dict[str, float]:
        if self.decision["kind"] == "softmax":
            return dict(zip(self.labels, output.tolist()))
        positive = float(output[0])
        return {
            label: positive if label == self.decision["positive_label"] else 1 - positive
            for label in self.labels
        }

    def _decide(self, probabilities: dict[str, float]) -> str:
        if self.decision["kind"] == "softmax":
            return max(probabilities, key=probabilities.__getitem__)
        positive = self.decision["positive_label"]
        if probabilities[positive] >= self.decision["threshold"]:
            return positive
        return next(label for label in self.labels if label != positive)


classifier = Classifier(os.environ["PEER_MODEL"])
classifier.warm_up(1)
app = FastAPI()


@app.get("/readyz")
async def readyz() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/predict")
def predict(file: UploadFile) -> JSONResponse:
    try:
        with Image.open(file.file) as opened:
            opened.load()
            image = ImageOps.exif_transpose(opened)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise HTTPException(400, f"not an image that can be read: {error}") from error
    # A response of its own: FastAPI need not look at each value for how to encode it.
    return JSONResponse(classifier.predict(image))
