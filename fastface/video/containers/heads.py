"""Read the first bytes of a container's elements from their positions in the file.

All checks of chains in this folder use it. Elements are small and many, so it reads by the chunk.
"""

import os

from fastface.video.frames.frame import SignOfLife

_CHUNK_BYTES = 4 << 10
_SEARCH_BYTES = 1 << 20
_MAX_FILL_BYTES = 64 << 10
"""Maximum number of zeros that fill the last block of a disk or tape. More zeros mean missing content."""


class ElementHeads:
    """Reader of the heads of elements, with one chunk in memory.

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
        """Return bytes from a position; fewer at the end of the file."""
        begin = place - self._begin
        if not 0 <= begin <= len(self._chunk) - num_bytes:
            self._alive()
            follows = self._begin < place <= self._begin + len(self._chunk) + _CHUNK_BYTES
            length = 16 * _CHUNK_BYTES if follows else _CHUNK_BYTES  # dense elements are read in larger chunks
            self._begin, self._chunk = place, os.pread(self._descriptor, max(length, num_bytes), place)
            begin = 0
        return self._chunk[begin : begin + num_bytes]

    def contains(self, place: int, name: bytes) -> bool:
        """Return whether a name occurs after a position, for example after a hole that an element's size skips."""
        while len(content := os.pread(self._descriptor, _SEARCH_BYTES, place)) >= len(name):
            if name in content:
                return True
            self._alive()
            place += len(content) - len(name) + 1
        return False

    def count_zeros(self, place: int) -> int:
        """Return the number of zero bytes from a position on."""
        begin = place
        while content := os.pread(self._descriptor, _SEARCH_BYTES, place):
            self._alive()
            if rest := content.lstrip(b"\0"):
                return place + len(content) - len(rest) - begin
            place += len(content)
        return place - begin

    def is_filled(self, place: int) -> bool:
        """Return whether only the zeros of a last block follow a position."""
        rest = self.num_bytes - place
        return rest <= _MAX_FILL_BYTES and self.count_zeros(place) == rest
