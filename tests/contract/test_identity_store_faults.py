"""Stores of identities: several writers, kills, damage, and what must not be touched."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from store_tools import THRESHOLD, D, axis, facts, keep_only, only, opened, served, tell, unit

from fastface.census.store.base import (
    open_existing,
)
from fastface.errors import ConfigError, SpaceError, StoreError

WRITERS, SHARED, OWN, TOLD = 8, 12, 3, 60


# ── writers at once ─────────────────────────────────────────────────────────────────────────────────────────────────


def faces_of(count: int, place: int) -> int:
    return 1 + (7 * count + place) % 5


def process(function: str, *arguments: str | int) -> subprocess.Popen[bytes]:
    """A function of this module in a process of its own; `multiprocessing` would leave a tracker behind."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; import {__name__} as own; own.{function}(*{arguments!r})"
    return subprocess.Popen([sys.executable, "-c", code])


def write_many(where: str, writer: int, gate: str) -> None:
    """One of the writers: sightings of persons that all see, of persons that it alone sees, and one that all tell."""
    rng = np.random.default_rng(writer)
    Path(f"{gate}.{writer}").touch()
    while not Path(gate).exists():
        time.sleep(0.001)
    with opened(where) as store:
        for turn in range(TOLD):
            person = (turn + writer) % SHARED
            face = unit(axis(person) + rng.normal(0, 0.02, D))
            tell(store, face, f"v{writer}-{turn}", count=faces_of(turn, writer), seen=turn)
        for own in range(OWN):
            tell(store, axis(SHARED + writer * OWN + own), f"v{writer}-0", f"own{own}", count=100)
        for person in range(SHARED):
            tell(store, axis(person), "everybody's", str(person), count=1000)


