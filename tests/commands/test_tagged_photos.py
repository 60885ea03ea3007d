"""References from a tagged photo library: drawn photos with tags that exiftool writes."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from cartoon_tools import Cartoon
from cli_tools import errors, fastface
from PIL import Image

from fastface.demo.film import draw_photo
from fastface.demo.persons import ADA, BO, CLEO
from fastface.demo.script import Appearance, Script

EXIFTOOL = shutil.which("exiftool")

pytestmark = pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")

GROUP = Script(
    1, (Appearance(ADA, 0, 1, (120, 176)), Appearance(BO, 0, 1, (320, 176)), Appearance(CLEO, 0, 1, (528, 176)))
)
SIZE = (640, 352)
ORIENTATION = {1: "6", 2: "3", 3: "8"}
"""EXIF's orientation of a picture that is stored after quarter turns counter-clockwise."""


def region(name: str, box: tuple[float, float, float, float], size: tuple[int, int] = SIZE) -> str:
    """A region as exiftool takes it."""
    x1, y1, x2, y2 = (side / whole for side, whole in zip(box, (*size, *size), strict=True))
    area = f"Area={{X={(x1 + x2) / 2},Y={(y1 + y2) / 2},W={x2 - x1},H={y2 - y1},Unit=normalized}}"
    return f"{{{area},Name={name},Type=Face}}"


def tag(path: Path, *regions: str, size: tuple[int, int] = SIZE, **tags: str) -> None:
    assert EXIFTOOL
    info = f"{{AppliedToDimensions={{W={size[0]},H={size[1]},Unit=pixel}},RegionList=[{','.join(regions)}]}}"
    more = [f"-{name}={value}" for name, value in tags.items()]
    subprocess.run(
        [EXIFTOOL, "-q", "-overwrite_original", f"-RegionInfo={info}", *more, str(path)],
        check=True,
        capture_output=True,
    )


def boxes() -> dict[str, tuple[int, int, int, int]]:
    found = {one.person.name: one.box for one in GROUP.sightings(0)}
    assert sorted(found) == ["Ada", "Bo", "Cleo"]
    return found


def draw(path: Path, quarters: int = 0) -> None:
    """The group photo; stored after some quarter turns counter-clockwise."""
    picture = np.rot90(GROUP.draw(0), quarters)[:, :, ::-1]
    stored = Image.fromarray(np.ascontiguousarray(picture))
    if path.suffix == ".heic":
        pillow_heif.register_heif_opener()
        stored.save(path, quality=95)
    else:
        stored.save(path, **({"quality": 97, "subsampling": 0} if path.suffix == ".jpg" else {}))


def enroll(library: Path, cartoon: Cartoon, bank: Path) -> tuple[dict[str, list[str]], str]:
    """{name: its photos} of a bank of the library, and what the command printed."""
    done = fastface("enroll", f"xmp:{library}", "-b", bank, "--models", cartoon.models)
    assert done.returncode == 0, done.stderr
    with np.load(bank) as found:
        owners = [str(found["labels"][row]) for row in found["person"].tolist()]
        sources = [Path(source).name for source in found["sources"].tolist()]
    of: dict[str, list[str]] = {}
    for owner, source in zip(owners, sources, strict=True):
        of.setdefault(owner, []).append(source)
    return of, done.stdout


