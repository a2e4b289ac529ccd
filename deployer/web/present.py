"""How values read on a page: words and shapes for states, relative times, what a holder is doing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import Any

from flask import Flask
from flask_babel import get_locale, gettext
from markupsafe import Markup

from deployer.domain.access import Role, Scope
from deployer.domain.errors import N_
from deployer.domain.facts import CheckState, size
from deployer.domain.plan import Holder
from deployer.domain.status import Action, BuildStatus, Evidence, InstanceStatus, RolloutState, StepState
from deployer.queries.fleet import InstanceRow
from deployer.queries.hosts import HostInstance
from deployer.queries.waiting import Waiting
from deployer.web import recalled
from deployer.web.browsers import browser
from deployer.web.causes import cause
from deployer.web.words import note


@dataclass(frozen=True)
class Look:
    """A state as a shape (the CSS class ``st-<shape>``, which also gives the colour) and a word."""

    shape: str  # ok, bad, warn, busy, queued, held, idle
    word: str  # marked for translation


@dataclass(frozen=True)
class Doubt:
    """A mark beside a version whose evidence is weak; all texts are marked for translation."""

    tone: str  # a CSS class
    word: str
    explanation: str
    ask: str  # on the button that has the host asked


# One table per enum: members of different integer enums are equal to each other as keys.
LOOKS: MappingProxyType[type[Enum], dict[Any, Look]] = MappingProxyType(
    {
        InstanceStatus: {
            InstanceStatus.RUNNING: Look("ok", N_("Running")),
            InstanceStatus.INSTALLING: Look("busy", N_("Installing")),
            InstanceStatus.UPGRADING: Look("busy", N_("Upgrading")),
            InstanceStatus.REVERTING: Look("busy", N_("Reverting")),
            InstanceStatus.DELETING: Look("busy", N_("Deleting")),
            InstanceStatus.INSTALL_FAILED: Look("bad", N_("Install failed")),
            InstanceStatus.UPGRADE_FAILED: Look("bad", N_("Upgrade failed")),
            InstanceStatus.REVERT_FAILED: Look("bad", N_("Revert failed")),
            InstanceStatus.DELETE_FAILED: Look("bad", N_("Delete failed")),
        },
        BuildStatus: {
            BuildStatus.PENDING: Look("idle", N_("Build pending")),
            BuildStatus.BUILDING: Look("busy", N_("Building")),
            BuildStatus.SUCCESS: Look("ok", N_("Built")),
            BuildStatus.TIMEOUT: Look("warn", N_("Build timed out")),
            BuildStatus.FAILED: Look("bad", N_("Build failed")),
            BuildStatus.DUPLICATE: Look("warn", N_("Duplicate build")),
        },
        StepState: {
            StepState.QUEUED: Look("idle", N_("Queued")),
            StepState.RUNNING: Look("busy", N_("Running")),
            StepState.SUCCEEDED: Look("ok", N_("Succeeded")),
            StepState.FAILED: Look("bad", N_("Failed")),
            StepState.CANCELLED: Look("idle", N_("Cancelled")),
            StepState.SKIPPED: Look("idle", N_("Left out")),
        },
        RolloutState: {
            RolloutState.QUEUED: Look("idle", N_("Waiting for a worker")),
            RolloutState.RUNNING: Look("busy", N_("Running")),
            RolloutState.PAUSED: Look("warn", N_("Paused")),
            RolloutState.CANCELLING: Look("warn", N_("Cancelling")),
            RolloutState.STOPPING: Look("bad", N_("Stopping")),
            RolloutState.SUCCEEDED: Look("ok", N_("Succeeded")),
            RolloutState.FAILED: Look("bad", N_("Failed")),
            RolloutState.CANCELLED: Look("idle", N_("Cancelled")),
        },
        CheckState: {
            CheckState.NEVER: Look("idle", N_("Never tested")),
            CheckState.OK: Look("ok", N_("Reached")),
            CheckState.WARNED: Look("warn", N_("Reached, to mend")),
            CheckState.PROBLEM: Look("bad", N_("Problem")),
        },
    }
)
# Why a version should not be taken at its word; what was confirmed needs no mark.
DOUBTS = {
    Evidence.RECORDED: Doubt(
        "",
        N_("recorded"),
        N_("A person recorded this version; the host has not been asked yet."),
        N_("Ask the host"),
    ),
    Evidence.UNVERIFIED: Doubt(
        "warn",
        N_("unverified"),
        N_("The last time the host was asked, nothing usable answered."),
        N_("Probe again"),
    ),
}
ROLES = {
    Role.NONE: N_("None for all services"),
    Role.VIEWER: N_("Viewer"),
    Role.DEPLOYER: N_("Deployer"),
    Role.MAINTAINER: N_("Maintainer"),
    Role.ADMINISTRATOR: N_("Administrator"),
}
SCOPES = {
    Scope.READ: N_("read"),
    Scope.BUILDS: N_("record versions and builds"),
    Scope.DEPLOY: N_("plan and start rollouts"),
    Scope.MANAGE: N_("do everything"),
}
VERBS = {Action.UPGRADE: N_("Upgrade"), Action.REVERT: N_("Revert")}
DOING = {
    Action.UPGRADE: N_("%(by)s is upgrading this host to %(version)s"),
    Action.REVERT: N_("%(by)s is reverting this host to %(version)s"),
}
WILL_DO = {
    Action.UPGRADE: N_("%(by)s is going to upgrade this host to %(version)s"),
    Action.REVERT: N_("%(by)s is going to revert this host to %(version)s"),
}
QUEUED = {
    Action.UPGRADE: Look("queued", N_("Queued to upgrade")),
    Action.REVERT: Look("queued", N_("Queued to revert")),
}
PAUSED = {
    Action.UPGRADE: Look("held", N_("Paused before upgrade")),
    Action.REVERT: Look("held", N_("Paused before revert")),
}


AGO = '<time datetime="{}" title="{} UTC" data-ago>{}</time>'
RUNNING = '<time datetime="{}" title="{} UTC" data-running>{}</time>'


def init_app(app: Flask) -> None:
    """Teach templates these words."""
    app.jinja_env.filters.update(
        look=look,
        stands=stands,
        doubt=doubt,
        verb=verb,
        doing=doing,
        ago=ago,
        took=took,
        parts=parts,
        size=size,
        rejectkeys=rejectkeys,
        cause=cause,
    )
    app.jinja_env.filters.update(note=note, did=recalled.did, told=recalled.told, details=recalled.details)
    app.jinja_env.filters.update(role=lambda one: _(ROLES[one]), scope=lambda one: _(SCOPES[one]))
    app.jinja_env.filters.update(browser=browser, day=lambda moment: moment.date().isoformat())
    app.context_processor(lambda: {"scopes": [(scope.value, _(text)) for scope, text in SCOPES.items()]})
    app.context_processor(lambda: {"locale": get_locale(), "words": _words})


def _(text: str, **facts: object) -> str:
    return str(gettext(text, **facts))


def look(state: Enum) -> Look:
    """The shape and the translated word for any state."""
    found = LOOKS[type(state)][state]
    return Look(found.shape, _(found.word))


def stands(one: InstanceRow | HostInstance) -> Look:
    """The same for an instance: its status; or, while nothing happens there yet, what it waits for."""
    waits = one.waits
    if waits is None:
        return look(one.status)
    found = (PAUSED if waits.paused else QUEUED)[waits.action]
    if waits.waves == 1:
        return Look(found.shape, _(found.word))
    facts = {"what": _(found.word), "wave": waits.wave, "waves": waits.waves}
    return Look(found.shape, _("%(what)s · wave %(wave)s of %(waves)s", **facts))


def doubt(evidence: Evidence) -> Doubt | None:
    """The mark of a version that has not been confirmed."""
    found = DOUBTS.get(evidence)
    return Doubt(found.tone, _(found.word), _(found.explanation), _(found.ask)) if found else None


def verb(action: Action) -> str:
    """The action as a verb on a button."""
    return _(VERBS[action])


def doing(holder: Holder, waits: Waiting | None = None) -> str:
    """Who does what to a locked host, or is going to while it ``waits``."""
    words = WILL_DO if waits else DOING
    return _(words[holder.action]) % {"by": holder.by, "version": holder.to_label}


def ago(moment: datetime) -> Markup:
    """How long ago, with the exact moment in the tooltip; live.js keeps it true."""
    return _time(AGO, moment, _ago((datetime.now(UTC) - moment).total_seconds()))


def took(start: datetime | None, end: datetime | None = None) -> Markup:
    """How long something lasted, or has lasted until now; "–" when it has not started."""
    if start is None:
        return Markup("–")
    if end is None:
        return _time(RUNNING, start, lasted((datetime.now(UTC) - start).total_seconds()))
    return Markup("<span>{}</span>").format(lasted((end - start).total_seconds()))


def rejectkeys(values: dict[str, Any], name: str) -> dict[str, Any]:
    """``values`` without what is under ``name``."""
    return {key: value for key, value in values.items() if key != name}


def parts(text: str) -> list[str]:
    """The non-empty lines of a text."""
    return [line for line in text.splitlines() if line.strip()]


def lasted(seconds: float) -> str:
    """A duration in its two largest units."""
    whole = max(0, int(seconds))
    if whole < 60:
        return _("%(n)s s", n=whole)
    if whole < 3600:
        return _("%(n)s min %(m)s s", n=whole // 60, m=whole % 60)
    return _("%(n)s h %(m)s min", n=whole // 3600, m=whole % 3600 // 60)


def _ago(seconds: float) -> str:
    whole = max(0, int(seconds))
    if whole < 10:
        return _("just now")
    if whole < 60:
        return _("%(n)s s ago", n=whole)
    if whole < 3600:
        return _("%(n)s min ago", n=whole // 60)
    if whole < 86400:
        return _("%(n)s h ago", n=whole // 3600)
    return _("%(n)s d ago", n=whole // 86400)


def _time(pattern: str, moment: datetime, text: str) -> Markup:
    exact = moment.astimezone(UTC)
    return Markup(pattern).format(exact.isoformat(timespec="seconds"), exact.strftime("%Y-%m-%d %H:%M:%S"), text)  # noqa: S704 (one of the two below)


def _words() -> str:
    """The same words for live.js, with slots of its own."""
    n, m = "{n}", "{m}"
    return json.dumps(
        {
            "now": _("just now"),
            "s": _("%(n)s s ago", n=n),
            "min": _("%(n)s min ago", n=n),
            "h": _("%(n)s h ago", n=n),
            "d": _("%(n)s d ago", n=n),
            "for_s": _("%(n)s s", n=n),
            "for_min": _("%(n)s min %(m)s s", n=n, m=m),
            "for_h": _("%(n)s h %(m)s min", n=n, m=m),
        },
        ensure_ascii=False,
    )
