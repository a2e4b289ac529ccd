"""The language is the browser's, until somebody chooses the other one on a page."""

from __future__ import annotations

from tests.web.conftest import Visitor
from tests.world import World

CHINESE = {"Accept-Language": "zh-CN"}


def test_a_page_is_in_the_browsers_language_until_another_is_chosen(visitor: Visitor, world: World) -> None:
    assert "<h1>服务" in visitor.get("/services", headers=CHINESE).text
    answer = visitor.post("/language", {"language": "en", "next": "/rollouts?ending=failed"}, headers=CHINESE)
    assert (answer.status_code, answer.location) == (303, "/rollouts?ending=failed")
    assert "<h1>Services" in visitor.get("/services", headers=CHINESE).text


def test_the_choice_outlives_the_session(visitor: Visitor, world: World) -> None:
    visitor.post("/language", {"language": "zh", "next": "/services"})
    visitor.post("/sign-out")
    assert "<h1>登录" in visitor.get("/sign-in").text
    assert 'lang="en">English</button>' in visitor.get("/sign-in").text


def test_a_language_that_is_not_spoken_is_refused(visitor: Visitor, world: World) -> None:
    assert visitor.post("/language", {"language": "xx"}).status_code == 422
    assert visitor.client.get_cookie("language") is None


def test_it_leads_back_to_pages_of_ours_only(visitor: Visitor, world: World) -> None:
    answer = visitor.post("/language", {"language": "zh", "next": "//evil.example"})
    assert answer.location == "/services"
