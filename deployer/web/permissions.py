"""What each route asks of who calls it, stated at the route: nobody else decides who gets in.

A route that states nothing fails a test. Of which service a route is tells its address: by ``service_id`` or
``rollout_id``; a route with neither is of none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Flask, g, request
from flask_login import current_user
from werkzeug.wrappers import Response

from deployer.domain.access import Actor, Verb, has_role, refusal
from deployer.domain.errors import Refused, no_such
from deployer.extensions import login
from deployer.operations import attempts
from deployer.queries import people, rollouts

NOWHERE = 0  # no service has this id
P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Permission:
    """``verb`` is needed; None: whoever is known. ``anywhere``: for any service, and only what is of such services is
    shown. ``public``: nothing is needed."""

    verb: Verb | None = None
    anywhere: bool = False
    public: bool = False


def public(view: F) -> F:
    """A route for everybody, known or not."""
    view.permission = Permission(public=True)  # type: ignore[attr-defined]
    return view


def needs(
    verb: Verb | None, *, anywhere: bool = False, polls: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A route only for those who may do ``verb`` to what it is of. Raises Forbidden for the others, and NotFound when
    they may not even see it.

    Where open pages poll, who it is was looked up a few seconds ago: that costs as much as all the rest of an answer.
    Such a page is told to load itself anew when its reader may not see it any more.
    """
    stated = Permission(verb, anywhere)

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
            if polls:
                g.polls = True
            if "actor" not in g and not current_user.is_authenticated:
                return login.unauthorized()
            who: Actor = g.actor if "actor" in g else current_user.actor
            try:
                _permit(who, stated, kwargs)
            except Refused:
                if polls:
                    return reload()
                raise
            return view(*args, **kwargs)

        guarded.permission = stated  # type: ignore[attr-defined]
        return guarded

    return decorate


def stated_of(app: Flask, endpoint: str) -> Permission | None:
    """What a route states; None when it states nothing."""
    return getattr(app.view_functions[endpoint], "permission", None)


def reload() -> Response:
    """What a page gets that was drawn for other rights than its reader has now: HTMX loads it anew."""
    return Response(status=204, headers={"HX-Refresh": "true"})


def _permit(who: Actor, stated: Permission, given: Mapping[str, Any]) -> None:
    verb = stated.verb
    if verb is None or who.may(verb) or (stated.anywhere and who.may_anywhere(verb)):
        return
    noun, thing, service = _thing(given)
    if who.may(verb, service):
        return
    if not g.get("polls"):
        attempts.record(who, verb, None if service == NOWHERE else service, f"{request.method} {request.path}")
    if service is not None and not who.may(Verb.VIEW, service):
        raise no_such(noun, thing)
    ask = "" if has_role(who, verb, service) else people.named_for(verb, service)
    raise refusal(who, verb, service, ask)


def _thing(given: Mapping[str, Any]) -> tuple[str, object, int | None]:
    """What the route is of: noun, id, and the service that it belongs to."""
    if "rollout_id" in given:
        rollout_id = given["rollout_id"]
        return "rollout", rollout_id, rollouts.service_of(rollout_id) or NOWHERE
    return "service", given.get("service_id"), given.get("service_id")
