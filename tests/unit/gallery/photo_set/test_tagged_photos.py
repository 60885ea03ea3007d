"""Folders of tagged photos: which of several tags counts, and Picasa's file."""

import os
from pathlib import Path

import pytest

from fastface.gallery.photo_set.sources import collect
from fastface.gallery.photo_set.tagged_photos import list_tagged_photos

SUFFIXES = frozenset({".jpg"})
PICASA = """[Picasa]
name=Holiday
[Contacts2]
8e62398ebda8c1a5=Ada Lovelace;;
d10a8325c557b085=Bo;bo@example.org;
[Contacts]
8e62398ebda8c1a5=ada_lh,4bd750800fb6a6b8
d10a8325c557b085=bo_lh,cb989580bc43a91
[one.jpg]
rotate=rotate(0)
faces=rect64(40008000c000ffff),8E62398EBDA8C1A5;rect64(8000),d10a8325c557b085;rect64(40008000c000ffff),ffffffffffffffff
[two.jpg]
faces=rect64(ffff8000c0000000),8e62398ebda8c1a5;rect64(40008000c000ffff),1234;rect64(zz),8e62398ebda8c1a5
star=yes
"""
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:m="http://www.metadataworkinggroup.com/schemas/regions/" xmlns:a="http://ns.adobe.com/xmp/sType/Area#">'
    '<m:Regions><r:li m:Name="{}"><m:Area a:x=".5" a:y=".5" a:w=".2" a:h=".2"/></r:li></m:Regions></x:xmpmeta>'
)


def named(folder: Path) -> dict[str, list[str]]:
    found = list_tagged_photos(folder, SUFFIXES)
    return {str(path.relative_to(folder)): [one.name for one in faces] for path, faces in found.faces.items()}


def test_picasas_numbers_are_shares_of_the_picture(tmp_path: Path) -> None:
    for name in ("one.jpg", "two.jpg"):
        (tmp_path / name).write_bytes(b"\xff\xd8")
    (tmp_path / ".picasa.ini").write_text(PICASA)
    found = list_tagged_photos(tmp_path, SUFFIXES)
    assert list(found.faces) == [tmp_path / "one.jpg"]
    (ada,) = found.faces[tmp_path / "one.jpg"]  # Bo's rectangle has no area, the third face has no contact
    assert ada.name == "Ada Lovelace"
    # 0x4000, 0x8000, 0xc000 and 0xffff of 0xffff
    assert ada.region.box == pytest.approx((16384 / 65535, 32768 / 65535, 49152 / 65535, 1.0))


def test_a_sidecar_counts_before_the_photo_and_the_photo_before_picasa(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    embedded = b"II*\0" + XMP.format("Embedded").encode()
    for name in ("one.jpg", "two.jpg", "sub/three.jpg"):
        (tmp_path / name).write_bytes(embedded)
    (tmp_path / "one.jpg.xmp").write_text(XMP.format("Sidecar"))
    (tmp_path / "sub" / "three.xmp").write_text(XMP.format("Lightroom"))
    (tmp_path / ".picasa.ini").write_text(PICASA)
    assert named(tmp_path) == {"one.jpg": ["Sidecar"], "two.jpg": ["Embedded"], "sub/three.jpg": ["Lightroom"]}
    (tmp_path / "one.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "one.jpg.xmp").unlink()
    assert named(tmp_path)["one.jpg"] == ["Ada Lovelace"]


def test_damaged_tags_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    for name in ("one.jpg", "two.jpg"):
        (tmp_path / name).write_bytes(b"II*\0" + XMP.format("Ada").encode())
    (tmp_path / "one.jpg.xmp").write_text("<!DOCTYPE x><x/>")
    found = list_tagged_photos(tmp_path, SUFFIXES)
    assert found.notes == [f"{str(tmp_path / 'one.jpg.xmp')!r}: its XMP has a document type, which is not allowed"]
    assert len(found.faces) == 2


def test_a_pipe_is_neither_a_photo_nor_a_sidecar(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(b"II*\0" + XMP.format("Ada").encode())
    for name in ("one.jpg.xmp", "two.jpg", ".picasa.ini"):
        os.mkfifo(tmp_path / name)
    assert named(tmp_path) == {"one.jpg": ["Ada"]}


def test_each_named_face_is_a_photo_of_the_person(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(b"II*\0" + XMP.format("Ada").encode())
    sources = collect([f"xmp:{tmp_path}"])
    assert [(photo.path.name, photo.label, photo.region is not None) for photo in sources.photos] == [
        ("one.jpg", "Ada", True)
    ]
    assert sources.faults == ()
    assert collect([f"xmp:{tmp_path}"], with_tags=False).photos == ()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none", "no such file or folder"),
        ("file", "not a folder"),
        ("empty", "no photo in it has a tag with the name and the place of a face"),
    ],
)
def test_what_is_no_library_is_told(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    given = f"xmp:{tmp_path / name}"
    assert collect([given]).faults == (f"{given!r}: {told}",)
