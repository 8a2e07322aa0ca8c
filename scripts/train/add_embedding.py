"""Gives an ONNX classifier the embedding output that drift detection needs.

    python add_embedding.py MODEL.onnx --out OUT.onnx --labels crack,scratch,good --activation softmax

The embedding is what the last global average pool puts out; `--tensor` names another tensor [N, D] or
[N, D, 1, 1]. The new file has the input `image`, the outputs `probability` and `embedding`, a dynamic
batch, and no other outputs. With `--labels`, or with `--spec` and a description in JSON, the file carries
all that the server needs to know; without, the description that is still needed is printed.

Exit code 2: the model cannot be used so; the message says why and names what there is to choose from.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import onnx

from sdd_train.data import imaging
from sdd_train.onnx_files import embedding_output, inference, metadata, saving
from sdd_train.onnx_files.embedding_output import Names, Result

LABEL_MISSING = "NAME THE LABEL"


def numbers(text: str) -> list[float]:
    """Three numbers, or one for all three channels."""
    values = [float(part) for part in text.split(",")]
    if len(values) not in (1, 3):
        raise argparse.ArgumentTypeError(f"expected one number or three, found {text!r}")
    return values if len(values) == 3 else values * 3


def decision(arguments: argparse.Namespace, labels: list[str], columns: int) -> dict[str, object]:
    """How the probabilities become a class. Raises ``ValueError`` where labels and columns do not fit."""
    if columns == 1:
        if arguments.positive_label is None:
            raise ValueError("the output has one column: name the label it is of with --positive-label")
        return metadata.binary_decision(arguments.positive_label, arguments.threshold)
    if columns != len(labels):
        raise ValueError(f"the output has {columns} columns, but there are {len(labels)} labels: {labels}")
    if arguments.positive_label is not None:
        raise ValueError(f"--positive-label is for an output of one column; this one has {columns}")
    return metadata.softmax_decision()


def described(
    arguments: argparse.Namespace, labels: list[str], choice: dict[str, object], result: Result
) -> dict[str, object]:
    """The metadata that the options amount to."""
    names = Names()
    return {
        "format_version": metadata.FORMAT_VERSION,
        "name": arguments.name or arguments.model.stem,
        "version": arguments.model_version,
        **metadata.OPTIONAL,
        "labels": labels,
        "input": names.input,
        "outputs": {"probability": names.probability, "embedding": names.embedding},
        "preprocessing": {
            "width": result.width,
            "height": result.height,
            "filter": arguments.filter,
            "color": arguments.color,
            "scale": arguments.scale,
            "mean": arguments.mean,
            "std": arguments.std,
            **({"bit_depth": arguments.bit_depth} if arguments.bit_depth else {}),
        },
        "decision": choice,
        "embedding_dimension": result.dimension,
    }


def read_spec(path: Path) -> dict[str, object]:
    """A description as a sidecar holds it; fields that may be missing are filled in."""
    spec = json.loads(path.read_text())
    if not isinstance(spec, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(spec).__name__}")
    spec = metadata.OPTIONAL | spec
    # The dimension is known once the graph has been looked at; the rest is checked before it is used.
    metadata.validate({"embedding_dimension": 1} | spec)
    return spec


def check_spec(spec: dict[str, object], result: Result) -> dict[str, object]:
    """The description with the embedding's dimension; raises ``ValueError`` where it contradicts the graph."""
    filled = {"embedding_dimension": result.dimension} | spec
    metadata.validate(filled)
    if filled["embedding_dimension"] != result.dimension:
        raise ValueError(
            f"the description says embedding_dimension {filled['embedding_dimension']}, it is {result.dimension}"
        )
    columns = 1 if filled["decision"]["kind"] == "binary" else len(filled["labels"])
    if columns != result.columns:
        raise ValueError(f"the output has {result.columns} columns, the description asks for {columns}")
    return filled


def convert(arguments: argparse.Namespace) -> None:
    saving.refuse_own_source(arguments.model, arguments.out)
    model = inference.read(arguments.model)
    spec = read_spec(arguments.spec) if arguments.spec else None
    size = spec["preprocessing"] if spec else {"height": arguments.height, "width": arguments.width}
    result = embedding_output.add(
        model,
        tensor=arguments.tensor,
        output=arguments.output,
        activation=arguments.activation,
        height=size["height"],
        width=size["width"],
        names=Names(spec["input"], **spec["outputs"]) if spec else Names(),
    )
    content = None
    if spec:
        content = check_spec(spec, result)
    elif arguments.labels:
        labels = arguments.labels.split(",")
        content = described(arguments, labels, decision(arguments, labels, result.columns), result)
    if content:
        metadata.attach(result.model, content)
    saving.save(result.model, arguments.out)
    print(
        f"{arguments.out}: embedding of {result.dimension} values from {result.pool!r}; "
        f"{result.columns} probabilities"
    )
    if content is None:
        count = max(result.columns, 2)
        labels = [f"{LABEL_MISSING} {index}" for index in range(count)]
        choice = metadata.binary_decision(labels[0], 0.5) if result.columns == 1 else metadata.softmax_decision()
        print(f"It has no description. Complete this one and save it as {arguments.out.with_suffix('.json')}:")
        print(json.dumps(described(arguments, labels, choice, result), indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("model", type=Path, metavar="MODEL.onnx")
    add("--out", type=Path, required=True, help="the ONNX file to write")
    add("--tensor", help="what the embedding is read off (default: the last global average pool)")
    add("--output", help="the output with the classes, where there are several")
    add("--activation", choices=list(embedding_output.ACTIVATIONS), help="add this to the output")
    add("--spec", type=Path, help="description of the model, JSON; instead of the options below")
    add("--labels", help="the classes in the order of the output, separated by commas")
    add("--positive-label", help="what an output of one column is the probability of")
    add("--threshold", type=float, default=0.5, help="smallest probability of it (default: %(default)s)")
    add("--name", help="name of the model (default: the file's)")
    add("--model-version", default="1", help="its version (default: %(default)s)")
    add("--width", type=int, help="of the input, in pixels, where the graph leaves it open")
    add("--height", type=int)
    add("--filter", choices=list(imaging.RESAMPLING), default="bilinear", help="for resizing (default: %(default)s)")
    add("--color", choices=["gray", "rgb"], default="rgb", help="(default: %(default)s)")
    add("--scale", type=float, default=1 / 255, help="factor on the values 0 to 255 (default: 1/255)")
    add("--mean", type=numbers, default=[0.485, 0.456, 0.406], help="(default: ImageNet's)")
    add("--std", type=numbers, default=[0.229, 0.224, 0.225], help="(default: ImageNet's)")
    add("--bit-depth", type=int, choices=list(imaging.BIT_DEPTHS), metavar="9..16",
        help="bits of a sample in 16-bit files (default: not said; files that may be of 12 bits are refused)")
    arguments = parser.parse_args()
    if arguments.spec and (arguments.labels or arguments.positive_label or arguments.width or arguments.height):
        parser.error("--spec says it all: leave out --labels, --positive-label, --width and --height")
    try:
        convert(arguments)
    except (OSError, ValueError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError, RecursionError) as error:
        print(f"add_embedding: {arguments.model}: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
