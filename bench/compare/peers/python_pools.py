"""Pools of processes inside a Python program."""
from .common import PythonPeer


class ExecutorPool(PythonPeer):
    name, adapter, base = "ProcessPoolExecutor", "process_pool_executor", "warmpool Python"
    note = "standard library; a worker that dies breaks the pool"


class MultiprocessingPool(PythonPeer):
    name, adapter, base = "multiprocessing.Pool", "multiprocessing_pool", "warmpool Python"
    note = "apply_async; a task of a worker that dies never ends"


class Loky(PythonPeer):
    name, adapter, base = "loky", "loky", "warmpool Python"
    packages, imports = ("python3-joblib",), ("joblib",)
    note = "joblib.externals.loky"


PEERS = [ExecutorPool, MultiprocessingPool, Loky]
