"""What workers in Python do."""
import contextlib

with contextlib.suppress(ImportError):
    from warmpool import task

    @task("echo", raw=True)
    def echo_task(payload):
        return payload

    @task("held", raw=True)
    def held_task(payload):
        return payload


def echo(payload):
    return payload
