"""What is swapped into a page: every fragment renders alone, the same for everybody, and safely under the CSP."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from flask import Flask, render_template
from flask_login import login_user
from jinja2 import StrictUndefined
from werkzeug.datastructures import MultiDict

from deployer.domain.errors import Invalid
from deployer.domain.facts import CheckState
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import Barrier, StartRollout
from deployer.domain.reach import CredentialKind
from deployer.domain.status import Action, BuildStatus, Evidence, InstanceStatus, Origin, RolloutState, StepState
from deployer.models.columns import utc_now
from deployer.operations import rollouts as operations
from deployer.operations import steps
from deployer.operations.import_plan import ImportPlan, LeftOut
from deployer.operations.sign_ins import SignedIn
from deployer.queries import audit, catalog, fleet, history, hosts, plans, rollouts, waves
from deployer.queries import steps as step_queries
from deployer.queries.credentials import CredentialView
from deployer.queries.paging import Slice
from deployer.queries.people import SignInRow
from deployer.resources import folder
from deployer.web import choosing, comparing, following, importing, liveness, present
from deployer.web.auth import Person
from deployer.web.forms.catalog import ServiceForm, VersionForm
from deployer.web.forms.followup import ReviewedForm
from deployer.web.forms.rollout import PageRolloutForm
from tests.operations.test_checks import FACTS
from tests.web.conftest import Visitor
from tests.world import ADMIN, World

STATES = [state for enum in (InstanceStatus, BuildStatus, StepState, RolloutState, CheckState) for state in enum]
NOW = utc_now()
TEMPLATES = folder("templates")
FRAGMENTS = sorted(str(file.relative_to(TEMPLATES)) for file in TEMPLATES.rglob("_*.html"))

BARRIER = Barrier(3, "1.2.0", "why")
ITS: dict[str, dict[str, object]] = {  # what has one name in several folders
    "hosts": {"wanted": hosts.HostFilter()},
    "people": {"sign_ins": [SignInRow(1, utc_now(), utc_now(), utc_now(), "192.0.2.1", "Firefox/130.0")]},
    "audit": {"wanted": audit.AuditFilter(), "nouns": [], "verbs": []},
    "rollouts": {"wanted": history.RolloutFilter()},
    "imports": {"plan": ImportPlan((), (), (), (LeftOut(1, "a", {"": Invalid("why")}),), {}), "why": importing.why},
}

SignIn = Callable[[str], Visitor]


class Seen(HTMLParser):
    """The ids and attribute names of a document, and whether it has inline code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: Counter[str] = Counter()
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if names.get("id"):
            self.ids[str(names["id"])] += 1
        self.inline += [f"{tag} {name}" for name in names if name == "style" or name.startswith(("on", "hx-on"))]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.inline.append(tag)


@pytest.fixture
def sign_in(sqlite_app: Flask, sqlite_world: World) -> SignIn:
    """Sign somebody of the world in. From here on a template that uses a name nobody gave it fails."""
    sqlite_app.jinja_env.undefined = StrictUndefined

    def enter(name: str) -> Visitor:
        visitor = Visitor(sqlite_app.test_client())
        assert visitor.sign_in(name).status_code == 303
        return visitor

    return enter


@pytest.fixture
def ann(sign_in: SignIn) -> Visitor:
    """An administrator."""
    return sign_in("ann")


@pytest.fixture
def rollout_id(sqlite_world: World) -> int:
    """A rollout under way: one host failed, one is running, one waits."""
    versions = sqlite_world.versions
    command = StartRollout(
        sqlite_world.service, versions["1.1.0"], Action.UPGRADE, versions["1.2.0"], HostChoice(everyone=True), "why <b>"
    )
    started = operations.start(command, ADMIN).rollout_id
    failed, running = steps.take_steps(started, "a worker", 2)
    steps.say([steps.Said(failed, ["line <one>"], "Starting")])
    steps.settle_step(failed, steps.Settlement(ok=False, running="1.1.0", error="It <crashed>.\nExit status 1"))
    steps.say([steps.Said(running, ["line two"], "Unpacking")])
    return started


def test_every_state_has_a_shape_and_a_word() -> None:
    shapes = {present.LOOKS[type(state)][state].shape for state in STATES}
    assert shapes == {"ok", "bad", "warn", "busy", "idle"}


def test_a_state_is_told_by_a_word_and_not_by_colour_alone(sqlite_app: Flask) -> None:
    macro = sqlite_app.jinja_env.from_string(
        '{% from "shared/ui.html" import status with context %}{{ status(state) }}'
    )
    with sqlite_app.test_request_context("/"):
        for state in STATES:
            seen = present.look(state)
            assert seen.word[0].isupper(), state
            assert macro.render(state=state) == f'<span class="st st-{seen.shape}">{seen.word}</span>', state


