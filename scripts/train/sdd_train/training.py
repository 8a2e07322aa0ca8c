"""Training of one fold."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from . import imaging
from .augmentation import augment
from .dataset import Pixels
from .imaging import Preprocessing
from .network import OUTLINE_STRIDE, DefectNet, Output

log = logging.getLogger(__name__)

PREPROCESSING = Preprocessing(
    width=208, height=512, color="gray", mean=(0.498, 0.498, 0.498), std=(0.502, 0.502, 0.502)
)
"""EfficientNet-Lite's own normalisation, (v - 127) / 128, up to rounding."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a training run besides the data."""

    epochs: int = 12
    images_per_epoch: int = 80
    batch_size: int = 8
    learning_rate: float = 6e-4
    head_learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    warm_up: float = 0.25
    average_decay: float = 0.95
    outline_weight: float = 1.0
    outline_positive_weight: float = 10.0
    synthetic_share: float = 0.15
    bfloat16: bool = True
    seed: int = 7

    @property
    def steps(self) -> int:
        return self.epochs * self.images_per_epoch // self.batch_size

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


class BalancedSampler:
    """Draws batches, half of them defects, each half with a set share of synthetic images."""

    def __init__(self, pixels: Pixels, recipe: Recipe, rng: np.random.Generator) -> None:
        self.rng = rng
        self.recipe = recipe
        self.pools = {
            (defect, synthetic): [
                i
                for i, s in enumerate(pixels.samples)
                if s.is_defect == defect and s.is_synthetic == synthetic
            ]
            for defect in (True, False)
            for synthetic in (True, False)
        }
        self.queues: dict[tuple[bool, bool], list[int]] = {key: [] for key in self.pools}

    def _next(self, key: tuple[bool, bool]) -> int:
        if not self.queues[key]:
            self.queues[key] = self.rng.permutation(self.pools[key]).tolist()
        return self.queues[key].pop()

    def batch(self) -> list[int]:
        """Indices of the next batch."""
        picked = []
        for defect in (True, False):
            for _ in range(self.recipe.batch_size // 2):
                wanted = self.rng.random() < self.recipe.synthetic_share
                synthetic = wanted and bool(self.pools[defect, True])
                picked.append(self._next((defect, synthetic)))
        return picked


def to_input(images: np.ndarray) -> Tensor:
    """uint8 ``[B, H, W]`` -> float32 ``[B, 3, H, W]``."""
    return torch.from_numpy(np.stack([imaging.normalise(image, PREPROCESSING) for image in images]))


def training_batch(pixels: Pixels, indices: list[int], rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Augmented ``image [B, 3, H, W]``, ``label [B]``, ``outline [B, 1, H/8, W/8]``."""
    pairs = [augment(pixels.images[i], pixels.outlines[i], rng) for i in indices]
    images = to_input(np.stack([image for image, _ in pairs]))
    outlines = torch.from_numpy(np.stack([outline for _, outline in pairs])).float()[:, None]
    labels = torch.tensor([float(pixels.samples[i].is_defect) for i in indices])
    return images, labels, F.max_pool2d(outlines, OUTLINE_STRIDE)


def loss(output: Output, label: Tensor, outline: Tensor, recipe: Recipe) -> Tensor:
    """Binary cross-entropy of the image plus that of the outline map."""
    weight = torch.tensor(recipe.outline_positive_weight)
    of_map = F.binary_cross_entropy_with_logits(output.outline, outline, pos_weight=weight)
    return F.binary_cross_entropy_with_logits(output.logit, label) + recipe.outline_weight * of_map


@torch.no_grad()
def estimate_batch_norm(network: nn.Module, pixels: Pixels, recipe: Recipe, batches: int = 16) -> None:
    """Sets the running statistics to plain means over training batches (precise batch norm).

    The averaged weights never saw the statistics that training collected.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    rng = np.random.default_rng([recipe.seed, 1])
    sampler = BalancedSampler(pixels, recipe, rng)
    for _ in range(batches):
        images, _, _ = training_batch(pixels, sampler.batch(), rng)
        network(images)
    for norm, momentum in zip(norms, kept):
        norm.momentum = momentum
    network.eval()


def train(pixels: Pixels, recipe: Recipe) -> DefectNet:
    """Trains on all of ``pixels`` and returns the averaged network in evaluation mode."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    network = DefectNet(PREPROCESSING.height, PREPROCESSING.width)
    network = network.to(memory_format=torch.channels_last)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average_decay))
    optimizer = torch.optim.AdamW(
        [
            {"params": network.trunk_parameters(), "lr": recipe.learning_rate},
            {"params": network.head_parameters(), "lr": recipe.head_learning_rate},
        ],
        weight_decay=recipe.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=[recipe.learning_rate, recipe.head_learning_rate],
        total_steps=recipe.steps,
        pct_start=recipe.warm_up,
    )
    sampler = BalancedSampler(pixels, recipe, rng)
    steps_per_epoch = recipe.images_per_epoch // recipe.batch_size
    for epoch in range(recipe.epochs):
        network.train()
        started, total = time.monotonic(), 0.0
        for _ in range(steps_per_epoch):
            images, labels, outlines = training_batch(pixels, sampler.batch(), rng)
            images = images.to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
                output = network(images).float()
            value = loss(output, labels, outlines, recipe)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(network)
            total += value.item()
        log.info(
            "epoch %d/%d  loss %.4f  %.1f s",
            epoch + 1, recipe.epochs, total / steps_per_epoch, time.monotonic() - started,
        )
    estimate_batch_norm(average.module, pixels, recipe)
    return average.module


@torch.no_grad()
def predict(network: DefectNet, images: np.ndarray, batch_size: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Probability of a defect ``[M]`` and embedding ``[M, 1280]`` of uint8 images ``[M, H, W]``."""
    network.eval()
    outputs = [network(to_input(images[i : i + batch_size])) for i in range(0, len(images), batch_size)]
    probability = torch.sigmoid(torch.cat([o.logit for o in outputs])).numpy()
    return probability, torch.cat([o.embedding for o in outputs]).numpy()
