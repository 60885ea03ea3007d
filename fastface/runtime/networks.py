"""Resolve settings to a device that works, a pack and rewritten graphs, thresholds and processes.

Commands resolve once, with `open_networks` or `engines.ready_networks`, and pass the result on.
"""

from dataclasses import dataclass
from pathlib import Path

import platformdirs

from fastface.backends import DeviceInfo, resolve_device, select_device
from fastface.config import Config, ScanConfig
from fastface.errors import ConfigError, ModelError
from fastface.gallery.thresholds import MatchThresholds
from fastface.models.graph import inspect_graph, prepare_detector, prepare_person, prepare_recogniser
from fastface.models.packs import Network
from fastface.models.selection import ModelSet, WantedNetworks, build_contract, find_models
from fastface.persons.network import PersonNetwork
from fastface.pipeline.messages import Precisions
from fastface.runtime.resources import Layout, choose_layout
from fastface.types import Size
from fastface.video.frames.canvas import USUAL_CANVAS

_FREE_PERSON_CANVAS = (640, 640)
"""Canvas of a person network with free input size: the training size of YOLO."""

_EXIT_BELOW_ENTER = 0.05


@dataclass(frozen=True, slots=True)
class Networks:
    """Everything that a command resolves once from settings and machine: networks, device, thresholds, processes.

    Attributes:
        cards: Devices of the networks: the cards that workers get in turn, or the one processor.
        models: The chosen pack and files.
        detector: The rewritten detector graph.
        recogniser: The rewritten recogniser graph.
        dimension: Components of an embedding.
        contract: Digest of recogniser and preprocessing; only embeddings of one contract can be compared.
        cache: Folder of rewritten and compiled networks.
        limits: Thresholds of single faces.
        layout: Processes and memory of a scan.
        person: The rewritten person network; None if there is none.
        precisions: Precision of each network; None until it is settled: see `runtime.precisions`.
    """

    cards: tuple[DeviceInfo, ...]
    models: ModelSet
    detector: Path
    recogniser: Path
    dimension: int
    contract: str
    cache: Path
    limits: MatchThresholds
    layout: Layout
    person: PersonNetwork | None = None
    precisions: Precisions | None = None

    @property
    def device(self) -> DeviceInfo:
        """The first card, or the processor."""
        return self.cards[0]


def cache_folder() -> Path:
    """Return the cache folder for rewritten graphs and compiled networks, shared by all runs of a user."""
    return platformdirs.user_cache_path("fastface")


def resolve_first_card(config: Config) -> DeviceInfo:
    """Return the device of a run with these settings, or the first of its numbered cards. Opens no network.

    Raises:
        BackendError: The requested device is not available, or cannot compute in the requested precision.
    """
    numbers = config.models.devices
    device = resolve_device(config.models.device, cache_folder(), numbers[0] if numbers else 0)
    return select_device(device, config.models.precision)


def open_networks(config: Config, device: str | None = None) -> Networks:
    """Find the device and the pack, and rewrite the graphs that are not in the cache.

    Args:
        config: The settings.
        device: Device that replaces the settings' device; None to keep it.

    Raises:
        BackendError: The requested device is not available, or cannot compute in the requested precision.
        ModelError: No usable pack was found.
        ConfigError: Cards are numbered, but there is no card, or the networks do not run on it; or thresholds or the
            settings of processes contradict each other.
    """
    cache = cache_folder()
    cards = _resolve_cards(config, device or config.models.device, cache)
    settings = config.models
    wanted = WantedNetworks(
        settings.pack, settings.detector, settings.recogniser, settings.person_model, settings.commercial
    )
    models = find_models(settings.folder, cards[0], wanted, cache)
    dimension = models.recogniser.dimension
    assert dimension is not None, models.recogniser
    return Networks(
        cards=cards,
        models=models,
        detector=prepare_detector(models.detector.path, cache, digest=models.detector.sha256),
        recogniser=prepare_recogniser(models.recogniser.path, cache, digest=models.recogniser.sha256),
        dimension=dimension,
        contract=build_contract(models.recogniser),
        cache=cache,
        limits=_thresholds(config, models),
        layout=choose_layout(config.scan, cards[0], len(cards)),
        person=None if models.person is None else _prepared_person(models.person, cache),
    )


def require_persons(config: Config, networks: Networks) -> None:
    """Check that there is a person network if persons are to be followed.

    Raises:
        ModelError: There is none.
    """
    if config.scan.track == "persons" and networks.person is None:
        raise ModelError(
            "--track persons needs a person network: put one into a folder 'person' beside the packs, or give "
            "its file with --person-model"
        )


def _prepared_person(network: Network, cache: Path) -> PersonNetwork:
    facts = inspect_graph(network.path, cache, digest=network.sha256)
    assert facts.family is not None, facts
    graph = prepare_person(network.path, cache, digest=network.sha256)
    return PersonNetwork(graph, facts.family, facts.input_size or _FREE_PERSON_CANVAS)


def _resolve_cards(config: Config, name: str, cache: Path) -> tuple[DeviceInfo, ...]:
    """Return the device, or the numbered cards; all of one provider, each with the wanted precision."""
    numbers = config.models.devices
    first = resolve_device(name, cache, numbers[0] if numbers else 0)
    if numbers and not first.is_gpu:
        listed = ",".join(map(str, numbers))
        raise ConfigError(
            "; ".join([f"--devices: {listed} numbers NVIDIA cards, but {first.name} runs the networks", *first.notes])
        )
    # The provider's name in lower case selects that device only.
    others = (resolve_device(first.provider.lower(), cache, number) for number in numbers[1:])
    return tuple(select_device(card, config.models.precision) for card in (first, *others))


def usual_canvas(scan: ScanConfig) -> Size:
    """Return the detector's canvas for a 16:9 video."""
    return USUAL_CANVAS if scan.det_size == "auto" else scan.det_size


def _thresholds(config: Config, models: ModelSet) -> MatchThresholds:
    """Return the thresholds of single faces: from the settings, or from the catalog for the recogniser.

    The rule for whole tracks needs the archive: see `search.archive_survey`.

    Raises:
        ConfigError: The exit threshold is above the threshold.
    """
    enter, leave = config.match.threshold, config.match.exit_threshold
    if enter is None:
        enter, default_exit = models.thresholds.enter, models.thresholds.exit
    else:
        default_exit = enter - _EXIT_BELOW_ENTER
    leave = default_exit if leave is None else leave
    if leave > enter:
        raise ConfigError(f"--exit-threshold: {leave} is above the threshold, {enter}")
    return MatchThresholds(enter, leave, config.match.margin)
