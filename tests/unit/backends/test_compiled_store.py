"""The store of compiled networks: what is read is what was written, or nothing."""

from pathlib import Path

import numpy as np
import pytest
from backends_tools import CPU_DEVICES, SMALL, noise, open_on, write_small_graph

from fastface.backends import compiled_store
from fastface.backends.compiled_store import CompiledStore


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return write_small_graph(tmp_path / "small.onnx")


def stored(cache: Path) -> list[Path]:
    return sorted((cache / "compiled").rglob("*.bin"))


def test_a_form_is_read_by_its_facts_alone(graph: Path, tmp_path: Path) -> None:
    store = CompiledStore(graph, tmp_path / "cache")
    assert store.is_empty
    store.save(b"one", (32, 48, 3), {"threads": 2})
    assert not store.is_empty
    assert store.load((32, 48, 3), {"threads": 2}) == b"one"
    assert store.load((32, 48, 3), {"threads": 1}) is None
    assert store.load((32, 32, 3), {"threads": 2}) is None


def test_another_network_version_or_processor_has_other_forms(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CompiledStore(graph, tmp_path / "cache").save(b"one", 1)
    other = tmp_path / "other.onnx"
    other.write_bytes(graph.read_bytes() + b"\0")
    assert CompiledStore(other, tmp_path / "cache").load(1) is None
    monkeypatch.setattr(compiled_store, "processor_key", lambda _: "another processor, or version")
    assert CompiledStore(graph, tmp_path / "cache").load(1) is None


@pytest.mark.parametrize("place", [0, 3, 4, -1])
def test_a_damaged_form_is_not_read(graph: Path, tmp_path: Path, place: int) -> None:
    store = CompiledStore(graph, tmp_path / "cache")
    store.save(b"a compiled network", 1)
    (file,) = stored(tmp_path / "cache")
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    assert store.load(1) is None
    file.write_bytes(content[:3])
    assert store.load(1) is None


def test_the_oldest_forms_are_removed(graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_store, "_MOST_FILES", 2)
    store = CompiledStore(graph, tmp_path / "cache")
    for number in range(4):
        store.save(b"%d" % number, number)
    assert len(stored(tmp_path / "cache")) == 2
    assert store.load(3) == b"3"


def test_a_large_network_is_not_stored(graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_store, "_LARGEST_GRAPH", 10)
    with monkeypatch.context() as unread:
        unread.delattr(Path, "read_bytes")  # each process would read hundreds of megabytes in vain
        store = CompiledStore(graph, tmp_path / "cache")
        assert (store.is_used, store.is_empty, store.load(1)) == (False, True, None)
    session = open_on(CPU_DEVICES["openvino"](), graph, SMALL, tmp_path / "cache")
    assert len(session.infer(noise(SMALL))) == 2
    assert stored(tmp_path / "cache") == []


def test_a_folder_that_cannot_be_written_costs_only_time(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a folder")
    session = open_on(CPU_DEVICES["openvino"](), graph, SMALL, tmp_path / "cache")
    assert len(session.infer(noise(SMALL))) == 2


def test_a_stored_network_gives_the_same_bits_and_is_not_compiled(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, cache = CPU_DEVICES["openvino"](), tmp_path / "cache"
    compiled = open_on(device, graph, SMALL, cache).infer(noise(SMALL))
    (file,) = stored(cache)
    assert file.stat().st_size > 1000
    session = open_on(device, graph, SMALL, cache)
    monkeypatch.setattr(type(session), "_model", None)  # a compilation would need it
    for first, second in zip(compiled, session.infer(noise(SMALL)), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_stored_network_that_openvino_refuses_is_compiled_again(graph: Path, tmp_path: Path) -> None:
    device, cache = CPU_DEVICES["openvino"](), tmp_path / "cache"
    compiled = open_on(device, graph, SMALL, cache).infer(noise(SMALL))
    (file,) = stored(cache)
    whole = file.read_bytes()
    junk = b"no network"
    file.write_bytes(compiled_store._checksum(junk) + junk)
    again = open_on(device, graph, SMALL, cache).infer(noise(SMALL))
    np.testing.assert_array_equal(again[0], compiled[0])
    assert file.read_bytes() != compiled_store._checksum(junk) + junk
    assert len(file.read_bytes()) == len(whole)
