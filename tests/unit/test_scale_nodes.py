"""Training on two machines of a Ray cluster, one of which is removed."""

import pytest
from scale_tools import assert_same_bits, problem, trained

from ramify.scale import Cluster, RayExecutor

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'ramify[ray]'")

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::ramify.errors.RamifyWarning"),  # tasks of the removed machine may run again
]


@pytest.fixture
def nodes():
    from ray.cluster_utils import Cluster as Nodes

    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    ray.init(address=nodes.address, logging_level="ERROR", log_to_driver=False)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


def test_a_removed_machine_does_not_change_the_bits(nodes):
    X, Y = problem()
    executor = RayExecutor()
    assert executor.slots == 2
    left = list(nodes.worker_nodes)

    def remove(stage, done):
        if stage == "train" and done > 0.8 and left:
            nodes.remove_node(left.pop(), allow_graceful=False)

    on_two = Cluster(executor)
    model = trained(X, Y, on_two, extras={"progress": remove})
    assert not left and on_two.tasks > 16
    assert_same_bits(trained(X, Y), model)
