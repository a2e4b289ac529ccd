"""The record of changes in sentences."""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter
from typing import Any

from flask_babel import gettext

from deployer.domain.access import Verb
from deployer.domain.errors import N_
from deployer.queries.audit import AuditLine
from deployer.web.forms.catalog import ServiceForm
from deployer.web.forms.hosts import HostForm
from deployer.web.words import word

OF_HOST = {
    "add": N_("added the host"),
    "change": N_("changed the host"),
    "retire": N_("retired the host"),
    "bring_back": N_("brought the host back"),
    "check": N_("had the connection tested"),
    "trust": N_("approved a key"),
    "forget": N_("forgot a key"),
}
# By noun and verb; the slots are the entry's facts, ``who`` and ``id``.
SENTENCES = {
    ("service", "add"): N_("%(who)s added the service %(name)s"),
    ("service", "change"): N_("%(who)s changed the service %(service)s"),
    ("version", "add"): N_("%(who)s added the version %(version)s of %(service)s"),
    ("version", "record_build"): N_("%(who)s recorded the build of %(service)s %(version)s"),
    ("version", "mark"): N_("%(who)s said whether %(service)s %(version)s can be reverted past"),
    ("instance", "record"): N_("%(who)s recorded that %(host)s runs %(service)s %(version)s"),
    ("instance", "ask"): N_("%(who)s had %(host)s asked which version of %(service)s it runs"),
    ("instance", "see"): N_("%(who)s marked what failed on %(host)s for %(service)s as seen"),
    ("instance", "probe"): N_("%(host)s, asked for %(who)s, answered %(running)s; %(recorded)s was recorded"),
    ("host", "add"): N_("%(who)s added the host %(hostname)s"),
    ("host", "change"): N_("%(who)s changed the host %(hostname)s"),
    ("host", "retire"): N_("%(who)s retired the host %(hostname)s"),
    ("host", "bring_back"): N_("%(who)s brought the host %(hostname)s back"),
    ("host", "check"): N_("%(who)s had the connection to %(hostname)s tested"),
    ("host", "trust"): N_("%(who)s approved a key of %(hostname)s"),
    ("host", "forget"): N_("%(who)s forgot a key of %(hostname)s"),
    ("credential", "add"): N_("%(who)s added the credential %(name)s"),
    ("credential", "replace"): N_("%(who)s replaced the credential %(name)s"),
    ("credential", "remove"): N_("%(who)s removed the credential %(name)s"),
    ("credential", "rotate"): N_("%(who)s sealed the credentials for a new key"),
    ("rollout", "upgrade"): N_("%(who)s started to upgrade %(service)s from %(source)s to %(target)s on %(hosts)s"),
    ("rollout", "revert"): N_("%(who)s started to revert %(service)s from %(source)s to %(target)s on %(hosts)s"),
    ("rollout", "undo"): N_("%(who)s started to take %(service)s back on %(hosts)s"),
    ("rollout", "retry"): N_("%(who)s started to try %(service)s again on %(hosts)s"),
    ("rollout", "pause"): N_("%(who)s paused rollout #%(id)s"),
    ("rollout", "resume"): N_("%(who)s let rollout #%(id)s go on; left out: %(left_out)s"),
    ("rollout", "cancel"): N_("%(who)s cancelled rollout #%(id)s; never started: %(never_started)s"),
    ("rollout", "end"): N_("%(who)s ended rollout #%(id)s to undo it; never started: %(never_started)s"),
    ("rollout", "stop"): N_("Rollout #%(id)s of %(who)s stopped because of failures; never started: %(never_started)s"),
    ("rollout", "no_undo"): N_("There was nothing of rollout #%(id)s to undo for %(who)s"),
    ("step", "settle"): N_("%(host)s ended in rollout #%(rollout)s of %(who)s: %(state)s, running %(running)s"),
    ("step", "requeue"): N_("%(host)s is tried again in rollout #%(rollout)s of %(who)s: its worker was lost"),
    ("user", "create"): N_("%(who)s added the person %(name)s"),
    ("user", "give_role"): N_("%(who)s gave %(name)s another role"),
    ("user", "give_service_role"): N_("%(who)s gave %(name)s another role for %(service)s"),
    ("user", "disable"): N_("%(who)s shut %(name)s out"),
    ("user", "enable"): N_("%(who)s let %(name)s in again"),
    ("user", "sign_in"): N_("%(who)s signed in"),
    ("user", "sign_in_refused"): N_("Somebody gave a wrong password for %(who)s"),
    ("user", "sign_out"): N_("%(who)s signed out"),
    ("user", "sign_out_elsewhere"): N_("%(who)s signed out everywhere else"),
    ("user", "change_password"): N_("%(who)s changed the password of %(name)s"),
    ("user", "link"): N_("%(who)s let %(name)s sign in elsewhere"),
    ("token", "create"): N_("%(who)s made the token %(name)s of %(user)s"),
    ("job", "forge"): N_("A job in Redis was none of this console's and was refused: %(call)s"),
    ("token", "revoke"): N_("%(who)s revoked the token %(name)s of %(user)s"),
}
# What it was done to, and what was done, to look for it.
NOUNS = {
    "service": N_("services"),
    "version": N_("versions"),
    "instance": N_("instances"),
    "host": N_("hosts"),
    "credential": N_("credentials"),
    "rollout": N_("rollouts"),
    "step": N_("hosts of rollouts"),
    "user": N_("people"),
    "token": N_("tokens"),
    "job": N_("jobs in Redis"),
    "console": N_("the console as a whole"),
}
VERBS = {
    "add": N_("added"),
    "ask": N_("had a host asked for its version"),
    "bring_back": N_("brought a host back"),
    "cancel": N_("cancelled"),
    "change": N_("changed"),
    "change_password": N_("changed a password"),
    "check": N_("had a connection tested"),
    "create": N_("added a person, or made a token"),
    "disable": N_("shut somebody out"),
    "enable": N_("let somebody in again"),
    "end": N_("ended a rollout to undo it"),
    "forge": N_("put a job into Redis that is none of ours"),
    "forget": N_("forgot a key"),
    "give_role": N_("gave a role for everything"),
    "give_service_role": N_("gave a role for a service"),
    "link": N_("let somebody sign in elsewhere"),
    "mark": N_("said whether a version can be reverted past"),
    "no_undo": N_("found nothing to undo"),
    "pause": N_("paused"),
    "probe": N_("found which version runs"),
    "record": N_("recorded an instance"),
    "record_build": N_("recorded a build, or tried to"),
    "remove": N_("removed a credential"),
    "replace": N_("replaced a credential"),
    "requeue": N_("had a host tried again: its worker was lost"),
    "resume": N_("let a rollout go on"),
    "retire": N_("retired a host"),
    "retry": N_("tried failed hosts again"),
    "revert": N_("started to revert"),
    "revoke": N_("revoked a token"),
    "rotate": N_("sealed credentials for a new key"),
    "see": N_("marked a failure as seen"),
    "settle": N_("ended on a host"),
    "sign_in": N_("signed in"),
    "sign_in_refused": N_("gave a wrong password"),
    "sign_out": N_("signed out"),
    "sign_out_elsewhere": N_("signed out everywhere else"),
    "stop": N_("stopped because of failures"),
    "trust": N_("approved a key"),
    "undo": N_("took back what was done"),
    "upgrade": N_("started to upgrade"),
}
OTHER = N_("%(who)s did this to %(noun)s %(id)s: %(verb)s")
REFUSED = N_("%(who)s was not allowed %(what)s: %(call)s")
TRIED = {
    Verb.VIEW: N_("to look"),
    Verb.RECORD_BUILD: N_("to record versions"),
    Verb.ROLL_OUT: N_("to roll out"),
    Verb.MANAGE: N_("to change services"),
    Verb.AUDIT: N_("to read what was done"),
    Verb.MANAGE_FLEET: N_("to change hosts and credentials"),
    Verb.ADMINISTER: N_("to administer people"),
}
FIELDS = {
    **{field.name: field.label.text for form in (HostForm, ServiceForm) for field in form()},
    "role": N_("Role"),
    "status": N_("Status"),
    "irreversible": N_("No way back because"),
    "artifact_url": N_("Artifact"),
}
NAMED = 5  # hosts of a rollout


