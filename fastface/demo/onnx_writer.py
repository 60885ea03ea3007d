"""Write a network by hand in the form of the exporters of 2021: opset 11, IR 6, weights as named initializers.

`detector` and `recogniser` use it. The bytes must be the same on every run.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, checker, helper, numpy_helper


class NetworkWriter:
    """One unfinished network: nodes of one output each, and weights, in the order of addition."""

    def __init__(self, name: str, inputs: Sequence[Any]) -> None:
        self._name = name
        self._inputs = list(inputs)
        self._nodes: list[Any] = []
        self._weights: list[Any] = []

    def weight(self, name: str, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add a constant and return its name."""
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
        return name

    def node(self, op_type: str, output: str, *inputs: str, **attributes: Any) -> str:
        """Add an operation and return its output, `output`."""
        self._nodes.append(helper.make_node(op_type, list(inputs), [output], name=f"{op_type}_{output}", **attributes))
        return output

    def convolution(
        self, output: str, source: str, weights: npt.ArrayLike, bias: npt.ArrayLike, **attributes: Any
    ) -> str:
        """Add a convolution with its weights (out, in, h, w) and bias (out,), and return its output."""
        kernel = np.asarray(weights, np.float32)
        names = self.weight(f"{output}.weight", kernel), self.weight(f"{output}.bias", bias)
        return self.node("Conv", output, source, *names, kernel_shape=kernel.shape[2:], **attributes)

    def finish(self, outputs: Sequence[Any]) -> bytes:
        """Return the checked ONNX file, the same bytes each time."""
        graph = helper.make_graph(self._nodes, self._name, self._inputs, list(outputs), self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], producer_name="fastface")
        model.ir_version = 6
        checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))


def float_tensor(name: str, shape: Sequence[int | str]) -> Any:
    """Return an input or output; text in `shape` names a free dimension."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
