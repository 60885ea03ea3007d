"""A Ray cluster on the loopback address, in a process of its own: ray_tools starts it and speaks with it by lines.

`add NAME=VALUE …` starts a node with these variables, and prints the process id of its raylet. The end of its input
ends the cluster.
"""

import sys
from typing import Any

from ray.cluster_utils import Cluster

SIZE: dict[str, Any] = {
    "num_cpus": 1,
    "object_store_memory": 80 << 20,  # Ray takes no less
    "include_dashboard": False,
    "include_log_monitor": False,
}


def main() -> None:
    cluster: Any = Cluster(initialize_head=True, head_node_args=SIZE)
    try:
        print(cluster.address, flush=True)  # noqa: T201 - read by ray_tools
        for line in sys.stdin:
            variables = dict(word.split("=", 1) for word in line.split()[1:])
            node = cluster.add_node(env_vars=variables, **SIZE)
            (raylet,) = node.all_processes["raylet"]
            print(raylet.process.pid, flush=True)  # noqa: T201 - read by ray_tools
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
