"""Read and rewrite one ONNX graph: find producers and constants of tensors, and add nodes by one call.

The other `graph_*` modules use it. Every added node follows opset 11 and means the same in all later ones (checked up
to 24). So a graph keeps the opset of its export.
"""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
UINT8 = TensorProto.UINT8

Shape = tuple[int | None, ...]
"""Shape of a tensor; None for a side that is not fixed."""

_MOST_VALUES_OF_A_SHAPE = 1024
"""A larger weight is no shape, scale or axis, so its values decide no tensor's shape."""

SCOPE = "fastface/"
"""Start of the name of every added tensor, because an export may contain any other name."""


def network_inputs(graph: Any) -> list[Any]:
    """Return the inputs that a caller provides: exports before IR 4 list the weights among the inputs too."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def read_constant(graph: Any) -> dict[str, Any]:
    """Return {name: TensorProto} of everything that is known without a run: weights and `Constant` nodes."""
    known = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "Constant":
            continue
        for attribute in node.attribute:
            if attribute.name == "value":
                known[node.output[0]] = attribute.t
    return known


def infer_shapes(model: Any, input_shape: Sequence[int] | None = None) -> dict[str, Shape]:
    """Infer the shape of every tensor whose rank is known, with the exported or given input.

    Args:
        model: Any model with one network input; it is not changed.
        input_shape: Shape to use for the network input instead of its own.
    """
    probe = _copy_without_weights(model)
    if input_shape is not None:
        # Recorded shapes of other sizes would override the inferred ones.
        del probe.graph.value_info[:]
        for output in probe.graph.output:
            output.type.tensor_type.ClearField("shape")
        name = network_inputs(model.graph)[0].name
        (value,) = (one for one in probe.graph.input if one.name == name)
        value.CopyFrom(helper.make_tensor_value_info(name, value.type.tensor_type.elem_type, list(input_shape)))
    inferred = onnx.shape_inference.infer_shapes(probe, data_prop=True).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for value in (*inferred.value_info, *inferred.input, *inferred.output):
        if value.type.tensor_type.HasField("shape"):
            shapes[value.name] = read_shape(value)
    return shapes


def _copy_without_weights(model: Any) -> Any:
    """Copy a model, with large weights as inputs of their shape: ONNX writes and reads a model for each inference."""
    probe = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    probe.graph.name = model.graph.name
    for field in ("node", "input", "output", "value_info"):
        getattr(probe.graph, field).extend(getattr(model.graph, field))
    inputs = {value.name for value in model.graph.input}
    for tensor in model.graph.initializer:
        if prod(tensor.dims) <= _MOST_VALUES_OF_A_SHAPE:
            probe.graph.initializer.append(tensor)
        elif tensor.name not in inputs:
            probe.graph.input.append(tensor_info(tensor.name, tensor.data_type, tensor.dims))
    return probe


def read_shape(value: Any) -> Shape:
    """Return the shape that a graph input or output declares."""
    dimensions = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in dimensions)


class GraphEditor:
    """Editor of one graph. Nodes are added in any order; `finish` sorts them.

    Attributes:
        graph: The GraphProto, changed in place.
    """

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self._constants = read_constant(graph)
        self._producers = {name: node for node in graph.node for name in node.output}
        # An earlier editor of the graph may have left names in our scope.
        own = (name.rpartition("_")[2] for name in (*self._constants, *self._producers) if name.startswith(SCOPE))
        self._count = max((int(number) for number in own if number.isdigit()), default=0)

    def producer(self, name: str) -> Any | None:
        """Return the node that makes a tensor; None for inputs and weights."""
        return self._producers.get(name)

    def consumers(self, name: str) -> list[Any]:
        """Return the nodes that read a tensor, in graph order."""
        return [node for node in self.graph.node if name in node.input]

    def value(self, name: str) -> npt.NDArray[Any] | None:
        """Return a constant's value; None if it is known only when the graph runs."""
        tensor = self._constants.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        """Add a constant and return its name."""
        tensor = numpy_helper.from_array(np.asarray(value, dtype), self._fresh("constant"))
        self.graph.initializer.append(tensor)
        self._constants[tensor.name] = tensor
        return str(tensor.name)

    def add(self, op_type: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node of one output and return the output's name: the given one, or a new one."""
        return self.add_many(op_type, inputs, [output or self._fresh(op_type)], **attributes)[0]

    def add_many(self, op_type: str, inputs: Iterable[str], outputs: Sequence[str], **attributes: Any) -> list[str]:
        """Add a node and return its outputs' names. An earlier producer of the same name is replaced."""
        node = helper.make_node(op_type, list(inputs), outputs, name=outputs[0], **attributes)
        self.graph.node.append(node)
        self._producers.update(dict.fromkeys(outputs, node))
        return list(outputs)

    def redirect(self, old: str, new: str, nodes: Iterable[Any]) -> None:
        """Make nodes read `new` instead of `old`."""
        for node in nodes:
            for place, name in enumerate(node.input):
                if name == old:
                    node.input[place] = new

    def finish(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Set the graph's inputs and outputs, and remove every node and weight that no output needs."""
        kept = self._list_needed([value.name for value in outputs])
        needed = {name for node in kept for name in node.input}
        weights = [tensor for tensor in self.graph.initializer if tensor.name in needed]
        for field, values in (
            ("node", kept),
            ("initializer", weights),
            ("input", inputs),
            ("output", outputs),
            ("value_info", []),
        ):
            self.graph.ClearField(field)
            getattr(self.graph, field).extend(values)

    def _list_needed(self, outputs: Sequence[str]) -> list[Any]:
        """Return the nodes behind the outputs, each after the nodes that it reads."""
        order: list[Any] = []
        done: set[str] = set()
        waiting = list(outputs)
        while waiting:
            node = self._producers.get(waiting[-1])
            if node is None or waiting[-1] in done:
                waiting.pop()
                continue
            missing = [name for name in node.input if name in self._producers and name not in done]
            if missing:
                waiting.extend(missing)
                continue
            order.append(node)
            done.update(node.output)
        return order

    def _fresh(self, kind: str) -> str:
        self._count += 1
        return f"{SCOPE}{kind}_{self._count}"


def tensor_info(name: str, dtype: int, shape: Sequence[int | str]) -> Any:
    """Return type and shape of a graph's input or output; text in `shape` names a free side."""
    return helper.make_tensor_value_info(name, dtype, list(shape))
