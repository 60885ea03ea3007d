"""Turn an I picture of H.264 into an IDR picture, at which a stream may begin after pictures of another encoder. Pure.

`smart` uses it. In an open group of pictures the keyframes are plain I pictures: numbers of frames and of the display
order count on from the pictures before. `IdrStart` changes the keyframe and renumbers all pictures up to the next IDR
picture. It changes headers only, so the decoded pictures are equal. Source: ITU-T H.264, 7.3 and 7.4.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fastface.export.clips.nal_units import BitReader, StreamHeader, escape, replace_bits, unescape

_SLICE, _PARTITIONS, _IDR, _SPS, _PPS = 1, frozenset({2, 3, 4}), 5, 7, 8
_INTRA = 2
"""Type of slices with intra prediction alone, modulo 5."""

_CHROMA_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""Profiles whose SPS has a chroma format."""

_OPERANDS = (0, 1, 1, 2, 1, 0, 1)
"""Number of operands of each memory management control operation."""

_MARKING = 0b00, 2
"""`dec_ref_pic_marking` of an IDR picture: show the pictures before it; it is no long-term reference."""


@dataclass(frozen=True, slots=True)
class _Sequence:
    """Facts of an SPS that the headers of slices depend on."""

    number: int
    frame_number_bits: int
    order_type: int
    order_bits: int
    has_planes: bool  # separate colour planes
    is_progressive: bool
    gaps_place: int  # bit of `gaps_in_frame_num_value_allowed_flag` in the unescaped unit


@dataclass(frozen=True, slots=True)
class _PictureSet:
    """Facts of a PPS."""

    number: int
    sequence: int
    has_bottom_order: bool
    has_redundant: bool


@dataclass(frozen=True, slots=True)
class _SliceHeader:
    """Places of fields in a slice header, in bits of the unescaped unit."""

    kind: int
    sequence: _Sequence
    frame_number: int
    frame_place: int
    idr_place: int  # where `idr_pic_id` of an IDR picture stands
    order: int
    order_place: int
    after_order: int  # where the fields behind the display order begin
    has_redundant: bool


def find_numbers(header: StreamHeader) -> frozenset[int]:
    """Return the numbers of all SPS and PPS of a stream.

    Raises:
        ValueError: A set cannot be read.
    """
    sets = [unescape(unit) for unit in header.sets]
    sequences = {_read_sequence(unit).number for unit in sets if header.find_type(unit) == _SPS}
    return frozenset(sequences | {_read_picture_set(unit).number for unit in sets if header.find_type(unit) == _PPS})


def allow_gaps(header: StreamHeader) -> tuple[bytes, ...]:
    """Return the parameter sets of a stream that may lack reference frames: those before a keyframe are left out."""
    return tuple(_with_gaps(unit) if header.find_type(unit) == _SPS else unit for unit in header.sets)


def _with_gaps(unit: bytes) -> bytes:
    plain = unescape(unit)
    return escape(replace_bits(plain, _read_sequence(plain).gaps_place, 1, 1, 1))


class IdrStart:
    """Rewrite the pictures of a stream from an I picture on, so that the I picture is an IDR picture.

    Args:
        header: Header of the stream.

    Raises:
        ValueError: Its sets cannot be read.
    """

    def __init__(self, header: StreamHeader) -> None:
        self._header = header
        plain = [unescape(unit) for unit in header.sets]
        sequences = [_read_sequence(unit) for unit in plain if header.find_type(unit) == _SPS]
        pictures = [_read_picture_set(unit) for unit in plain if header.find_type(unit) == _PPS]
        self._sequences = {sequence.number: sequence for sequence in sequences}
        self._pictures = {picture.number: picture for picture in pictures}
        self._start: tuple[int, int] | None = None
        self._is_over = False

    def rewrite(self, units: Iterable[bytes]) -> list[bytes]:
        """Return the units of the next picture in the order of decoding; the first picture is the I picture.

        Raises:
            ValueError: The stream uses a tool of H.264 that cannot be rewritten.
        """
        is_first, rewritten = self._start is None, []
        for unit in units:
            kind = self._header.find_type(unit)
            if kind in _PARTITIONS:
                raise ValueError("its slices are partitioned")
            self._is_over |= kind == _IDR
            is_renumbered = kind == _SLICE and not self._is_over
            rewritten.append(self._rewrite_slice(unit, is_first=is_first) if is_renumbered else unit)
        return rewritten

    def _rewrite_slice(self, unit: bytes, *, is_first: bool) -> bytes:
        plain = unescape(unit)
        place = self._read_slice(plain)
        if self._start is None:
            self._start = place.frame_number, place.order
        sequence = place.sequence
        frame_number = (place.frame_number - self._start[0]) % (1 << sequence.frame_number_bits)
        order = (place.order - self._start[1]) % (1 << sequence.order_bits)
        bits = sequence.frame_number_bits
        plain = replace_bits(plain, place.frame_place, bits, frame_number, bits)
        plain = replace_bits(plain, place.order_place, sequence.order_bits, order, sequence.order_bits)
        return escape(_make_idr(plain, place) if is_first else plain)

    def _read_slice(self, plain: bytes) -> _SliceHeader:
        reader = BitReader(plain[:64], 8)
        reader.read_unsigned()
        kind = reader.read_unsigned() % 5
        picture = self._pictures.get(reader.read_unsigned())
        sequence = self._sequences.get(picture.sequence) if picture else None
        if picture is None or sequence is None:
            raise ValueError("a parameter set is missing")
        if sequence.has_planes:
            reader.read(2)
        frame_place = reader.place
        frame_number = reader.read(sequence.frame_number_bits)
        if not sequence.is_progressive and reader.read(1):
            raise ValueError("its pictures are fields")
        idr_place = order_place = reader.place
        if sequence.order_type == 1:
            raise ValueError("it counts its display order by cycles")
        order = reader.read(sequence.order_bits)
        if picture.has_bottom_order and sequence.order_type == 0:
            reader.read_signed()
        return _SliceHeader(
            kind,
            sequence,
            frame_number,
            frame_place,
            idr_place,
            order,
            order_place,
            reader.place,
            picture.has_redundant,
        )


