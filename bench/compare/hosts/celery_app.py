"""Celery as it is fast: prefork, pickle, prefetch, results by publish and subscribe."""
import os

from celery import Celery

REDIS = os.environ["COMPARE_REDIS"]
app = Celery("compare", broker=f"redis+socket://{REDIS}", backend=f"redis+socket://{REDIS}")
app.conf.update(task_serializer="pickle", result_serializer="pickle", accept_content=["pickle"], worker_prefetch_multiplier=16,
                worker_send_task_events=False, task_send_sent_event=False, broker_pool_limit=None, result_backend_transport_options={},
                worker_hijack_root_logger=False)


@app.task(name="echo")
def echo(payload):
    return payload
