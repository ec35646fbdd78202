"""What the workers of Python pools run. A module of its own, so that it goes by its name."""


def echo(payload):
    return payload
