"""What lies between two versions: what one brings that the other has not, and whether there is a way back."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from deployer.domain.plan import Barrier, crossed
from deployer.queries import catalog
from deployer.queries.catalog import ServiceRow, VersionRow

LISTED = 6  # versions that are listed; the rest are counted


@dataclass(frozen=True)
class Comparison:
    """From ``source`` to ``target``: the versions that come or go with it, newest first."""

    source: VersionRow
    target: VersionRow
    between: tuple[VersionRow, ...]
    crosses: tuple[Barrier, ...]
    link: str

    @property
    def listed(self) -> tuple[VersionRow, ...]:
        """As many of them as there is room for."""
        return self.between[:LISTED]

    @property
    def more(self) -> int:
        """How many are not listed."""
        return len(self.between) - len(self.listed)


def compare(service: ServiceRow, source: VersionRow, target_id: int | None) -> Comparison | None:
    """The comparison, or None without a target."""
    if target_id is None or target_id == source.id:
        return None
    between = catalog.between(service.id, *sorted((source.id, target_id)))
    target = next((row for row in between if row.id == target_id), None) or catalog.version(service.id, target_id)
    return Comparison(
        source,
        target,
        tuple(between),
        crossed([(source.id, target_id)], catalog.barriers(service.id)),
        link(service.compare_url, source, target),
    )


def link(pattern: str, source: VersionRow, target: VersionRow) -> str:
    """Where the two are compared, the older one first; "" when nobody said where."""
    old, new = sorted((source, target), key=lambda version: version.id)
    return pattern.replace("{from}", _reference(old)).replace("{to}", _reference(new))


def _reference(version: VersionRow) -> str:
    return quote(version.ref or version.label, safe="")
