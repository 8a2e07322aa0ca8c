"""Thousands of files that say how they are to be turned, in drift-index and in Pillow."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import PIL
import pytest

import orientations
from programs import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import check_parity  # noqa: E402

MODEL = ROOT / "crates" / "core" / "tests" / "data" / "tiny.onnx"
SUFFIXES = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "tiff": ".tiff"}

# What Pillow raises at metadata that it cannot read. We read the picture, and do not turn it.
UNREADABLE = (
    "not a TIFF file", "unpack requires", "fromhex", "bytes pattern on a string-like", "bytes-like object",
    "MAX_TEXT_CHUNK",
)
# Files with a RIFF length that is not theirs, TIFF with a mark that Pillow does not know, or with a tag beyond its end.
OTHERWISE_REFUSED_BY_PILLOW = ("webp_size_", "tiff_be_big_", "tiff_le_beyond", "tiff_le_big_beyond", "tiff_be_beyond")


@pytest.mark.skipif(int(PIL.__version__.split(".")[0]) < 13, reason="orientations are those of Pillow 13")
@pytest.mark.filterwarnings("ignore")
def test_pictures_are_turned_as_pillow_turns_them(tmp_path: Path) -> None:
    paths = {}
    for name, data in orientations.files():
        paths[name] = tmp_path / (name + SUFFIXES[name.split("_")[0]])
        paths[name].write_bytes(data)
    assert len(paths) > 5000
    model = check_parity.Classifier(MODEL)
    theirs = check_parity.by_python(list(paths.values()), model)
    ours = check_parity.by_drift_index(
        list(paths.values()), check_parity.DRIFT_INDEX, MODEL, model.document["labels"]
    )
    wrong = []
    for name, python, rust in zip(paths, theirs, ours):
        if python.embedding is not None and rust.embedding is not None:
            difference = np.linalg.norm(python.embedding - rust.embedding) / np.linalg.norm(python.embedding)
            if not difference < 1e-4:
                wrong.append(f"{name}: another picture, {difference}")
        elif python.embedding is not None:
            wrong.append(f"{name}: {rust.refusal}")
        elif rust.embedding is not None and not name.startswith(OTHERWISE_REFUSED_BY_PILLOW):
            if not any(reason in python.refusal for reason in UNREADABLE):
                wrong.append(f"{name}: we read what Pillow refuses, {python.refusal}")
    assert not wrong, f"{len(wrong)} of {len(paths)}: {wrong[:20]}"
