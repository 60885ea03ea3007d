"""Store networks compiled by OpenVINO, so that later processes load them in a third of the time of a compilation.

`openvino_session` uses it. A file is one network in one size, precision and number of threads, for one processor and
one version of OpenVINO. It is renamed into place when it is complete, so several processes may share the folder.
OpenVINO's own cache has no such safety. A checksum finds damaged files; the network is then compiled again.
"""

import hashlib
import zlib
from contextlib import suppress
from pathlib import Path

from fastface.backends.child import processor_key
from fastface.errors import FastfaceError
from fastface.files import write_atomic

_FORMAT = 1
"""Version of the files. Raise it if the same key must get another file."""

_LARGEST_GRAPH = 64 << 20
"""Bytes; a larger network is not stored. Its compiled form is as large, and exporting it needs memory twice."""

_MOST_FILES = 24
"""Maximum number of stored sizes of a network; the oldest files are removed."""

_CHECKSUM_BYTES = 4


class CompiledStore:
    """The compiled forms of one network.

    Attributes:
        is_used: False if the network is too large to be stored.

    Args:
        graph: The ONNX file.
        cache_folder: Folder that holds the compiled forms of all networks; created if needed.
    """

    def __init__(self, graph: Path, cache_folder: Path) -> None:
        self.is_used = graph.stat().st_size <= _LARGEST_GRAPH
        digest = hashlib.sha256(graph.read_bytes()).hexdigest() if self.is_used else ""
        self._folder = cache_folder / "compiled" / digest[:24]
        self._machine = processor_key(["openvino"])

    @property
    def is_empty(self) -> bool:
        """True if no form of the network is stored: it was never compiled, and may be invalid."""
        return not self.is_used or not self._folder.is_dir()

    def load(self, *facts: object) -> bytes | None:
        """Return a compiled network; None if it is missing or damaged, or if networks of its size are not stored.

        Args:
            facts: All that a compilation depends on, except the network, the processor and the versions.
        """
        if not self.is_used:
            return None
        try:
            content = self._path(facts).read_bytes()
        except OSError:
            return None
        compiled = content[_CHECKSUM_BYTES:]
        return compiled if content[:_CHECKSUM_BYTES] == _checksum(compiled) else None

    def save(self, compiled: bytes, *facts: object) -> None:
        """Store a compiled network. Without space or permission, the next process compiles it again."""
        written = self._path(facts)
        with suppress(FastfaceError, OSError):
            write_atomic(written, _checksum(compiled) + compiled)
            others = [path for path in self._folder.glob("*.bin") if path != written]
            for path in sorted(others, key=lambda path: path.stat().st_mtime)[: -(_MOST_FILES - 1)]:
                path.unlink(missing_ok=True)

    def _path(self, facts: tuple[object, ...]) -> Path:
        key = repr((_FORMAT, self._machine, *facts)).encode()
        return self._folder / f"{hashlib.sha256(key).hexdigest()[:24]}.bin"


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "little")
