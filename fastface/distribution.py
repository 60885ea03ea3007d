"""Describe the installed distribution: its name, its version, and how to install its extras.

The distribution is called `fastface-video`, because `fastface` on the package index is another project. The import
package and the command are called `fastface`. A test checks each extra against pyproject.toml and the Makefile.
"""

from functools import cache
from typing import Literal

DISTRIBUTION = "fastface-video"

Extra = Literal["cpu", "cuda", "gpu", "nvdec", "person", "ray", "redis", "scale"]
"""An extra of pyproject.toml."""


@cache
def read_version() -> str:
    """Return the version of the installed distribution."""
    from importlib.metadata import version  # noqa: PLC0415 - a fifth of the start of a help page, which prints none

    return version(DISTRIBUTION)


def describe_install(extra: Extra) -> str:
    """Return the commands that add an extra; both run in the folder of the clone."""
    return f"in fastface's clone: make env EXTRA={extra}, or pip install '.[{extra}]'"


def describe_reinstall(extra: Extra) -> str:
    """Return the commands that replace a wrong or damaged ONNX Runtime; both run in the folder of the clone."""
    return (
        f"in fastface's clone: make clean env EXTRA={extra}, or "
        f"pip uninstall -y onnxruntime onnxruntime-gpu && pip install '.[{extra}]'"
    )
