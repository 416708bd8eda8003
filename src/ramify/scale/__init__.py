"""Training of label trees on many workers: processes of this machine, or a Ray cluster (extra ``ray``)."""

from ramify.scale.cluster import Cluster
from ramify.scale.executors import Executor, ProcessExecutor, SerialExecutor
from ramify.scale.ray_cluster import RayExecutor

__all__ = ["Cluster", "Executor", "ProcessExecutor", "RayExecutor", "SerialExecutor"]
