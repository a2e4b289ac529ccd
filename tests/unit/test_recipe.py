"""Recipes: what is read, what is refused and at which field, and what is stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.domain import release
from deployer.domain.errors import Invalid
from deployer.domain.recipe import (
    HealthCheck,
    Probe,
    Recipe,
    ReleaseRecipe,
    ScriptRecipe,
    dump_recipe,
    parse_recipe,
)
from deployer.domain.release import Task


def test_a_release_recipe_needs_only_its_restart_command() -> None:
    assert parse_recipe({"restart": "systemctl restart 'my orders'"}) == ReleaseRecipe(
        restart=("systemctl", "restart", "my orders"),
        health=HealthCheck("http", "/healthz", (), 30),
        probe=Probe("http", "/version", ()),
        keep=5,
        restart_timeout=60,
    )


def test_a_script_recipe_needs_its_deploy_and_probe_commands() -> None:
    assert parse_recipe({"kind": "script", "deploy": ["./deploy"], "probe_command": "./version"}) == ScriptRecipe(
        deploy=("./deploy",), probe=("./version",), timeout=600, health=HealthCheck("none", "", (), 30)
    )


def test_blank_settings_mean_the_default_and_unused_ones_are_left_out() -> None:
    form = {
        "kind": "",
        "restart": "x",
        "deploy": " ",
        "health": "tcp",
        "health_path": "/h",
        "keep": "",
        "timeout": None,
    }
    assert parse_recipe(form) == parse_recipe({"restart": ["x"], "health": "tcp"})
    script = {"kind": "script", "deploy": "a", "probe_command": "b", "keep": "not read", "probe_path": "/p"}
    assert parse_recipe(script) == parse_recipe({"kind": "script", "deploy": "a", "probe_command": "b"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "ansible"}, "kind"),
        ({"kind": 1}, "kind"),
        ({"kind": ["release"]}, "kind"),
        ({"no_such": "x"}, "recipe"),
        ({"deploy": "x"}, "deploy"),
        ({"restart": ""}, "restart"),
        ({"restart": []}, "restart"),
        ({"restart": None}, "restart"),
        ({"restart": "''"}, "restart"),
        ({"restart": [""]}, "restart"),
        ({"restart": ["x", 1]}, "restart"),
        ({"restart": "say 'hi"}, "restart"),
        ({"restart": "a\x00b"}, "restart"),
        ({"restart": ["a", "\ud800"]}, "restart"),
        ({"restart": ["a"] * 101}, "restart"),
        ({"restart": {"a": 1}}, "restart"),
        ({"health": "ping"}, "health"),
        ({"health_path": "healthz"}, "health_path"),
        ({"health_path": "/a b"}, "health_path"),
        ({"health_path": "/a\r\nHost: x"}, "health_path"),
        ({"health_path": "/é"}, "health_path"),
        ({"health_path": "/a#b"}, "health_path"),
        ({"health_path": 1}, "health_path"),
        ({"health": "command"}, "health_command"),
        ({"health_timeout": "0"}, "health_timeout"),
        ({"health_timeout": "1e3"}, "health_timeout"),
        ({"health_timeout": "٣"}, "health_timeout"),
        ({"health_timeout": "nan"}, "health_timeout"),
        ({"health_timeout": float("nan")}, "health_timeout"),
        ({"health_timeout": float("inf")}, "health_timeout"),
        ({"health_timeout": True}, "health_timeout"),
        ({"health_timeout": 10**400}, "health_timeout"),
        ({"timeout": -1}, "timeout"),
        ({"keep": 0}, "keep"),
        ({"keep": 1.5}, "keep"),
        ({"keep": "1.0"}, "keep"),
        ({"keep": 101}, "keep"),
        ({"keep": [5]}, "keep"),
        ({"probe": "tcp"}, "probe"),
        ({"probe": "command"}, "probe_command"),
        ({"probe_path": "//\n"}, "probe_path"),
        ({"kind": "script"}, "restart"),
        ({"kind": "script", "restart": ""}, "deploy"),
        ({"kind": "script", "restart": "", "deploy": "x"}, "probe_command"),
        ({"kind": "script", "restart": "", "deploy": "x", "probe": "http"}, "probe"),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_a_bad_setting_is_refused_at_its_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_recipe({"restart": ["x"], **change})
    assert caught.value.field == field
    assert str(caught.value)


WORD = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
ARGV = st.lists(WORD, min_size=1, max_size=4).map(tuple).filter(lambda argv: argv[0].strip())
PATH = st.text("abc/?=&%-._~", max_size=20).map("/".__add__)
SECONDS = st.floats(1, 3600)


@st.composite
def health_checks(draw: st.DrawFn) -> HealthCheck:
    kind = draw(st.sampled_from(["http", "tcp", "command", "none"]))
    path = draw(PATH) if kind == "http" else ""
    return HealthCheck(kind, path, draw(ARGV) if kind == "command" else (), draw(SECONDS))


PROBES = st.one_of(PATH.map(lambda path: Probe("http", path)), ARGV.map(lambda argv: Probe("command", "", argv)))
RECIPES = st.one_of(
    st.builds(ReleaseRecipe, ARGV, health_checks(), PROBES, st.integers(1, 100), SECONDS),
    st.builds(ScriptRecipe, ARGV, ARGV, SECONDS, health_checks()),
)


@given(RECIPES)
def test_what_is_stored_is_read_back_the_same(recipe: Recipe) -> None:
    stored = json.loads(json.dumps(dump_recipe(recipe)))
    assert parse_recipe(stored) == recipe


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=3)


@given(st.dictionaries(st.sampled_from(["kind", "restart", "deploy", "health", "probe", "keep", "timeout", "x"]), JSON))
def test_no_recipe_does_anything_but_parse_or_be_refused(data: dict[str, object]) -> None:
    try:
        recipe = parse_recipe(data)
    except Invalid:
        return
    assert parse_recipe(dump_recipe(recipe)) == recipe


def test_values_travel_as_arguments_and_never_inside_the_program() -> None:
    task = Task("orders", "h", "127.0.0.1", 80, "/srv/$(id)", "1.0.0", "1.1.0", Path("a"), "0" * 64)
    for command in (
        release.prepare(task),
        release.unpack(task, "0" * 64),
        release.verify(task, "0" * 64),
        release.switch(task, "releases/1.1.0"),
        release.prune(task, 5),
    ):
        shell, option, program, name, root, *_ = command.argv
        assert (shell, option, name, root) == ("sh", "-c", "deployer", "/srv/$(id)/orders")
        assert program in (release.PREPARE, release.UNPACK, release.VERIFY, release.SWITCH, release.PRUNE)
        assert command.deadline > 0