def _make_idr(plain: bytes, place: _SliceHeader) -> bytes:
    """Turn an unescaped slice of an I picture into one of an IDR picture."""
    if place.kind != _INTRA:
        raise ValueError("a keyframe is predicted from other frames")
    reader = BitReader(plain[:256], place.after_order)
    if place.has_redundant:
        reader.read_unsigned()
    marking = reader.place
    if reader.read(1):
        while operation := reader.read_unsigned():
            for _ in range(_OPERANDS[operation]):
                reader.read_unsigned()
    # The number of an IDR picture is free: its length makes the header grow by whole bytes, so no data is shifted.
    half, is_odd = divmod((reader.place - marking - _MARKING[1]) % 8, 2)
    if not is_odd:
        raise ValueError("the header of a keyframe has a length that cannot be changed")
    between = marking - place.idr_place
    kept = BitReader(plain[:256], place.idr_place).read(between)
    bits = (1 << half + between | kept) << _MARKING[1] | _MARKING[0]
    length = 2 * half + 1 + between + _MARKING[1]
    idr = replace_bits(plain, place.idr_place, reader.place - place.idr_place, bits, length)
    return bytes([idr[0] & ~31 | _IDR]) + idr[1:]


def _read_sequence(plain: bytes) -> _Sequence:
    reader = BitReader(plain, 8)
    profile = reader.read(8)
    reader.read(16)
    number, has_planes = reader.read_unsigned(), False
    if profile in _CHROMA_PROFILES:
        chroma = reader.read_unsigned()
        has_planes = chroma == 3 and bool(reader.read(1))
        reader.read_unsigned()
        reader.read_unsigned()
        reader.read(1)
        if reader.read(1):
            for size in (16,) * 6 + (64,) * (2 if chroma != 3 else 6):
                _skip_scaling(reader, size)
    frame_number_bits = reader.read_unsigned() + 4
    order_type, order_bits = reader.read_unsigned(), 0
    if order_type == 0:
        order_bits = reader.read_unsigned() + 4
    elif order_type == 1:
        reader.read(1)
        reader.read_signed()
        reader.read_signed()
        for _ in range(reader.read_unsigned()):
            reader.read_signed()
    reader.read_unsigned()
    gaps_place = reader.place
    reader.read(1)
    reader.read_unsigned()
    reader.read_unsigned()
    is_progressive = bool(reader.read(1))
    return _Sequence(number, frame_number_bits, order_type, order_bits, has_planes, is_progressive, gaps_place)


def _skip_scaling(reader: BitReader, size: int) -> None:
    if not reader.read(1):
        return
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + reader.read_signed()) % 256
        last = following or last


def _read_picture_set(plain: bytes) -> _PictureSet:
    reader = BitReader(plain, 8)
    number, sequence = reader.read_unsigned(), reader.read_unsigned()
    reader.read(1)
    has_bottom_order = bool(reader.read(1))
    if reader.read_unsigned():
        raise ValueError("its pictures have groups of slices")
    reader.read_unsigned()
    reader.read_unsigned()
    reader.read(3)
    for _ in range(3):
        reader.read_signed()
    reader.read(2)
    return _PictureSet(number, sequence, has_bottom_order, bool(reader.read(1)))
