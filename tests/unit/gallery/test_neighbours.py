"""References of different persons that are alike: against plain products of all pairs."""

import time

import numpy as np
import pytest

from fastface.errors import ConfigError
from fastface.gallery.bank import load_bank
from fastface.gallery.neighbours import find_neighbours
from fastface.gallery.references import ReferenceRule, load_gallery


def unit_vectors(count: int, seed: int, dimension: int = 64) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 700])
def test_neighbours_are_those_of_all_pairs(count):
    embeddings = unit_vectors(count, count)
    person = np.sort(np.random.default_rng(0).integers(0, max(1, count // 2), count))
    found = find_neighbours(embeddings, person, 0.3)
    every = embeddings.astype(float) @ embeddings.T.astype(float)
    other = person[:, None] != person
    wanted = {tuple(pair) for pair in np.argwhere(np.triu(other & (every >= 0.3), 1)).tolist()}
    assert {tuple(pair) for pair in found.pairs.tolist()} == wanted
    assert len(found.pairs) == len(wanted)
    every[~other] = -2
    has_other = other.any(axis=1)
    np.testing.assert_allclose(found.similarity, every.max(axis=1, initial=-2), atol=1e-6)
    assert found.nearest[has_other].tolist() == every.argmax(axis=1)[has_other].tolist()
    assert (found.nearest[~has_other] == -1).all()


def test_one_person_under_very_many_labels_is_one_group_of_bounded_size():
    embeddings = np.repeat(unit_vectors(1, 0), 2000, axis=0)
    found = find_neighbours(embeddings, np.arange(2000), 0.5)
    assert 1999 <= len(found.pairs) <= 64 * 2000


def test_a_signal_ends_the_comparison():
    def check() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_neighbours(unit_vectors(10, 0), np.arange(10), 0.5, check)


def written(path, embeddings: np.ndarray) -> None:
    """A bank of one reference a person, as `enroll` writes it, but without its code."""
    count = len(embeddings)
    np.savez(
        path,
        schema_version=np.array(1),
        contract=np.array("c"),
        labels=np.array([f"p{number:06d}" for number in range(count)]),
        person=np.arange(count, dtype=np.int32),
        embeddings=embeddings,
        sources=np.array([f"{number}.jpg" for number in range(count)]),
        **{name: np.full(count, 100, np.float32) for name in ("face_size", "sharpness", "det_score")},
    )


def test_thousands_of_persons_take_seconds(tmp_path):
    embeddings = unit_vectors(5000, 1, 512)
    embeddings[4000] = embeddings[17]
    written(tmp_path / "b.npz", embeddings)
    started = time.process_time()
    gallery, report = load_gallery([tmp_path / "b.npz"], analyse=None, rule=ReferenceRule("c", 0.45, tolerant=True))
    # Pair by pair this took six minutes.
    assert time.process_time() - started < 20
    assert len(gallery.targets) == 5000
    (fault,) = report.faults
    assert fault.startswith("'p000017', 'p004000' have the same face (17.jpg and 4000.jpg: 1.00)")
    assert (report.photos[17].nearest_other, report.photos[4000].nearest_other) == ("p004000", "p000017")


def test_a_bank_of_another_length_is_one_plain_line(tmp_path):
    written(tmp_path / "b.npz", unit_vectors(3, 0, 128))
    assert len(load_bank(tmp_path / "b.npz", "c", 128)) == 3
    with pytest.raises(ConfigError) as caught:
        load_gallery([tmp_path / "b.npz"], analyse=None, rule=ReferenceRule("c", 0.45, dimension=512))
    assert caught.value.exit_code == 2
    (fault,) = caught.value.faults
    assert "its embeddings have 128 components, those of the network in use 512: enroll the photos again" in fault
