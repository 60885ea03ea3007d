"""Save and load banks: references of several persons in one `.npz`, for one recogniser.

Arrays of the file, k references of t persons:

    schema_version ()   int64            1
    contract       ()   text             digest of recogniser and preprocessing
    labels         (t,) text             sorted, unique
    person         (k,) int32            row of `labels`, rising
    embeddings     (k, D) float32        L2-normalised
    sources        (k,) text             the photo of each reference
    face_size, sharpness, det_score (k,) float32   see `Reference`
    resampling     (k,) text             see `Reference`; banks without it hold references of one look each

The same references give the same bytes. Pickled data is neither written nor read. Embeddings are biometric data, so a
bank has mode 0600. `references` loads and saves banks; `pick` saves them.
"""

import ast
import math
import stat
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.cosine import normalize_rows
from fastface.errors import ReferenceImageError
from fastface.files import atomic_path
from fastface.gallery.photo_set.photos import Reference
from fastface.gallery.photo_set.sources import make_label
from fastface.names import valid_text

_SCHEMA_VERSION = 1
_MAX_BYTES = 512 << 20
"""Maximum bytes of the file and of its unpacked content: a quarter of a million references."""
_MAX_DIMENSION = 4096
_LOOKS = "resampling"
_FACTS = ("face_size", "sharpness", "det_score")
_KINDS = {
    "schema_version": "iu",
    "contract": "U",
    "labels": "U",
    "person": "iu",
    "embeddings": "f",
    "sources": "U",
    **dict.fromkeys(_FACTS, "f"),
    _LOOKS: "U",
}
"""Arrays of a bank, each with its allowed kinds of dtype."""

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = slice(8, 10)
"""Offset of the header's length in an array's file of version 1.0."""

Arrays = dict[str, npt.NDArray[Any]]


def save_bank(path: Path, contract: str, persons: Mapping[str, Sequence[Reference]]) -> None:
    """Write a bank, readable by its owner only; completely or not at all.

    Args:
        path: Target file; its suffix should be `.npz`.
        contract: Contract of the recogniser that embedded the references.
        persons: References of each label; at least one label.

    Raises:
        SpaceError: No space is left.
    """
    labels = sorted(persons)
    kept = [(row, reference) for row, label in enumerate(labels) for reference in persons[label]]
    references = [reference for _, reference in kept]
    arrays: Arrays = {
        "schema_version": np.array(_SCHEMA_VERSION, np.int64),
        "contract": np.array(contract),
        "labels": np.array(labels),
        "person": np.array([row for row, _ in kept], np.int32),
        "embeddings": np.stack([reference.embedding for reference in references]).astype(np.float32),
        "sources": np.array([reference.source for reference in references]),
    }
    for name in _FACTS:
        arrays[name] = np.array([getattr(reference, name) for reference in references], np.float32)
    arrays[_LOOKS] = np.array([reference.resampling for reference in references])
    with atomic_path(path, private=True) as part:
        # Private before it holds the first byte of an embedding.
        part.touch(mode=0o600)
        with part.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)


def forget_in_bank(path: Path, videos: Collection[str]) -> bool:
    """Remove the references that `pick` took from some videos, by their names in OUT; the file goes with the last one.

    Returns:
        True if the bank still has references.

    Raises:
        SpaceError: No space is left.
    """
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    names = {valid_text(name) for name in videos}
    is_kept = np.array([source.rpartition(" at ")[0] not in names for source in arrays["sources"].tolist()], np.bool_)
    if not is_kept.any():
        path.unlink()
        return False
    if not is_kept.all():
        by_row = ("person", "embeddings", "sources", *_FACTS, _LOOKS)
        with atomic_path(path, private=True) as part, part.open("wb") as stream:
            rows = {name: values[is_kept] if name in by_row else values for name, values in arrays.items()}
            np.savez(stream, allow_pickle=False, **rows)
    return True


