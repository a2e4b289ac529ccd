"""What the upgrade / revert dialog offers: current version, target versions, hosts, and what comes of the choice."""

from __future__ import annotations

from typing import Any

from werkzeug.datastructures import MultiDict

from deployer.domain.errors import N_, Conflict
from deployer.domain.hosts import MAX_HOSTS
from deployer.domain.ids import parse_id
from deployer.domain.status import Action
from deployer.queries import catalog, fleet
from deployer.queries.catalog import VersionRow
from deployer.queries.fleet import InstanceFilter
from deployer.queries.paging import Slice
from deployer.web import comparing, planning
from deployer.web.asked import asked_labels, asked_search
from deployer.web.parameters import read_flag

LISTED = 500  # hosts in the checklist; the filter, or the box for all of them, reaches the others


def likely_source(service_id: int, action: Action) -> int:
    """The version that most hosts run and that can go in this direction, else simply what most hosts run."""
    running = sorted(catalog.service(service_id).running, key=lambda version: -version.hosts)
    if not running:
        raise Conflict(N_("No host runs this service yet."), N_("Record an instance first."))
    for version in running:
        if any(target.enable for target in catalog.targets(service_id, version.id, action)):
            return version.id
    return running[0].id


def choice(service_id: int, version_id: int, action: Action, typed: MultiDict[str, str]) -> dict[str, Any]:
    """Everything the dialog shows. ``typed`` is what was posted, empty when it opens."""
    version = catalog.version(service_id, version_id)
    offered = targets(version, action, typed.get("dest_version", ""))
    found = hosts(version, action, typed)
    service = catalog.service(service_id)
    goal = offered["chosen"]
    outlook = planning.look(service_id, version_id, action, planning.still_standing(typed, found["ticked"]))
    compared = comparing.compare(service, version, goal.id if goal else None)
    return offered | found | {"service": service, "outlook": outlook, "compared": compared}


def targets(version: VersionRow, action: Action, typed: str) -> dict[str, Any]:
    """The target versions, and which of them is chosen: the one typed, else the newest that may be."""
    options = catalog.targets(version.service_id, version.id, action)
    chosen = parse_id(typed) or next((target.id for target in options if target.enable), None)
    return {
        "version": version,
        "action": action,
        "targets": options,
        "chosen": next((target for target in options if target.id == chosen and target.enable), None),
    }


def hosts(version: VersionRow, action: Action, typed: MultiDict[str, str]) -> dict[str, Any]:
    """The hosts on the current version that match the filter, and what of ``typed`` stays ticked.

    Ticks that the filter hides travel along. A host loses its tick when it is locked meanwhile, and is in ``lost``, or
    does not run the version any more, and is in ``gone``.
    """
    search, locked_only, labels = asked_search(), read_flag("locked"), asked_labels()
    wanted = InstanceFilter(version_id=version.id, locked=locked_only, search=search, labels=labels)
    listed = fleet.instances(version.service_id, wanted, Slice(limit=LISTED))
    locked = fleet.instances(version.service_id, InstanceFilter(version_id=version.id, locked=True), Slice(limit=1))
    ids = (parse_id(text) for text in typed.getlist("host_id")[:MAX_HOSTS])
    sent = {host_id for host_id in ids if host_id is not None}
    there = fleet.locked_on(version.service_id, version.id, sent)
    ticked = {host_id for host_id, is_locked in there.items() if not is_locked}
    shown = {row.host_id for row in listed.rows}
    return {
        "version": version,
        "action": action,
        "listed": listed,
        "free": version.hosts - locked.count,
        "ticked": ticked,
        "unseen": sorted(ticked - shown),
        "lost": set(there) - ticked,
        "gone": sent - set(there),
        "everyone": typed.get("host") == "all",
        "search": search,
        "only_free": locked_only is False,
        "labels": fleet.labels(version.service_id),
        "label": ",".join(labels),
        "many_hosts": version.hosts > LISTED,
        "may_all": not locked.count and version.hosts <= MAX_HOSTS,
    }
