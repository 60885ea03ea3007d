"""Run `fastface enroll`, and load galleries from photos for other commands; photos are read in `enrollment.process`."""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from fastface.config import Config
from fastface.enrollment.photo_pool import picture_settings, read_pictures
from fastface.errors import ConfigError, InputError, InterruptError
from fastface.gallery.photo_set.region_matching import match_regions
from fastface.gallery.photo_set.sources import Photo, collect
from fastface.gallery.photo_set.test_time_augmentation import Resampling
from fastface.gallery.photo_set.xmp_regions import Region
from fastface.gallery.references import GalleryReport, ReferenceRule, load_gallery, save_gallery
from fastface.index.photos import PhotoIndex
from fastface.pipeline.messages import Role, with_network_precision
from fastface.pipeline.process_pool import ProcessPool
from fastface.runtime.context import RunContext
from fastface.runtime.engines import ready_networks
from fastface.runtime.events.observer import Observer
from fastface.runtime.networks import Networks
from fastface.runtime.run_report import EnrollResult
from fastface.runtime.shutdown import interruptible
from fastface.types import Faces, Gallery, PhotoFaces
from fastface.version import VERSION
from fastface.video.frames.canvas import picture_limit

_SERVE = "fastface.enrollment.process:serve"
_MIN_FACE = 16

_LOOK = "any turn, with size"
"""Version of the way photos are analysed: faces stored by another version are not used."""

_PhotoFaces = dict[Path, PhotoFaces | InputError]


def enrol(
    targets: tuple[str, ...],
    config: Config,
    networks: Networks,
    interrupted: Callable[[], int | None],
    *,
    known: Path | None = None,
) -> tuple[Gallery, GalleryReport]:
    """Load the gallery of the arguments of `-t` and `--not`, with a report on each photo.

    Photos are opened in a separate process, one at a time. A photo that ends the process is left out as unusable. Banks
    contain only arrays, and are read in this process.

    Args:
        targets: Arguments of `-t`.
        config: The settings.
        networks: Networks that find and embed the faces, with the thresholds of two faces of one person.
        interrupted: Function that returns the number of a received signal.
        known: Folder that stores the faces of photos, which are then not analysed again; None stores nothing.

    Raises:
        ConfigError: A target has no usable photo, or two targets have the same face; lists all such faults.
        BackendError, ModelError, SpaceError: The networks cannot be used.
        WorkerError: The process ends with every photo.
        InterruptError: The user stopped the command.
    """
    wanted, unwanted = collect(targets), collect(config.match.lookalikes)
    photos = [*wanted.photos, *unwanted.photos]
    found = _collect_faces(dict.fromkeys(photo.path for photo in photos), config, networks, interrupted, known)
    tagged = _match_tags(photos, found)

    def analyse(path: Path) -> Faces:
        result = found.get(path, InputError(path, "it was not there when photos were listed"))
        if isinstance(result, InputError):
            raise result
        return result.faces

    def select(photo: Photo, faces: Faces) -> Faces:
        return faces if photo.region is None else faces[np.array(tagged.get(photo, ()), np.int64)]

    return load_gallery(
        wanted,
        unwanted,
        analyse=analyse,
        select=select,
        rule=ReferenceRule(
            contract=networks.contract,
            alike=networks.limits.enter,
            faces=config.references.faces,
            resampling=_resampling(config).name,
            tolerant=config.match.allow_faults,
            dimension=networks.dimension,
        ),
        check=partial(_check, interrupted),
    )


def _match_tags(photos: Iterable[Photo], found: _PhotoFaces) -> dict[Photo, tuple[int, ...]]:
    """Return {photo: row of the tagged face}, without a row if there is no face at the place of the tag."""
    of_path: dict[Path, list[tuple[Photo, Region]]] = {}
    for photo in dict.fromkeys(photos):
        if photo.region is not None:
            of_path.setdefault(photo.path, []).append((photo, photo.region))
    tagged: dict[Photo, tuple[int, ...]] = {}
    for path, regions in of_path.items():
        if isinstance(result := found.get(path), PhotoFaces):
            rows = match_regions([region for _, region in regions], result.faces, result.size)
            tagged |= {photo: () if row is None else (row,) for (photo, _), row in zip(regions, rows, strict=True)}
    return tagged


def _check(interrupted: Callable[[], int | None]) -> None:
    if (number := interrupted()) is not None:
        raise InterruptError(number)


def _collect_faces(
    paths: Collection[Path],
    config: Config,
    networks: Networks,
    interrupted: Callable[[], int | None],
    known: Path | None,
) -> _PhotoFaces:
    """Return the faces of each photo, from the folder or by analysis."""
    if known is None:
        return _read_photos(paths, config, networks, interrupted)
    index = PhotoIndex(known, _settings_key(config, networks))
    keys = {path: index.key(path) for path in paths}
    looked_up = {path: index.read(key) for path, key in keys.items()}
    found: _PhotoFaces = {path: faces for path, faces in looked_up.items() if faces is not None}
    seen = _read_photos([path for path in paths if path not in found], config, networks, interrupted)
    for path, result in seen.items():
        if isinstance(result, PhotoFaces) and index.key(path) == keys[path]:  # else the file was replaced meanwhile
            index.store(keys[path], result)
    return found | seen


def _settings_key(config: Config, networks: Networks) -> str:
    """Return a key of everything that determines a photo's faces, except the photo."""
    device = networks.device
    parts = (networks.contract, networks.models.detector.sha256, device.backend, device.provider)
    # Another precision gives other bits: photos embedded in another precision are embedded again.
    roles: tuple[Role, Role] = ("detector", "recogniser")
    precisions = (with_network_precision(device, networks.precisions, role).precision for role in roles)
    seen = (str(config.scan.det_threshold), str(_MIN_FACE), _resampling(config).name, _LOOK, VERSION)
    return " ".join([*parts, *precisions, *seen])


def _resampling(config: Config) -> Resampling:
    return Resampling(config.references.flip, config.references.jitter)


def _read_photos(
    paths: Collection[Path], config: Config, networks: Networks, interrupted: Callable[[], int | None]
) -> _PhotoFaces:
    limit = picture_limit(config.scan.max_pixels)
    settings = picture_settings(config, networks, _MIN_FACE), _resampling(config), limit
    return read_pictures(paths, lambda: ProcessPool("enrolment", _SERVE, 1, settings), interrupted, PhotoFaces)


def enrol_with_context(context: RunContext, targets: Sequence[str]) -> tuple[Gallery, GalleryReport]:
    """Run `enrol` for a command on an output folder, which keeps the faces of the photos.

    Raises:
        FastfaceError: See `enrol`.
    """
    return enrol(tuple(targets), context.config, context.networks, context.interruption, known=context.out.photos)


def enroll(config: Config, paths: Sequence[str], bank: Path, observer: Observer) -> EnrollResult:
    """Write a bank from photos.

    Args:
        config: The settings; thresholds and networks are used.
        paths: Photos, folders, banks.
        bank: File to write.
        observer: Receives the networks in use.

    Raises:
        ConfigError: A person has no usable photo, or two persons have the same face; lists all such faults.
        BackendError, ModelError: The networks cannot be used.
        InterruptError: The user stopped the command.
    """
    if bank.suffix != ".npz":
        raise ConfigError(f"--bank {str(bank)!r}: a bank's name ends with .npz")
    with interruptible() as interruption:
        networks = ready_networks(config, observer.note, interruption)
        observer.header(networks)
        gallery, report = enrol(tuple(paths), config, networks, interruption)
    save_gallery(bank, gallery, report)
    return EnrollResult(bank, gallery, report.lines)
