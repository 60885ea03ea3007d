"""Find holes in a NUT file: each frame and packet must follow the one before it (NUT specification).

`mp4_chains` calls it. A frame before the main header counts as a hole.
"""

from dataclasses import dataclass

from fastface.video.containers.heads import ElementHeads

FILE_ID = b"nut/multimedia container\0"
_MAIN, _SYNCPOINT, _INDEX = 0x4E4D7A561F5F04AD, 0x4E4BE4ADEECA4569, 0x4E58DD672F23E64E
_START_CODES = frozenset({_MAIN, _SYNCPOINT, _INDEX, 0x4E5311405BF2F9DB, 0x4E49AB68B596BA78})
"""The last two start stream headers and information packets."""

_CODED_PTS, _STREAM, _SIZE, _CHECKSUM, _RESERVED = 8, 16, 32, 64, 128
_HEADER, _MATCH_TIME, _CODED, _INVALID = 1024, 2048, 4096, 8192
_KNOWN_FLAGS = 0b11 | _CODED_PTS | _STREAM | _SIZE | _CHECKSUM | _RESERVED | 256 | _HEADER | _MATCH_TIME
_OLD_VERSION, _PIPE = 3, 2
_HEADER_CHECKSUM_FROM = 4096
_HEAD_BYTES = 64


class _Numbers:
    """Reader of variable-length numbers."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.place = 0

    def next(self) -> int:
        value = 0
        while self.place < len(self._content):
            byte = self._content[self.place]
            self.place += 1
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                break
        return value

    def skip(self, num_bytes: int) -> bytes:
        self.place += num_bytes
        return self._content[self.place - num_bytes : self.place]


@dataclass(frozen=True, slots=True)
class _Code:
    """Meaning of a frame's first byte."""

    flags: int
    stream: int
    size_factor: int
    size: int
    num_reserved: int
    header: int


@dataclass(frozen=True, slots=True)
class _Main:
    """The main header."""

    num_streams: int
    max_distance: int | None  # None: no syncpoints, and frames of any size
    codes: tuple[_Code, ...]
    header_sizes: tuple[int, ...]  # of the bytes that frames omit


def is_chain(heads: ElementHeads) -> bool:
    """Return whether frames and packets follow each other up to the end."""
    place, main, syncpoint = len(FILE_ID), None, None
    while head := heads.read_bytes(place, _HEAD_BYTES):
        if head[0] == ord("N"):
            code = int.from_bytes(head[:8])
            if code not in _START_CODES:
                return len(head) < 8 and any(known.to_bytes(8).startswith(head) for known in _START_CODES)
            numbers = _Numbers(head[8:])
            size = numbers.next()
            content = place + 8 + numbers.place + (4 if size > _HEADER_CHECKSUM_FROM else 0)
            if code == _MAIN:
                main = _read_main(heads.read_bytes(content, size))
            if code == _SYNCPOINT:
                syncpoint = place
            following = content + size
        elif main is None:
            return False
        else:
            # Beyond `max_distance` from a syncpoint, only a frame with a checksum may start.
            distance = 0 if syncpoint is None else place - syncpoint
            length = _measure_frame(head, main, distance)
            if length is None:
                return heads.is_filled(place)
            following = place + length
        if following > heads.num_bytes:
            return not any(heads.contains(place + 1, code.to_bytes(8)) for code in (_SYNCPOINT, _INDEX))
        place = following
    return True


def _read_main(content: bytes) -> _Main:
    numbers = _Numbers(content)
    version = numbers.next()
    if version > _OLD_VERSION:
        numbers.next()  # the minor version
    num_streams, max_distance = numbers.next(), numbers.next()
    for _ in range(2 * min(numbers.next(), len(content))):
        numbers.next()  # time bases
    codes = _read_codes(numbers, len(content))
    sizes = [0]
    if numbers.place < len(content) - 4:
        for _ in range(min(numbers.next(), len(content))):
            size = numbers.next()
            numbers.skip(size)
            sizes.append(size)
    is_pipe = version > _OLD_VERSION and numbers.place < len(content) - 4 and bool(numbers.next() & _PIPE)
    return _Main(num_streams, None if is_pipe else max_distance, codes, tuple(sizes))


def _read_codes(numbers: _Numbers, num_bytes: int) -> tuple[_Code, ...]:
    """Read the table of 256 frame codes; omitted fields repeat the value before them, or are zero."""
    codes: list[_Code] = []
    factor, stream, header = 1, 0, 0
    while len(codes) < 256 and numbers.place < num_bytes:
        flags, num_fields = numbers.next(), numbers.next()
        fields = [numbers.next() for _ in range(min(num_fields, num_bytes))]
        factor = fields[1] if num_fields > 1 else factor
        stream = fields[2] if num_fields > 2 else stream
        size = fields[3] if num_fields > 3 else 0
        num_reserved = fields[4] if num_fields > 4 else 0
        count = fields[5] if num_fields > 5 else factor - size
        header = fields[7] if num_fields > 7 else header
        for step in range(max(0, min(count, 256))):
            if len(codes) == ord("N"):
                codes.append(_Code(_INVALID, 0, 0, 0, 0, 0))
            codes.append(_Code(flags, stream, factor, size + step, num_reserved, header))
    return tuple(codes)


def _measure_frame(head: bytes, main: _Main, distance: int) -> int | None:
    """Return the length in bytes of a frame with its head; None if it is invalid.

    `distance` is the number of bytes from the last syncpoint.
    """
    if head[0] >= len(main.codes):
        return None
    code = main.codes[head[0]]
    numbers = _Numbers(head[1:])
    flags = code.flags
    if flags & _INVALID:
        return None
    if flags & _CODED:
        coded = numbers.next()
        if coded & ~_KNOWN_FLAGS:
            return None
        flags ^= coded
    stream = numbers.next() if flags & _STREAM else code.stream
    if flags & _CODED_PTS:
        numbers.next()
    size = code.size + (code.size_factor * numbers.next() if flags & _SIZE else 0)
    if flags & _MATCH_TIME:
        numbers.next()
    header = numbers.next() if flags & _HEADER else code.header
    for _ in range(min(numbers.next() if flags & _RESERVED else code.num_reserved, _HEAD_BYTES)):
        numbers.next()
    if stream >= main.num_streams or header >= len(main.header_sizes):
        return None
    if flags & _CHECKSUM:
        numbers.skip(4)
    elif main.max_distance is not None and (distance > main.max_distance or size > 2 * main.max_distance):
        return None
    left_out = main.header_sizes[header] if size <= _HEADER_CHECKSUM_FROM else 0
    return 1 + numbers.place + max(0, size - left_out)
