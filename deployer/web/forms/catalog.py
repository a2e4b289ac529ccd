"""Add a service, add a version, record a build."""

from __future__ import annotations

import shlex
from typing import Any

from wtforms.widgets import TextArea

from deployer.domain.errors import N_, Invalid, Refused
from deployer.domain.names import parse_compare_url, parse_name, parse_sha256, parse_text, parse_url
from deployer.domain.recipe import KEYS, dump_recipe, parse_recipe
from deployer.domain.status import BuildStatus
from deployer.operations.catalog import Build, NewService, NewVersion
from deployer.queries.catalog import ServiceRow
from deployer.web.forms.base import Parsed, StrictForm, by, one_of

BUILD_STATUSES = {status.name.lower(): status for status in BuildStatus}
_STATUS = one_of(
    "status",
    BUILD_STATUSES | {str(status.value): status for status in BuildStatus},
    N_("This is not a build status."),
    N_("Use one of: %(choices)s."),
)


def recipe_text(text: str) -> str:
    """As it is: the recipe is judged as a whole by parse_recipe."""
    return text


class ServiceForm(StrictForm):
    """A service and its recipe."""

    name = Parsed(N_("Name"), by(parse_name, "name"))
    language = Parsed(N_("Language"), by(parse_text, "language", 64), empty="")
    description = Parsed(N_("Description"), by(parse_text, "description", 2000), empty="", widget=TextArea())
    build_orig = Parsed(N_("Built by"), by(parse_text, "build_orig", 200), empty="")
    build_url = Parsed(N_("Build address"), by(parse_url, "build_url"), empty="")
    compare_url = Parsed(N_("Address that compares two versions"), by(parse_compare_url, "compare_url"), empty="")
    kind = Parsed(N_("Recipe"), recipe_text, empty="release")
    restart = Parsed(N_("Restart command"), recipe_text, empty="")
    deploy = Parsed(N_("Deploy command"), recipe_text, empty="")
    timeout = Parsed(N_("Time limit of the command, seconds"), recipe_text, empty="")
    keep = Parsed(N_("Releases kept on the host"), recipe_text, empty="")
    health = Parsed(N_("Health check"), recipe_text, empty="")
    health_path = Parsed(N_("Path of the health check"), recipe_text, empty="")
    health_command = Parsed(N_("Command of the health check"), recipe_text, empty="")
    health_timeout = Parsed(N_("Time limit of the health check, seconds"), recipe_text, empty="")
    probe = Parsed(N_("Probe"), recipe_text, empty="")
    probe_path = Parsed(N_("Path of the probe"), recipe_text, empty="")
    probe_command = Parsed(N_("Command of the probe"), recipe_text, empty="")

    def check(self) -> None:
        """As for any form, and then the recipe as a whole."""
        refusals = self.refusals()
        try:
            self.recipe = parse_recipe({key: self[key].value for key in KEYS if self[key].value})
        except Refused as refused:
            refusals[refused.field] = refused
        self.fail_with(refusals)

    def new(self) -> NewService:
        """The service to add; call it on a form that :meth:`read` returned."""
        return NewService(
            name=self.name.value,
            recipe=self.recipe,
            language=self.language.value,
            description=self.description.value,
            build_orig=self.build_orig.value,
            build_url=self.build_url.value,
            compare_url=self.compare_url.value,
        )


def filled(service: ServiceRow) -> dict[str, str]:
    """What the form of a service says when it is opened to be changed."""
    recipe = {
        key: shlex.join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)
        for key, value in dump_recipe(service.recipe).items()
    }
    return recipe | {
        "name": service.name,
        "language": service.language,
        "description": service.description,
        "build_orig": service.build_orig,
        "build_url": service.build_url,
        "compare_url": service.compare_url,
    }


class BuildForm(StrictForm):
    """How a build stands. ``uploaded`` is the sha256 of a file that came with the form."""

    status = Parsed(N_("Build status"), _STATUS)
    artifact_url = Parsed(N_("Artifact address"), by(parse_url, "artifact_url"), empty="")
    sha256 = Parsed(N_("SHA-256 of the artifact"), by(parse_sha256, "sha256"), empty=None)
    uploaded: str | None = None

    @classmethod
    def read(cls, values: Any, uploaded: str | None = None) -> Any:
        """As for any form; ``uploaded`` is the sha256 of the file that came with it, if one did."""
        form = cls.of(values)
        form.uploaded = uploaded
        form.check()
        return form

    def check(self) -> None:
        """As for any form, and then whether address, file and sha256 say one thing."""
        refusals = self.refusals()
        if not refusals:
            problem = self._mismatch()
            if problem:
                refusals[problem.field] = problem
        self.fail_with(refusals)

    def _mismatch(self) -> Refused | None:
        url, sha256 = self.artifact_url.value, self.sha256.value
        if self.uploaded and url:
            return Invalid(
                N_("There is a file and an address."), N_("Give the artifact as one or the other."), "artifact_url"
            )
        if self.uploaded and sha256 and self.uploaded != sha256:
            return Invalid(
                N_("The file does not have this SHA-256."),
                N_("It has %(sha256)s. Check that it is the right file."),
                "sha256",
                {"sha256": self.uploaded},
            )
        if url and not sha256:
            return Invalid(
                N_("The SHA-256 of the artifact is missing."),
                N_("Give it with the address, so that every host can verify what it got."),
                "sha256",
            )
        if sha256 and not url and not self.uploaded:
            return Invalid(
                N_("There is a SHA-256 but no artifact."), N_("Give the file or its address with it."), "artifact_url"
            )
        return None

    def build(self) -> Build:
        """How the build stands; call it on a form that :meth:`read` returned."""
        return Build(self.status.value, self.artifact_url.value, self.uploaded or self.sha256.value)


class MarkForm(StrictForm):
    """Whether a version can be reverted past."""

    irreversible = Parsed(N_("Cannot be reverted past, because"), by(parse_text, "irreversible", 200), empty="")


class VersionForm(BuildForm):
    """A version of a service."""

    version = Parsed(N_("Version"), by(parse_name, "version"))
    ref = Parsed(N_("Source reference"), by(parse_text, "ref", 200), empty="")
    description = Parsed(N_("Description"), by(parse_text, "description", 2000), empty="", widget=TextArea())
    irreversible = Parsed(N_("Cannot be reverted past, because"), by(parse_text, "irreversible", 200), empty="")

    def new(self) -> NewVersion:
        """The version to add; call it on a form that :meth:`read` returned."""
        return NewVersion(
            label=self.version.value,
            build=self.build(),
            ref=self.ref.value,
            description=self.description.value,
            irreversible=self.irreversible.value,
        )
