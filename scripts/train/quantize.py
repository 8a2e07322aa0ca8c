"""Converts an ONNX classifier to 8-bit integers, or to half precision.

    python quantize.py MODEL.onnx --calibration RUN/reference --out MODEL-int8.onnx
    python quantize.py MODEL.onnx --half --calibration RUN/reference --out MODEL-fp16.onnx

int8 is for the CPU: weights and activations of 8 bits (QDQ), calibrated on images that the model was
trained on. fp16 is for GPUs; on a CPU it is slower than the original. Inputs and outputs stay float32
with the same names and shapes, and the metadata says what the file was made from. At the end the two
files are compared on the calibration images; `compare.py` measures them on others.

A reference store goes with one model file: build a new one for the converted model.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx

from sdd_train.data import imaging
from sdd_train.onnx_files import comparison, cost, half, inference, metadata, quantization, saving
from sdd_train.data.image_files import images_below

SEED = 0


def choose(folder: Path, count: int) -> list[Path]:
    """At most ``count`` images below a folder, always the same ones."""
    found = images_below(folder)
    chosen = np.random.default_rng(SEED).permutation(len(found))[:count]
    return [found[index] for index in sorted(chosen)]


def convert(arguments: argparse.Namespace) -> None:
    saving.refuse_own_source(arguments.model, arguments.out)
    source = arguments.model.read_bytes()
    model = inference.read(arguments.model)
    document = inference.describe(arguments.model)
    images = choose(arguments.calibration, arguments.count)
    if arguments.half:
        converted = half.halve(model)
        content = quantization.describe(document, "fp16", source, None)
    else:
        preprocessing = imaging.Preprocessing.from_metadata(document["preprocessing"])
        tensors = [imaging.preprocess(image, preprocessing)[None] for image in images]
        converted = quantization.quantize(model, tensors)
        content = quantization.describe(document, "int8", source, len(images))
    metadata.attach(converted, content)
    onnx.checker.check_model(converted, full_check=True)
    said = []
    saving.save(
        converted, arguments.out, lambda file: said.append(comparison.agreement(arguments.model, file, images))
    )
    print(f"{arguments.model}: {len(source)} bytes; {arguments.out}: {arguments.out.stat().st_size} bytes")
    print(*said)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    parser.add_argument("--calibration", type=Path, required=True, help="folder of training images")
    parser.add_argument("--count", type=cost.at_least_one, default=64, help="images to use of it (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file to write")
    parser.add_argument("--half", action="store_true", help="write half precision instead of 8-bit integers")
    try:
        convert(parser.parse_args())
    except (KeyError, OSError, ValueError, RecursionError, onnx.shape_inference.InferenceError) as error:
        sys.exit(f"quantize: {error.args[0] if isinstance(error, KeyError) else error}")


if __name__ == "__main__":
    main()
