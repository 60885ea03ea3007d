"""The first bytes of a container's elements, read from their places in the file."""

import os

from fastface.video.frames.frame import SignOfLife

_CHUNK_BYTES = 4 << 10
_SEARCH_BYTES = 1 << 20
_MAX_FILL_BYTES = 64 << 10
"""Zeros at the end of a file: a disk's or a tape's last block that was filled up. More is what was never written."""


class ElementHeads:
    """Heads of elements, read by the chunk: many elements are small.

    Args:
        descriptor: The file, open for reading; its position is not used.
        alive: Called with each chunk.
    """

    def __init__(self, descriptor: int, alive: SignOfLife) -> None:
        self.num_bytes = os.fstat(descriptor).st_size
        self._descriptor = descriptor
        self._alive = alive
        self._begin, self._chunk = 0, b""

    def read_bytes(self, place: int, num_bytes: int) -> bytes:
        """Bytes from a place; fewer at the end of the file."""
        begin = place - self._begin
        if not 0 <= begin <= len(self._chunk) - num_bytes:
            self._alive()
            follows = self._begin < place <= self._begin + len(self._chunk) + _CHUNK_BYTES
            length = 16 * _CHUNK_BYTES if follows else _CHUNK_BYTES  # dense elements are read by larger chunks
            self._begin, self._chunk = place, os.pread(self._descriptor, max(length, num_bytes), place)
            begin = 0
        return self._chunk[begin : begin + num_bytes]

    def contains(self, place: int, name: bytes) -> bool:
        """Return whether a name occurs after a place, as after a hole that an element's size leads beyond."""
        while len(content := os.pread(self._descriptor, _SEARCH_BYTES, place)) >= len(name):
            if name in content:
                return True
            self._alive()
            place += len(content) - len(name) + 1
        return False

    def count_zeros(self, place: int) -> int:
        """Number of zero bytes from a place on."""
        begin = place
        while content := os.pread(self._descriptor, _SEARCH_BYTES, place):
            self._alive()
            if rest := content.lstrip(b"\0"):
                return place + len(content) - len(rest) - begin
            place += len(content)
        return place - begin

    def is_filled(self, place: int) -> bool:
        """Return whether from a place on there is nothing but the filling of a last block."""
        rest = self.num_bytes - place
        return rest <= _MAX_FILL_BYTES and self.count_zeros(place) == rest
