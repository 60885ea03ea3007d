"""Shapes of all tensors, for models that have large weights."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fastface.models import graph_edit
from fastface.models.graph_edit import infer_shapes


def large_model(*, lists_weights: bool) -> onnx.ModelProto:
    """A product with 3 × 2000 weights, then a reshape whose shape is a small weight; N × 3 → N × 40 × 50."""
    kernel = numpy_helper.from_array(np.zeros((3, 2000), np.float32), "kernel")
    sides = numpy_helper.from_array(np.array([-1, 40, 50], np.int64), "sides")
    nodes = [
        helper.make_node("MatMul", ["x", "kernel"], ["flat"]),
        helper.make_node("Reshape", ["flat", "sides"], ["y"]),
    ]
    listed = [helper.make_tensor_value_info(one.name, one.data_type, one.dims) for one in (kernel, sides)]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    # Exports before IR 4 list the weights among the inputs, and some list them first.
    graph = helper.make_graph(nodes, "large", [*(listed if lists_weights else []), x], [y], [kernel, sides])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=3 if lists_weights else 8)


@pytest.mark.parametrize("lists_weights", [False, True])
def test_shapes_are_those_of_the_given_input(lists_weights: bool) -> None:
    model = large_model(lists_weights=lists_weights)
    before = model.SerializeToString()
    shapes = infer_shapes(model, (7, 3))
    assert shapes == {"x": (7, 3), "kernel": (3, 2000), "sides": (3,), "flat": (7, 2000), "y": (7, 40, 50)}
    assert infer_shapes(model)["x"] == (None, 3)
    assert model.SerializeToString() == before


def test_large_weights_are_not_given_to_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX writes and reads the whole model: 1.4 s of CPU for each question about a recogniser of 174 MB."""
    sizes: list[int] = []
    infer = onnx.shape_inference.infer_shapes

    def watched(model: onnx.ModelProto, **options: bool) -> onnx.ModelProto:
        sizes.append(model.ByteSize())
        return infer(model, **options)

    monkeypatch.setattr(graph_edit.onnx.shape_inference, "infer_shapes", watched)
    model = large_model(lists_weights=False)
    infer_shapes(model, (7, 3))
    assert model.ByteSize() > 24_000
    assert len(sizes) == 1
    assert sizes[0] < 1000
