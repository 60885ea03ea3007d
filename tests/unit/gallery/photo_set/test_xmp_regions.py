"""Named regions in XMP: the forms that programs write, and XML that wants to harm."""

import contextlib
import struct
import zlib
from pathlib import Path

import pytest

from fastface.gallery.photo_set.xmp_regions import (
    NamedRegion,
    Region,
    XmpError,
    parse_regions,
    read_embedded_regions,
    read_sidecar_regions,
)

NAMESPACES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
    'xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#" xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"'
)


def packet(*items: str, applied: str = "") -> bytes:
    bag = "".join(f"<rdf:li{item}</rdf:li>" for item in items)
    return (
        f'<?xpacket begin="\ufeff" id="x"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {NAMESPACES}>'
        f'<rdf:Description rdf:about=""><mwg-rs:Regions rdf:parseType="Resource">{applied}'
        f"<mwg-rs:RegionList><rdf:Bag>{bag}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions></rdf:Description>"
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


ATTRIBUTES = (
    '><rdf:Description mwg-rs:Name="Ada &amp; Bo" mwg-rs:Type="Face">'
    '<mwg-rs:Area stArea:x="0.5" stArea:y="0.25" stArea:w="0.2" stArea:h="0.1" stArea:unit="normalized"/>'
    "</rdf:Description>"
)
"""As digiKam and Lightroom write."""
ELEMENTS = (
    ' rdf:parseType="Resource"><mwg-rs:Area rdf:parseType="Resource"><stArea:h>0.1</stArea:h><stArea:w>0.2</stArea:w>'
    "<stArea:x>0.5</stArea:x><stArea:y>0.25</stArea:y></mwg-rs:Area><mwg-rs:Name>Ada &amp; Bo</mwg-rs:Name>"
    "<mwg-rs:Type>Face</mwg-rs:Type>"
)
"""As exiftool writes."""
SIZE = '<mwg-rs:AppliedToDimensions stDim:w="400" stDim:h="200" stDim:unit="pixel"/>'
WANTED = (0.4, 0.2, 0.6, 0.3)
"""0.5 ∓ 0.2/2 and 0.25 ∓ 0.1/2"""


def boxes(found: list[NamedRegion]) -> list[tuple[str, list[float]]]:
    return [(one.name, [round(side, 9) for side in one.region.box]) for one in found]


@pytest.mark.parametrize("item", [ATTRIBUTES, ELEMENTS])
def test_both_forms_of_a_property_are_read(item: str) -> None:
    found = parse_regions(packet(item, applied=SIZE))
    assert boxes(found) == [("Ada & Bo", list(WANTED))]
    assert found[0].region.applied_to == (400, 200)
    assert parse_regions(packet(item))[0].region.applied_to is None


def test_pixels_are_shares_of_the_applied_size() -> None:
    item = ATTRIBUTES.replace('"0.5"', '"200"').replace('"0.25"', '"50"').replace('"0.2"', '"80"')
    item = item.replace('"0.1"', '"20"').replace("normalized", "pixel")
    assert boxes(parse_regions(packet(item, applied=SIZE))) == [("Ada & Bo", list(WANTED))]
    assert parse_regions(packet(item)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('Type="Face"', 'Type="Pet"'),
        ("Ada &amp; Bo", "  "),
        ('stArea:w="0.2"', 'stArea:w="-0.2"'),
        ('stArea:w="0.2"', 'stArea:w="nan"'),
        ('stArea:w="0.2"', 'stArea:w="1e308"'),
        ('stArea:x="0.5"', 'stArea:x="7"'),
        ('stArea:x="0.5"', 'stArea:x="left"'),
        ("<mwg-rs:Area", "<mwg-rs:Other"),
    ],
)
def test_what_is_no_named_face_is_left_out(old: str, new: str) -> None:
    assert old in ATTRIBUTES
    assert parse_regions(packet(ATTRIBUTES.replace(old, new), ELEMENTS)) == parse_regions(packet(ELEMENTS))


