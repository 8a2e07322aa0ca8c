"""The baseline: frozen VGG16 features, global average pool, a small classifier.

224 x 224 RGB -> 13 convolutions -> 512-d pool -> Linear 128, ReLU -> Linear 1,
sigmoid. Only the classifier is trained: 30 epochs of Adam on cached pools.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ..data import dataset, folds, imaging
from ..data.imaging import Preprocessing
from ..onnx_files import export, metadata
from ..quality import evaluation
from ..quality.predictions import predictions_of, write_csv

log = logging.getLogger(__name__)

EMBEDDING_DIMENSION = 512
CONVOLUTIONS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool")
EPOCHS = 30
LEARNING_RATE = 1e-3
BATCH_SIZE = 32
SEED = 7
EXPORTED_FOLD = 0
"""Whose network is written: its held-out items are there to compare precisions on."""

NORMALIZATIONS = {
    "caffe": Preprocessing(
        width=224, height=224, color="rgb", scale=1.0,
        mean=(123.68, 116.779, 103.939), std=(1.0, 1.0, 1.0),
    ),
    "torchvision": Preprocessing(width=224, height=224, color="rgb"),
}
"""What the weights were trained with: Keras and Caffe subtract a mean, torchvision standardizes."""


@dataclass
class Output:
    """``logit [N]`` and ``embedding [N, 512]``."""

    logit: Tensor
    embedding: Tensor


class Vgg16(nn.Module):
    """VGG16's convolutions under torchvision's names, and the classifier."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for step in CONVOLUTIONS:
            if step == "pool":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, step, 3, padding=1), nn.ReLU()]
                channels = step
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(EMBEDDING_DIMENSION, 128), nn.ReLU(), nn.Linear(128, 1))

    def load_features(self, path: Path) -> None:
        """Loads ``features.{i}.weight|bias`` from a safetensors or torch file."""
        if path.suffix == ".safetensors":
            weights = load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        own = {k.removeprefix("features."): v for k, v in weights.items() if k.startswith("features.")}
        self.features.load_state_dict(own)

    def embed(self, image: Tensor) -> Tensor:
        """``[N, 3, 224, 224]`` -> ``[N, 512]``."""
        return self.features(image).mean(dim=(2, 3))

    def forward(self, image: Tensor) -> Output:
        embedding = self.embed(image)
        return Output(self.classifier(embedding)[:, 0], embedding)


@torch.no_grad()
def embed_all(network: Vgg16, samples: list[dataset.Sample], preprocessing: Preprocessing) -> Tensor:
    """The pools of all images ``[M, 512]``."""
    rows = []
    for start in range(0, len(samples), 8):
        batch = [imaging.preprocess(s.path, preprocessing) for s in samples[start : start + 8]]
        rows.append(network.embed(torch.from_numpy(np.stack(batch))))
    return torch.cat(rows)


def train_classifier(classifier: nn.Module, pools: Tensor, labels: Tensor) -> None:
    """Adam on shuffled batches of pools ``[M, 512]`` and labels ``[M]``."""
    generator = torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=LEARNING_RATE)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(pools), generator=generator).split(BATCH_SIZE):
            loss = F.binary_cross_entropy_with_logits(classifier(pools[batch])[:, 0], labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def description(
    preprocessing: Preprocessing, threshold: float, images: int, trained: list[str], held_out: list[str]
) -> dict[str, object]:
    """The exported model's metadata."""
    return metadata.document(
        name="sdd-vgg16",
        version="0.1.0",
        description="VGG16 ImageNet features (frozen), global average pool, Linear 128, sigmoid.",
        license=folds.DATA_LICENSE,
        labels=list(dataset.LABELS),
        preprocessing=preprocessing,
        decision=metadata.binary_decision("defect", threshold),
        embedding_dimension=EMBEDDING_DIMENSION,
        trained_on=folds.provenance(images, 0, trained, held_out),
    )


def run(data: Path, weights: Path, normalization: str, out: Path) -> dict[str, object]:
    """Cross-validates on real images, exports the shipped fold's network to ``out/sdd-vgg16.onnx``."""
    preprocessing = NORMALIZATIONS[normalization]
    out.mkdir(parents=True, exist_ok=True)
    samples = dataset.read_kolektor(data)
    labels = torch.tensor([float(s.is_defect) for s in samples])
    torch.manual_seed(SEED)
    network = Vgg16()
    network.load_features(weights)
    network.eval()
    pools = embed_all(network, samples, preprocessing)
    fresh = {name: value.clone() for name, value in network.classifier.state_dict().items()}

    predictions, trained = [], {}
    for fold in range(folds.FOLDS):
        part = folds.split(samples, fold)
        network.classifier.load_state_dict(fresh)
        train_classifier(network.classifier, pools[part.train], labels[part.train])
        trained[fold] = {k: v.clone() for k, v in network.classifier.state_dict().items()}
        with torch.no_grad():
            logit = network.classifier(pools[part.held_out])[:, 0].numpy()
        held_out = tuple(samples[i] for i in part.held_out)
        predictions += predictions_of(held_out, fold, SEED, logit)

    result = evaluation.summary(predictions)
    part = folds.split(samples, EXPORTED_FOLD)
    content = description(
        preprocessing,
        result["decision"]["uncalibrated_threshold"],
        len(part.train),
        folds.items(samples, part.train),
        folds.items(samples, part.held_out),
    )
    network.classifier.load_state_dict(trained[EXPORTED_FOLD])
    result["onnx_difference"] = export.save(export.Served(network), content, out / "sdd-vgg16.onnx")
    write_csv(out / "predictions.csv", predictions)
    (out / "summary.json").write_text(json.dumps(result, indent=1) + "\n")
    return result
