"""Read named face regions from photos: MWG regions in XMP, embedded or in a sidecar file.

`tagged_photos` calls it. The format is the `mwg-rs` schema of the Metadata Working Group, "Guidelines for Handling
Image Metadata" 2.0, as digiKam, Lightroom and Picasa write it. Files are untrusted: no picture is decoded, and XML with
a document type is rejected, so it can define no entities. Sizes, depth and numbers are limited.
"""

import math
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from fastface.names import clean_text

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_MWG = "{http://www.metadataworkinggroup.com/schemas/regions/}"
_AREA = "{http://ns.adobe.com/xmp/sType/Area#}"
_DIMENSIONS = "{http://ns.adobe.com/xap/1.0/sType/Dimensions#}"

_XMP_MARKER = b"http://ns.adobe.com/xap/1.0/\0"
"""Start of a JPEG's APP1 segment with XMP: Adobe, "XMP Specification Part 3", 1.1.3."""
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KEYWORD = b"XML:com.adobe.xmp\0"
_PACKET_START = re.compile(rb"<x:xmpmeta\b")
_PACKET_END = re.compile(rb"</x:xmpmeta\s{0,9}>")

_LARGEST_PACKET = 16 << 20
_LARGEST_SCANNED = 256 << 20
"""Bytes; other formats than JPEG and PNG are searched for a packet as a whole."""
_DEEPEST = 100
_MOST_REGIONS = 1000
"""Maximum number of regions of one photo."""


class XmpError(ValueError):
    """XMP that cannot be read. The message is the reason."""


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in a photo, as a share of width and height, 0–1.

    Attributes:
        box: x1, y1, x2, y2.
        applied_to: Width and height in pixels of the picture that the region was drawn in; None if unknown.
    """

    box: tuple[float, float, float, float]
    applied_to: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class NamedRegion:
    """The face of a named person in a photo."""

    name: str
    region: Region


def read_embedded_regions(path: Path) -> list[NamedRegion]:
    """Return the named faces in the XMP of a photo; empty without XMP.

    Raises:
        XmpError: The file or its XMP cannot be read.
    """
    try:
        with path.open("rb") as file:
            for packet in _find_packets(file):
                if regions := parse_regions(packet):
                    return regions
    except OSError as error:
        raise XmpError(f"cannot be read: {error.strerror}") from error
    return []


def read_sidecar_regions(path: Path) -> list[NamedRegion]:
    """Return the named faces in an `.xmp` file.

    Raises:
        XmpError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return parse_regions(file.read(_LARGEST_PACKET + 1))
    except OSError as error:
        raise XmpError(f"cannot be read: {error.strerror}") from error


def parse_regions(packet: bytes) -> list[NamedRegion]:
    """Return the named faces in an XMP packet.

    Raises:
        XmpError: The packet is no XML, has a document type, or exceeds a limit.
    """
    root = _parse_xml(packet)
    found = []
    for regions in _find_outermost(root, f"{_MWG}Regions"):
        applied_to = _read_dimensions(regions)
        for item in _find_outermost(regions, f"{_RDF}li"):
            if (named := _read_region(item, applied_to)) is not None:
                found.append(named)
    return found[:_MOST_REGIONS]


def _find_packets(file: BinaryIO) -> Iterator[bytes]:
    start = file.read(len(_PNG_SIGNATURE))
    file.seek(0)
    if start.startswith(b"\xff\xd8"):
        yield from _find_jpeg_packets(file)
        return
    if start == _PNG_SIGNATURE:
        yield from _find_png_packets(file)
        return
    if not start:
        return
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        end = min(len(content), _LARGEST_SCANNED)
        place = 0
        # Each byte is searched at most twice, also if many packets start and none ends.
        while (first := _PACKET_START.search(content, place, end)) is not None:
            last = _PACKET_END.search(content, first.end(), end)
            if last is None:
                return
            yield content[first.start() : last.end()]
            place = last.end()


