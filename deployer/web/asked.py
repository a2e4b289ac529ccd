"""What the query string of a page asks for: which part of a list, which rows, since when."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import date

from deployer.domain.errors import N_, Invalid
from deployer.domain.facts import CheckState
from deployer.domain.names import parse_text
from deployer.domain.plan import parse_action
from deployer.domain.reach import parse_labels
from deployer.domain.status import InstanceGroup, StepState
from deployer.queries.audit import AuditFilter
from deployer.queries.catalog import Standing
from deployer.queries.fleet import InstanceFilter
from deployer.queries.history import Ending, RolloutFilter
from deployer.queries.hosts import HostFilter
from deployer.queries.paging import Slice
from deployer.web.parameters import read_flag, read_id, read_one

PER_PAGE = 100
HOSTS = ("q", "label", "state", "retired")  # by which hosts are looked for
AUDIT = tuple(field.name for field in fields(AuditFilter))  # by which changes are looked for
_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", re.ASCII)
_REVISION = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


def asked_slice(limit: int = PER_PAGE) -> Slice:
    """The page of a list, from 1; beyond the end, the last one."""
    return Slice(read_id("page") or 1, limit, clamped=True)


def asked_search() -> str:
    """The text that rows must contain."""
    return parse_text(read_one("q"), "q", 100)


def asked_labels() -> tuple[str, ...]:
    """The labels that a host must have, all of them."""
    return parse_labels(read_one("label"), "label")


def asked_instances() -> InstanceFilter:
    """Which instances of a service: by version, by text, by what goes on with them, by labels of the host."""
    status = read_one("status")
    if status and status not in set(InstanceGroup):
        raise Invalid(
            N_("There is no such group of instances."), N_("Send running, moving or failed, or leave it out."), "status"
        )
    return InstanceFilter(
        version_id=read_id("version_id"),
        locked=read_flag("locked"),
        search=asked_search(),
        status=InstanceGroup(status) if status else None,
        labels=asked_labels(),
    )


def asked_hosts() -> HostFilter:
    """Which hosts: by text, by labels that all must be there, by the end of their last check, retired ones or not."""
    state = read_one("state")
    if state and state not in {"ok", "problem", "never"}:
        raise Invalid(
            N_("This is not the state of a check."), N_("Give ok, problem or never, or leave it out."), "state"
        )
    return HostFilter(
        search=asked_search(),
        labels=asked_labels(),
        state=CheckState(state) if state else None,
        retired=bool(read_flag("retired")),
    )


def asked_standing() -> Standing | None:
    """How the services stand that are wanted."""
    state = read_one("state")
    if state and state not in set(Standing):
        raise Invalid(N_("This is not how a service stands."), N_("Use attention or moving, or leave it out."), "state")
    return Standing(state) if state else None


def asked_rollouts() -> RolloutFilter:
    """Which rollouts of the history."""
    action, ending = read_one("action"), read_one("ending")
    if ending and ending not in set(Ending):
        raise Invalid(
            N_("This is not how a rollout ends."),
            N_("Use moving, succeeded, failed or cancelled, or leave it out."),
            "ending",
        )
    return RolloutFilter(
        service_id=read_id("service_id"),
        by=parse_text(read_one("by"), "by", 64),
        action=parse_action(action) if action else None,
        ending=Ending(ending) if ending else None,
        host=parse_text(read_one("host"), "host", 100),
        first=_day("first"),
        last=_day("last"),
    )


def asked_audit() -> AuditFilter:
    """Which of the changes that were recorded."""
    return AuditFilter(
        by=parse_text(read_one("by"), "by", 64),
        verb=parse_text(read_one("verb"), "verb", 40),
        noun=parse_text(read_one("noun"), "noun", 20),
        service_id=read_id("service_id"),
        rollout_id=read_id("rollout_id"),
        refused=read_flag("refused"),
        first=_day("first"),
        last=_day("last"),
        text=parse_text(read_one("text"), "text", 100),
    )


def asked_state() -> StepState | None:
    """Which steps of a rollout."""
    state = read_one("state")
    if state and state not in set(StepState):
        raise Invalid(
            N_("This is not the state of a step."),
            N_("Use one of: %(choices)s."),
            "state",
            {"choices": ", ".join(StepState)},
        )
    return StepState(state) if state else None


def _day(name: str) -> date | None:
    text = read_one(name)
    if not text:
        return None
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(N_("This is not a day."), N_("Use a date such as 2026-01-31."), name) from None


def asked_since() -> int:
    """The revision that the page shows. Raises Invalid."""
    text = read_one("since")
    if not _REVISION.fullmatch(text):
        raise Invalid(N_("This is not a revision."), N_("Reload the page."), "since")
    return int(text)
