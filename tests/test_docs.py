"""The documents say what the product does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from flask import Flask

from deployer.cli import main
from deployer.domain.recipe import KEYS
from deployer.jobs.work import Name
from deployer.remote import ssh_failures
from deployer.remote.runner import CommandResult, RunnerError

assert ssh_failures  # its failures are among those of RunnerError
ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = {
    "service_id": "S",
    "version_id": "V",
    "rollout_id": "R",
    "instance_id": "I",
    "host_id": "H",
    "credential_id": "C",
    "token_id": "T",
    "user_id": "U",
    "action": "ACTION",
}


def test_the_api_document_lists_exactly_the_calls_there_are(sqlite_app: Flask) -> None:
    listed = set(re.findall(r"^\| `((?:GET|POST) /\S+)` \|", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE))
    calls = set()
    for rule in sqlite_app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/"):
            path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: NAMES[found[1]], rule.rule.removeprefix("/api/v1"))
            calls |= {f"{method} {path}" for method in (rule.methods or set()) & {"GET", "POST"}}
    assert listed == calls


def test_the_api_document_lists_every_field_of_a_recipe() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    assert {key for key in KEYS if f"`{key}`" not in text} == set()


def test_the_hosts_document_has_a_remedy_for_every_way_to_fail() -> None:
    text = (ROOT / "docs" / "hosts.md").read_text()
    named = set(re.findall(r"^\| ([A-Za-z ]+) \|.*\|.*\|$", text.partition("## When it fails")[2], re.MULTILINE)) - {
        "name"
    }
    kinds, waiting = set(), [RunnerError]
    while waiting:
        waiting += (failure := waiting.pop()).__subclasses__()
        kinds.add(str(failure.kind))
    ends = {CommandResult(status, False, "", ()).kind for status in (1, None)}
    assert named == (kinds - {RunnerError.kind}) | set(Name) | ends


def _commands() -> list[tuple[str, str]]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text().replace("\\\n", " ")
        found += [(document.name, line) for line in re.findall(r"^    (deployer .+)$", text, re.MULTILINE)]
    return found


@pytest.mark.parametrize(("document", "line"), _commands())
def test_every_command_in_the_documents_exists_with_its_options(document: str, line: str) -> None:
    for single in line.split("&"):
        words = shlex.split(single)
        if not words:
            continue
        command: click.Command = main
        words = words[1:]
        while words and isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, f"{document}: {single}"
            command = found
        command.make_parser(click.Context(command)).parse_args(words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


SECURITY = (ROOT / "SECURITY.md").read_text()


@pytest.mark.parametrize("cited", sorted(set(re.findall(r"`([\w/.-]+\.(?:py|toml)(?:::\w+)?)`", SECURITY))))
def test_what_the_security_document_cites_is_there(cited: str) -> None:
    file, _, name = cited.partition("::")
    assert (ROOT / file).is_file()
    assert not name or re.search(rf"^(?:async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize("document", [ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_every_make_target_in_the_documents_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^    |`)(?:[A-Z]+=\S+ )?make ([a-z]+)", document.read_text(), re.MULTILINE)
    assert set(named) <= targets