def test_only_a_confirmed_version_has_no_mark(sqlite_app: Flask) -> None:
    with sqlite_app.test_request_context("/"):
        marks = {evidence: present.doubt(evidence) for evidence in Evidence}
    assert marks[Evidence.CONFIRMED] is None
    assert {mark.word for mark in marks.values() if mark} == {"recorded", "unverified"}


def everything(world: World, rollout_id: int) -> dict[str, object]:
    """All that any fragment shows, from a real database."""
    service = catalog.service(world.service)
    ticked = MultiDict([("host_id", str(world.hosts["web-3"])), ("dest_version", str(world.versions["1.2.0"]))])
    instances = fleet.instances(service.id, fleet.InstanceFilter(), Slice(limit=2))
    return {
        **choosing.choice(service.id, world.versions["1.1.0"], Action.UPGRADE, ticked),
        "service": service,
        "service_id": service.id,
        "page": instances,
        "versions": catalog.versions(service.id, Slice(limit=2)),
        "wanted": fleet.InstanceFilter(),
        "filter_args": {"service_id": service.id},
        "instance": instances.rows[0],
        "search": "",
        "host": hosts.host(world.hosts["web-1"]),
        "host_instances": hosts.instances(world.hosts["web-1"]),
        "keys": hosts.keys(world.hosts["web-1"]),
        "lines": audit.about("host", world.hosts["web-1"]),
        "facts": FACTS,
        "labels": hosts.labels(),
        "label": "",
        "args": {},
        "sealable": False,
        "remarks": [(1, "x is not taken over.")],
        "most": 9,
        "credential": CredentialView(1, "deploy", CredentialKind.KEY, "SHA256:x", NOW, NOW, "ann", 1),
        "kinds": {CredentialKind.KEY: "private key"},
        "rollout": rollouts.rollout(rollout_id),
        "steps": step_queries.steps(rollout_id),
        "step": step_queries.step(rollout_id, step_queries.telling_step(rollout_id) or 0),
        "told": history.history(Slice(), history.RolloutFilter()).rows[0],
        "services": history.services(),
        "people": history.people(),
        "followers": [(rollout_id, Origin.UNDO)],
        "offers": plans.offers(rollouts.rollout(rollout_id)),
        "waves": waves.waves(rollout_id, 1, 1),
        "wave": waves.waves(rollout_id, 1, 1)[0],
        **following.choice(rollout_id, "undo", None),
        **liveness.watched(waited_for=True),
        "crosses": (BARRIER,),
        "poll": "/services/changes?since=1",
        "poller": "shared/_poller.html",
        "sent": [],
        "every": "3000ms",
        "is_list": True,
        "compared": comparing.Comparison(
            catalog.version(service.id, world.versions["1.8.0"]),
            catalog.version(service.id, world.versions["1.0.0"]),
            catalog.versions(service.id, Slice()).rows,
            (BARRIER,),
            "https://git.example.org",
        ),
    }


def test_every_fragment_renders_alone(sqlite_app: Flask, sqlite_world: World, sign_in: SignIn, rollout_id: int) -> None:
    forms = {
        "services": ServiceForm.of({}),
        "versions": VersionForm.of({}),
        "rollouts": PageRolloutForm.of({}),
        "followups": ReviewedForm.of({}),
    }
    with sqlite_app.test_request_context("/services"):
        login_user(Person(SignedIn("key", ADMIN)))
        shown = everything(sqlite_world, rollout_id)
        pages = {
            "services/_services.html": catalog.services(Slice()),
            "rollouts/_rollouts.html": history.history(Slice(), history.RolloutFilter()),
            "hosts/_hosts.html": hosts.hosts(Slice()),
        }
        for name in FRAGMENTS:
            folder_of = name.partition("/")[0]
            its = {**ITS.get(folder_of, {}), **({"page": pages[name]} if name in pages else {})}
            html = render_template(name, **shown | its, form=forms.get(folder_of))
            assert html.strip(), name
            assert "<html" not in html, name
            assert Seen(html).inline == [], name


def pages(world: World, rollout_id: int) -> list[str]:
    """Every page that a person can open."""
    service = f"/services/{world.service}"
    source = f"{service}/versions/{world.versions['1.1.0']}"
    return [
        "/services",
        "/services?q=orders",
        "/services?q=nothing",
        "/services/new",
        service,
        f"{service}?q=web&locked=1&version_id={world.versions['1.1.0']}",
        f"/services/{world.other}",
        f"{service}/versions",
        f"{service}/versions/new",
        f"{source}/build",
        f"{source}/upgrade",
        f"{source}/revert?q=web&locked=0",
        f"{service}/versions/{world.versions['1.8.0']}/upgrade",
        f"{service}/instances/new",
        "/rollouts",
        "/rollouts?by=nobody",
        f"/rollouts/{rollout_id}",
        f"/rollouts/{rollout_id}/resume",
        f"/rollouts/{rollout_id}/undo",
        f"/rollouts/{rollout_id}/retry",
        "/hosts",
        "/hosts?q=nothing&label=a,b&state=problem",
        "/hosts?retired=1",
        "/hosts/new",
        "/hosts/import",
        "/people",
        "/people/me/password",
        "/people/me",
        "/people/2",
        "/audit",
        "/audit?text=nothing",
        "/credentials",
        "/credentials/new",
        f"/hosts/{world.hosts['web-1']}",
        f"/hosts/{world.hosts['web-1']}/edit",
        f"/hosts/{world.hosts['web-1']}/retire",
    ]


