"""Import hosts from a file."""

from __future__ import annotations

from wtforms.widgets import TextArea

from deployer.domain.errors import N_, Invalid
from deployer.domain.inventory import MAX_TEXT
from deployer.domain.names import parse_directory
from deployer.domain.reach import parse_labels
from deployer.inventory import FORMATS
from deployer.operations.imports import parse_digest
from deployer.web.forms.base import Parsed, StrictForm, by, one_of
from deployer.web.importing import Upload


def _content(text: str) -> str:
    if not text.strip():
        raise Invalid(N_("There is nothing to import."), N_("Choose a file, or paste its text."), "content")
    if len(text) > MAX_TEXT:
        raise Invalid(
            N_("The file is too large."), N_("At most %(most)s characters are read."), "content", {"most": MAX_TEXT}
        )
    return text


class ImportForm(StrictForm):
    """A file, and what is meant where it says nothing."""

    content = Parsed(N_("Its text"), _content, widget=TextArea())
    format = Parsed(
        N_("Format"),
        one_of(
            "format",
            {name: name for name in FORMATS},
            N_("This is not a format that is read."),
            N_("Use one of: %(choices)s."),
        ),
        empty="",
    )
    directory = Parsed(N_("Directory of their services"), by(parse_directory, "directory"), empty="")
    labels = Parsed(N_("Labels for all of them"), by(parse_labels, "labels"), empty=())
    filename: str = ""

    def upload(self) -> Upload:
        """What is to be imported; call it on a form that :meth:`read` returned."""
        return Upload(self.content.value, self.format.value, self.filename, self.directory.value, self.labels.value)


class ConfirmedImportForm(ImportForm):
    """The same, with the token of the plan that was shown."""

    plan = Parsed(N_("Plan"), parse_digest)
