"""Build the settings of decoders and inference workers from the configuration, and open the coordinator.

`indexing.engine` calls `open_coordinator` in the main process, and `indexing.ray.node` on a node of a cluster. A new
setting that the child processes need is passed on here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from fastface.config import Config, ScanConfig
from fastface.pipeline.coordinator import Coordinator
from fastface.pipeline.messages import DecoderSettings, WorkerSettings
from fastface.runtime.networks import Networks, usual_canvas
from fastface.types import BlurGate, SecondLooks, Size


@contextmanager
def open_coordinator(config: Config, networks: Networks, interrupted: Callable[[], object]) -> Iterator[Coordinator]:
    """Open the coordinator of a scan. It starts no process before there is work.

    Args:
        config: The settings.
        networks: The networks and processes of this machine.
        interrupted: See `Coordinator`.
    """
    scan = config.scan
    layout = networks.layout
    det_size: Size | None = None if scan.det_size == "auto" else scan.det_size
    decoder = DecoderSettings(
        ring=layout.ring,
        det_size=det_size,
        sampling=scan.sampling,
        unit_seconds=scan.unit_seconds,
        max_pixels=scan.max_pixels,
        threads=layout.decoder_threads,
        portraits=scan.portrait_mb > 0,
        cards=tuple(card.device_id for card in networks.cards),
    )
    # Photos and exports come a few at a time: only a scan has enough batches for CUDA graphs.
    cards = tuple(replace(card, captures=config.models.cuda_graphs) for card in networks.cards)
    worker = WorkerSettings(
        ring=layout.ring,
        canvas=usual_canvas(scan),
        detector=networks.detector,
        recogniser=networks.recogniser,
        dimension=networks.dimension,
        device=cards[0],
        threads=layout.worker_threads,
        cache_folder=networks.cache,
        det_threshold=scan.lowest_score,
        clear_score=scan.det_threshold,
        min_face=scan.min_face,
        min_sharpness=scan.min_sharpness,
        gate=_gate(scan),
        persons=networks.person if scan.track == "persons" else None,
        cards=cards,
        looks=SecondLooks(scan.close_ups, scan.turned_faces),
        precisions=networks.precisions,
        aligned_size=networks.models.recogniser.aligned_size,
    )
    with Coordinator(decoder, worker, layout.sizes, interrupted) as coordinator:
        yield coordinator


def _gate(scan: ScanConfig) -> BlurGate | None:
    if scan.blur_gate == "none":
        return None
    is_whole = scan.blur_gate == "global"
    return (
        BlurGate(scan.blur_threshold) if is_whole else BlurGate(scan.blur_threshold, scan.blur_tiles, scan.blur_share)
    )
