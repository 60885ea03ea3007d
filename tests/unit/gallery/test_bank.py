"""Banks: what is written is read again, by nobody else; what is no bank is one line."""

import io
import os
import pickle
import stat
import zipfile

import numpy as np
import pytest
from gallery_tools import axis, mixed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastface.errors import ReferenceImageError
from fastface.gallery import bank
from fastface.gallery.bank import forget_in_bank, load_bank, save_bank
from fastface.gallery.photo_set.photos import Reference

PERSONS = {
    "Zoë": (Reference("z/1.jpg", axis(0), 100.0, 250.5, 0.875),),
    "Ann": (Reference("a.png", axis(1), 64.5, 30.0, 0.75), Reference("b.png", mixed(0.6), 50.0, 20.0, 0.5)),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "persons.npz"
    save_bank(path, "digest", PERSONS)
    return path


def changed(path, **arrays):
    """The bank with some arrays replaced; None takes one out."""
    with np.load(path) as whole:
        kept = {name: whole[name] for name in whole.files} | arrays
    np.savez(path, **{name: value for name, value in kept.items() if value is not None})
    return path


def refusal(path) -> str:
    with pytest.raises(ReferenceImageError) as caught:
        load_bank(path, "digest")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return caught.value.reason


def test_a_bank_comes_back_as_it_was(path):
    persons = load_bank(path, "digest")
    assert list(persons) == ["Ann", "Zoë"]
    for label, references in PERSONS.items():
        assert len(persons[label]) == len(references)
        for found, expected in zip(persons[label], references, strict=True):
            np.testing.assert_allclose(found.embedding, expected.embedding, atol=1e-7)
            assert (found.source, found.face_size, found.sharpness, found.det_score) == (
                expected.source,
                expected.face_size,
                expected.sharpness,
                expected.det_score,
            )


def test_only_the_owner_may_read_it(path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_same_persons_give_the_same_bytes(path, tmp_path):
    save_bank(tmp_path / "again.npz", "digest", dict(reversed(PERSONS.items())))
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_anybody_can_read_it_with_numpy(path):
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["labels"].tolist() == ["Ann", "Zoë"]
        assert arrays["person"].tolist() == [0, 0, 1]
        assert arrays["embeddings"].shape == (3, 8)
        assert str(arrays["contract"]) == "digest"


def test_a_bank_of_another_network_is_refused(path):
    with pytest.raises(ReferenceImageError, match=r"another network .*'digest'.*enroll the photos again"):
        load_bank(path, "other")


def test_labels_of_a_bank_cannot_leave_the_output_folder(path):
    for hostile in ("../../etc/x", "/etc/passwd", "a\0b", "..", "", "CON", "x\ny"):
        labels = np.array(["Ann", hostile]) if hostile > "Ann" else np.array([hostile, "Ann"])
        persons = load_bank(changed(path, labels=labels), "digest")
        assert len(persons) == 2
        for label in persons:
            assert label
            assert not label.startswith(".")
            assert not set(label) & set("/\\\0\n")


class Hostile:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_pickles_are_refused(path):
    reason = refusal(changed(path, labels=np.array([Hostile(), Hostile()], object)))
    assert reason == "damaged: labels holds object"
    path.write_bytes(pickle.dumps(Hostile()))
    assert refusal(path).startswith("not a bank")


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"embeddings": np.full((3, 8), np.nan, np.float32)}, "an embedding is not finite or has the length zero"),
        ({"embeddings": np.zeros((3, 8), np.float32)}, "an embedding is not finite or has the length zero"),
        ({"embeddings": np.ones((3, 8), np.int32)}, "damaged: embeddings holds int32"),
        ({"embeddings": np.ones((2, 8), np.float32)}, "damaged: its arrays do not belong together"),
        ({"embeddings": np.ones((0, 8), np.float32)}, "damaged: its arrays do not belong together"),
        ({"embeddings": np.ones((3, 0), np.float32)}, "damaged: its arrays do not belong together"),
        ({"embeddings": np.ones(3, np.float32)}, "damaged: its arrays do not belong together"),
        ({"embeddings": np.ones((3, 5000), np.float32)}, "damaged: its arrays do not belong together"),
        ({"person": np.array([0, 0, 2], np.int32)}, "damaged: its arrays do not belong together"),
        ({"person": np.array([0, 0, -1], np.int32)}, "damaged: its arrays do not belong together"),
        ({"sources": np.array(["a"])}, "damaged: its arrays do not belong together"),
        ({"sharpness": np.array([1, np.inf, 1], np.float32)}, "damaged: its arrays do not belong together"),
        ({"contract": np.array(["digest", "digest"])}, "damaged: its arrays do not belong together"),
        ({"schema_version": np.array(2)}, "a bank of another version of fastface; enroll the photos again"),
        ({"schema_version": np.array([1, 1])}, "a bank of another version of fastface; enroll the photos again"),
        ({"labels": None, "person": None}, "not a bank: it has no labels, person"),
    ],
)
def test_wrong_arrays_are_refused(path, arrays, reason):
    assert refusal(changed(path, **arrays)) == reason


