"""The record of changes in sentences."""

from __future__ import annotations

from flask_babel import gettext

from deployer.domain.errors import N_
from deployer.queries.audit import AuditLine
from deployer.web.forms.hosts import HostForm

OF_HOST = {
    "add": N_("added the host"),
    "change": N_("changed the host"),
    "retire": N_("retired the host"),
    "bring_back": N_("brought the host back"),
    "check": N_("had the connection tested"),
    "trust": N_("approved a key"),
    "forget": N_("forgot a key"),
}


def did(line: AuditLine) -> str:
    """What was done to a host."""
    return str(gettext(OF_HOST[line.verb])) if line.verb in OF_HOST else line.verb


def details(line: AuditLine) -> list[str]:
    """What exactly: which key, which fields from what to what."""
    found = [str(line.facts["fingerprint"])] if "fingerprint" in line.facts else []
    labels = {field.name: field.label.text for field in HostForm()}
    for name, (before, after) in line.facts.get("changes", {}).items():
        label = gettext(labels[name]) if name in labels else name
        found.append(f"{label}: {before or '–'} → {after or '–'}")
    return found
