"""Training of label trees on many workers: processes of this machine, or a Ray cluster (extra ``ray``)."""

from ramify.scale.cluster import Cluster
from ramify.scale.executors import ClusterError, Executor, ProcessExecutor, SerialExecutor

__all__ = ["Cluster", "ClusterError", "Executor", "ProcessExecutor", "SerialExecutor"]
