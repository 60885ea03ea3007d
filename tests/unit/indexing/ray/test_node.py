"""The actor of a node, before it starts a process; without Ray."""

import pickle

from fastface.config import Config
from fastface.distribution import read_version
from fastface.indexing.ray.messages import NodeFailed, NodeSettings
from fastface.indexing.ray.node import Node


def test_a_node_of_another_version_unpickles_nothing() -> None:
    node = Node()
    node.open("0.0.1", b"no pickle")
    (answer,) = pickle.loads(node.take(10.0))
    assert answer == NodeFailed("ConfigError", f"it has fastface {read_version()}, and this machine 0.0.1")
    node.close()


def test_a_node_without_the_networks_names_the_file() -> None:
    config = Config()
    models = config.models.model_copy(update={"detector": "/nowhere/detector.onnx"})
    settings = NodeSettings("n", config.model_copy(update={"models": models}), "key", cores=1)
    node = Node()
    node.open(read_version(), pickle.dumps(settings))
    (answer,) = pickle.loads(node.take(60.0))
    assert answer.kind == "ModelError"
    assert answer.reason.startswith("it has no file '/nowhere/detector.onnx'")
    node.close()


def test_a_node_without_answers_waits_only_as_long_as_it_is_asked_to() -> None:
    assert pickle.loads(Node().take(0.0)) == []
