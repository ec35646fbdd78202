"""The stock worker's exec, and programs that it keeps (--wrap lines), as a client meets them."""
import os

from pool import Pool, bin_dir

WORKER = os.path.join(bin_dir(), "warmpool-worker")


def test_a_process_for_each_task_is_no_reuse():
    with Pool({"command": [WORKER], "environment": []}) as pool, pool.client() as client:
        list(client.map("exec", [{"argv": ["true"]}] * 50))
        status = client.status()
        assert (status["classes"][0]["reuse_rate"], status["performance"]["worker_reuse_rate"]) == (0.0, 0.0)
        assert status["classes"][0]["processes_started"] == status["performance"]["processes_started"] == 50
        list(client.map("echo", [b"x"] * 50))
        assert 0.45 < client.status()["classes"][0]["reuse_rate"] < 0.5
