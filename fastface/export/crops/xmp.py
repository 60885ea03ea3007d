"""Format XMP metadata with the names and places of persons, for crops and snapshots.

The export process calls it. Names are in `Iptc4xmpExt:PersonInImage` (IPTC Photo Metadata Standard), places in MWG
regions ("Guidelines for Handling Image Metadata" 2.0), which digiKam, Lightroom and other photo libraries read.
"""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from fastface.names import clean_text, valid_text
from fastface.types import Size

Box = tuple[float, float, float, float]
NamedFace = tuple[str, Box | None]
"""Name of a person, and x1, y1, x2, y2 of the face in pixels of the picture; None if the place is unknown."""


def format_xmp(faces: Sequence[NamedFace], size: Size) -> bytes:
    """Return an XMP packet; empty if no person has a name.

    Args:
        faces: Persons in the picture.
        size: Width and height of the picture in pixels.
    """
    named = [(name, box) for text, box in faces if (name := clean_text(valid_text(text)))]
    if not named:
        return b""
    names = "".join(f"<rdf:li>{escape(name)}</rdf:li>" for name in dict.fromkeys(name for name, _ in named))
    placed = [_format_region(name, area) for name, box in named if box and (area := _clip(box, size))]
    regions = (
        '<mwg-rs:Regions rdf:parseType="Resource">'
        f'<mwg-rs:AppliedToDimensions stDim:w="{size[0]}" stDim:h="{size[1]}" stDim:unit="pixel"/>'
        f"<mwg-rs:RegionList><rdf:Bag>{''.join(placed)}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
    )
    packet = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
        'xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" '
        'xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#">'
        f"<Iptc4xmpExt:PersonInImage><rdf:Bag>{names}</rdf:Bag></Iptc4xmpExt:PersonInImage>"
        f"{regions if placed else ''}"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )
    return packet.encode()


def _clip(box: Box, size: Size) -> Box | None:
    """Return a box clipped to the picture, as a share of its size; None if nothing is left."""
    sides = (*size, *size)
    x1, y1, x2, y2 = (min(max(side / whole, 0.0), 1.0) for side, whole in zip(box, sides, strict=True))
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None


def _format_region(name: str, box: Box) -> str:
    x1, y1, x2, y2 = box
    area = (("x", (x1 + x2) / 2), ("y", (y1 + y2) / 2), ("w", x2 - x1), ("h", y2 - y1))
    numbers = " ".join(f'stArea:{key}="{value:.6f}"' for key, value in area)
    return (
        f'<rdf:li><rdf:Description mwg-rs:Name={quoteattr(name)} mwg-rs:Type="Face">'
        f'<mwg-rs:Area {numbers} stArea:unit="normalized"/></rdf:Description></rdf:li>'
    )
