"""The handler of warmpool's Python workers."""
from warmpool import task


@task("echo", raw=True)
def echo(payload):
    return payload
