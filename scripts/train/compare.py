"""Compares ONNX classifiers in one run: operations, size, time of an image on one thread, quality.

    python compare.py MODEL.onnx OTHER.onnx --images FOLDER

FOLDER holds one folder of images a label (`defect`, `non_defect`). The table is Markdown; `--json` prints
the same as JSON. Models may differ in precision and input size; agreement is with the first one. GFLOPs
are twice the multiply-adds of Conv, Gemm and MatMul. Times are processor times of the network alone, without
the image's decoding, taken in turns.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import onnx

from sdd_train.onnx_files import comparison, cost


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL.onnx")
    parser.add_argument("--images", type=Path, help="labeled images that none of the models was trained on")
    parser.add_argument("--rounds", type=cost.at_least_one, default=50, help="timings of each model (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    try:
        images = comparison.Labeled.below(arguments.images) if arguments.images else None
        rows = comparison.compare(arguments.models, images, arguments.rounds)
    except (KeyError, OSError, ValueError, RecursionError, onnx.shape_inference.InferenceError) as error:
        sys.exit(f"compare: {error.args[0] if isinstance(error, KeyError) else error}")
    print(json.dumps([row.as_json() for row in rows], indent=1) if arguments.json else comparison.markdown(rows))


if __name__ == "__main__":
    main()
