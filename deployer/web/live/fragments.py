"""HTML that does not depend on who looks, only on what it shows, on the language and on what the viewer may do."""

from __future__ import annotations

import secrets
from typing import Any

from flask import g, render_template
from flask_babel import get_locale
from flask_login import current_user
from flask_wtf.csrf import generate_csrf

from deployer.domain.access import Rights
from deployer.web.live.shared import kept
from deployer.web.live.views import digest

# In the place of the token of the viewer's session; nobody can write it into a description, because nobody knows it.
_TOKEN = secrets.token_hex(16)
# What a template could tell about who looks: empty here, so that nobody sees it of somebody else.
_NOBODY: dict[str, Any] = {
    "csrf_token": lambda: _TOKEN,
    "current_user": None,
    "request": None,
    "session": None,
    "g": None,
}


def fragment(template: str, **shown: Any) -> str:
    """The template with what it shows, rendered once for all viewers alike. Through :func:`personal` to each of them.

    The key is everything that is shown, in full: a value that has changed cannot be taken for the one before.
    """
    key = (template, *reader(), digest(sorted(shown.items()), 16))
    return kept().fragments.get(key, lambda: render_template(template, **shown, **_NOBODY))


def reader() -> tuple[str, Rights]:
    """All that a fragment may depend on beside what it shows: the language, and what the viewer may do to what.

    Where a view is about one service, what they may do to others makes no difference; :func:`deployer.web.auth.may`
    sees to it that no template asks for that there.
    """
    rights: Rights = current_user.actor.rights
    about = g.get("about")
    return str(get_locale()), rights if about is None else rights.about(about)


def personal(html: str) -> str:
    """The same with the viewer's own token in its forms."""
    return html.replace(_TOKEN, generate_csrf()) if _TOKEN in html else html
