"""Define the contract between fastface and the runtimes: a `Session` is one loaded network on one device.

Every backend implements it. It handles tensors, never faces. This module and its siblings import no runtime until a
session is opened, so every process may import them.
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
        backend: Package of the runtime.
        provider: Part of the runtime that computes.
        precision: Arithmetic of the network: the requested one on a resolved device, the one in force on
            `Session.device`.
        name: Model of the processor or card.
        versions: Versions of the libraries, as `onnxruntime 1.31.1, TensorRT 10.13.3`.
        device_id: Number of the card; 0 on a CPU.
        compute_capability: Version of an NVIDIA card, as `9.0`; else empty.
        captures: True if a card's work for the usual batch must be captured once, as a CUDA graph.
        precisions: Supported precisions, the fastest first; empty if only `precision` is known.
        notes: One line for each better device that `auto` did not take, with the remedy.
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
        """Return whether a card computes, so that large networks and large batches are efficient."""
        return self.provider != "CPU"


@dataclass(frozen=True, slots=True)
class ShapeRange:
    """Input shapes of a session, batch first, as (N, H, W, 3).

    TensorRT builds its engine for the range; the other runtimes accept any shape.

    Attributes:
        smallest: Smallest size in every dimension.
        usual: Shape that must be fastest.
        largest: Largest size in every dimension.
    """

    smallest: tuple[int, ...]
    usual: tuple[int, ...]
    largest: tuple[int, ...]


class Session(Protocol):
    """One loaded network on one device. One thread of one process calls it."""

    device: DeviceInfo
    """Device that computes, with the precision in force."""

    input_shape: tuple[int | None, ...]
    """Shape of the input in the graph; None for a free side."""

    per_picture: bool
    """True if each picture of a batch is computed separately. Its bits then do not depend on the other pictures, and
    any batch size is efficient."""

    def infer(self, batch: npt.NDArray[np.uint8]) -> tuple[Tensor, ...]:
        """Run the network on one batch and return its outputs.

        Args:
            batch: The input that the graph requires: uint8 (N, H, W, 3) for prepared networks. Not modified. Contiguous
                memory is read in place, so it must not change until this returns.

        Returns:
            One array an output, in the graph's order, owned by the caller.

        Raises:
            BackendError: The runtime refused the input or failed.
            DeviceLostError: The card is lost to this process, which must end.
        """
        ...
