"""What each call of the API is, stated at the call: what it may be asked, what it takes, what it answers.

The document of the API is drawn from this and from nothing else, and the call is held to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Flask, request
from werkzeug.wrappers import Response

from deployer.web.api.schema import Schema
from deployer.web.forms.base import StrictForm
from deployer.web.parameters import only
from deployer.web.values import read_values

P = ParamSpec("P")
R = TypeVar("R", bound=Response)


@dataclass(frozen=True)
class Call:
    """``summary`` may name arguments of the route in braces. ``answers`` is what stands in the envelope as ``data``, or
    the whole answer when it comes as ``media``. ``asks`` are the parameters of the query string, ``takes`` is the form
    that reads the body (None: it takes no fields), ``file`` the field of a file that may come with it. ``conflicts``:
    it can be refused because of how things stand, as every call can that changes something."""

    summary: str
    answers: Schema
    status: int = 200
    asks: tuple[str, ...] = ()
    takes: type[StrictForm] | None = None
    file: str = ""
    media: tuple[str, ...] = ()
    conflicts: bool = False


def call(
    summary: str,
    answers: Schema,
    status: int = 200,
    *,
    asks: tuple[str, ...] = (),
    takes: type[StrictForm] | None = None,
    file: str = "",
    media: tuple[str, ...] = (),
    conflicts: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A view of the API. Before it runs, parameters that it does not know are refused, and fields if it takes none."""
    stated = Call(summary, answers, status, asks, takes, file, media, conflicts)

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def held(*args: P.args, **kwargs: P.kwargs) -> R:
            only(*stated.asks)
            if request.method == "POST" and stated.takes is None:
                read_values(())
            return view(*args, **kwargs)

        held.call = stated  # type: ignore[attr-defined]
        return held

    return decorate


def call_of(app: Flask, endpoint: str) -> Call:
    """What a route of the API states. Raises AttributeError when it states nothing."""
    view: Any = app.view_functions[endpoint]
    return view.call  # type: ignore[no-any-return]
