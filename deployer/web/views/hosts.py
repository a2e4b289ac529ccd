"""The list of hosts and the page of one. Hosts have no revision: what is shown stands for itself."""

from __future__ import annotations

from typing import Any

from deployer.domain.access import Verb
from deployer.queries import audit, hosts, people
from deployer.queries.hosts import HostFilter
from deployer.queries.paging import Slice
from deployer.web import liveness
from deployer.web.live.views import Part, Rows, View, fingerprint


def listed(wanted: HostFilter, part: Slice) -> View:
    """The hosts by name."""
    state = wanted.state.value if wanted.state else None
    given = {"q": wanted.search, "state": state, "label": ",".join(wanted.labels), "retired": int(wanted.retired)}
    args: dict[str, Any] = {name: value for name, value in given.items() if value}
    page = hosts.hosts(part, wanted)
    shown = {"page": page, "wanted": wanted, "args": args}
    return View(
        cursor=fingerprint(page),
        moving=any(host.check_by for host in page.rows),
        address=("hosts.index_changes", {**args, **page.address}),
        lists=(
            Rows(
                Part("hosts", "hosts/_hosts.html", shown, swap="outerMorph"),
                tuple(Part(f"host-{row.id}", "hosts/_row.html", {"host": row}) for row in page.rows),
                page.part_of,
            ),
        ),
        context={**shown, "labels": hosts.labels(retired=wanted.retired)},
        is_list=True,
    )


def host(host_id: int) -> View:
    """One host: how it is reached, what its last check found, its keys, what runs there, what was done. Raises
    NotFound."""
    row = hosts.host(host_id)
    waits = row.check_by is not None
    runs = hosts.instances(host_id)
    told: dict[str, dict[str, Any]] = {
        "head": {
            "host": row,
            "alive": liveness.watched(waits)["alive"],
            "ask": people.named_for(Verb.MANAGE_FLEET, None),
        },
        "check": {"host": row},
        "keys": {"host": row, "keys": hosts.keys(host_id)},
        "instances": {"host": row, "host_instances": runs},
        "audit": {"lines": audit.about("host", host_id)},
    }
    return View(
        cursor=fingerprint(told),
        moving=waits or any(one.rollout_id for one in runs),
        address=("hosts.changes", {"host_id": host_id}),
        regions=tuple(Part(f"host-{name}", f"hosts/_{name}.html", shown) for name, shown in told.items()),
        context={name: value for shown in told.values() for name, value in shown.items()},
    )
