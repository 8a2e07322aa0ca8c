"""The description of a model is held to the rules of the Rust programs."""

import json

import pytest

from sdd_train.data.imaging import Preprocessing
from sdd_train.onnx_files import metadata

VALID = metadata.document(
    name="m",
    version="1",
    description="",
    license="",
    labels=["a", "b"],
    preprocessing=Preprocessing(width=8, height=8),
    decision=metadata.binary_decision("a", 0.5),
    embedding_dimension=4,
    trained_on={},
)


def changed(**fields) -> str:
    return json.dumps(VALID | fields)


def test_what_may_be_left_out_is_filled_in():
    short = {key: value for key, value in VALID.items() if key not in metadata.OPTIONAL}
    assert metadata.parse(json.dumps(short)) == VALID | metadata.OPTIONAL


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "JSON object"),
        (changed(labels=["a", "a"]), "labels"),
        (changed(labels=["a", ""]), "labels"),
        (changed(name=""), "name"),
        (changed(outputs="probability"), "outputs"),
        (changed(decision={"threshold": 0.5}), "kind"),
        (changed(decision=metadata.binary_decision("c", 0.5)), "'c'"),
        (changed(decision=metadata.binary_decision("a", 0.0)), "threshold"),
        (changed(preprocessing=VALID["preprocessing"] | {"std": [1, 0, 1]}), "std"),
        (changed(preprocessing=VALID["preprocessing"] | {"scale": float("inf")}), "finite"),
        (changed(preprocessing=VALID["preprocessing"] | {"bit_depth": 8}), "bit_depth"),
        (changed(extra=1), "unknown"),
    ],
)
def test_what_the_service_would_refuse_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        metadata.parse(text)


def test_a_threshold_of_one_is_allowed():
    metadata.parse(changed(decision=metadata.binary_decision("a", 1.0)))
