"""Defects cut along their outlines and grown into sound surfaces.

Forty defects are few. A defect on another part, at another height, mirrored or
fainter, is one more that looks real, and teaches that the surface around it is
not what makes it one. Copy-paste of outlined objects is what Ghiasi et al. 2021
(https://arxiv.org/abs/2012.07177) do; here the defect keeps its contrast to its
own surroundings and takes on the brightness and grain of the new ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

RIM = 3
"""How far around the outline the defect is taken along, in pixels."""
SURROUNDINGS = 6
"""Width of the ring around the rim by which brightness and grain are compared, in pixels."""
FADE = 1.5
"""Standard deviation of the blend at the rim, in pixels."""
STRENGTH = (0.7, 1.15)
"""Range of the factor on the defect's contrast."""
GRAIN = (0.7, 1.4)
"""Range of the factor that brings the donor's grain to the recipient's."""
SIDEWAYS = 1 / 12
"""Largest shift to the side, as a fraction of the width: cracks begin at the edge of the part."""
SMALLEST = 8
"""Smallest outline worth moving, in pixels."""


@dataclass(frozen=True)
class Donor:
    """A defective image prepared for transplanting. All arrays are ``[H, W]``.

    ``pixels`` float32; ``outline`` uint8 of 0 and 1; ``blend`` float32 0..1;
    ``ring`` bool, the surroundings.
    """

    pixels: np.ndarray
    outline: np.ndarray
    blend: np.ndarray
    ring: np.ndarray

    @classmethod
    def prepare(cls, image: np.ndarray, outline: np.ndarray) -> Donor | None:
        """From uint8 ``[H, W]`` each; nothing if there is too little of a defect."""
        if outline.sum() < SMALLEST:
            return None
        rim = ndimage.binary_dilation(outline, iterations=RIM)
        blend = ndimage.gaussian_filter(rim.astype(np.float32), FADE)
        ring = ndimage.binary_dilation(rim, iterations=SURROUNDINGS) & ~rim
        return cls(image.astype(np.float32), outline, blend, ring)

    def moved(self, rng: np.random.Generator) -> Donor:
        """The same defect at another height, a little to the side, perhaps upside down."""
        flip = -1 if rng.random() < 0.5 else 1
        height, width = self.outline.shape
        rows = np.flatnonzero(self.outline[::flip].any(axis=1))
        down = int(rng.integers(-rows.min(), height - rows.max()))
        right = int(rng.integers(-int(width * SIDEWAYS), int(width * SIDEWAYS) + 1))
        source_rows = np.clip(np.arange(height) - down, 0, height - 1)
        source_columns = np.clip(np.arange(width) - right, 0, width - 1)

        def move(plane: np.ndarray) -> np.ndarray:
            return plane[::flip][source_rows][:, source_columns]

        return Donor(move(self.pixels), move(self.outline), move(self.blend), move(self.ring))


def transplant(sound: np.ndarray, donor: Donor, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A sound image (uint8 ``[H, W]``) with the donor's defect, and the defect's outline there."""
    defect = donor.moved(rng)
    around, around_defect = sound[defect.ring], defect.pixels[defect.ring]
    grain = np.clip(around.std() / max(around_defect.std(), 1.0), *GRAIN)
    patch = (defect.pixels - around_defect.mean()) * grain * rng.uniform(*STRENGTH) + around.mean()
    blended = sound * (1 - defect.blend) + patch * defect.blend
    return np.clip(np.round(blended), 0, 255).astype(np.uint8), np.ascontiguousarray(defect.outline)
