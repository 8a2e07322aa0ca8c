"""The document that an exported model carries about itself.

A model file holds it as JSON under one ``metadata_props`` key, ``sdd_model``,
so that the ONNX file alone is enough to serve the model.
"""

from __future__ import annotations

import json

import onnx

from ..data.imaging import Preprocessing

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
    """Raises ``ValueError`` where the document departs from the schema."""
    for where, expected in _FIELDS.items():
        fields = set(found[where] if where else found)
        if fields != expected:
            raise ValueError(
                f"{KEY}.{where or 'top level'}: missing {sorted(expected - fields)}, "
                f"unknown {sorted(fields - expected)}"
            )
    if found["format_version"] != FORMAT_VERSION:
        raise ValueError(f"format_version: expected {FORMAT_VERSION}, found {found['format_version']}")
    decision = found["decision"]
    expected = _DECISION_FIELDS.get(decision["kind"])
    if expected is None or set(decision) != expected:
        raise ValueError(f"decision: expected one of {_DECISION_FIELDS}, found {decision}")
    if decision["kind"] == "binary":
        if decision["positive_label"] not in found["labels"] or len(found["labels"]) != 2:
            raise ValueError(f"decision: {decision['positive_label']!r} is not one of two labels {found['labels']}")
        if not 0.0 < decision["threshold"] < 1.0:
            raise ValueError(f"decision.threshold: expected 0 to 1, found {decision['threshold']}")


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
            content = json.loads(entry.value)
            validate(content)
            return content
    raise KeyError(f"the model has no metadata property {KEY!r}")
