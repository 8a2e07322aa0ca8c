"""The document that an exported model carries about itself.

A model file holds it as JSON under one ``metadata_props`` key, ``sdd_model``,
so that the ONNX file alone is enough to serve the model.
"""

from __future__ import annotations

import json

import numpy as np
import onnx

from ..data.imaging import BIT_DEPTHS, Preprocessing

KEY = "sdd_model"
FORMAT_VERSION = 1

_FIELDS = {
    "": {
        "format_version", "name", "version", "description", "license", "labels", "input",
        "outputs", "preprocessing", "decision", "embedding_dimension", "trained_on",
    },
    "outputs": {"probability", "embedding"},
    "preprocessing": {"width", "height", "filter", "color", "scale", "mean", "std"},
}
OPTIONAL = {"description": "", "license": "", "trained_on": None}
"""What a document may leave out, and what that means."""
_MAY_BE_ABSENT = {"preprocessing": {"bit_depth"}}
_DECISION_FIELDS = {"binary": {"kind", "positive_label", "threshold"}, "softmax": {"kind"}}


def binary_decision(positive_label: str, threshold: float) -> dict[str, object]:
    """``probability [N, 1]`` is that of ``positive_label``; at or above the threshold it wins."""
    return {"kind": "binary", "positive_label": positive_label, "threshold": threshold}


def softmax_decision() -> dict[str, object]:
    """``probability [N, labels]`` sums to one a row; the largest wins."""
    return {"kind": "softmax"}


def document(
    *,
    name: str,
    version: str,
    description: str,
    license: str,
    labels: list[str],
    preprocessing: Preprocessing,
    decision: dict[str, object],
    embedding_dimension: int,
    trained_on: dict[str, object],
) -> dict[str, object]:
    """Builds and checks the document."""
    result = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "version": version,
        "description": description,
        "license": license,
        "labels": labels,
        "input": "image",
        "outputs": {"probability": "probability", "embedding": "embedding"},
        "preprocessing": preprocessing.as_metadata(),
        "decision": decision,
        "embedding_dimension": embedding_dimension,
        "trained_on": trained_on,
    }
    validate(result)
    return result


def validate(found: dict[str, object]) -> None:
    """Raises ``ValueError`` where a complete document departs from the schema, as the Rust programs do."""
    for where, expected in _FIELDS.items():
        part = found[where] if where else found
        if not isinstance(part, dict):
            raise ValueError(f"{KEY}.{where or 'top level'}: expected an object, found {part!r}")
        fields = set(part) - _MAY_BE_ABSENT.get(where, set())
        if fields != expected:
            raise ValueError(
                f"{KEY}.{where or 'top level'}: missing {sorted(expected - fields)}, "
                f"unknown {sorted(fields - expected)}"
            )
    if found["format_version"] != FORMAT_VERSION:
        raise ValueError(f"format_version: expected {FORMAT_VERSION}, found {found['format_version']}")
    labels = found["labels"]
    if len(labels) < 2 or len(set(labels)) != len(labels) or not all(labels):
        raise ValueError(f"labels: expected at least two different names, found {labels}")
    preprocessing = found["preprocessing"]
    if not all(value > 0 for value in preprocessing["std"]):
        raise ValueError(f"preprocessing.std: expected positive values, found {preprocessing['std']}")
    if not np.isfinite([preprocessing["scale"], *preprocessing["mean"], *preprocessing["std"]]).all():
        raise ValueError(f"preprocessing: expected finite scale, mean and std, found {preprocessing}")
    if preprocessing.get("bit_depth") not in (None, *BIT_DEPTHS):
        raise ValueError(f"preprocessing.bit_depth: expected 9 to 16, found {preprocessing['bit_depth']!r}")
    if not found["name"]:
        raise ValueError("name: expected one, found an empty text")
    decision = found["decision"]
    if not isinstance(decision, dict) or "kind" not in decision:
        raise ValueError(f"decision: expected an object with a kind, found {decision!r}")
    expected = _DECISION_FIELDS.get(decision["kind"])
    if expected is None or set(decision) != expected:
        raise ValueError(f"decision: expected one of {_DECISION_FIELDS}, found {decision}")
    if decision["kind"] == "binary":
        if decision["positive_label"] not in found["labels"] or len(found["labels"]) != 2:
            raise ValueError(f"decision: {decision['positive_label']!r} is not one of two labels {found['labels']}")
        if not 0.0 < decision["threshold"] <= 1.0:
            raise ValueError(f"decision.threshold: expected above 0 and at most 1, found {decision['threshold']}")


def parse(text: str) -> dict[str, object]:
    """A document from its JSON, completed and checked; raises ``ValueError``."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"{KEY}: expected a JSON object, found {type(found).__name__}")
    content = OPTIONAL | found
    validate(content)
    return content


def attach(model: onnx.ModelProto, content: dict[str, object]) -> None:
    """Writes the document into the model, replacing every other property."""
    validate(content)
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key = KEY
    entry.value = json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def read(model: onnx.ModelProto) -> dict[str, object]:
    """The document of a model; ``KeyError`` if it has none."""
    for entry in model.metadata_props:
        if entry.key == KEY:
            return parse(entry.value)
    raise KeyError(f"the model has no metadata property {KEY!r}")
