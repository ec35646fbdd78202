"""The application that Celery's workers and its client share."""
import os

from celery import Celery

address = "redis+socket://" + os.environ["COMPARE_REDIS"]
app = Celery("celery_app", broker=address, backend=address)
app.conf.update(task_serializer="pickle", result_serializer="pickle", accept_content=["pickle"], worker_prefetch_multiplier=16,
                task_ignore_result=False, worker_send_task_events=False, broker_connection_retry_on_startup=True)


@app.task(name="echo")
def echo(payload):
    return payload