def _find_jpeg_packets(file: BinaryIO) -> Iterator[bytes]:
    """Walk over the segments before the picture; an APP1 segment may hold XMP."""
    file.seek(2)
    while len(head := file.read(4)) == 4 and head[0] == 0xFF and head[1] not in (0xDA, 0xD9):
        length = int.from_bytes(head[2:]) - 2
        if length < 0:
            return
        if head[1] == 0xE1 and (content := file.read(length)).startswith(_XMP_MARKER):
            yield content[len(_XMP_MARKER) :]
        elif head[1] != 0xE1:
            file.seek(length, 1)


def _find_png_packets(file: BinaryIO) -> Iterator[bytes]:
    """Walk over the chunks; an uncompressed iTXt chunk may hold XMP."""
    file.seek(len(_PNG_SIGNATURE))
    while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
        length = int.from_bytes(head[:4])
        if head[4:] == b"iTXt" and length <= _LARGEST_PACKET:
            content = file.read(length)
            if content.startswith(_PNG_KEYWORD) and content[len(_PNG_KEYWORD) :][:1] == b"\0":
                yield content[len(_PNG_KEYWORD) + 2 :].split(b"\0", 2)[-1]
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)


def _parse_xml(packet: bytes) -> Element:
    """Parse XML without a document type: no entities, no network, bounded depth and size."""
    if len(packet) > _LARGEST_PACKET:
        raise XmpError(f"its XMP is larger than {_LARGEST_PACKET >> 20} MB")
    builder, depth = TreeBuilder(), 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise XmpError(f"its XMP is nested more than {_DEEPEST} levels deep")
        builder.start(_close_name(name), {_close_name(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_close_name(name))

    def reject(*_: object) -> None:
        raise XmpError("its XMP has a document type, which is not allowed")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, reject
    try:
        parser.Parse(packet.strip(b"\0 \t\r\n\xef\xbb\xbf"), True)
        return builder.close()
    except XmpError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: an encoding that is unknown or unfit
        raise XmpError(f"its XMP is damaged: {error}") from error


def _close_name(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def _find_outermost(element: Element, name: str) -> Iterator[Element]:
    """Yield elements of a name that are not inside another one, so that each element is read once."""
    for child in element:
        if child.tag == name:
            yield child
        else:
            yield from _find_outermost(child, name)


def _read_dimensions(regions: Element) -> tuple[float, float] | None:
    for element in regions.iter(f"{_MWG}AppliedToDimensions"):
        width, height = (_read_number(element, f"{_DIMENSIONS}{side}") for side in "wh")
        if width and height and width > 0 and height > 0:
            return width, height
    return None


def _read_region(item: Element, applied_to: tuple[float, float] | None) -> NamedRegion | None:
    """Return the region of a list item; None for another kind of region, or without a name or a valid area."""
    name = clean_text(_read_text(item, f"{_MWG}Name"))
    area = next(item.iter(f"{_MWG}Area"), None)
    if not name or area is None or _read_text(item, f"{_MWG}Type") not in ("", "Face"):
        return None
    x, y, width, height = (_read_number(area, f"{_AREA}{key}") for key in "xywh")
    if x is None or y is None or not width or not height:
        return None
    if _read_text(area, f"{_AREA}unit") == "pixel":
        if applied_to is None:
            return None
        x, width, y, height = x / applied_to[0], width / applied_to[0], y / applied_to[1], height / applied_to[1]
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return NamedRegion(name, Region(box, applied_to)) if is_region(box) else None


def is_region(box: tuple[float, float, float, float]) -> bool:
    """Return whether a box, as a share of the picture, has an area and overlaps the picture."""
    x1, y1, x2, y2 = box
    is_box = all(map(math.isfinite, box)) and -1 < x1 < x2 < 2 and -1 < y1 < y2 < 2
    return is_box and min(x2, y2) > 0 and max(x1, y1) < 1


def _read_text(element: Element, name: str) -> str:
    """Return a property, which XMP writes as an attribute or as an element, also below rdf:Description."""
    for one in element.iter():
        if name in one.attrib:
            return one.attrib[name].strip()
        if one.tag == name:
            return (one.text or "").strip()
    return ""


def _read_number(element: Element, name: str) -> float | None:
    try:
        return float(_read_text(element, name))
    except ValueError:
        return None
