"""How a rollout stands, in words: its state, what that means for the person who looks, how it was told to go."""

from __future__ import annotations

from flask import Flask
from flask_babel import gettext, ngettext

from deployer.domain.errors import N_
from deployer.domain.status import OnFailure, Origin, RolloutState
from deployer.queries.catalog import ServiceRow
from deployer.queries.rollouts import RolloutRow
from deployer.web.present import Look, look

WAITS_FOR_WORKER = Look("idle", N_("Waiting for a worker"))
AT_GATE = Look("warn", N_("Waiting to continue"))
# What a state means for the hosts that have not been started.
MEANINGS = {
    RolloutState.PAUSED: N_("Paused by %(by)s. No further host is started until somebody resumes it."),
    RolloutState.CANCELLING: N_("It was ended. No further host is started."),
    RolloutState.STOPPING: N_("As many hosts have failed as it may lose. No further host is started."),
}
AFTER_FAILURE = {OnFailure.STOP: "", OnFailure.UNDO: N_("then undoes all of them")}
FOLLOWS = {Origin.UNDO: N_("Undo of"), Origin.RETRY: N_("Retry of")}
FOLLOWED = {Origin.UNDO: N_("Followed by undo"), Origin.RETRY: N_("Followed by retry")}


def init_app(app: Flask) -> None:
    """Teach templates these words."""
    app.jinja_env.filters.update(
        standing=standing, situation=situation, strategy=strategy, follows=follows, followed=followed
    )
    app.jinja_env.filters.update(headline=headline, tab=tab)


def _(text: str, **facts: object) -> str:
    return str(gettext(text, **facts))


def standing(rollout: RolloutRow) -> Look:
    """The shape and the translated word for a rollout: its state, or what it waits for."""
    if rollout.waits_for_worker:
        return Look(WAITS_FOR_WORKER.shape, _(WAITS_FOR_WORKER.word))
    if rollout.at_gate:
        return Look(AT_GATE.shape, _(AT_GATE.word))
    return look(rollout.state)


def headline(rollout: RolloutRow) -> str:
    """A rollout in the title of a tab: which, how it stands, how far it is, of what."""
    far = f" {rollout.done}/{rollout.hosts}" if rollout.moving else ""
    return f"#{rollout.id} {standing(rollout).word}{far} · {rollout.service}"


def tab(service: ServiceRow) -> str:
    """A service in the title of a tab: its name, and what stands out."""
    told = [service.name]
    if service.moving:
        told.append(_("%(n)s moving", n=service.moving))
    if service.waiting:
        told.append(_("%(n)s waiting", n=service.waiting))
    if service.failed:
        told.append(_("%(n)s failed", n=service.failed))
    return " · ".join(told)


def situation(rollout: RolloutRow) -> list[str]:
    """What the state means and what comes next, in sentences; none when it simply goes on or has ended."""
    if not rollout.moving:
        return []
    told = []
    if rollout.at_gate:
        told.append(_("The first wave is done. Look at its hosts, then continue with the others or undo it."))
    elif rollout.state in MEANINGS:
        told.append(_(MEANINGS[rollout.state]) % {"by": rollout.paused_by})
    if told and rollout.running:
        told.append(
            ngettext(
                "%(num)s host is still being worked on.", "%(num)s hosts are still being worked on.", rollout.running
            )
        )
    if rollout.undo_by:
        told.append(_("The undo begins when the running hosts are done (asked by %(by)s).", by=rollout.undo_by))
    return told


def strategy(rollout: RolloutRow) -> list[str]:
    """How it was told to go over its hosts."""
    told = [_("All hosts at once")]
    if rollout.waves > 1:
        size = rollout.wave_size
        if size.isdigit():
            size = ngettext("%(num)s host", "%(num)s hosts", int(size))
        told = [_("%(waves)s waves of %(size)s", waves=rollout.waves, size=size)]
        if rollout.pause_after_first:
            told.append(_("waits after the first wave"))
    if rollout.stop_after > rollout.hosts:
        return [*told, _("goes on whatever fails")]
    stops = ngettext("stops after %(num)s failed host", "stops after %(num)s failed hosts", rollout.stop_after)
    then = AFTER_FAILURE[rollout.on_failure]
    return [*told, f"{stops}, {_(then)}" if then else stops]


def follows(origin: Origin) -> str:
    """What a rollout is of the one that it follows."""
    return _(FOLLOWS[origin])


def followed(origin: Origin) -> str:
    """What the one is that follows a rollout."""
    return _(FOLLOWED[origin])
