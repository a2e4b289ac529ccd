"""A rollout in one sentence that reads aloud: who did what to which service, from where to where, on which hosts."""

from __future__ import annotations

from flask import Flask, url_for
from flask_babel import gettext, ngettext
from markupsafe import Markup, escape

from deployer.domain.errors import N_
from deployer.domain.status import Action, Origin, RolloutState
from deployer.queries.history import Told
from deployer.queries.rollouts import RolloutRow

MOVING, DONE, TRIED, BEGAN = range(4)
SENTENCES = {
    Action.UPGRADE: (
        N_("%(who)s is upgrading %(service)s from %(source)s to %(target)s on %(hosts)s"),
        N_("%(who)s upgraded %(service)s from %(source)s to %(target)s on %(hosts)s"),
        N_("%(who)s tried to upgrade %(service)s from %(source)s to %(target)s on %(hosts)s"),
        N_("%(who)s began to upgrade %(service)s from %(source)s to %(target)s on %(hosts)s"),
    ),
    Action.REVERT: (
        N_("%(who)s is reverting %(service)s from %(source)s to %(target)s on %(hosts)s"),
        N_("%(who)s reverted %(service)s from %(source)s to %(target)s on %(hosts)s"),
        N_("%(who)s tried to revert %(service)s from %(source)s to %(target)s on %(hosts)s"),
        N_("%(who)s began to revert %(service)s from %(source)s to %(target)s on %(hosts)s"),
    ),
}
UNDOING = (
    N_("%(who)s is taking %(service)s back from %(source)s to %(target)s on %(hosts)s"),
    N_("%(who)s took %(service)s back from %(source)s to %(target)s on %(hosts)s"),
    N_("%(who)s tried to take %(service)s back from %(source)s to %(target)s on %(hosts)s"),
    N_("%(who)s began to take %(service)s back from %(source)s to %(target)s on %(hosts)s"),
)
# When it brings hosts back to different versions it names none.
UNDOING_MIXED = (
    N_("%(who)s is taking %(service)s back on %(hosts)s"),
    N_("%(who)s took %(service)s back on %(hosts)s"),
    N_("%(who)s tried to take %(service)s back on %(hosts)s"),
    N_("%(who)s began to take %(service)s back on %(hosts)s"),
)
TENSES = {RolloutState.SUCCEEDED: DONE, RolloutState.FAILED: TRIED, RolloutState.CANCELLED: BEGAN}


def init_app(app: Flask) -> None:
    """Teach templates these words."""
    app.jinja_env.filters.update(sentence=sentence, busy_with=busy_with)


def sentence(told: Told) -> Markup:
    """The sentence, without its end: the page says beside it how it stands. Names link to what they name."""
    rollout = told.rollout
    undoing = UNDOING_MIXED if rollout.mixed else UNDOING
    kinds = undoing if rollout.origin is Origin.UNDO else SENTENCES[rollout.action]
    service = Markup('<a href="{}">{}</a>').format(
        url_for("services.show", service_id=rollout.service_id), rollout.service
    )
    facts = {"who": Markup("<b>{}</b>").format(rollout.created_by), "service": service, "hosts": _hosts(told)}
    versions = {"source": _version(rollout.from_label), "target": _version(rollout.to_label)}
    return escape(str(gettext(kinds[TENSES.get(rollout.state, MOVING)]))) % (facts | versions)


def busy_with(rollout: RolloutRow) -> str:
    """Who does what to a service now, in a few words."""
    facts = {"who": rollout.created_by, "target": rollout.to_label}
    if rollout.origin is Origin.UNDO and rollout.mixed:
        return str(gettext("%(who)s undoes a rollout", **facts))
    if rollout.origin is Origin.UNDO:
        return str(gettext("%(who)s goes back to %(target)s", **facts))
    if rollout.action is Action.UPGRADE:
        return str(gettext("%(who)s upgrades to %(target)s", **facts))
    return str(gettext("%(who)s reverts to %(target)s", **facts))


def _version(label: str) -> Markup:
    return Markup('<span class="mono">{}</span>').format(label)


def _hosts(told: Told) -> Markup:
    hosts = Markup(", ").join(_version(name) for name in told.hosts)
    if told.more:
        hosts += Markup(" + {}").format(ngettext("%(num)s more host", "%(num)s more hosts", told.more))
    if told.rollout.skipped:
        hosts = escape(str(gettext("%(hosts)s (%(num)s left out)"))) % {"hosts": hosts, "num": told.rollout.skipped}
    return hosts
