"""Recognize networks by their graphs, and keep their rewritten forms in a cache.

`runtime.networks` and `packs` call it. ONNX is not loaded if the cache has the answer. `graph_detector`,
`graph_recogniser` and `graph_person` rewrite.
"""

import hashlib
from pathlib import Path
from typing import Literal

from fastface.errors import ConfigError, ModelError
from fastface.files import atomic_path
from fastface.models.facts import KIND_WORDS, GraphFacts, note_facts, noted_facts

_Prepared = Literal["detector", "recogniser", "person"]

REWRITE_VERSION = 3
"""Version of rewritten graphs. Raise it if one changes, so that old caches are ignored."""


def inspect_graph(path: Path, cache_folder: Path | None = None, *, digest: str = "") -> GraphFacts:
    """Recognize a network by inputs, outputs and operations, never by its file name.

    Args:
        path: The ONNX file.
        cache_folder: Folder in which the facts are stored for the next time; None stores nothing.
        digest: SHA-256 of the file in hexadecimal, if the caller has it: a known file is not read again.

    Raises:
        ModelError: The file is no ONNX, is cut, keeps weights in other files, or is newer than this installation.
    """
    if digest and cache_folder is not None and (noted := noted_facts(digest, cache_folder)):
        return noted
    content = _read_graph(path)
    digest = hashlib.sha256(content).hexdigest()
    if cache_folder is not None and (noted := noted_facts(digest, cache_folder)):
        return noted
    from fastface.models.graph_read import judge_graph, parse_graph  # noqa: PLC0415 - see the module's docstring

    facts = judge_graph(parse_graph(path, content))
    if cache_folder is not None:
        note_facts(digest, facts, cache_folder)
    return facts


def prepare_detector(path: Path, cache_folder: Path, *, digest: str = "") -> Path:
    """Return the detector rewritten by `rewrite_detector`, from the cache or made now.

    Args:
        path: The ONNX file.
        cache_folder: Folder of rewritten networks.
        digest: See `inspect_graph`.

    Raises:
        ModelError: The file is damaged or no SCRFD.
        SpaceError: No space is left for the cache.
        ConfigError: The cache cannot be written.
    """
    return _prepare(path, cache_folder, "detector", digest)


def prepare_recogniser(path: Path, cache_folder: Path, *, digest: str = "") -> Path:
    """Return the recogniser rewritten by `rewrite_recogniser`, from the cache or made now.

    Args:
        path: The ONNX file.
        cache_folder: Folder of rewritten networks.
        digest: See `inspect_graph`.

    Raises:
        ModelError: The file is damaged or no ArcFace network.
        SpaceError: No space is left for the cache.
        ConfigError: The cache cannot be written.
    """
    return _prepare(path, cache_folder, "recogniser", digest)


def prepare_person(path: Path, cache_folder: Path, *, digest: str = "") -> Path:
    """Return the person network rewritten by `rewrite_person`, from the cache or made now.

    Args:
        path: The ONNX file.
        cache_folder: Folder of rewritten networks.
        digest: See `inspect_graph`.

    Raises:
        ModelError: The file is damaged or no YOLO that detects persons.
        SpaceError: No space is left for the cache.
        ConfigError: The cache cannot be written.
    """
    return _prepare(path, cache_folder, "person", digest)


def _prepare(path: Path, cache_folder: Path, kind: _Prepared, digest: str) -> Path:
    if digest and _is_there(cached := _place(cache_folder, kind, digest)):
        return cached
    content = _read_graph(path)
    cached = _place(cache_folder, kind, hashlib.sha256(content).hexdigest())
    if _is_there(cached):
        return cached
    rewritten = _rewritten(path, content, kind)
    try:
        with atomic_path(cached) as part:
            part.write_bytes(rewritten)
    except ConfigError as error:
        raise ConfigError(f"{error} by setting XDG_CACHE_HOME: networks are kept there in a faster form") from error
    return cached


def _place(cache_folder: Path, kind: _Prepared, digest: str) -> Path:
    return cache_folder / f"{kind}-{digest[:16]}-v{REWRITE_VERSION}.onnx"


def _rewritten(path: Path, content: bytes, kind: _Prepared) -> bytes:
    from fastface.models.detectors.graph_detector import rewrite_detector  # noqa: PLC0415 - see the module's docstring
    from fastface.models.graph_person import rewrite_person  # noqa: PLC0415
    from fastface.models.graph_read import judge_graph, parse_graph  # noqa: PLC0415
    from fastface.models.graph_recogniser import rewrite_recogniser  # noqa: PLC0415

    model = parse_graph(path, content)
    facts = judge_graph(model)
    if facts.kind != kind:
        found = facts.reason or f"it is a {KIND_WORDS[facts.kind]}"
        raise ModelError(f"{str(path)!r} is no {KIND_WORDS[kind]}: {found}")
    {"detector": rewrite_detector, "recogniser": rewrite_recogniser, "person": rewrite_person}[kind](model)
    return bytes(model.SerializeToString())


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder without access: the write reports the error
        return False


def _read_graph(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the network {str(path)!r}: {error.strerror}") from error
