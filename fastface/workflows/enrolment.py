"""Photos → gallery, in a process of its own: a hostile photo cannot end the run, and the networks' memory goes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import cv2

from fastface import errors
from fastface.config import Config
from fastface.errors import ConfigError, FastfaceError, WorkerError
from fastface.faces.analyse import PICTURE_CANVAS, FaceAnalyser
from fastface.gallery.photos import Analyse
from fastface.gallery.references import GalleryReport, load_gallery, save_gallery
from fastface.gallery.sources import collect
from fastface.pipeline.crew import Crew
from fastface.pipeline.errands import Alive, Refused, run_errands, serve_errands
from fastface.pipeline.inference import open_analyser
from fastface.pipeline.messages import WorkerSettings
from fastface.pipeline.ring import RingShape
from fastface.types import Faces, Gallery, Image
from fastface.workflows.interrupt import interruptible
from fastface.workflows.machine import choose_layout, num_cores
from fastface.workflows.networks import Networks, Thresholds, open_networks, thresholds
from fastface.workflows.observer import Observer
from fastface.workflows.results import EnrollResult

__all__ = ["enrol", "enroll", "serve"]

_MIN_FACE = 16


@dataclass(frozen=True, slots=True)
class _Enrolment:
    """One errand: everything that makes a gallery."""

    targets: tuple[str, ...]
    lookalikes: tuple[Path, ...]
    contract: str
    enter: float
    tolerant: bool


def enrol(
    targets: tuple[str, ...],
    config: Config,
    networks: Networks,
    limits: Thresholds,
    interrupted: Callable[[], int | None],
) -> tuple[Gallery, GalleryReport]:
    """The gallery of what `-t` and `--not` name, and a report on each photo.

    Photos are opened in a process of their own; banks are arrays, and are read here.

    Raises:
        ConfigError: A target has no usable photo, or two have the same face; lists all such faults.
        InterruptError: The user stopped it.
    """
    errand = _Enrolment(targets, config.match.lookalikes, networks.contract, limits.enter, config.match.allow_faults)
    if not collect(targets).photos and not collect(config.match.lookalikes).photos:
        return _load(errand, _no_photo)
    settings = WorkerSettings(
        ring=RingShape.for_batch(1, 1),
        canvas=(PICTURE_CANVAS, PICTURE_CANVAS),
        detector=networks.detector,
        recogniser=networks.recogniser,
        dimension=networks.dimension,
        device=networks.device,
        threads=num_cores(),
        cache_folder=networks.cache,
        det_threshold=config.scan.det_threshold,
        min_face=_MIN_FACE,
    )
    crew = Crew("enrolment", "fastface.workflows.enrolment:serve", 1, settings)
    for _, result in run_errands(crew, [errand], interrupted):
        if isinstance(result, Refused):
            raise _translated(result)
        gallery: Gallery
        report: GalleryReport
        gallery, report = result
        return gallery, report
    raise AssertionError("an errand has one result")


def enroll(config: Config, paths: Sequence[str], bank: Path, observer: Observer) -> EnrollResult:
    """Photos → a bank.

    Args:
        config: The settings; thresholds and networks are used.
        paths: Photos, folders, banks.
        bank: The file to write.
        observer: Told which networks are used.

    Raises:
        ConfigError: A person has no usable photo, or two persons have the same face; lists all such faults.
        BackendError, ModelError: The networks cannot be used.
        InterruptError: The user stopped it.
    """
    if bank.suffix != ".npz":
        raise ConfigError(f"--bank {str(bank)!r}: a bank's name ends with .npz")
    with interruptible() as interruption:
        networks = open_networks(config)
        observer.header(networks, choose_layout(config.scan, networks.device))
        limits = thresholds(config, networks.models)
        gallery, report = enrol(tuple(paths), config, networks, limits, interruption)
    save_gallery(bank, gallery, report)
    return EnrollResult(bank, gallery, report.lines)


def serve(connection: Connection, _descriptor: int, settings: WorkerSettings) -> None:
    """The life of the enrolment process; called by `process.child_main` in the child."""
    cv2.setNumThreads(1)
    analyser: FaceAnalyser | None = None

    def analyse(picture: Image) -> Faces:
        nonlocal analyser
        connection.send(Alive())
        analyser = analyser or open_analyser(settings)  # pictures that cannot be read need no networks
        return analyser.analyse_picture(picture)

    def do(errand: _Enrolment) -> tuple[Gallery, GalleryReport]:
        return _load(errand, analyse)

    serve_errands(connection, do)


def _load(errand: _Enrolment, analyse: Analyse) -> tuple[Gallery, GalleryReport]:
    return load_gallery(
        errand.targets,
        analyse=analyse,
        contract=errand.contract,
        lookalikes=errand.lookalikes,
        alike=errand.enter,
        tolerant=errand.tolerant,
    )


def _no_photo(_picture: Image) -> Faces:
    raise AssertionError("a photo where there were none")


def _translated(refused: Refused) -> FastfaceError:
    if refused.kind == "ConfigError":
        return ConfigError(refused.reason.splitlines())
    if refused.kind == "WorkerError":
        return WorkerError("enrolment", None, refused.reason)
    kind: type[FastfaceError] = getattr(errors, refused.kind, FastfaceError)
    return kind(refused.reason)
