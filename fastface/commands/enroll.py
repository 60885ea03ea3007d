"""Run `fastface enroll`, and load galleries from photos for other commands; photos are read in `enrollment.process`."""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from fastface.config import Config
from fastface.distribution import read_version
from fastface.enrollment.photo_pool import STALL_SECONDS, picture_settings, read_pictures
from fastface.errors import ConfigError, InputError, InterruptError
from fastface.gallery.photo_set.region_matching import match_regions
from fastface.gallery.photo_set.sources import Photo, collect
from fastface.gallery.photo_set.test_time_augmentation import Resampling
from fastface.gallery.photo_set.xmp_regions import Region
from fastface.gallery.references import GalleryReport, ReferenceRule, load_gallery, save_gallery
from fastface.index.photos import PhotoIndex
from fastface.pipeline.messages import Role, with_network_precision
from fastface.pipeline.process_pool import ProcessPool
from fastface.pipeline.task_pool import TaskRun
from fastface.runtime.context import RunContext
from fastface.runtime.engines import ready_networks
from fastface.runtime.events.observer import Observer
from fastface.runtime.networks import Networks
from fastface.runtime.run_report import EnrollResult
from fastface.runtime.shutdown import interruptible
from fastface.types import Faces, Gallery, PhotoFaces
from fastface.video.frames.canvas import picture_limit

_SERVE = "fastface.enrollment.process:serve"
_MIN_FACE = 16

_LOOK = "any turn, with size"
"""Version of the way photos are analysed: faces stored by another version are not used."""

Interrupted = Callable[[], int | None]
_PhotoFaces = dict[Path, PhotoFaces | InputError]


class Enrolment:
    """Load the gallery of the arguments of `-t` and `--not`. Use as a context manager.

    Photos are opened in a separate process, one at a time. A photo that ends the process is left out as unusable. Banks
    contain only arrays, and are read in this process.

    Args:
        targets: Arguments of `-t`.
        config: The settings.
        networks: Networks that find and embed the faces, with the thresholds of two faces of one person.
        interrupted: Function that returns the number of a received signal.
        known: Folder that stores the faces of photos, which are then not analysed again; None stores nothing.
    """

    def __init__(
        self,
        targets: Sequence[str],
        config: Config,
        networks: Networks,
        interrupted: Interrupted,
        *,
        known: Path | None = None,
    ) -> None:
        self._config, self._networks, self._interrupted = config, networks, interrupted
        self._wanted, self._unwanted = collect(targets), collect(config.match.lookalikes)
        self._photos = [*self._wanted.photos, *self._unwanted.photos]
        self._index = None if known is None else PhotoIndex(known, _settings_key(config, networks))
        paths = dict.fromkeys(photo.path for photo in self._photos)
        self._keys = {} if self._index is None else {path: self._index.key(path) for path in paths}
        self._found: _PhotoFaces = {}
        if self._index is not None:
            looked_up = {path: self._index.read(key) for path, key in self._keys.items()}
            self._found |= {path: faces for path, faces in looked_up.items() if faces is not None}
        self._reading = self._new_run([path for path in paths if path not in self._found])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reading.close()

    def begin(self) -> None:
        """Start reading the photos whose faces are not stored. `finish` does it too; an early call saves time."""
        self._reading.begin()

    def finish(self) -> tuple[Gallery, GalleryReport]:
        """Return the gallery, with a report on each photo. Call it once.

        Raises:
            ConfigError: A target has no usable photo, or two targets have the same face; lists all such faults.
            BackendError, ModelError, SpaceError: The networks cannot be used.
            WorkerError: The process ends with every photo.
            InterruptError: The user stopped the command.
        """
        seen = read_pictures(self._reading, self._new_run, PhotoFaces)
        self._store(seen)
        found = self._found | seen
        tagged = _match_tags(self._photos, found)

        def analyse(path: Path) -> Faces:
            result = found.get(path, InputError(path, "it was not there when photos were listed"))
            if isinstance(result, InputError):
                raise result
            return result.faces

        def select(photo: Photo, faces: Faces) -> Faces:
            return faces if photo.region is None else faces[np.array(tagged.get(photo, ()), np.int64)]

        return load_gallery(
            self._wanted,
            self._unwanted,
            analyse=analyse,
            select=select,
            rule=ReferenceRule(
                contract=self._networks.contract,
                alike=self._networks.limits.enter,
                faces=self._config.references.faces,
                resampling=_resampling(self._config).name,
                tolerant=self._config.match.allow_faults,
                dimension=self._networks.dimension,
            ),
            check=partial(_check, self._interrupted),
        )

    def _new_run(self, paths: Collection[Path]) -> TaskRun:
        """Return photos on their way through a process that does not run yet."""
        config = self._config
        limit = picture_limit(config.scan.max_pixels)
        settings = picture_settings(config, self._networks, _MIN_FACE), _resampling(config), limit
        return TaskRun(ProcessPool("enrolment", _SERVE, 1, settings), paths, self._interrupted, STALL_SECONDS)

    def _store(self, seen: _PhotoFaces) -> None:
        if self._index is None:
            return
        for path, result in seen.items():
            # Another key: the file was replaced meanwhile.
            if isinstance(result, PhotoFaces) and self._index.key(path) == self._keys[path]:
                self._index.store(self._keys[path], result)


def enrol(
    targets: Sequence[str],
    config: Config,
    networks: Networks,
    interrupted: Interrupted,
    *,
    known: Path | None = None,
) -> tuple[Gallery, GalleryReport]:
    """Load a gallery at once: see `Enrolment`, and its `finish`."""
    with Enrolment(targets, config, networks, interrupted, known=known) as enrolment:
        return enrolment.finish()


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


def _check(interrupted: Interrupted) -> None:
    if (number := interrupted()) is not None:
        raise InterruptError(number)


def _settings_key(config: Config, networks: Networks) -> str:
    """Return a key of everything that determines a photo's faces, except the photo."""
    device = networks.device
    parts = (networks.contract, networks.models.detector.sha256, device.backend, device.provider)
    # Another precision gives other bits: photos embedded in another precision are embedded again.
    roles: tuple[Role, Role] = ("detector", "recogniser")
    precisions = (with_network_precision(device, networks.precisions, role).precision for role in roles)
    seen = (str(config.scan.det_threshold), str(_MIN_FACE), _resampling(config).name, _LOOK, read_version())
    return " ".join([*parts, *precisions, *seen])


def _resampling(config: Config) -> Resampling:
    return Resampling(config.references.flip, config.references.jitter)


def begin_enrolment(context: RunContext, targets: Sequence[str]) -> Enrolment:
    """Start reading the photos of a command on an output folder, which keeps their faces.

    Raises:
        FastfaceError: See `Enrolment.finish`.
    """
    enrolment = Enrolment(targets, context.config, context.networks, context.interruption, known=context.out.photos)
    enrolment.begin()
    return enrolment


def enrol_with_context(context: RunContext, targets: Sequence[str]) -> tuple[Gallery, GalleryReport]:
    """Run `enrol` for a command on an output folder, which keeps the faces of the photos.

    Raises:
        FastfaceError: See `Enrolment.finish`.
    """
    return enrol(targets, context.config, context.networks, context.interruption, known=context.out.photos)


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
        gallery, report = enrol(paths, config, networks, interruption)
    save_gallery(bank, gallery, report)
    return EnrollResult(bank, gallery, report.lines)
