"""Settle the precision of each network, once in the main process, before any other process starts.

`runtime.engines` calls it. All processes of a run then use the same precisions.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from fastface.backends import DeviceInfo, Precision, judge_precision
from fastface.config import Config
from fastface.errors import BackendError
from fastface.pipeline.building import EngineJob
from fastface.pipeline.messages import Precisions
from fastface.runtime.networks import Networks, usual_canvas

_Named = tuple[str, Path, tuple[int, int]]  # name of the network, its graph, (height, width) of its usual picture


def uses_persons(config: Config, networks: Networks) -> bool:
    """Return whether these settings need the person network and a person network exists."""
    return networks.person is not None and (config.export.crops == "body" or config.scan.track == "persons")


def settle_precisions(config: Config, networks: Networks) -> Networks:
    """Return the networks with the precision of each, which every process then uses.

    On a processor with a lower precision, each network is tried in it once, and the result is cached. TensorRT's
    networks are tried when their engines are built. A network without an engine has no precision yet; the wanted one is
    reported.

    Args:
        config: The settings.
        networks: Networks from `open_networks`; with TensorRT, their engines are built, or this is only a preview.

    Raises:
        BackendError: A network does not agree with float32 in the precision that the settings name, or has no precision
            in which it computes.
    """
    if networks.device.provider == "TensorRT":
        return networks
    width, height = usual_canvas(config.scan)
    side = networks.models.recogniser.aligned_size
    parts: dict[str, _Named] = {
        "detector": (networks.models.detector.name, networks.detector, (height, width)),
        "recogniser": (networks.models.recogniser.name, networks.recogniser, (side, side)),
    }
    if uses_persons(config, networks) and networks.person is not None and networks.models.person is not None:
        width, height = networks.person.canvas
        parts["person"] = (networks.models.person.name, networks.person.graph, (height, width))
    reasons = {
        role: judge_precision(graph, networks.device, size, networks.cache) for role, (_, graph, size) in parts.items()
    }
    settled = {role: _settle(config, networks, parts[role][0], reason) for role, reason in reasons.items()}
    notes = tuple(
        f"{parts[role][0]}: {networks.device.precision} gives {reason}; float32 is used, which is slower"
        for role, reason in reasons.items()
        if reason
    )
    precisions = Precisions(settled["detector"], settled["recogniser"], settled.get("person"), notes)
    return replace(networks, precisions=precisions)


def _settle(config: Config, networks: Networks, name: str, reason: str) -> Precision:
    if not reason:
        return networks.device.precision
    require_agreement(config, name, networks.device.precision, reason)
    return "float32"


def require_agreement(config: Config, name: str, precision: Precision, reason: str) -> None:
    """Raise if the settings name a precision in which the network cannot compute.

    A named precision is as strict as a named device: it is never replaced silently.

    Raises:
        BackendError: The settings name it.
    """
    if config.models.precision == precision:
        raise BackendError(
            f"--precision: {name} does not agree with float32 in {precision}: it gives {reason}; "
            "--precision auto computes such a network in float32"
        )


def engine_precisions(networks: Networks, found: Iterable[tuple[EngineJob, Precision]]) -> Networks:
    """Return the networks with the precisions of their engines; float32 if one of several cards has it."""
    by_graph: dict[Path, set[Precision]] = {}
    for job, precision in found:
        by_graph.setdefault(job.graph, set()).add(precision)
    slowest: dict[Path, Precision] = {
        graph: "float32" if "float32" in precisions else next(iter(precisions))
        for graph, precisions in by_graph.items()
    }
    aimed = networks.device.precision
    person = slowest.get(networks.person.graph) if networks.person is not None else None
    precisions = Precisions(slowest.get(networks.detector, aimed), slowest.get(networks.recogniser, aimed), person)
    return replace(networks, precisions=precisions)


def network_precisions(networks: Networks) -> dict[str, Precision]:
    """Return {name of a used network: its precision}."""
    models, precisions = networks.models, networks.precisions
    if precisions is None:
        return {}
    found = {models.detector.name: precisions.detector, models.recogniser.name: precisions.recogniser}
    if models.person is not None and precisions.person is not None:
        found[models.person.name] = precisions.person
    return found


def describe_precisions(networks: Networks) -> str:
    """Format the precision of each network, such as `det_500m float32, w600k_mbf bfloat16`."""
    return ", ".join(f"{name} {precision}" for name, precision in network_precisions(networks).items())


def describe_device(device: DeviceInfo) -> str:
    """Describe the device without a precision, which belongs to each network."""
    return f"{device.name}, {device.versions}, {device.provider}"


def describe_networks(config: Config, networks: Networks) -> str:
    """Return one line: the device, the networks and the precision of each.

    Raises:
        BackendError: See `settle_precisions`.
    """
    networks = settle_precisions(config, networks)
    precisions = describe_precisions(networks) or f"{networks.device.precision} aimed at"
    return f"{describe_device(networks.device)}; {networks.models.names}; {precisions}"