def fragments(world: World, rollout_id: int) -> dict[str, str]:
    """The address of everything that is served alone, and the id that its root carries."""
    service = f"/services/{world.service}"
    step = step_queries.telling_step(rollout_id)
    return {
        f"{service}/instances": "instances",
        f"{service}/changes?since=0": "poller",
        f"{service}/versions/{world.versions['1.1.0']}/upgrade/targets": "rollout-targets",
        "/services/changes?since=0": "poller",
        "/rollouts/changes?since=0": "poller",
        "/hosts/changes?since=0": "poller",
        f"/hosts/{world.hosts['web-1']}/changes?since=0": "poller",
        f"/rollouts/{rollout_id}/steps/{step}": "step-log",
        f"/rollouts/{rollout_id}/changes?since=0&step={step}": "poller",
    }


def test_pages_have_unique_ids_and_nothing_inline(ann: Visitor, sqlite_world: World, rollout_id: int) -> None:
    for path in pages(sqlite_world, rollout_id):
        answer = ann.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
        seen = Seen(answer.text)
        assert [name for name, count in seen.ids.items() if count > 1] == [], path
        assert seen.inline == [], path
        assert "<title>" in answer.text


def test_a_fragment_carries_the_id_that_it_replaces(ann: Visitor, sqlite_world: World, rollout_id: int) -> None:
    for path, root in fragments(sqlite_world, rollout_id).items():
        answer = ann.get(path)
        assert answer.status_code == 200, path
        first = re.search(r"<\w[^>]*>", answer.text)
        assert first, path
        assert f'id="{root}"' in first.group(), path


def test_one_address_has_one_representation(ann: Visitor, sqlite_world: World, rollout_id: int) -> None:
    for path in [*pages(sqlite_world, rollout_id), *fragments(sqlite_world, rollout_id)]:
        for_htmx = ann.get(path, headers={"HX-Request": "true"})
        assert steady(for_htmx.text) == steady(ann.get(path).text), path


def steady(html: str) -> str:
    """Without what differs between any two answers: the token's signature, and times that pass."""
    html = re.sub(r'name="csrf_token" value="[^"]+"', "", html)
    return re.sub(r"<time[^>]*>[^<]*</time>", "", html)


def test_the_host_checklist_keeps_what_the_filter_hides(ann: Visitor, sqlite_world: World) -> None:
    path = sqlite_world.url() + "/hosts"
    ticked = [str(sqlite_world.hosts[name]) for name in ("web-1", "web-2")]
    answer = ann.post(path, [("q", "web-1"), *(("host_id", one) for one in ticked)])
    assert answer.status_code == 200
    assert Seen(answer.text).ids["rollout-hosts"] == 1
    assert re.search(rf'type="checkbox" name="host_id" value="{ticked[0]}" checked', answer.text)
    assert f'<input type="hidden" name="host_id" value="{ticked[1]}">' in answer.text
    assert "web-3" not in answer.text


def test_the_plan_carries_the_id_that_it_replaces(ann: Visitor, sqlite_world: World) -> None:
    data = {"dest_version": sqlite_world.versions["1.2.0"], "host_id": sqlite_world.hosts["web-1"]}
    for sent in (data, {}):
        first = re.search(r"<\w[^>]*>", ann.post(sqlite_world.url() + "/plan", sent).text)
        assert first
        assert 'id="rollout-plan"' in first.group()


def test_what_a_person_wrote_is_text_and_never_markup(ann: Visitor, rollout_id: int) -> None:
    page = ann.get(f"/rollouts/{rollout_id}").text
    assert "why &lt;b&gt;" in page
    assert "line &lt;one&gt;" in page
    assert "It &lt;crashed&gt;." in page


def test_a_signed_out_poller_gets_401_and_a_page_the_sign_in(sqlite_app: Flask, sqlite_world: World) -> None:
    stranger = sqlite_app.test_client()
    path = f"/services/{sqlite_world.service}/changes?since=0"
    assert stranger.get(path, headers={"HX-Request": "true"}).status_code == 401
    assert stranger.get("/services").headers["Location"].startswith("/sign-in?next=")


def test_a_viewer_is_not_offered_what_is_refused(sign_in: SignIn, sqlite_world: World) -> None:
    viewer = sign_in("vic")
    page = viewer.get(f"/services/{sqlite_world.service}").text
    for words in ("Upgrade…", "Revert…", "Add version", "Record instance"):
        assert words not in page
    assert "Upgrade…" not in viewer.get(f"/services/{sqlite_world.service}/versions").text
    assert viewer.get(sqlite_world.url()).status_code == 403