def test_a_name_is_one_visible_line() -> None:
    hostile = "<script>&#10;\u202eeda"
    item = ATTRIBUTES.replace("Ada &amp; Bo", hostile.replace("<", "&lt;").replace(">", "&gt;"))
    assert [one.name for one in parse_regions(packet(item))] == ["<script>__eda"]


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><x>&c;</x>'
)
FILE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'
NETWORK = b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><x/>'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (BOMB, "document type"),
        (FILE, "document type"),
        (NETWORK, "document type"),
        (b"<x>&a;</x>", "damaged"),
        (b"<x>" * 1000, "100 levels deep"),
        (b"<x><y></x>", "damaged"),
        (b"", "damaged"),
        (b"\xff\xfe\x00", "damaged"),
        (b" " * ((16 << 20) + 1), "larger than 16 MB"),
        (b'<?xml version="1.0" encoding="none"?><x/>', "damaged: unknown encoding: none"),
        (b'<?xml version="1.0" encoding="hex"?><x/>', "damaged"),
        (b'<?xml version="1.0" encoding="gb2312"?><x/>', "damaged: multi-byte encodings are not supported"),
    ],
)
def test_hostile_xml_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(XmpError, match=told):
        parse_regions(content)


def _jpeg(*segments: bytes) -> bytes:
    parts = b"".join(b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment for segment in segments)
    return b"\xff\xd8" + parts + b"\xff\xda\x00\x02pixels\xff\xd9"


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks) + chunk(b"IEND", b"")


XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
KEYWORD = b"XML:com.adobe.xmp\0\0\0\0\0"


@pytest.mark.parametrize(
    "content",
    [
        _jpeg(b"Exif\0\0", XMP_SEGMENT + packet(ATTRIBUTES)),
        _png((b"IHDR", bytes(13)), (b"IDAT", b"pixels"), (b"iTXt", KEYWORD + packet(ATTRIBUTES))),
        b"II*\0" + bytes(100) + packet(ATTRIBUTES) + bytes(100),
        b"\0\0\0\x18ftypheic" + bytes(100) + packet(ATTRIBUTES),
        _jpeg(XMP_SEGMENT + packet(), XMP_SEGMENT + packet(ATTRIBUTES)),
    ],
)
def test_the_packet_in_a_photo_is_found(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo"
    path.write_bytes(content)
    assert boxes(read_embedded_regions(path)) == [("Ada & Bo", list(WANTED))]
    for cut in range(0, len(content), 37):
        path.write_bytes(content[:cut])
        with contextlib.suppress(XmpError):
            assert len(read_embedded_regions(path)) <= 1


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", _jpeg(b"Exif\0\0"), b"\x89PNG\r\n\x1a\n", b"plain text"])
def test_a_file_without_a_packet_has_no_region(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "photo").write_bytes(content)
    assert read_embedded_regions(tmp_path / "photo") == []


def test_a_packet_that_never_ends_costs_one_search(tmp_path: Path) -> None:
    """Cause: one search to the end of the file for each start; 12 MB would take hours."""
    (tmp_path / "photo").write_bytes(b"II*\0" + b"<x:xmpmeta " * (1 << 20))
    assert read_embedded_regions(tmp_path / "photo") == []


def test_an_item_within_a_region_is_no_region() -> None:
    """Cause: each level of nested items was read again for each level above it."""
    inner = f"<rdf:Bag><rdf:li{ATTRIBUTES}</rdf:li></rdf:Bag>"
    nested = ATTRIBUTES.replace("</rdf:Description>", f"{inner}</rdf:Description>")
    assert nested.count("<mwg-rs:Area") == 2
    assert boxes(parse_regions(packet(nested))) == [("Ada & Bo", list(WANTED))]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for read in (read_embedded_regions, read_sidecar_regions):
        with pytest.raises(XmpError, match="cannot be read"):
            read(tmp_path / "none")


def test_a_region_knows_where_it_is() -> None:
    assert Region((0, 0, 1, 1)).applied_to is None