def test_embeddings_of_another_length_are_brought_to_one(path):
    persons = load_bank(changed(path, embeddings=np.full((3, 4), 3.0)), "digest")
    np.testing.assert_allclose(persons["Ann"][0].embedding, [0.5] * 4)
    assert persons["Ann"][0].embedding.dtype == np.float32


@pytest.mark.parametrize("content", [b"", b"x", b"PK\3\4 hello", b"text\n" * 1000])
def test_what_is_no_bank_is_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    assert refusal(tmp_path / "a.npz").startswith("not a bank")


def test_what_cannot_be_read_is_refused(tmp_path):
    assert refusal(tmp_path / "nothing.npz") == "cannot be read: No such file or directory"
    assert refusal(tmp_path) == "not a file"
    os.mkfifo(tmp_path / "pipe.npz")  # opening it would wait for ever
    assert refusal(tmp_path / "pipe.npz") == "not a file"


def test_every_cut_is_refused(path):
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        assert refusal(path)


def test_more_than_a_bank_may_hold_is_refused_before_it_is_unpacked(path, monkeypatch):
    monkeypatch.setattr(bank, "_MAX_BYTES", 10_000)
    with np.load(path) as whole:
        arrays = {name: whole[name] for name in whole.files}
    np.savez_compressed(path, **(arrays | {"embeddings": np.zeros((3, 100_000), np.float32)}))
    assert path.stat().st_size < 10_000
    assert "unpacks to more" in refusal(path)
    np.savez(path, **(arrays | {"embeddings": np.zeros((3, 100_000), np.float32)}))
    assert "larger than" in refusal(path)


def with_member(path, name: str, content: bytes, *, compression: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for member, value in (members | {name: content}).items():
            archive.writestr(member, value)


def test_a_header_that_claims_more_than_is_there_is_refused(path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 512)})
    with_member(path, "embeddings.npy", header.getvalue())
    assert refusal(path) == "damaged: embeddings is cut or too long"
    with_member(path, "embeddings.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': [[[[[[")
    assert refusal(path) == "damaged: embeddings has no valid header"


def test_other_compressions_are_refused(path):
    with_member(path, "extra.npy", b"", compression=zipfile.ZIP_LZMA)
    assert refusal(path) == "damaged: its compression is not that of a bank"


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5))
def test_mutants_are_read_or_refused_and_raise_nothing_else(tmp_path, changes):
    path = tmp_path / "mutant.npz"
    save_bank(path, "digest", PERSONS)
    content = bytearray(path.read_bytes())
    for position, value in changes:
        content[position % len(content)] = value
    path.write_bytes(content)
    try:
        persons = load_bank(path, "digest")
    except ReferenceImageError as error:
        assert error.reason
    else:
        assert sum(len(references) for references in persons.values()) == 3


def test_references_of_a_forgotten_film_go_and_the_bank_with_the_last_one(tmp_path):
    path, taken = tmp_path / "Ann.npz", ("a.mp4 at 1.000 s", "b at c.mp4 at 2.500 s", "a.mp4 at 3.000 s")
    ann = tuple(Reference(source, axis(place), 100.0, 250.5, 0.875) for place, source in enumerate(taken))
    save_bank(path, "digest", {"Ann": ann})
    before = path.read_bytes()
    assert forget_in_bank(path, {"c.mp4", "b"})
    assert path.read_bytes() == before
    assert forget_in_bank(path, {"a.mp4"})
    ((label, (rest,)),) = load_bank(path, "digest").items()
    assert (label, rest.source) == ("Ann", taken[1])
    np.testing.assert_allclose(rest.embedding, axis(1), atol=1e-7)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not forget_in_bank(path, {"b at c.mp4"})
    assert not path.exists()
