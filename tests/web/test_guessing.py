"""Who guesses passwords has to wait; who knows theirs does not wait for that."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from flask import Flask
from werkzeug.test import TestResponse

from deployer import attempts, embedded
from deployer.attempts import Attempt, Counter
from deployer.operations import people
from tests.conftest import running, settings_for
from tests.web.conftest import Visitor
from tests.world import World

Guesses = Callable[..., TestResponse]


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis."""
    home = tmp_path_factory.mktemp("redis")
    settings = settings_for(home, f"sqlite:///{home / 'x.db'}", f"unix://{home / 'redis.sock'}")
    with embedded.running(settings):
        yield settings.redis_url


@pytest.fixture(params=["Redis", "Redis away"])
def console(
    request: pytest.FixtureRequest, sqlite_app: Flask, sqlite_world: World, redis_url: str, tmp_path: Path
) -> Iterator[Flask]:
    """The console on SQLite, with a Redis that answers and with one that does not."""
    if request.param == "Redis away":
        yield sqlite_app
        return
    with contextlib.closing(redis.Redis.from_url(redis_url)) as connection:
        connection.flushall()
    yield from running(replace(sqlite_app.config["SETTINGS"], redis_url=redis_url))


@pytest.fixture
def guess(console: Flask) -> Guesses:
    """Somebody tries a password in a browser that nobody has signed in with."""

    def guess(name: str = "ann", address: str = "192.0.2.1", password: str = "wrong") -> TestResponse:
        stranger = Visitor(console.test_client())
        stranger.client.environ_base["REMOTE_ADDR"] = address
        stranger.read_token("/sign-in")
        return stranger.post("/sign-in", {"name": name, "password": password})

    return guess


def from_many_addresses(guess: Guesses, name: str = "ann") -> None:
    """Guess until nothing of the account's budget is left."""
    for n in range(20):
        guess(name, address=f"198.51.100.{n}")


def test_the_sixth_guess_in_a_minute_has_to_wait_and_is_told_how_long(guess: Guesses) -> None:
    assert [guess().status_code for _ in range(5)] == [422] * 5
    refused = guess()
    assert refused.status_code == 429
    seconds = int(refused.headers["Retry-After"])
    assert 1 <= seconds <= 60
    assert f"Try again in {seconds} second" in refused.text
    assert 'value="ann"' in refused.text


def test_the_right_password_is_not_looked_at_while_one_has_to_wait(guess: Guesses) -> None:
    for _ in range(5):
        guess()
    assert guess(password="correct horse battery").status_code == 429


def test_a_name_that_does_not_exist_is_answered_in_the_same_way(guess: Guesses) -> None:
    def told(name: str) -> list[tuple[int, str]]:
        answers = [guess(name, address=f"192.0.2.{len(name)}") for _ in range(6)]
        return [(one.status_code, one.text.partition("</form>")[0].count("alert")) for one in answers]

    assert told("ann") == told("nobody")


def test_the_owner_gets_in_while_others_guess(guess: Guesses, console: Flask) -> None:
    owner = Visitor(console.test_client())
    assert owner.sign_in().status_code == 303
    owner.post("/sign-out")
    from_many_addresses(guess)
    assert guess(address="203.0.113.1").status_code == 429, "nobody new does"
    owner.read_token("/sign-in")
    assert owner.post("/sign-in", {"name": "ann", "password": "correct horse battery"}).status_code == 303


def test_a_known_browser_does_not_guess_without_an_end(console: Flask) -> None:
    owner = Visitor(console.test_client())
    owner.sign_in()
    owner.post("/sign-out")
    owner.read_token("/sign-in")
    answers = [owner.post("/sign-in", {"name": "ann", "password": "wrong"}).status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]
    owner.client.delete_cookie("deployer-device")
    owner.read_token("/sign-in")
    assert owner.post("/sign-in", {"name": "ann", "password": "wrong"}).status_code == 422, "a budget of its own"


def test_a_browser_is_known_for_those_only_who_signed_in_with_it(guess: Guesses, console: Flask) -> None:
    shared = Visitor(console.test_client())
    shared.sign_in("vic")
    shared.post("/sign-out")
    from_many_addresses(guess, "ann")
    shared.read_token("/sign-in")
    assert shared.post("/sign-in", {"name": "ann", "password": "correct horse battery"}).status_code == 429


@pytest.mark.parametrize("cookie", ["", "x", "eyJpZCI6MX0.x.y", "\x7f" * 10])
def test_a_forged_cookie_makes_no_browser_known(guess: Guesses, console: Flask, cookie: str) -> None:
    from_many_addresses(guess)
    stranger = Visitor(console.test_client())
    stranger.client.set_cookie("deployer-device", cookie)
    stranger.read_token("/sign-in")
    assert stranger.post("/sign-in", {"name": "ann", "password": "wrong"}).status_code == 429


def test_a_new_password_makes_every_browser_a_stranger(guess: Guesses, console: Flask) -> None:
    thief = Visitor(console.test_client())
    thief.sign_in()
    people.set_password("ann", "something else entirely", "root")
    from_many_addresses(guess)
    thief.read_token("/sign-in")
    assert thief.post("/sign-in", {"name": "ann", "password": "wrong"}).status_code == 429


def test_the_right_password_makes_the_budget_whole_again(guess: Guesses) -> None:
    for _ in range(3):
        assert [guess().status_code for _ in range(4)] == [422] * 4
        assert guess(password="correct horse battery").status_code == 303


def test_one_address_does_not_try_many_accounts(guess: Guesses) -> None:
    answers = [guess(f"person-{n}").status_code for n in range(31)]
    assert answers == [422] * 30 + [429]
    assert guess("person-99", address="192.0.2.2").status_code == 422


def test_a_person_who_is_signed_in_does_not_guess_the_current_password(console: Flask) -> None:
    found = Visitor(console.test_client())
    found.sign_in()
    new = {"password": "something else entirely", "again": "something else entirely"}
    answers = [found.post("/people/me/password", {"current": "wrong", **new}) for _ in range(6)]
    assert [one.status_code for one in answers] == [422] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_guesses_at_the_same_time_are_not_more_than_allowed(redis_url: str) -> None:
    first, second = Counter(redis_url), Counter(redis_url)
    attempt = Attempt("zoe", "192.0.2.1")
    # All begin before the first of them has failed.
    begun = [counter.begin(attempt) for counter in (first, second) * 5]
    assert begun.count(0) == 5


def test_redis_is_asked_again_after_a_while(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "AWAY_SECONDS", 0.0)
    counter = Counter(redis_url)
    attempt = Attempt("yan", "192.0.2.1")
    with monkeypatch.context() as broken:
        broken.setattr(redis.connection.ConnectionPool, "get_connection", _refuse)
        assert counter.begin(attempt) == 0
    for _ in range(5):
        assert counter.begin(attempt) == 0
    assert Counter(redis_url).begin(attempt) > 0, "so it was counted there"


def _refuse(*_: object, **__: object) -> None:
    raise redis.ConnectionError("away")