@pytest.fixture(scope="module")
def alone(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """{name: embedding} of a portrait of each person."""
    folder = tmp_path_factory.mktemp("alone")
    for person in (ADA, BO, CLEO):
        Image.fromarray(np.ascontiguousarray(draw_photo(person)[:, :, ::-1])).save(folder / f"{person.name}.png")
    assert fastface("enroll", folder, "-b", folder / "bank.npz", "--models", cartoon.models).returncode == 0
    return references(folder / "bank.npz")


def references(bank: Path) -> dict[str, np.ndarray]:
    with np.load(bank) as arrays:
        return dict(zip(arrays["labels"][arrays["person"]].tolist(), arrays["embeddings"], strict=True))


def test_every_kind_of_photo_and_tag_gives_a_reference(
    cartoon: Cartoon, alone: dict[str, np.ndarray], tmp_path: Path
) -> None:
    library = tmp_path / "library"
    (library / "2019").mkdir(parents=True)
    where = boxes()
    for name in ("a.jpg", "b.png", "c.tif", "d.heic"):
        draw(library / "2019" / name)
        tag(library / "2019" / name, region("Ada", where["Ada"]))
    draw(library / "e.jpg")
    sidecar = library / "e.jpg.xmp"
    tag(sidecar, region("Bo", where["Bo"]), region("Ghost", (10, 10, 40, 40)))
    draw(library / "f.png")
    digits = "".join(
        f"{round(side / whole * 65535):04x}" for side, whole in zip(where["Cleo"], (*SIZE, *SIZE), strict=True)
    )
    (library / ".picasa.ini").write_text(
        f"[Contacts2]\n12ab=Cleo;;\n[f.png]\nfaces=rect64({digits}),12ab\n[e.jpg]\nfaces=rect64({digits}),12ab\n"
    )
    (library / "notes.txt").write_text("no photo")
    found, said = enroll(library, cartoon, tmp_path / "bank.npz")
    # The four copies are one picture, of which the first is kept.
    assert found == {"Ada": ["a.jpg"], "Bo": ["e.jpg"], "Cleo": ["f.png"]}
    for name in ("b.png", "c.tif", "d.heic"):
        (line,) = [line for line in said.splitlines() if name in line]
        assert "the same picture as" in line
    (line,) = [line for line in said.splitlines() if line.startswith("Ghost")]
    assert line == f"Ghost: {library / 'e.jpg'}: LEFT OUT; no face was found at the place of the tag"
    embedding = references(tmp_path / "bank.npz")
    for name, portrait in alone.items():
        cosines = {other: float(portrait @ one) for other, one in embedding.items()}
        assert max(cosines, key=cosines.__getitem__) == name
        assert cosines[name] > 0.9


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("drawn_in", ["stored", "displayed"])
def test_tags_of_turned_photos_mean_the_same_face(
    cartoon: Cartoon, alone: dict[str, np.ndarray], tmp_path: Path, quarters: int, drawn_in: str
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    draw(library / "a.jpg", quarters)
    x1, y1, x2, y2 = boxes()["Ada"]
    box, size = (float(x1), float(y1), float(x2), float(y2)), SIZE
    if drawn_in == "stored":
        for _ in range(quarters):  # counter-clockwise: x′ = y, y′ = width − x
            box, size = (box[1], size[0] - box[2], box[3], size[0] - box[0]), (size[1], size[0])
    tag(library / "a.jpg", region("Ada", box, size), size=size, **{"Orientation#": ORIENTATION[quarters]})
    enroll(library, cartoon, tmp_path / "bank.npz")
    cosine = float(references(tmp_path / "bank.npz")["Ada"] @ alone["Ada"])
    assert cosine > 0.9


def test_a_library_without_a_named_face_is_told(cartoon: Cartoon, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    draw(library / "a.jpg")
    given = f"xmp:{library}"
    done = fastface("enroll", given, "-b", tmp_path / "bank.npz", "--models", cartoon.models, "-q")
    (line,) = errors(done, 2, 1)
    assert line == f"fastface: target {given!r}: no photo in it has a tag with the name and the place of a face"


def test_a_hostile_sidecar_is_told_and_harms_nothing(cartoon: Cartoon, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    draw(library / "a.jpg")
    tag(library / "a.jpg", region("Ada", boxes()["Ada"]))
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    (library / "a.xmp").write_text(f'<!DOCTYPE x [<!ENTITY e0 "ha">{bomb}]><x>&e11;</x>')
    found, said = enroll(library, cartoon, tmp_path / "bank.npz")
    assert found == {"Ada": ["a.jpg"]}
    assert f"{str(library / 'a.xmp')!r}: its XMP has a document type, which is not allowed" in said