def load_bank(path: Path, contract: str, dimension: int | None = None) -> dict[str, tuple[Reference, ...]]:
    """Read a bank from any source, without trusting its content.

    Args:
        path: The file.
        contract: Contract of the current recogniser.
        dimension: Components of the recogniser's embeddings; None for any.

    Returns:
        The references of each label; labels are made safe for use as file names.

    Raises:
        ReferenceImageError: The file is no bank, is damaged, exceeds the size limit, or is from another network.
    """
    try:
        arrays = _arrays(path)
        _check(arrays)
        found = str(arrays["contract"])
        if found != contract:
            raise ValueError(
                f"made with another network (contract {_short(found)}, in use is {_short(contract)}):"
                " enroll the photos again, or choose the pack of that network with --pack"
            )
        length = arrays["embeddings"].shape[1]
        if dimension not in (None, length):
            raise ValueError(
                f"its embeddings have {length} components, those of the network in use {dimension}:"
                " enroll the photos again with this one"
            )
        return _persons(arrays)
    except OSError as error:
        raise ReferenceImageError(path, f"cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OverflowError) as error:
        raise ReferenceImageError(path, f"not a bank, or a damaged one: {error}") from error
    except ValueError as error:
        raise ReferenceImageError(path, str(error)) from error


def _arrays(path: Path) -> Arrays:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # opening a FIFO would block for ever
        raise ValueError("not a file")
    if status.st_size > _MAX_BYTES:
        raise ValueError(f"larger than the {_MAX_BYTES >> 20} MiB that a bank may have")
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if missing := sorted(_KINDS.keys() - members.keys() - {_LOOKS}):
            raise ValueError(f"not a bank: it has no {', '.join(missing)}")
        kept = {name: members[name] for name in _KINDS if name in members}
        if sum(info.file_size for info in kept.values()) > _MAX_BYTES:
            raise ValueError(f"unpacks to more than the {_MAX_BYTES >> 20} MiB that a bank may have")
        if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in kept.values()):
            raise ValueError("damaged: its compression is not that of a bank")
        arrays = {name: _array(name, _content(archive, info)) for name, info in kept.items()}
    return {_LOOKS: np.full(arrays["sources"].shape, ""), **arrays}


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Read as many bytes as the archive declares. Without the number, `read` would unpack a zip bomb completely."""
    with archive.open(info) as stream:
        return stream.read(info.file_size)


def _array(name: str, content: bytes) -> npt.NDArray[Any]:
    """Decode one array as a view of the bytes. The header's size is checked before memory of that size is allocated.

    NumPy's own reader is not used. It warns or fails with tokeniser errors on headers that look like Python 2.
    """
    start = _HEADER.stop + int.from_bytes(content[_HEADER], "little")
    try:
        header = ast.literal_eval(content[_HEADER.stop : start].decode("ascii").strip())
        dtype, order, shape = np.dtype(str(header["descr"])), header["fortran_order"], header["shape"]
        is_valid = content.startswith(_MAGIC) and all(type(side) is int and side >= 0 for side in shape)
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"damaged: {name} has no valid header") from error
    if not is_valid:
        raise ValueError(f"damaged: {name} has no valid header")
    if dtype.kind not in _KINDS[name]:
        raise ValueError(f"damaged: {name} holds {dtype}")
    if math.prod(shape) * dtype.itemsize != len(content) - start:
        raise ValueError(f"damaged: {name} is cut or too long")
    return np.ndarray(shape, dtype, content, start, order="F" if order is True else "C")


def _check(arrays: Arrays) -> None:
    if arrays["schema_version"].shape or int(arrays["schema_version"]) != _SCHEMA_VERSION:
        raise ValueError("a bank of another version of fastface; enroll the photos again")
    embeddings, person, labels = arrays["embeddings"], arrays["person"], arrays["labels"]
    count = len(embeddings) if embeddings.ndim == 2 else -1
    columns = [person, arrays["sources"], arrays[_LOOKS], *(arrays[name] for name in _FACTS)]
    is_whole = (
        count > 0
        and 0 < embeddings.shape[1] <= _MAX_DIMENSION
        and arrays["contract"].ndim == 0
        and labels.ndim == 1
        and all(column.shape == (count,) for column in columns)
        and all(np.isfinite(arrays[name]).all() for name in _FACTS)
        and np.array_equal(np.unique(person), np.arange(len(labels)))
    )
    if not is_whole:
        raise ValueError("damaged: its arrays do not belong together")


def _persons(arrays: Arrays) -> dict[str, tuple[Reference, ...]]:
    embeddings = normalize_rows(arrays["embeddings"])
    labels = [make_label(str(label)) for label in arrays["labels"].tolist()]
    columns = [arrays[name].astype(float).tolist() for name in _FACTS]
    texts = [list(map(valid_text, map(str, arrays[name].tolist()))) for name in ("sources", _LOOKS)]
    persons: dict[str, list[Reference]] = {}
    for row, (person, source, looks, *facts) in enumerate(
        zip(arrays["person"].tolist(), *texts, *columns, strict=True)
    ):
        face_size, sharpness, det_score = facts
        reference = Reference(source, embeddings[row], face_size, sharpness, det_score, looks)
        persons.setdefault(labels[person], []).append(reference)
    return {label: tuple(references) for label, references in persons.items()}


def _short(contract: str) -> str:
    return repr(contract[:16])
