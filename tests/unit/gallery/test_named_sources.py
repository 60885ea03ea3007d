"""`-t NAME=PATH`: one person, whatever the photos are called and wherever they lie."""

from pathlib import Path

import pytest

from fastface.errors import ConfigError
from fastface.gallery.photo_set.sources import Sources, collect
from fastface.gallery.references import ReferenceRule, load_gallery
from fastface.types import Faces


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with loose photos, sub-folders and names with signs in them; nothing is opened."""
    names = ("ann/1.jpg", "ann/2.jpg", "ann/more/3.jpg", "ann/.hidden.jpg", "a=b/4.jpg", "x=y.jpg", "loose.jpg",
             "bank.npz", "y.jpg")  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def persons(found: Sources) -> dict[str, list[str]]:
    assert found.faults == ()
    people: dict[str, list[str]] = {}
    for photo in found.photos:
        assert photo.is_meant
        people.setdefault(photo.label, []).append(photo.path.as_posix())
    return people


@pytest.mark.usefixtures("photos")
def test_all_of_a_folder_is_the_person_that_is_named() -> None:
    assert list(persons(collect(["ann"]))) == ["1", "2", "more"]  # as it was
    assert persons(collect(["Ann Lee=ann"])) == {"Ann Lee": ["ann/1.jpg", "ann/2.jpg", "ann/more/3.jpg"]}
    both = persons(collect(["Ann=ann/1.jpg", "Bob=y.jpg", "Ann=loose.jpg"]))
    assert both == {"Ann": ["ann/1.jpg", "loose.jpg"], "Bob": ["y.jpg"]}


def test_a_path_may_be_absolute(photos: Path) -> None:
    assert persons(collect([f"Ann={photos}/loose.jpg"])) == {"Ann": [f"{photos}/loose.jpg"]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("x=y.jpg", {"x=y": ["x=y.jpg"]}),  # a file of that name is there, though y.jpg is there too
        ("a=b", {"4": ["a=b/4.jpg"]}),
        ("./a=b/4.jpg", {"4": ["a=b/4.jpg"]}),
        ("Ann=a=b", {"Ann": ["a=b/4.jpg"]}),
        ("Ann=x=y.jpg", {"Ann": ["x=y.jpg"]}),
        ("Zoe\u0308=y.jpg", {"Zo\u00eb": ["y.jpg"]}),
        (" Ann =y.jpg", {"Ann": ["y.jpg"]}),
    ],
)
@pytest.mark.usefixtures("photos")
def test_what_is_there_as_it_is_written_goes_first(given: str, expected: dict[str, list[str]]) -> None:
    assert persons(collect([given])) == expected


@pytest.mark.usefixtures("photos")
def test_a_name_cannot_lead_out_of_the_output_folder() -> None:
    (label,) = persons(collect(["..=y.jpg"]))
    assert label not in ("", ".", "..")
    (fault,) = collect(["../../x=y.jpg"]).faults  # with a slash before the sign it is a path
    assert fault == "'../../x=y.jpg': no such file or folder"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("=y.jpg", "'=y.jpg': write NAME=PATH, with a name and a photo or folder"),
        ("  =y.jpg", "'  =y.jpg': write NAME=PATH, with a name and a photo or folder"),
        ("Ann=", "'Ann=': write NAME=PATH, with a name and a photo or folder"),
        ("Ann=none.jpg", "'Ann=none.jpg': 'none.jpg': no such file or folder"),
        ("Ann=a\0b", "'Ann=a\\x00b': 'a\\x00b': no such file or folder"),
        ("Ann=*", "'Ann=*': '*' takes no name: write -t '*'"),
        ("Ann=bank.npz", "'Ann=bank.npz': a bank already holds names: write 'bank.npz'"),
        ("Ann=empty", "'empty': the folder of 'Ann' is empty"),
    ],
)
@pytest.mark.usefixtures("photos")
def test_what_cannot_be_is_told(given: str, fault: str) -> None:
    found = collect([given])
    assert (found.faults, found.photos, found.banks, found.everyone) == ((fault,), (), (), False)


@pytest.mark.usefixtures("photos")
def test_that_there_is_no_usable_target_is_told_where_nothing_else_says_so() -> None:
    def faults(*targets: str, lookalikes: tuple[str, ...] = ()) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_gallery(targets, lookalikes, analyse=lambda path: Faces.empty(8), rule=ReferenceRule("c", 0.5))
        return caught.value.faults

    nobody = "no usable photo: no photo, folder or bank with a usable face was given with -t"
    assert faults("nothing") == ["target 'nothing': no such file or folder"]
    assert faults("loose.jpg") == ["'loose' has no usable photo: loose.jpg: no face found"]
    assert faults("empty") == ["target 'empty': the folder is empty"]
    assert len(faults("bank.npz")) == 1
    assert faults() == [nobody]
    assert faults(lookalikes=("nothing",)) == ["--not 'nothing': no such file or folder", nobody]
