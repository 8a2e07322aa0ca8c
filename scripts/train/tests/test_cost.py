"""Operations and parameters counted by hand, against those read off the graph."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

import graphs
from graphs import CHANNELS, CLASSES, HEIGHT, WIDTH
from sdd_train.onnx_files import cost, half, quantization

PLACES = HEIGHT * WIDTH


def test_a_classifier() -> None:
    model = graphs.classifier()
    assert cost.multiply_adds(model) == PLACES * CHANNELS * 3 * 9 + CHANNELS * CLASSES
    assert cost.parameters(model) == CHANNELS * 3 * 9 + CHANNELS + CHANNELS * CLASSES + CLASSES
    assert cost.precision(model) == "fp32"


def test_strides_and_groups_of_a_convolution() -> None:
    constants = {"weight": graphs.normal(9, 1, 3, 5)}
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["map"], group=3, strides=[2, 2], pads=[1, 2, 1, 2]),
        helper.make_node("ReduceMean", ["map"], ["classes"], axes=[2, 3], keepdims=0),
    ]
    model = graphs.model_of(nodes, constants, outputs={"classes": ["N", 9]})
    assert cost.multiply_adds(model) == (HEIGHT // 2) * (WIDTH // 2) * 9 * 15
    assert cost.parameters(model) == 9 * 15


def test_matrix_products() -> None:
    constants = {
        "first": graphs.normal(3 * PLACES, 5),
        "bias": graphs.normal(5),
        "second": graphs.normal(5, CLASSES),
        "bound": np.array(6.0, dtype=np.float32),
    }
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "first"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["sum"]),
        helper.make_node("Clip", ["sum", "", "bound"], ["clipped"]),
        helper.make_node("Gemm", ["clipped", "second"], ["classes"]),
    ]
    model = graphs.model_of(nodes, constants)
    assert cost.multiply_adds(model) == 3 * PLACES * 5 + 5 * CLASSES
    assert cost.parameters(model) == 3 * PLACES * 5 + 5 + 5 * CLASSES


def two_convolutions() -> onnx.ModelProto:
    constants: dict[str, np.ndarray] = {"more.weight": graphs.normal(32, CHANNELS, 3, 3)}
    nodes = graphs.features(constants)
    nodes += [
        helper.make_node("Conv", ["map", "more.weight"], ["more"]),
        helper.make_node("Relu", ["more"], ["relu"]),
        helper.make_node("ReduceMean", ["relu"], ["classes"], axes=[2, 3], keepdims=0),
    ]
    return graphs.model_of(nodes, constants, outputs={"classes": ["N", 32]})


def test_conversions_keep_the_cost() -> None:
    model = two_convolutions()
    image = np.random.default_rng(0).normal(size=(1, 3, HEIGHT, WIDTH)).astype(np.float32)
    integers, halved = quantization.quantize(model, [image]), half.halve(model)
    assert cost.precision(integers) == "int8"
    assert cost.precision(halved) == "fp16"
    for converted in (integers, halved):
        assert cost.multiply_adds(converted) == cost.multiply_adds(model)
    assert cost.parameters(halved) == cost.parameters(model)
    # A quantized convolution always has a bias; the second one had none.
    assert cost.parameters(integers) == cost.parameters(model) + 32


def test_an_unknown_shape_is_named() -> None:
    model = graphs.classifier()
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    with pytest.raises(ValueError, match="'conv'"):
        cost.multiply_adds(model)
