"""What tests take from the benchmarks' folder."""

import sys
from typing import Any

from places import BENCHMARKS


def emulate(model: Any, precision: str = "bfloat16", weight_bits: int = 0) -> Any:
    """See benchmarks/emulation.py."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from emulation import emulate as emulate_model
    finally:
        del sys.path[0]
    return emulate_model(model, precision, weight_bits)
