"""The Chinese catalogue says all that the product says, and pages and answers speak it when asked to."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import current_app, render_template_string
from flask_babel import force_locale

from deployer.domain.errors import Conflict, Refused, no_such
from deployer.domain.status import BuildStatus, RolloutState, StepState
from deployer.web.language import LANGUAGES
from deployer.web.words import WORDS, hint
from tests.world import World

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deployer" / "translations" / "zh" / "LC_MESSAGES"
SLOT = re.compile(r"%(?:\([^)]*\))?.")  # whatever Python would take for one
CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}

ORIGINALS = {
    "Only upgrade/revert are supported.": "仅支持 upgrade/revert",
    "The version must not be empty.": "版本号不能为空",
    "The hosts must not be empty.": "主机不能为空",
    "The hosts are malformed: send all, or host ids separated by commas.": (
        "主机参数错误，请传入 all 或以逗号分隔的id值"
    ),
    "No such resource.": "资源不存在",
    "Please send the right host ids.": "请发送正确的主机id",
}


def read(file: Path) -> Catalog:
    with file.open("rb") as stream:
        return read_po(stream)


def texts(one: str | list[str] | tuple[str, ...]) -> list[str]:
    """All forms of a message or of its translation."""
    return [one] if isinstance(one, str) else list(one)


def name_of(message: Message) -> str:
    return texts(message.id)[0]


def is_translated(message: Message | None) -> bool:
    return message is not None and not message.fuzzy and bool(message.string) and all(texts(message.string))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """All that code and templates say, as ``make messages`` finds it."""
    file = tmp_path_factory.mktemp("messages") / "messages.pot"
    marks = ["-k", "N_", "-k", "_l", "-k", "lazy_gettext", "-k", "call"]
    where = ["-F", str(ROOT / "pyproject.toml"), "-o", str(file), str(ROOT)]
    CommandLineInterface().run(["pybabel", "--quiet", "extract", *marks, *where])
    return read(file)


@pytest.fixture(scope="module")
def chinese() -> Catalog:
    return read(FOLDER / "messages.po")


def test_every_message_is_translated(said: Catalog, chinese: Catalog) -> None:
    assert len(said) > 300
    missing = [name_of(message) for message in said if message.id and not is_translated(chinese.get(message.id))]
    assert missing == []


def test_nothing_is_translated_that_is_no_longer_said(said: Catalog, chinese: Catalog) -> None:
    assert list(chinese.obsolete) == []
    assert [name_of(message) for message in chinese if message.id and said.get(message.id) is None] == []


def test_every_translation_keeps_the_slots_of_its_message(chinese: Catalog) -> None:
    for message in chinese:
        wanted = [sorted(SLOT.findall(form)) for form in texts(message.id)]
        for form in texts(message.string) if message.id else []:
            assert sorted(SLOT.findall(form)) in wanted, name_of(message)


def test_no_translation_has_spaces_around_it(chinese: Catalog) -> None:
    for message in chinese:
        for form in texts(message.string) if message.id else []:
            assert form == form.strip(), name_of(message)


def test_babel_finds_no_fault(chinese: Catalog) -> None:
    assert [(name_of(message), faults) for message, faults in chinese.check()] == []


def test_no_translation_is_the_english_text(chinese: Catalog) -> None:
    assert [name_of(message) for message in chinese if message.id and message.string == message.id] == []


def test_the_compiled_catalogue_is_that_of_the_text(chinese: Catalog) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, chinese)
    assert (FOLDER / "messages.mo").read_bytes() == compiled.getvalue(), "run: make messages"


@pytest.mark.parametrize(("english", "original"), ORIGINALS.items(), ids=ORIGINALS.values())
def test_the_originals_words_are_exact(chinese: Catalog, english: str, original: str) -> None:
    message = chinese.get(english)
    assert message is not None
    assert message.string == original


def test_every_language_but_english_has_a_catalogue() -> None:
    assert {file.parts[-3] for file in FOLDER.parents[1].glob("*/LC_MESSAGES/messages.mo")} == set(LANGUAGES) - {"en"}


def test_every_word_that_fills_a_slot_is_known() -> None:
    found = extract_from_dir(ROOT / "deployer", keywords={"no_such": None})
    assert {text for _file, _line, text, *_ in found} == WORDS["noun"]
    assert {state.value for state in (*StepState, *RolloutState)} == WORDS["state"]
    assert {status.name.lower() for status in BuildStatus} == WORDS["status"]


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        pytest.param(no_such("version", 7), "没有版本 7", id="a noun"),
        pytest.param(Conflict("", "It is %(state)s.", facts={"state": "cancelling"}), "取消中", id="a state"),
        pytest.param(no_such("user", "failed"), "没有用户 failed", id="a name that is a word elsewhere"),
    ],
)
def test_the_products_own_words_are_translated_in_slots(shared_world: World, refused: Refused, words: str) -> None:
    with force_locale("zh"):
        assert words in hint(refused)


def test_a_name_in_a_slot_is_nobodys_word(shared_world: World) -> None:
    refused = Conflict("", "Choose another version than %(source)s.", facts={"source": "failed"})
    with force_locale("zh"):
        assert hint(refused) == "请选择 failed 以外的版本。"


def test_a_page_asked_for_in_chinese_is_chinese(shared_world: World) -> None:
    page = current_app.test_client().get("/sign-in", headers=CHINESE).get_data(as_text=True)
    assert '<html lang="zh">' in page
    for words in ("<h1>登录</h1>", "密码", "跳到正文"):
        assert words in page


def test_a_page_is_english_for_who_asks_for_neither_language(shared_world: World) -> None:
    page = current_app.test_client().get("/sign-in", headers={"Accept-Language": "fr"}).get_data(as_text=True)
    assert '<html lang="en">' in page
    assert "<h1>Sign in</h1>" in page


@pytest.mark.parametrize(("number", "words"), [(1, "1 台主机"), (3, "3 台主机")])
def test_chinese_counts_with_one_form(shared_world: World, number: int, words: str) -> None:
    with force_locale("zh"):
        template = '{{ ngettext("%(num)s host", "%(num)s hosts", number) }}'
        assert render_template_string(template, number=number) == words


@pytest.mark.parametrize(("language", "word"), [("zh-CN,zh;q=0.9", "待构建"), ("en", "pending")])
def test_the_api_answers_in_the_language_asked_for(shared_world: World, language: str, word: str) -> None:
    answer = current_app.test_client().post(
        "/api/v1" + shared_world.url(),
        json={"dest_version": shared_world.versions["1.4.0"], "host": "all"},
        headers=shared_world.bearer() | {"Accept-Language": language},
    )
    assert answer.status_code == 409
    assert word in answer.json["errors"]["dest_version"][0]
