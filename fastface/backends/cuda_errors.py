"""Classify failures of a card by ONNX Runtime's messages: Python gets no error codes.

ONNX Runtime words them as `CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; …`, and its arena as
`Failed to allocate memory for requested buffer of size …`; TensorRT, cuDNN and cuBLAS have words of their own.
"""

import re

__all__ = ["is_card_lost", "is_out_of_memory"]

_OUT_OF_MEMORY = re.compile(
    r"CUDA (?:failure|error) 2\b|out of memory|OutOfMemory|Failed to allocate memory|_ALLOC_FAILED"
    r"|Available memory of \d+ is smaller than requested",
    re.IGNORECASE,
)

# cudaError_t of driver_types.h: those after which every call of the process fails with the same.
_LASTING = (
    "4|46|100|101|214|219|220|226"  # driver going down, card gone or unavailable, ECC, NVLink, contained by the driver
    "|700|702|709|710|714|715|716|717|718|719|721|999"  # illegal address … launch failure, unknown
)
_LOST = re.compile(
    rf"CUDA (?:failure|error) (?:{_LASTING})\b"
    r"|illegal memory access|illegal instruction|misaligned address|unspecified launch failure|launch timed out"
    r"|device-side assert|hardware stack error|uncorrectable (?:ECC|NVLink)|driver shutting down|GPU is lost"
    r"|CUDNN_STATUS_(?:EXECUTION_FAILED|MAPPING_ERROR|INTERNAL_ERROR)|CUBLAS_STATUS_(?:EXECUTION_FAILED|MAPPING_ERROR)",
    re.IGNORECASE,
)


def is_out_of_memory(message: str) -> bool:
    """Return whether the card had too little free memory: fewer pictures at once may fit."""
    return bool(_OUT_OF_MEMORY.search(message)) and not is_card_lost(message)


def is_card_lost(message: str) -> bool:
    """Return whether the process's hold on the card is broken for good ("sticky"): only another process can go on."""
    return bool(_LOST.search(message))
