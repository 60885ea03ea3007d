"""Installing a pack from a server in memory: whole and as published, or nothing at all."""

import errno
import hashlib
import io
import urllib.error
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fastface.errors import ModelError, SpaceError
from fastface.models import download
from fastface.models.catalog import KNOWN_NETWORKS, PACKS, KnownNetwork, PublishedPack
from fastface.models.download import LICENCE_FILE, install

DETECTOR, RECOGNISER = b"detector" * 1000, b"recogniser" * 1000


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


GOOD = zipped({"toy_det.onnx": DETECTOR, "toy_rec.onnx": RECOGNISER, "genderage.onnx": b"x", "readme.txt": b"x"})


class Response(io.BytesIO):
    """What urlopen gives: a stream with headers."""

    def __init__(self, content: bytes, length: int | None = None) -> None:
        super().__init__(content)
        self.headers = {"Content-Length": str(len(content) if length is None else length)}


class Server:
    """Answers by address; counts what it was asked."""

    def __init__(self, answer: Callable[[str], Response]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def __call__(self, url: str) -> Response:
        assert url.startswith("https://")
        self.asked.append(url)
        return self.answer(url)


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[..., PublishedPack]:
    """Puts a pack `toy` of two tiny networks into the catalogue; the archive's digest is given."""

    def put(sha256: str | None) -> PublishedPack:
        monkeypatch.setitem(KNOWN_NETWORKS, "toy_det", KnownNetwork("toy_det", "detector", digest(DETECTOR)))
        monkeypatch.setitem(KNOWN_NETWORKS, "toy_rec", KnownNetwork("toy_rec", "recogniser", digest(RECOGNISER), 512))
        monkeypatch.setitem(PACKS, "toy", PublishedPack("toy", "toy_det", "toy_rec", 1, sha256))
        return PACKS["toy"]

    return put


def assert_nothing_installed(destination: Path) -> None:
    assert list(destination.rglob("*")) == []


def test_pack_is_installed_with_its_licence(publish, tmp_path: Path) -> None:
    pack = publish(digest(GOOD))
    server = Server(lambda url: Response(GOOD))
    folder = install("toy", tmp_path, accept_license=True, opener=server)
    assert folder == tmp_path / "toy"
    assert sorted(path.name for path in tmp_path.rglob("*")) == [LICENCE_FILE, "toy", "toy_det.onnx", "toy_rec.onnx"]
    assert (folder / "toy_det.onnx").read_bytes() == DETECTOR
    assert (folder / "toy_rec.onnx").read_bytes() == RECOGNISER
    assert pack.licence in (folder / LICENCE_FILE).read_text()
    assert server.asked == [pack.urls[0]]


def test_whole_pack_is_not_fetched_again(publish, tmp_path: Path) -> None:
    publish(digest(GOOD))
    server = Server(lambda url: Response(GOOD))
    install("toy", tmp_path, accept_license=True, opener=server)
    install("toy", tmp_path, opener=server)
    assert len(server.asked) == 1


def test_damaged_pack_is_replaced(publish, tmp_path: Path) -> None:
    publish(digest(GOOD))
    server = Server(lambda url: Response(GOOD))
    folder = install("toy", tmp_path, accept_license=True, opener=server)
    (folder / "toy_det.onnx").write_bytes(DETECTOR[:100])
    install("toy", tmp_path, opener=server)
    assert (folder / "toy_det.onnx").read_bytes() == DETECTOR
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_own_networks_in_a_packs_folder_stay(publish, tmp_path: Path) -> None:
    publish(digest(GOOD))
    own = tmp_path / "toy" / "mine" / "own.txt"
    own.parent.mkdir(parents=True)
    own.write_text("months of work")
    (tmp_path / "toy" / "my_det.onnx").write_bytes(b"mine")
    (tmp_path / "toy" / "toy_rec.onnx").write_bytes(b"cut")
    folder = install("toy", tmp_path, accept_license=True, opener=Server(lambda url: Response(GOOD)))
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found.pop(LICENCE_FILE)
    assert found == {
        "mine/own.txt": b"months of work",
        "my_det.onnx": b"mine",
        "toy_det.onnx": DETECTOR,
        "toy_rec.onnx": RECOGNISER,
    }
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_own_networks_stay_when_an_install_fails(publish, tmp_path: Path) -> None:
    publish(digest(GOOD))
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy_rec.onnx").write_bytes(b"converted")
    with pytest.raises(ModelError):
        install("toy", tmp_path, accept_license=True, opener=Server(lambda url: Response(GOOD[:-100])))
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "toy").iterdir()] == [("toy_rec.onnx", b"converted")]


