"""The list of services and the page of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from deployer.domain.access import Verb
from deployer.queries import catalog, fleet, people
from deployer.queries.catalog import ServiceRow
from deployer.queries.paging import Slice
from deployer.web import liveness
from deployer.web.live.views import Part, Rows, View

NEWEST = Slice(limit=12)  # versions beside the instances; version management has them all


def services(search: str, standing: catalog.Standing | None, part: Slice, seen: frozenset[int] | None = None) -> View:
    """The services that are ``seen`` (None: all), newest first."""
    cursor = catalog.overall_revision(seen)  # read first: what is read after it can only be newer, and then comes again
    page = catalog.services(part, search, standing, seen)
    state = standing.value if standing else ""
    args = _given(q=search, state=state)
    listed = {"page": page, "search": search, "standing": state, "args": args}
    worker = liveness.watched(any(service.under_way for service in page.rows))
    alive = {"alive": worker["alive"]}
    return View(
        cursor=cursor,
        moving=any(service.locked for service in page.rows),
        address=("services.index_changes", {**args, **page.address, **worker["watch"]}),
        regions=(Part("worker", "shared/_worker.html", alive),),
        lists=(
            Rows(
                Part("services", "services/_services.html", listed, swap="outerMorph"),
                tuple(Part(f"service-{row.id}", "services/_row.html", {"service": _steady(row)}) for row in page.rows),
                page.part_of,
            ),
        ),
        context={**listed, **alive},
        is_list=True,
    )


def service(service_id: int, wanted: fleet.InstanceFilter, part: Slice) -> View:
    """One service: facts, instances, versions."""
    row = catalog.service(service_id)
    held = row.locked > 0
    worker = liveness.watched(held)
    found = instances(service_id, wanted, part)
    versions = catalog.versions(service_id, NEWEST)
    steady = _steady(row)
    ask = people.named_for(Verb.ROLL_OUT, service_id)
    return View(
        cursor=row.rev,
        moving=held,
        address=("services.changes", {"service_id": service_id, **worker["watch"]}),
        regions=(
            Part("worker", "shared/_worker.html", {"alive": worker["alive"]}),
            Part("service-facts", "services/_facts.html", {"service": steady}),
            Part("service-actions", "services/_actions.html", {"service": _named(steady), "ask": ask}),
            Part("instance-versions", "services/_version_filter.html", {"service": _named(steady), "wanted": wanted}),
        ),
        lists=(
            Rows(
                Part("instances", "services/_instances.html", found, swap="outerMorph"),
                tuple(
                    Part(f"instance-{one.id}", "services/_instance.html", {"instance": one}, one.rev)
                    for one in found["page"].rows
                ),
                # To pause a rollout or let it go on changes all rows that wait for it, and none of their revisions.
                (*found["page"].part_of, _paused(found["page"].rows)),
            ),
            Rows(
                Part(
                    "versions",
                    "services/_versions.html",
                    {"versions": versions, "service_id": service_id},
                    swap="outerMorph",
                ),
                tuple(
                    # Without a revision: on how many hosts it is changes with theirs.
                    Part(f"version-{one.id}", "services/_version.html", {"version": replace(one, rev=0)})
                    for one in versions.rows
                ),
                versions.count,
            ),
        ),
        context={
            "service": row,
            "versions": versions,
            "ask": ask,
            "labels": fleet.labels(service_id),
            **found,
            **worker,
        },
        about=service_id,
        poller="services/_poller.html",
    )


def instances(service_id: int, wanted: fleet.InstanceFilter, part: Slice) -> dict[str, Any]:
    """The instances that are wanted, as their template shows them."""
    locked = None if wanted.locked is None else int(wanted.locked)
    status = wanted.status.value if wanted.status else None
    label = ",".join(wanted.labels)
    chosen = _given(q=wanted.search, version_id=wanted.version_id, locked=locked, status=status, label=label)
    return {
        "service_id": service_id,
        "page": fleet.instances(service_id, wanted, part),
        "wanted": wanted,
        "filter_args": {**chosen, "service_id": service_id},
    }


def _paused(rows: Iterable[fleet.InstanceRow]) -> list[int]:
    """The rollouts for which some of the instances wait while they are paused."""
    return sorted({one.holder.rollout_id for one in rows if one.holder and one.waits and one.waits.paused})


def _given(**args: Any) -> dict[str, Any]:
    return {name: value for name, value in args.items() if value not in ("", None)}


def _steady(row: ServiceRow) -> ServiceRow:
    """The service without its revision, which changes with things that are not seen."""
    return replace(row, rev=0)


def _named(row: ServiceRow) -> ServiceRow:
    """The service and which versions run, but not where: what need not come again with every host that is done."""
    running = tuple(replace(version, hosts=0) for version in row.running)
    return replace(row, instances=0, locked=0, failed=0, unverified=0, running=running, last=None, under_way=())
