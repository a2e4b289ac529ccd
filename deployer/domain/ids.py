"""Ids as people and programs send them: strict ASCII decimal, no signs, no leading zeros (S10)."""

from __future__ import annotations

import re

from deployer.domain.errors import N_, Invalid

# At most nine digits, so that every id fits the 32-bit columns of every supported database.
ID = r"[1-9][0-9]{0,8}"
MAX_ID = 999_999_999
_ID = re.compile(ID, re.ASCII)


def parse_id(text: str) -> int | None:
    """The id that ``text`` spells, or None when it spells none."""
    return int(text) if _ID.fullmatch(text) else None


def parse_known(text: str) -> frozenset[int]:
    """The ids of the versions that a person knows cannot be reverted past: none, or some with commas between. Raises
    :class:`Invalid` on field ``crosses``."""
    found = {parse_id(part) for part in text.split(",")} if text else set()
    if None in found:
        raise Invalid(N_("These are not ids of versions."), N_("Reload the page and try again."), "crosses")
    return frozenset(one for one in found if one is not None)


def parse_version_id(text: str) -> int:
    """The target version's id. Raises :class:`Invalid` on field ``dest_version``."""
    if not text:
        raise Invalid(N_("The version must not be empty."), N_("Choose the version to go to."), "dest_version")
    value = parse_id(text)
    if value is None:
        raise Invalid(
            N_("The version is not a version id."),
            N_("Give the id of one version: a whole number from 1 up, in plain digits."),
            "dest_version",
        )
    return value
