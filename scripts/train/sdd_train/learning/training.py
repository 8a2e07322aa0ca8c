"""Training of one network."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..data import imaging
from ..data.dataset import Pixels
from ..data.imaging import Preprocessing
from . import depthwise
from .network import OUTLINE_STRIDE, Architecture, DefectNet, Output
from .sampling import Batch, Mixture, Sampler

log = logging.getLogger(__name__)

STEPS_PER_REPORT = 40


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a training run besides the data and the architecture."""

    steps: int = 240
    batch_size: int = 8
    learning_rate: float = 6e-4
    head_learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    warm_up: float = 0.25
    average_decay: float = 0.98
    outline_weight: float = 1.0
    outline_positive_weight: float = 10.0
    synthetic_share: float = 0.15
    transplant_share: float = 0.3
    bfloat16: bool = True
    seed: int = 7

    @property
    def mixture(self) -> Mixture:
        return Mixture(self.batch_size, self.synthetic_share, self.transplant_share)

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def device() -> torch.device:
    """The GPU if torch finds one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def to_input(images: np.ndarray, preprocessing: Preprocessing) -> Tensor:
    """uint8 ``[B, H, W]`` -> float32 ``[B, 3, H, W]``, channels last."""
    rows = np.stack([imaging.normalize(image, preprocessing) for image in images])
    return torch.from_numpy(rows).to(device(), memory_format=torch.channels_last)


def targets(batch: Batch) -> tuple[Tensor, Tensor]:
    """``label [B]`` and ``outline [B, 1, H/8, W/8]``: a cell is 1 if the defect touches it."""
    outline = torch.from_numpy(batch.outlines).float()[:, None]
    return torch.from_numpy(batch.labels).to(device()), F.max_pool2d(outline, OUTLINE_STRIDE).to(device())


def loss(output: Output, label: Tensor, outline: Tensor, recipe: Recipe) -> Tensor:
    """Binary cross-entropy of the image plus that of the outline map."""
    weight = torch.tensor(recipe.outline_positive_weight, device=outline.device)
    of_map = F.binary_cross_entropy_with_logits(output.outline, outline, pos_weight=weight)
    return F.binary_cross_entropy_with_logits(output.logit, label) + recipe.outline_weight * of_map


@torch.no_grad()
def estimate_batch_norm(network: DefectNet, pixels: Pixels, recipe: Recipe, batches: int = 16) -> None:
    """Sets the running statistics to plain means over training batches (precise batch norm).

    The averaged weights never saw the statistics that training collected.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    sampler = Sampler(pixels, recipe.mixture, np.random.default_rng([recipe.seed, 1]))
    for batch in sampler.batches(batches):
        network(to_input(batch.images, network.architecture.preprocessing))
    for norm, momentum in zip(norms, kept):
        norm.momentum = momentum
    network.eval()


def train(pixels: Pixels, architecture: Architecture, recipe: Recipe) -> DefectNet:
    """Trains on all of ``pixels`` and returns the averaged network in evaluation mode, on the CPU."""
    torch.manual_seed(recipe.seed)
    network = DefectNet(architecture).to(device(), memory_format=torch.channels_last).train()
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average_decay))
    if recipe.bfloat16 and device().type == "cpu":
        depthwise.accelerate(network)
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
    sampler = Sampler(pixels, recipe.mixture, np.random.default_rng(recipe.seed))
    started, total = time.monotonic(), 0.0
    for step, batch in enumerate(sampler.batches(recipe.steps), start=1):
        image, (label, outline) = to_input(batch.images, architecture.preprocessing), targets(batch)
        with torch.autocast(device().type, torch.bfloat16, enabled=recipe.bfloat16):
            output = network(image).float()
        value = loss(output, label, outline, recipe)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(network)
        total += value.item()
        if step % STEPS_PER_REPORT == 0:
            seconds = time.monotonic() - started
            log.info("step %d/%d  loss %.4f  %.0f s", step, recipe.steps, total / STEPS_PER_REPORT, seconds)
            total = 0.0
    estimate_batch_norm(average.module, pixels, recipe)
    return average.module.to("cpu")


@torch.no_grad()
def predict(network: DefectNet, images: np.ndarray, batch_size: int = 8) -> np.ndarray:
    """Logits of a defect ``[M]`` of uint8 images ``[M, H, W]``."""
    network = network.to(device()).eval()
    preprocessing = network.architecture.preprocessing
    parts = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
    logits = [network(to_input(part, preprocessing)).logit for part in parts]
    network.to("cpu")
    return torch.cat(logits).cpu().numpy()
