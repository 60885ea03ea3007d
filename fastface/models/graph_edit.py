"""Reading and rewriting one ONNX graph: what lies upstream of a tensor, what is constant, and new nodes by one call.

Every node that is added is written as opset 11 has it and means the same in all later ones (checked up to 24), so that
a graph keeps the opset that it was exported with.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
UINT8 = TensorProto.UINT8

Shape = tuple[int | None, ...]
"""A tensor's shape; None where a side is not fixed."""

SCOPE = "fastface/"
"""Begins the name of every tensor that is added, since an export may have any other name already."""


def network_inputs(graph: Any) -> list[Any]:
    """The inputs that a caller feeds: exports before IR 4 list the weights among the inputs too."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def read_constant(graph: Any) -> dict[str, Any]:
    """Name → TensorProto of everything that is known without running: weights and `Constant` nodes."""
    known = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "Constant":
            continue
        for attribute in node.attribute:
            if attribute.name == "value":
                known[node.output[0]] = attribute.t
    return known


def infer_shapes(model: Any, input_shape: Sequence[int] | None = None) -> dict[str, Shape]:
    """The shape of every tensor whose rank is known, with the input as exported or as given.

    Args:
        model: Any model with one network input; it is not changed.
        input_shape: What to take for the network input instead of its own shape.
    """
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    if input_shape is not None:
        # What the export recorded for other sizes would win over what is inferred.
        del probe.graph.value_info[:]
        for output in probe.graph.output:
            output.type.tensor_type.ClearField("shape")
        value = network_inputs(probe.graph)[0]
        value.CopyFrom(helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, list(input_shape)))
    inferred = onnx.shape_inference.infer_shapes(probe, data_prop=True).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in inferred.initializer}
    for value in (*inferred.value_info, *inferred.input, *inferred.output):
        if value.type.tensor_type.HasField("shape"):
            shapes[value.name] = read_shape(value)
    return shapes


def read_shape(value: Any) -> Shape:
    """The shape that a graph input or output declares."""
    dimensions = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in dimensions)


class GraphEditor:
    """One graph in work. Nodes are added in any order; `finish` sorts them.

    Attributes:
        graph: The GraphProto, changed in place.
    """

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self._constants = read_constant(graph)
        self._producers = {name: node for node in graph.node for name in node.output}
        # An editor that worked on the graph before has left names of its own.
        own = (name.rpartition("_")[2] for name in (*self._constants, *self._producers) if name.startswith(SCOPE))
        self._count = max((int(number) for number in own if number.isdigit()), default=0)

    def producer(self, name: str) -> Any | None:
        """The node that makes a tensor; None for inputs and weights."""
        return self._producers.get(name)

    def consumers(self, name: str) -> list[Any]:
        """The nodes that read a tensor, in graph order."""
        return [node for node in self.graph.node if name in node.input]

    def value(self, name: str) -> npt.NDArray[Any] | None:
        """A constant's value; None for what is only known when the graph runs."""
        tensor = self._constants.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        """Adds a constant and returns its name."""
        tensor = numpy_helper.from_array(np.asarray(value, dtype), self._fresh("constant"))
        self.graph.initializer.append(tensor)
        self._constants[tensor.name] = tensor
        return str(tensor.name)

    def add(self, op_type: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Adds a node of one output and returns that output's name: the one given, or a fresh one."""
        return self.add_many(op_type, inputs, [output or self._fresh(op_type)], **attributes)[0]

    def add_many(self, op_type: str, inputs: Iterable[str], outputs: Sequence[str], **attributes: Any) -> list[str]:
        """Adds a node and returns its outputs' names. A node that made one of them before is replaced."""
        node = helper.make_node(op_type, list(inputs), outputs, name=outputs[0], **attributes)
        self.graph.node.append(node)
        self._producers.update(dict.fromkeys(outputs, node))
        return list(outputs)

    def redirect(self, old: str, new: str, nodes: Iterable[Any]) -> None:
        """Makes nodes read `new` where they read `old`."""
        for node in nodes:
            for place, name in enumerate(node.input):
                if name == old:
                    node.input[place] = new

    def finish(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Sets the graph's inputs and outputs and drops every node and weight that no output needs."""
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
        """The nodes behind the outputs, each after those that it reads."""
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
