"""Behind a proxy with TLS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from deployer.extensions import db
from deployer.models import SignIn
from tests.conftest import running
from tests.web.conftest import Visitor
from tests.world import PASSWORD, World


@pytest.fixture
def proxied(sqlite_app: Flask, sqlite_world: World) -> Iterator[Flask]:
    """The console behind one proxy."""
    yield from running(replace(sqlite_app.config["SETTINGS"], secure_cookies=True, proxies=1))


def sign_in(app: Flask, **headers: str) -> Any:
    found = Visitor(app.test_client())
    kwargs: Any = {"base_url": "https://deployer.example.org", "headers": headers}
    page = found.get("/sign-in", **kwargs).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    data = {"csrf_token": token, "name": "ann", "password": PASSWORD}
    headers.setdefault("Referer", "https://deployer.example.org/sign-in")
    return found.client.post("/sign-in", data=data, **kwargs)


def test_cookies_go_back_over_tls_to_this_host_only(proxied: Flask) -> None:
    answer = sign_in(proxied)
    assert answer.status_code == 303
    cookies = answer.headers.getlist("Set-Cookie")
    assert {cookie.partition("=")[0] for cookie in cookies} == {"__Host-deployer", "__Host-deployer-device"}
    for cookie in cookies:
        assert all(flag in cookie for flag in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
        assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


def test_the_address_is_the_one_that_the_trusted_proxy_saw(proxied: Flask) -> None:
    assert sign_in(proxied, **{"X-Forwarded-For": "203.0.113.66, 192.0.2.44"}).status_code == 303
    assert db.session.execute(select(SignIn.address)).scalar_one() == "192.0.2.44"


def test_nobody_says_where_they_come_from_when_there_is_no_proxy(sqlite_app: Flask, sqlite_world: World) -> None:
    found = Visitor(sqlite_app.test_client())
    found.client.environ_base["HTTP_X_FORWARDED_FOR"] = "192.0.2.44"
    assert found.sign_in().status_code == 303
    assert db.session.execute(select(SignIn.address)).scalar_one() == "127.0.0.1"
    assert "Strict-Transport-Security" not in found.get("/services").headers
