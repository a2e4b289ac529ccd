"""The answer to a poll: nothing, or the next poller and what is different."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from flask import g, render_template, url_for
from flask_login import current_user
from markupsafe import Markup
from werkzeug.wrappers import Response

from deployer.queries.anew import anew
from deployer.web import liveness
from deployer.web.asked import asked_since
from deployer.web.live.fragments import fragment, personal, reader
from deployer.web.live.shared import kept, lately
from deployer.web.live.views import View, mark
from deployer.web.parameters import read_flag, read_one
from deployer.web.permissions import reload

Answer = str | tuple[str, int] | Response


def page(template: str, view: View, **more: Any) -> str:
    """The page as a whole: fresh, and rendered for its one reader. ``more`` stays as it is while it is open."""
    return render_template(template, **view.context, **more, **_poller(view, _interval(view)))


def answer(name: Hashable, cursor: Callable[[], int], view: Callable[[], View]) -> Answer:
    """What the page ``name`` gets that polls. Two polls of the same name must be for the same, whoever asks.

    ``fresh`` is asked with right after the viewer has done something: they want to see that.
    """
    store = kept()
    store.pace.count()
    drawn_for = read_one("may")
    if drawn_for and drawn_for != _rights():
        return reload()
    since, shown, fresh = asked_since(), read_one("shown"), read_flag("fresh")
    now = lately(("cursor", name), lambda: anew(cursor), enough=lambda found: found >= since and not fresh)
    watches = read_flag("alive")
    alive = None if watches is None else liveness.is_alive()
    if now == since and watches == alive:
        return "", 204
    at = (name, now, alive)
    seen: View = store.views.get(at, lambda: anew(view))
    every = _interval(seen)
    g.about = seen.about
    key = (at, since, shown, every, *reader())
    return personal(store.answers.get(key, lambda: _render(seen, since, shown, every)))


def _render(view: View, since: int, shown: str, every: str) -> str:
    sent = [(part, Markup(fragment(part.template, **part.shown))) for part in view.changes(since, shown)]  # noqa: S704
    return render_template("shared/_changes.html", poller=view.poller, sent=sent, **_poller(view, every))


def _rights() -> str:
    """Stands for what the viewer may do: a page that was drawn for other rights is loaded anew."""
    return mark(current_user.actor.rights)


def _interval(view: View) -> str:
    return kept().pace.interval(moving=view.moving)


def _poller(view: View, every: str) -> dict[str, Any]:
    """What a poller's template needs: where it asks (nowhere when nothing can change any more), how soon, and whether
    the page is but a list: who starts something there is led to where it can be watched."""
    endpoint, args = view.address
    poll = url_for(endpoint, since=view.cursor, shown=view.shown or None, may=_rights(), **args) if view.polls else None
    return {"poll": poll, "every": every, "is_list": view.is_list}
