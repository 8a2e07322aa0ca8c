"""Makes a small classifier of four labels as other tools export them, and images for it.

    python make_plain_model.py --out FOLDER

`FOLDER/plain.onnx` takes an image and puts out four probabilities: no embedding, no metadata. What the
service needs besides, `add_embedding.py` gives it. `FOLDER/images/LABEL/` holds the drawn images that the
last layer was fitted to. Fixed seeds; no torch.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from sdd_train.data import imaging
from sdd_train.data.imaging import Preprocessing
from sdd_train.onnx_files.inference import session

LABELS = ["checks", "columns", "plain", "rows"]
PREPROCESSING = Preprocessing(width=40, height=48, color="rgb")
FEATURES = 16
IMAGES_PER_LABEL = 12
SHARPNESS = 8.0
"""Factor on the logits: how sure the classifier is."""


def draw(label: str, seed: int) -> Image.Image:
    """A surface of 60 x 72 pixels with the pattern of the label, noisy, of a color of its own."""
    random = np.random.default_rng([LABELS.index(label), seed])
    period, shift = random.integers(6, 10), random.integers(10, size=2)
    y, x = np.mgrid[:72, :60]
    rows = (y + shift[0]) % period < period // 2
    columns = (x + shift[1]) % period < period // 2
    pattern = {"rows": rows, "columns": columns, "checks": rows ^ columns, "plain": np.zeros_like(rows)}[label]
    color = random.uniform(90, 130, size=3)
    values = color + 80 * pattern[:, :, None] + random.normal(scale=6, size=(72, 60, 1))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def draw_set(folder: Path, first_seed: int = 0, count: int = IMAGES_PER_LABEL) -> list[Path]:
    """Draws ``count`` images of each label into a folder of its name; their paths, sorted."""
    paths = []
    for label in LABELS:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for seed in range(first_seed, first_seed + count):
            paths.append(folder / label / f"{seed:04}.png")
            draw(label, seed).save(paths[-1])
    return paths


def trunk() -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Two convolutions of seeded weights and a pool: nodes from `input` to `features`, and the weights."""
    random = np.random.default_rng(7)
    weights = {}
    for name, shape in (("a", (8, 3, 3, 3)), ("b", (FEATURES, 8, 3, 3))):
        weights[f"{name}.weight"] = random.normal(scale=0.3, size=shape).astype(np.float32)
        weights[f"{name}.bias"] = random.normal(scale=0.1, size=shape[0]).astype(np.float32)
    # Kernels that sum to zero see the pattern and not its color.
    weights["a.weight"] -= weights["a.weight"].mean(axis=(2, 3), keepdims=True)
    same = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["input", "a.weight", "a.bias"], ["a"], **same),
        helper.make_node("Relu", ["a"], ["a.relu"]),
        helper.make_node("Conv", ["a.relu", "b.weight", "b.bias"], ["b"], **same),
        helper.make_node("Relu", ["b"], ["b.relu"]),
        helper.make_node("GlobalAveragePool", ["b.relu"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["features"], axis=1),
    ]
    return nodes, weights


def model_of(
    nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], output: str, columns: int
) -> onnx.ModelProto:
    """The graph from `input` to an output ``[N, columns]``."""
    shape = ["N", 3, PREPROCESSING.height, PREPROCESSING.width]
    graph = helper.make_graph(
        nodes,
        "plain",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", columns])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def build(images: list[Path]) -> onnx.ModelProto:
    """The classifier; an image goes to the label with the nearest mean of features.

    ``images`` lie in folders named by label. The squared distance to a mean m is, up to what all labels
    have in common, -2 (features . m - |m|² / 2), so one linear layer does it.
    """
    nodes, weights = trunk()
    bare = session(model_of(nodes, weights, "features", FEATURES).SerializeToString())
    features = {
        path: bare.run(None, {"input": imaging.preprocess(path, PREPROCESSING)[None]})[0][0] for path in images
    }
    means = np.stack(
        [np.mean([f for path, f in features.items() if path.parent.name == label], axis=0) for label in LABELS]
    )
    weights["head.weight"] = SHARPNESS * means
    weights["head.bias"] = -SHARPNESS / 2 * (means**2).sum(axis=1)
    nodes += [
        helper.make_node("Gemm", ["features", "head.weight", "head.bias"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["output"], axis=1),
    ]
    return model_of(nodes, weights, "output", len(LABELS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the model and the images")
    out = parser.parse_args().out
    onnx.save(build(draw_set(out / "images")), out / "plain.onnx")


if __name__ == "__main__":
    main()