def test_writers_at_once_lose_nothing_and_double_nothing(where: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    writers = [process("write_many", where, number, str(gate)) for number in range(WRITERS)]
    while len(list(tmp_path.glob("gate.*"))) < WRITERS:
        assert [writer.poll() for writer in writers] == [None] * WRITERS
        time.sleep(0.01)
    gate.touch()
    assert [writer.wait(120) for writer in writers] == [0] * WRITERS
    told: dict[int, list[int]] = {person: [1000] for person in range(SHARED)}
    for writer in range(WRITERS):
        for turn in range(TOLD):
            told[(turn + writer) % SHARED].append(faces_of(turn, writer))
    with opened(where) as store:
        found = store.identities()
    persons = {int(np.argmax(one.centroid)): one for one in found}
    assert sorted(one.number for one in found) == list(range(1, SHARED + WRITERS * OWN + 1))
    assert sorted(persons) == list(range(SHARED + WRITERS * OWN))
    for person, one in persons.items():
        counts = told.get(person, [100])
        assert (one.count, one.sources) == (sum(counts), len(counts)), person


def tell_some(where: str) -> None:
    with opened(where) as store:
        for place in range(5):
            tell(store, axis(place), str(place), count=place + 1)


@pytest.mark.parametrize(("place", "left"), [("begin:kill:4", 2), ("commit:kill:3", 2), ("committed:kill:3", 3)])
def test_a_writer_that_is_killed_leaves_whole_changes(
    where: str, monkeypatch: pytest.MonkeyPatch, place: str, left: int
) -> None:
    with opened(where) as store:
        store.identities()
    # The first visit of `begin` is that of opening.
    with monkeypatch.context() as patch:
        patch.setenv("FASTFACE_FAILPOINT", f"identities.{place}")
        writer = process("tell_some", where)
        assert writer.wait(60) == -signal.SIGKILL
    with opened(where) as store:
        assert facts(store) == [(number, "", number, 1) for number in range(1, left + 1)]
        tell_some(where)
        assert facts(store) == [(number, "", number, 1) for number in range(1, 6)]


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_its_owners_alone_and_its_folder_if_it_is_made(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for path in (tmp_path / "identities.db", tmp_path / "new" / "identities.db"):
        with opened(str(path)) as store:
            tell(store, axis(0), "a")
            modes = {one.name: one.stat().st_mode & 0o777 for one in path.parent.iterdir() if one.is_file()}
        assert modes == dict.fromkeys(("identities.db", "identities.db-wal", "identities.db-shm"), 0o600)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_nothing_of_a_face_is_left_in_a_file_that_is_cleared(tmp_path: Path) -> None:
    path = tmp_path / "identities.db"
    face = unit(np.random.default_rng(2).normal(size=D)).astype(np.float32)
    with opened(str(path)) as store:
        tell(store, face, "a-secret-source")
        store.name(1, "Alice")

        def found(secret: bytes) -> bool:
            return any(secret in one.read_bytes() for one in tmp_path.iterdir())

        centroid = only(store).centroid.tobytes()[:64]
        secrets = (centroid, b"Alice", b"a-secret-source")
        assert all(map(found, secrets))
        store.clear()
        assert not any(map(found, secrets))


def test_nothing_is_left_of_a_face_that_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "identities.db"
    with opened(str(path)) as store:
        for number in range(1, 4):
            tell(store, np.random.default_rng(number).normal(size=D), str(number))
        gone, *kept = (one.centroid.tobytes() for one in store.identities())
        keep_only(store, "1", [])
    content = path.read_bytes()
    assert [one in content for one in (gone, *kept)] == [False, True, True]


def test_files_that_are_no_stores_are_told_in_a_line_and_left_alone(tmp_path: Path) -> None:
    junk, cut, foreign = tmp_path / "junk", tmp_path / "cut", tmp_path / "foreign"
    junk.write_bytes(b"no database at all, but long enough to be one" * 100)
    junk.chmod(0o644)
    with opened(str(cut)) as store:
        for place in range(D):
            tell(store, axis(place), str(place))
    cut.write_bytes(cut.read_bytes()[:8192] + b"\xff" * 30000)
    database = sqlite3.connect(foreign)
    database.execute("CREATE TABLE theirs (x)")
    database.close()
    before = foreign.read_bytes()
    (tmp_path / "folder").mkdir()
    expected = {junk: "damaged", cut: "damaged", foreign: "another program", tmp_path / "folder": "not a file"}
    for path, why in expected.items():
        with pytest.raises(StoreError, match=why) as told, opened(str(path)) as store:
            tell(store, axis(0), "a")
        assert "\n" not in str(told.value)
        assert str(path) in str(told.value)
    assert foreign.read_bytes() == before
    assert junk.stat().st_mode & 0o777 == 0o644
    with pytest.raises(StoreError, match="no store"):
        open_existing(str(tmp_path / "nothing"))
    assert not (tmp_path / "nothing").exists()


def test_a_look_that_is_damaged_is_told(tmp_path: Path) -> None:
    path = tmp_path / "identities.db"
    with opened(str(path)) as store:
        tell(store, axis(0), "a")
    good = path.read_bytes()
    for damage in (
        "UPDATE looks SET content = substr(content, 1, 90)",
        "UPDATE looks SET content = 'text'",
        "UPDATE state SET value = 'x' WHERE field = 'version'",
        "DELETE FROM state WHERE field = 'contract'",
        "UPDATE sightings SET parts = '{\"0\": [9, 1]}'",
        "UPDATE sightings SET parts = '[]'",
    ):
        path.write_bytes(good)
        database = sqlite3.connect(path, isolation_level=None)
        database.execute(damage)
        database.close()
        with pytest.raises(StoreError, match="damaged"), opened(str(path)) as store:
            tell(store, axis(0), "a", count=2)


def test_a_full_disk_is_told_and_what_was_told_before_stays(tmp_path: Path) -> None:
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be made here: {done.stderr.strip()}")
    told = 0
    try:
        with opened(str(disk / "identities.db")) as store:
            with pytest.raises(SpaceError, match="no space left to write"):
                for told in range(5000):
                    tell(store, axis(told % D), str(told))
            assert sum(one.count for one in store.identities()) == told
        shutil.copytree(disk, copy)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    with opened(str(copy / "identities.db")) as store:
        assert tell(store, axis(told % D), str(told)) == told % D + 1
        assert sum(one.count for one in store.identities()) == told + 1


def test_a_file_that_stays_in_use_is_told(tmp_path: Path) -> None:
    from fastface.census.store.base import ComparisonRules
    from fastface.census.store.sqlite import SqliteStore

    path = tmp_path / "identities.db"
    with SqliteStore(path, ComparisonRules("abc", D, THRESHOLD, 30), patience=0.2) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"in use by others for 0\.2 seconds"):
            tell(store, axis(0), "a")
        other.close()
        assert tell(store, axis(0), "a") == 1


# ── the server ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_of_others_on_a_server_is_touched(socket: Path) -> None:
    import redis

    prefixes = ("ours:", "ours:too:", "o*")
    with redis.Redis(unix_socket_path=str(socket)) as client:
        client.flushall()
        client.set("ours", "theirs")
        client.set("ours:x", "theirs")
        stores = [opened(f"unix://{socket}?prefix={prefix}") for prefix in prefixes]
        for number, store in enumerate(stores):
            assert tell(store, axis(number), "a") == 1
        kept = {key for key in client.scan_iter() if not key.startswith((b"ours:s", b"ours:l", b"ours:c"))}
        stores[0].clear()
        assert set(client.scan_iter()) == kept
        assert len(kept) == 2 + 2 * 4
        assert client.get("ours") == client.get("ours:x") == b"theirs"
        assert [len(facts(store)) for store in stores] == [0, 1, 1]
        with opened(f"unix://{socket}") as store:
            tell(store, axis(0), "a")
        assert client.exists("fastface:identities:state") == 1
        for store in stores:
            store.__exit__()


def test_a_server_that_ends_is_told_and_one_that_comes_back_is_used(tmp_path: Path) -> None:
    with served(tmp_path) as path:
        store = opened(f"unix://{path}")
        tell(store, axis(0), "a")
    for call in (store.identities, store.clear, lambda: opened(f"unix://{path}")):
        with pytest.raises(StoreError, match="cannot use unix://") as told:
            call()
        assert "\n" not in str(told.value)
    with served(tmp_path), store:
        assert store.identities() == []  # this server keeps nothing
        assert tell(store, axis(1), "b") == 1


def test_what_others_change_in_the_middle_is_not_taken_for_damage(
    socket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, interruptions = f"unix://{socket}?prefix={tmp_path.name}:", [1]
    with opened(where) as store, opened(where) as other:
        tell(store, axis(0), "a")

        def interrupt(name: str) -> None:
            if name == "identities.begin" and interruptions:
                interruptions.pop()
                assert tell(other, axis(1), "a", "1") == 2

        monkeypatch.setattr("fastface.census.store.redis.fail_point", interrupt)
        assert tell(store, axis(2), "a", "2") == 3
        interruptions.append(2)
        keep_only(store, "a", ["0", "2"])
        assert facts(store) == facts(other) == [(1, "", 1, 1), (3, "", 1, 1)]
    assert not interruptions


def test_keys_of_another_kind_and_a_full_server_are_told(tmp_path: Path) -> None:
    import redis

    with served(tmp_path) as path, redis.Redis(unix_socket_path=str(path)) as client:
        client.set("theirs:state", "text")
        with pytest.raises(StoreError, match="WRONGTYPE"):
            opened(f"unix://{path}?prefix=theirs:")
        with opened(f"unix://{path}") as store:
            client.config_set("maxmemory", "1")
            with pytest.raises(SpaceError, match="no space left on unix://"):
                tell(store, axis(0), "a")
            client.config_set("maxmemory", "0")
            assert tell(store, axis(0), "a") == 1


def test_no_message_holds_a_password(tmp_path: Path) -> None:
    import redis

    with served(tmp_path) as path, redis.Redis(unix_socket_path=str(path)) as client:
        client.config_set("requirepass", "right-one")
        with opened(f"unix://:right-one@{path}") as store:
            assert tell(store, axis(0), "a") == 1
        with opened(f"unix://{path}?password=right-one") as store:
            assert len(facts(store)) == 1
        addresses = [
            f"unix://:hunter2@{path}",
            f"unix://{path}?password=hunter2",
            "redis://user:hunter2@localhost:1/0",
            "redis://:hunter2/x@localhost",
            "redis://:hunter2#x@localhost",
            "redis://:1?hunter2@localhost",
            "redis://localhost/hunter2",
            "redis://localhost?hunter2=1",
            "redis://:hunter2@localhost?db=hunter2",
            "redis://:hunter2@",
            "mongodb://:hunter2@localhost",
        ]
        for address in addresses:
            with pytest.raises((StoreError, ConfigError)) as told:
                opened(address)
            assert "hunter2" not in str(told.value), address
            assert "\n" not in str(told.value)
            assert told.value.__cause__ is None


def test_a_missing_package_is_told_with_what_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigError, match=r"pip install '\.\[redis\]'"):
        opened("redis://localhost")
