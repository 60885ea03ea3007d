"""The driver of a cluster: nodes that fail, are lost, join late or cannot read; without Ray, on nodes made up here."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import pytest
from index_tools import INFO

from fastface.config import Config
from fastface.errors import ClusterError, ModelError
from fastface.indexing.ray import engine as engine_module
from fastface.indexing.ray.cluster import ClusterNode, NodeLostError
from fastface.indexing.ray.engine import RayEngine
from fastface.indexing.ray.leases import Order
from fastface.indexing.ray.messages import Answer, NodeDrained, NodeFailed, NodeReady, NodeSettings, Unreadable
from fastface.pipeline.events import Event, ProcessNote, UnitLost
from fastface.pipeline.messages import VideoRefused
from fastface.types import Sampling, Unit
from fastface.video.discover import VideoFile

READY = NodeReady("CPU", decoders=1, workers=1)
SETTINGS = NodeSettings("", Config(), "key", 0)


def unit(index: int) -> Unit:
    return Unit("a", index, Fraction(index), Fraction(index + 1), Sampling(None))


def done(order: Order) -> Answer:
    """The shortest result of an order."""
    assert order.unit is not None
    return UnitLost(order.unit, "failed", "as asked")


@dataclass(eq=False)
class Remote:
    """A node: what it says first, and what it makes of an order."""

    settings: NodeSettings
    first: list[Answer] = field(default_factory=lambda: [READY])
    work: Callable[[Order], Answer | None] = done
    is_lost: bool = False
    is_killed: bool = False
    given: list[Order] = field(default_factory=list)
    most_given: int = 0

    def answers(self) -> list[Answer]:
        if self.is_lost:
            raise NodeLostError("its host is gone")
        answers, self.first = self.first, []
        self.most_given = max(self.most_given, len(self.given))
        for order in list(self.given):
            answer = self.work(order)
            if answer is not None:
                self.given.remove(order)
                answers = [*answers, answer]
                break
        return answers

    def give(self, orders: list[Order]) -> None:
        self.given += orders

    def drain(self) -> None:
        self.first = [*self.first, NodeDrained()]

    def kill(self) -> None:
        self.is_killed = True


class Cluster:
    """A cluster whose nodes are made by `make`, at their first and every later start."""

    def __init__(self, names: list[str], make: Callable[[NodeSettings], Remote] = Remote) -> None:
        self.names = names
        self.remotes: list[Remote] = []
        self._make = make
        self.is_closed = False

    def list_nodes(self) -> list[ClusterNode]:
        return [ClusterNode(name, name, cores=4, cards=0) for name in self.names]

    def open(self, node: ClusterNode, settings: NodeSettings, num_cards: int) -> Remote:
        self.remotes.append(self._make(settings))
        return self.remotes[-1]

    def wait(self, nodes: Sequence[Remote], timeout_seconds: float) -> list[Remote]:
        return list(nodes)

    def close(self, nodes: Collection[Remote], timeout_seconds: float) -> None:
        self.is_closed = True


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll the cluster in each turn, and give a lost node another actor at once."""
    for name in ("_POLL_SECONDS", "_PAUSE_SECONDS", "_TICK_SECONDS"):
        monkeypatch.setattr(engine_module, name, 0.0)


def open_engine(
    cluster: Cluster, timeout: float = 300.0, interrupted: Callable[[], object] = lambda: False
) -> RayEngine:
    return RayEngine(lambda: cluster, SETTINGS, timeout, interrupted)  # type: ignore[arg-type, return-value]


def scheduled(cluster: Cluster, count: int) -> RayEngine:
    engine = open_engine(cluster)
    for index in range(count):
        engine.schedule(INFO, unit(index))
    return engine


def lost_units(events: Sequence[Event]) -> list[int]:
    return [event.unit.index for event in events if isinstance(event, UnitLost)]


def notes(events: Sequence[Event]) -> list[str]:
    return [f"{event.name}: {event.text}" for event in events if isinstance(event, ProcessNote)]


def test_each_unit_has_one_result_and_both_nodes_work() -> None:
    cluster = Cluster(["n", "m"])
    with scheduled(cluster, 9) as engine:
        events = list(engine.events())
        assert sorted(lost_units(events)) == list(range(9))
        reports = engine.nodes
    assert [(report.name, report.state, report.decoders) for report in reports] == [
        ("n", "worked", 1),
        ("m", "worked", 1),
    ]
    assert sum(report.units for report in reports) == 9
    assert all(report.units >= 4 for report in reports)
    assert cluster.is_closed


def test_a_node_has_at_most_two_orders_a_decoder() -> None:
    cluster = Cluster(["n"])
    with scheduled(cluster, 9) as engine:
        assert len(lost_units(list(engine.events()))) == 9
    assert [remote.most_given for remote in cluster.remotes] == [2]


def test_each_node_knows_its_name_and_its_cores() -> None:
    cluster = Cluster(["n"])
    with scheduled(cluster, 1) as engine:
        list(engine.events())
    assert cluster.remotes[0].settings == replace(SETTINGS, name="n", cores=4)


def test_the_orders_of_a_lost_node_go_to_another() -> None:
    cluster = Cluster(["n", "m"])
    with scheduled(cluster, 6) as engine:
        stream = engine.events()
        first = list(islice(stream, 3))  # both have joined
        lost = cluster.remotes[0]
        lost.is_lost = True
        cluster.names.remove("n")
        events = [*first, *stream]
    assert sorted(lost_units(events)) == list(range(6))
    assert lost.is_killed
    assert [line for line in notes(events) if "lost" in line] == [
        f"node n: it is lost (its host is gone); other nodes get its {len(lost.given)} orders"
    ]
    assert engine.nodes[0].state == "lost: its host is gone"


