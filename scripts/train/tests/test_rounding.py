"""Rounding weights with regard to their inputs."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

import graphs
from sdd_train.onnx_files.inference import session
from sdd_train.onnx_files.rounding import input_moments, patches, round_weights

LIMIT = 64


def example(seed: int, outputs: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights ``[1, O, K]`` and their scales ``[1, O, 1]``."""
    weights = np.random.default_rng(seed).normal(size=(1, outputs, inputs))
    return weights, np.abs(weights).max(axis=2, keepdims=True) / LIMIT


def test_unrelated_inputs_are_rounded_to_the_nearest() -> None:
    weights, scale = example(0, 5, 300)
    rounded = round_weights(weights, scale, np.eye(300)[None], LIMIT)
    assert np.array_equal(rounded, np.round(weights / scale))


def test_related_inputs_make_up_for_each_other() -> None:
    size = 300
    random = np.random.default_rng(1)
    inputs = random.normal(size=(2000, 20)) @ random.normal(size=(20, size)) + 0.1 * random.normal(size=(2000, size))
    covariance = (inputs.T @ inputs / len(inputs))[None]
    weights, scale = example(2, 5, size)
    rounded = round_weights(weights, scale, covariance, LIMIT)
    assert np.abs(rounded).max() <= LIMIT
    assert np.array_equal(rounded, np.round(rounded))

    def error(integers: np.ndarray) -> float:
        return float(np.square(inputs @ (weights - integers * scale)[0].T).mean())

    assert error(rounded) < 0.2 * error(np.round(weights / scale))


def test_groups_are_rounded_each_by_its_own_inputs() -> None:
    random = np.random.default_rng(3)
    mixes = random.normal(size=(4, 9, 9))
    covariance = mixes @ mixes.transpose(0, 2, 1)
    weights = random.normal(size=(4, 2, 9))
    scale = np.abs(weights).max(axis=2, keepdims=True) / 7
    together = round_weights(weights, scale, covariance, 7)
    for group in range(4):
        one = slice(group, group + 1)
        assert np.array_equal(together[one], round_weights(weights[one], scale[one], covariance[one], 7))


def test_inputs_that_never_vary_do_no_harm() -> None:
    weights, scale = example(4, 3, 9)
    rounded = round_weights(weights, scale, np.zeros((1, 9, 9)), LIMIT)
    assert np.array_equal(rounded, np.round(weights / scale))


@pytest.mark.parametrize(
    "attributes",
    [
        {"pads": [1, 1, 1, 1]},
        {"strides": [2, 3], "pads": [2, 0, 1, 3]},
        {"dilations": [2, 1], "pads": [1, 1, 0, 0]},
        {"group": 3, "strides": [2, 2]},
    ],
)
def test_patches_are_what_the_convolution_multiplies(attributes: dict[str, object]) -> None:
    groups = int(attributes.get("group", 1))
    weight = graphs.normal(6, 3 // groups, 3, 2)
    conv = helper.make_node("Conv", ["x", "weight"], ["map"], **attributes)
    end = helper.make_node("ReduceMean", ["map"], ["classes"], axes=[2, 3], keepdims=0)
    model = graphs.model_of([conv, end], {"weight": weight}, outputs={"classes": ["N", 6]})
    model.graph.output.append(helper.make_tensor_value_info("map", 1, None))
    image = np.random.default_rng(5).normal(size=(1, 3, graphs.HEIGHT, graphs.WIDTH)).astype(np.float32)
    (expected,) = session(model.SerializeToString()).run(["map"], {"x": image})
    places = expected.shape[2] * expected.shape[3]

    seen = patches(image[0], conv, (3, 2), np.arange(places))
    found = seen @ weight.reshape(groups, 6 // groups, -1).transpose(0, 2, 1)
    assert np.allclose(found.transpose(0, 2, 1).reshape(expected.shape), expected, atol=1e-5)


def test_moments_are_those_of_the_inputs() -> None:
    constants: dict[str, np.ndarray] = {}
    nodes = graphs.features(constants)
    nodes.append(helper.make_node("ReduceMean", ["map"], ["classes"], axes=[2, 3], keepdims=0))
    model = graphs.model_of(nodes, constants, outputs={"classes": ["N", graphs.CHANNELS]})
    model.graph.node[0].name = "first"
    shape = (1, 3, graphs.HEIGHT, graphs.WIDTH)
    images = [np.random.default_rng(seed).normal(1, 2, shape).astype(np.float32) for seed in range(3)]
    moments = input_moments(model, [model.graph.node[0]], images)["first"]

    places = np.arange(graphs.HEIGHT * graphs.WIDTH)  # fewer than are looked at, so all are
    seen = np.concatenate([patches(image[0], model.graph.node[0], (3, 3), places)[0] for image in images])
    assert np.allclose(moments.mean[0], seen.mean(axis=0), atol=1e-5)
    assert np.allclose(moments.covariance[0], np.cov(seen.T, bias=True), atol=1e-4)