def test_licence_must_be_accepted_once(publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(digest(GOOD))
    server = Server(lambda url: Response(GOOD))
    with pytest.raises(ModelError, match=r"non-commercial.*--accept-license"):
        install("toy", tmp_path, opener=server)
    assert server.asked == []
    assert_nothing_installed(tmp_path)
    install("toy", tmp_path, accept_license=True, opener=server)
    monkeypatch.setitem(PACKS, "toy2", PublishedPack("toy2", "toy_det", "toy_rec", 1, digest(GOOD)))
    assert install("toy2", tmp_path, opener=server).is_dir()


def test_mirror_is_asked_second(publish, tmp_path: Path) -> None:
    pack = publish(digest(GOOD))

    def answer(url: str) -> Response:
        if url == pack.urls[0]:
            raise urllib.error.HTTPError(url, 404, "Not Found", None, None)  # type: ignore[arg-type]
        return Response(GOOD)

    server = Server(answer)
    install("toy", tmp_path, accept_license=True, opener=server)
    assert server.asked == list(pack.urls)


def offline(url: str) -> Response:
    raise urllib.error.URLError("[Errno -3] Temporary failure in name resolution")


def reset(url: str) -> Response:
    raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (offline, "name resolution"),
        (reset, "Connection reset"),
        (lambda url: Response(GOOD[:-100], length=len(GOOD)), rf"cut after {len(GOOD) - 100} of {len(GOOD)} bytes"),
        (lambda url: Response(GOOD[:-1] + b"x"), "published is"),
        (lambda url: Response(b"x" * 5_000_000), "more than the"),
    ],
    ids=["offline", "reset", "cut", "wrong digest", "too large"],
)
def test_bad_download_installs_nothing(answer: Callable[[str], Response], said: str, publish, tmp_path: Path) -> None:
    pack = publish(digest(GOOD))
    server = Server(answer)
    with pytest.raises(ModelError, match=said) as caught:
        install("toy", tmp_path, accept_license=True, opener=server)
    assert server.asked == list(pack.urls)
    assert f"to install it by hand: download {pack.urls[0]} on a machine with internet" in str(caught.value)
    assert caught.value.exit_code == 1
    assert_nothing_installed(tmp_path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"../toy_det.onnx": DETECTOR, "toy_rec.onnx": RECOGNISER}, r"holds no toy_det\.onnx"),
        ({"/tmp/toy_det.onnx": DETECTOR, "toy_rec.onnx": RECOGNISER}, r"holds no toy_det\.onnx"),
        ({"toy_det.onnx": DETECTOR}, r"holds no toy_rec\.onnx"),
        ({"toy_det.onnx": DETECTOR, "toy_rec.onnx": RECOGNISER + b"x"}, r"toy_rec\.onnx of toy is not the published"),
    ],
    ids=["parent", "absolute", "lacking", "other content"],
)
def test_hostile_archive_without_a_pinned_digest_installs_nothing(
    files: dict[str, bytes], said: str, publish, tmp_path: Path
) -> None:
    publish(None)
    destination = tmp_path / "models"
    destination.mkdir()
    with pytest.raises(ModelError, match=said):
        install("toy", destination, accept_license=True, opener=Server(lambda url: Response(zipped(files))))
    assert [path.name for path in tmp_path.iterdir()] == ["models"]
    assert_nothing_installed(destination)


def test_pack_without_a_pinned_archive_is_checked_by_file(publish, tmp_path: Path) -> None:
    publish(None)
    nested = zipped({"toy/toy_det.onnx": DETECTOR, "toy/toy_rec.onnx": RECOGNISER})
    folder = install("toy", tmp_path, accept_license=True, opener=Server(lambda url: Response(nested)))
    assert (folder / "toy_det.onnx").read_bytes() == DETECTOR


def test_no_archive_at_all_installs_nothing(publish, tmp_path: Path) -> None:
    publish(None)
    with pytest.raises(ModelError, match="is damaged, nothing was installed"):
        install("toy", tmp_path, accept_license=True, opener=Server(lambda url: Response(b"<html>sorry</html>")))
    assert_nothing_installed(tmp_path)


def test_network_larger_than_any_is_refused(publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(digest(GOOD))
    monkeypatch.setattr(download, "_MAX_NETWORK_BYTES", len(DETECTOR) - 1)
    with pytest.raises(ModelError, match=r"holds no toy_det\.onnx"):
        install("toy", tmp_path, accept_license=True, opener=Server(lambda url: Response(GOOD)))
    assert_nothing_installed(tmp_path)


def test_full_disk_is_told_as_such(publish, tmp_path: Path) -> None:
    publish(digest(GOOD))

    class Full(Response):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SpaceError):
        install("toy", tmp_path, accept_license=True, opener=Server(lambda url: Full(GOOD)))
    assert_nothing_installed(tmp_path)


def test_unknown_pack_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no pack 'x' in the catalogue; there are: buffalo_l, .*buffalo_sc"):
        install("x", tmp_path, accept_license=True)


def test_destination_that_is_a_file_is_an_error(publish, tmp_path: Path) -> None:
    publish(digest(GOOD))
    (tmp_path / "models").touch()
    with pytest.raises(ModelError, match="cannot install into"):
        install("toy", tmp_path / "models", accept_license=True, opener=Server(lambda url: Response(GOOD)))
