"""Training on two machines of a Ray cluster, one of which is removed."""

import json

import pytest
from scale_tools import assert_same_bits, problem, trained

from ramify.cli.entry import run
from ramify.scale import Cluster, RayExecutor

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'ramify[ray]'")

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::ramify.errors.RamifyWarning"),  # tasks of the removed machine may run again
]


@pytest.fixture(scope="module")
def nodes():
    from ray.cluster_utils import Cluster as Nodes

    soon = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 500, "health_check_failure_threshold": 2}
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": soon}  # a removed machine is noticed sooner
    nodes = Nodes(initialize_head=True, head_node_args=head)
    nodes.add_node(num_cpus=1)
    yield nodes
    nodes.shutdown()


def test_the_command_trains_on_the_address_of_a_cluster(nodes, tmp_path):
    lines = [json.dumps({"text": f"word{i % 90} more{i % 7}", "labels": [f"label {i % 90}"]}) for i in range(270)]
    (tmp_path / "many.jsonl").write_text("\n".join(lines), "utf-8")
    words = [
        "train",
        str(tmp_path / "many.jsonl"),
        "-q",
        "--max-leaf",
        "4",
        "--set",
        "branching=4",
        "--calibrate",
        "no",
    ]
    assert run([*words, "--out", str(tmp_path / "plain")]) == 0
    given = ["--cluster", nodes.address, "--resume", str(tmp_path / "parts")]
    assert run([*words, "--out", str(tmp_path / "model"), *given]) == 0
    assert not ray.is_initialized()  # the command has disconnected
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 16
    files = [sorted(file.name for file in (tmp_path / name).iterdir()) for name in ("plain", "model")]
    assert files[0] == files[1]  # the name of the arrays has their hash


def test_a_removed_machine_does_not_change_the_bits(nodes):
    X, Y = problem()
    executor = RayExecutor(nodes.address)
    assert executor.slots == 2
    left = list(nodes.worker_nodes)

    def remove(stage, done):
        if stage == "train" and done > 0.8 and left:
            nodes.remove_node(left.pop(), allow_graceful=False)

    with Cluster(executor) as on_two:
        model = trained(X, Y, on_two, extras={"progress": remove})
    assert not left and on_two.tasks > 16
    assert_same_bits(trained(X, Y), model)