def nouns() -> list[tuple[str, str]]:
    """What can have been done something to, and the words for it, by the words."""
    return sorted(((noun, str(gettext(word))) for noun, word in NOUNS.items()), key=itemgetter(1))


def verbs() -> list[tuple[str, str]]:
    """What can have been done or tried, and the words for it, by the words."""
    done = {verb: str(gettext(word)) for verb, word in VERBS.items()}
    tried = {verb.value: str(gettext("tried %(what)s", what=gettext(what))) for verb, what in TRIED.items()}
    return sorted((tried | done).items(), key=itemgetter(1))


def did(line: AuditLine) -> str:
    """What was done to a host."""
    return str(gettext(OF_HOST[line.verb])) if line.verb in OF_HOST else line.verb


def told(line: AuditLine) -> str:
    """Who did what, in one sentence without its end."""
    facts: dict[str, Any] = {**line.facts, "who": line.actor, "id": line.noun_id, "noun": line.noun, "verb": line.verb}
    message = SENTENCES.get((line.noun, line.verb), REFUSED if line.refused else OTHER)
    if message is REFUSED:
        tried = TRIED.get(Verb(line.verb)) if line.verb in set(Verb) else None
        facts["what"] = gettext(tried) if tried else line.verb
    if "state" in facts:
        facts["state"] = word(str(facts["state"]))  # how a step ended: one of the words of refusals
    words: defaultdict[str, Any] = defaultdict(lambda: "–", {name: _word(value) for name, value in facts.items()})
    return str(gettext(message)) % words


def details(line: AuditLine) -> list[str]:
    """What exactly: which key, which fields from what to what."""
    found = [str(line.facts["fingerprint"])] if "fingerprint" in line.facts else []
    if line.facts.get("crossed"):
        found.append(gettext("Past %(versions)s, which cannot be reverted past", versions=_word(line.facts["crossed"])))
    for name, (before, after) in line.facts.get("changes", {}).items():
        label = gettext(FIELDS[name]) if name in FIELDS else name
        found.append(f"{label}: {_word(before)} → {_word(after)}")
    return found


def _word(value: Any) -> str:
    if isinstance(value, list):
        more = f" + {len(value) - NAMED}" if len(value) > NAMED else ""
        return ", ".join(map(str, value[:NAMED])) + more
    return "–" if value in (None, "") else str(value)
