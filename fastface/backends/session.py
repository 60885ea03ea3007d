"""The seam between fastface and the runtimes: a `Session` is one loaded network on one device.

It knows tensors, never faces. This module and its siblings import no runtime until a session is opened, so that every
process may import them.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Tensor = npt.NDArray[Any]
Backend = Literal["onnxruntime", "openvino"]
Provider = Literal["CPU", "CUDA", "TensorRT"]
Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Device that runs the networks. Small and picklable: it is resolved once and sent to every worker.

    Attributes:
        backend: The runtime's package.
        provider: What of the runtime computes.
        precision: Arithmetic of the network. On a resolved device the one aimed at; on `Session.device` the one in
            force.
        name: The processor's or card's model.
        versions: The libraries that take part, as `onnxruntime 1.31.1, TensorRT 10.13.3`.
        device_id: Number of the card; 0 on a CPU.
        compute_capability: Of an NVIDIA card, as `9.0`; else empty.
        captures: Whether what a card does for the usual batch is to be captured once, as a CUDA graph.
        precisions: Those that the device computes in, the fastest first; empty where only `precision` is known.
        notes: One line for each better device that is there but was passed over by `auto`, with what mends it.
    """

    backend: Backend
    provider: Provider
    precision: Precision
    name: str
    versions: str
    device_id: int = 0
    compute_capability: str = ""
    captures: bool = False
    precisions: tuple[Precision, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_gpu(self) -> bool:
        """True if a card computes, so that large networks and large batches pay."""
        return self.provider != "CPU"


@dataclass(frozen=True, slots=True)
class ShapeRange:
    """Full shapes of the input, batch first, as (N, H, W, 3), that a session will be given.

    TensorRT builds its engine for the range; the other runtimes take any shape.

    Attributes:
        smallest: Smallest size in every dimension.
        usual: The shape to be fastest at.
        largest: Largest size in every dimension.
    """

    smallest: tuple[int, ...]
    usual: tuple[int, ...]
    largest: tuple[int, ...]


class Session(Protocol):
    """One loaded network on one device. One thread of one process calls it."""

    device: DeviceInfo
    """What computes, with the precision in force."""

    input_shape: tuple[int | None, ...]
    """The input's shape as the graph states it; None where it is free."""

    per_picture: bool
    """Whether each picture of a batch is computed by itself: its bits then do not depend on what is beside it, and a
    batch may have any size at no cost."""

    def infer(self, batch: npt.NDArray[np.uint8]) -> tuple[Tensor, ...]:
        """The network's outputs for one batch.

        Args:
            batch: The input, as the graph asks for it: uint8 (N, H, W, 3) for prepared networks. Not modified. Read
                in place where it is contiguous, so it must not change until this returns.

        Returns:
            One array an output, in the graph's order, owned by the caller.

        Raises:
            BackendError: The runtime refused the input or failed.
            DeviceLostError: The card is lost to this process, which must end.
        """
        ...
