"""From a file with hosts to what importing it would do, for pages, API and command line alike."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from deployer import inventory
from deployer.domain.errors import N_, Invalid, Refused
from deployer.domain.inventory import Inventory
from deployer.domain.machine import NewHost
from deployer.operations import import_plan
from deployer.operations.import_plan import Common, ImportPlan, LeftOut
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.hosts import HostForm
from deployer.web.words import note, whole, word

COLUMNS = HostForm.field_names()


@dataclass(frozen=True)
class Upload:
    """A file to import, and what is meant where it says nothing."""

    text: str
    kind: str = ""  # "" is guessed
    filename: str = ""
    directory: str = ""
    labels: tuple[str, ...] = ()

    @functools.cached_property
    def format(self) -> str:
        """The format as which it is read."""
        return self.kind or inventory.guess(self.text, self.filename)


def decoded(data: bytes) -> str:
    """The text of a file. Raises Invalid on ``content``."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid(
            N_("The file is not text in UTF-8."), N_("Save it as text in UTF-8, then try again."), "content"
        ) from None


def read(upload: Upload) -> Inventory:
    """What the file says. Raises Invalid on ``content``."""
    found = inventory.read(upload.text, upload.format, COLUMNS)
    if not found.entries:
        raise Invalid(
            N_("There is no host in it."),
            N_("It was read as %(format)s. Choose the format, if that is wrong."),
            "content",
            {"format": upload.format},
        )
    return found


def plan(upload: Upload, found: Inventory) -> ImportPlan:
    """What importing it would do, with the hosts as they are now."""
    # A table says which labels a host has; the groups of an inventory are some of them.
    common = Common(upload.directory, upload.labels, names_all_labels=upload.format == "csv")
    return import_plan.plan(found.entries, common, _typed)


def told(done: ImportPlan) -> str:
    """How an import has ended."""
    counts = {
        "added": len(done.added),
        "changed": len(done.changed),
        "unchanged": len(done.unchanged),
        "left_out": len(done.left_out),
    }
    message = N_("Imported: %(added)s added, %(changed)s changed, %(unchanged)s unchanged, %(left_out)s left out.")
    return word(message) % counts


def why(one: LeftOut) -> list[str]:
    """Why a host is left out, a sentence for each field."""
    return [f"{field}: {whole(refused)}" if field else whole(refused) for field, refused in one.why.items()]


def _typed(values: Mapping[str, str]) -> NewHost | Mapping[str, Refused]:
    try:
        form: HostForm = HostForm.read(values)
    except RefusedInput as problem:
        return problem.refusals
    return form.new()


def remarks(found: Inventory) -> list[tuple[int, str]]:
    """What is not taken over, with its line."""
    return [(one.line, note(one.note)) for one in found.remarks]
