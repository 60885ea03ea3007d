"""`--dry-run`: what a command would do."""

from collections.abc import Sequence
from pathlib import Path

from fastface.config import Config
from fastface.video.discover import discover
from fastface.workflows.machine import choose_layout
from fastface.workflows.networks import open_networks, thresholds

__all__ = ["preview"]


def preview(config: Config, inputs: Sequence[str], targets: Sequence[str], out: Path) -> list[str]:
    """Lines that say which videos, networks and processes a command would use. Nothing is written to `out`.

    Raises:
        ConfigError, ModelError, BackendError: As the command itself would.
    """
    found = discover(inputs, exclude=out)
    networks = open_networks(config)
    layout = choose_layout(config.scan, networks.device)
    limits = thresholds(config, networks.models)
    lines = [f"video {file.video_id}: {str(file.path)!r}" for file in found.videos]
    lines += [f"skipped {str(item.path)!r}: {item.reason}" for item in found.skipped]
    lines += [f"target {target!r}" for target in targets]
    return [
        *lines,
        f"networks {networks.models.pack}: {networks.models.detector.name} + {networks.models.recogniser.name}",
        f"device {networks.device.name}: {networks.device.versions}, {networks.device.precision}",
        f"thresholds {limits.enter:.2f} enter, {limits.exit:.2f} exit, {limits.margin:.2f} margin",
        f"processes {layout.sizes.decoders} decoders, {layout.sizes.workers} workers, batches of {layout.ring.batch}",
        f"output {str(out)!r}",
    ]