def test_a_node_that_joins_late_gets_work() -> None:
    cluster = Cluster(["n"])
    with scheduled(cluster, 9) as engine:
        stream = engine.events()
        events = list(islice(stream, 2))
        cluster.names.append("late")
        events += stream
    assert sorted(lost_units(events)) == list(range(9))
    assert engine.nodes[1].name == "late"
    assert engine.nodes[1].units > 0


def test_a_lost_actor_is_started_again() -> None:
    made: list[Remote] = []

    def make(settings: NodeSettings) -> Remote:
        made.append(Remote(settings, is_lost=not made))
        return made[-1]

    with scheduled(Cluster(["n"], make), 3) as engine:
        assert sorted(lost_units(list(engine.events()))) == [0, 1, 2]
    assert len(made) == 2
    assert engine.nodes[0].state == "worked"


def test_a_node_that_is_lost_again_and_again_is_left_out() -> None:
    cluster = Cluster(["n"], lambda settings: Remote(settings, is_lost=True))
    with scheduled(cluster, 3) as engine, pytest.raises(ClusterError, match="node n: it was lost several times"):
        list(engine.events())
    assert len(cluster.remotes) == 3


def test_a_node_that_cannot_work_is_left_out() -> None:
    def make(settings: NodeSettings) -> Remote:
        bad = settings.name == "n"
        return Remote(settings, [NodeFailed("ModelError", "it has no file")] if bad else [READY])

    cluster = Cluster(["n", "m"], make)
    with scheduled(cluster, 4) as engine:
        events = list(engine.events())
    assert sorted(lost_units(events)) == [0, 1, 2, 3]
    assert "node n: it is left out: it has no file" in notes(events)
    assert [(report.name, report.state) for report in engine.nodes] == [
        ("n", "left out: it has no file"),
        ("m", "worked"),
    ]
    assert len(cluster.remotes) == 2


def test_the_scan_fails_with_the_reason_if_no_node_can_work() -> None:
    cluster = Cluster(["n", "m"], lambda settings: Remote(settings, [NodeFailed("ModelError", "it has no file")]))
    with scheduled(cluster, 1) as engine, pytest.raises(ModelError, match="node n: it has no file; node m: it has no"):
        list(engine.events())


def test_the_scan_fails_if_there_is_no_node_for_long() -> None:
    engine = open_engine(Cluster([]), timeout=0.0)
    engine.schedule(INFO, unit(0))
    with engine, pytest.raises(ClusterError, match="no node of the Ray cluster has answered for 0 seconds; check"):
        list(engine.events())


def test_a_node_without_the_videos_is_left_out(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"film")

    def make(settings: NodeSettings) -> Remote:
        bad = settings.name == "n"
        return Remote(settings, work=(lambda order: Unreadable(order.key, "no such file")) if bad else done)

    engine = open_engine(Cluster(["n", "m"], make))
    engine.schedule(replace(INFO, path=film), unit(0))
    with engine:
        events = list(engine.events())
    assert lost_units(events) == [0]
    (line,) = [line for line in notes(events) if "left out" in line]
    assert f"node n: it is left out: it cannot read {str(film)!r}, which this machine can" in line


def test_a_video_that_no_machine_can_read_is_the_nodes_to_judge(tmp_path: Path) -> None:
    orders: list[Order] = []

    def work(order: Order) -> Answer:
        orders.append(order)
        return done(order) if order.is_unreadable else Unreadable(order.key, "no such file")

    engine = open_engine(Cluster(["n"], lambda settings: Remote(settings, work=work)))
    engine.schedule(replace(INFO, path=tmp_path / "gone.mp4"), unit(0))
    with engine:
        assert lost_units(list(engine.events())) == [0]
    assert [order.is_unreadable for order in orders] == [False, True]


def test_an_interrupted_scan_ends_when_all_nodes_have_drained() -> None:
    cluster = Cluster(["n", "m"])
    stop: list[bool] = []
    engine = open_engine(cluster, interrupted=lambda: bool(stop))
    for index in range(9):
        engine.schedule(INFO, unit(index))
    with engine:
        stream = engine.events()
        first = list(islice(stream, 4))
        stop.append(True)
        rest = list(stream)
    assert len(lost_units([*first, *rest])) < 9
    assert len(lost_units(first)) >= 1


def test_no_event_comes_without_work() -> None:
    cluster = Cluster(["n"])
    with open_engine(cluster) as engine:
        assert list(engine.events()) == []
    assert cluster.remotes == []
    assert not cluster.is_closed


def test_notes_of_processes_name_their_node() -> None:
    cluster = Cluster(["n"], lambda settings: Remote(settings, [READY, ProcessNote("worker 1", "compiles")]))
    with scheduled(cluster, 1) as engine:
        assert "worker 1 on n: compiles" in notes(list(engine.events()))


def test_a_probed_video_is_given_to_a_node() -> None:
    def refuse(order: Order) -> Answer:
        return VideoRefused(order.file, "no_video", f"unit {order.unit}")

    file = VideoFile(Path("/videos/a"), "a")
    engine = open_engine(Cluster(["n"], lambda settings: Remote(settings, work=refuse)))
    engine.probe(file)
    with engine:
        assert VideoRefused(file, "no_video", "unit None") in list(engine.events())
