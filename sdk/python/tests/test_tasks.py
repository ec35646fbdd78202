"""What a handler is given, by how it is written."""
import functools

import pytest

from warmpool.tasks import Task
from warmpool.words import Content


def positional_only(payload, ctx, /):
    return payload, ctx


def by_name(payload, *, ctx):
    return payload, ctx


def far(payload, model="model", *rest, more=1, ctx=None, **named):
    return payload, ctx, model, rest, more, named


@functools.wraps(positional_only)
def wrapper(*arguments, **named):
    return positional_only(*arguments, **named)


@pytest.mark.parametrize("handler, given", [
    (lambda: (), ()),
    (lambda payload: payload, b"p"),
    (lambda data: data, b"p"),
    (lambda payload=None: payload, b"p"),
    (lambda ctx: ctx, "c"),
    (lambda ctx=None: ctx, "c"),
    (lambda payload, ctx: (payload, ctx), (b"p", "c")),
    (lambda data, context: (data, context), (b"p", "c")),
    (lambda payload=None, ctx=None: (payload, ctx), (b"p", "c")),
    (lambda ctx, payload: (payload, ctx), (b"p", "c")),
    (lambda payload, model="model": (payload, model), (b"p", "model")),
    (lambda *rest, **named: (rest, named), ((), {})),
    (by_name, (b"p", "c")), (positional_only, (b"p", "c")), (wrapper, (b"p", "c")),
    (far, (b"p", "c", "model", (), 1, {})),
])
def test_the_context_goes_to_ctx_and_the_payload_to_the_first_other(handler, given):
    assert Task("t", handler, False, {}).bound(b"p", Content.BYTES, "c")() == given


@pytest.mark.parametrize("handler", [lambda one, two, three: 0, lambda one, two, ctx: 0, lambda payload, *, model: 0])
def test_one_that_needs_more_is_none(handler):
    with pytest.raises(TypeError, match="a handler takes"):
        Task("t", handler, False, {})


def test_what_is_not_taken_is_not_read():
    assert Task("t", lambda ctx: ctx, False, {}).bound(b"no json", Content.JSON, "c")() == "c"
