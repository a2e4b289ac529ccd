"""What programs print is kept without the secrets in it, and with everything else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.domain.secrecy import HIDDEN, PrivateKeys, hide, hide_known
from deployer.remote.output import Output
from deployer.remote.text import MAX_LINE, clean
from tests.secrets import openssh

SECRET = "hunter2-correct-horse"
LINES = {
    "in an address": "cloning https://ann:SECRET@git.example.org/orders",
    "in a database's address": "connect postgresql://orders:SECRET@db/orders failed",
    "in the environment": "DB_PASSWORD=SECRET",
    "in quotes": "export API_KEY='SECRET'",
    "in an option": "usage: run --db-password=SECRET --verbose",
    "after an option": "usage: run --token SECRET --verbose",
    "in JSON": '{"client_secret": "SECRET", "name": "orders"}',
    "in YAML": "  password: SECRET",
    "in a query": "GET /a.tgz?access_token=SECRET&x=1",
    "in a header": "Authorization: Bearer SECRET",
    "of another case": "Secret=SECRET",
    "in quotes after a colon": 'secret: "SECRET"',
    "in a header of its own": "X-Api-Key: SECRET",
    "in a header with a word of its own": "Authorization: Token SECRET",
    "in JSON within JSON": '{\\"password\\": \\"SECRET\\"}',
    "under a short name": "DB_PASS=SECRET",
    "under another short name": "MYSQL_PWD=SECRET",
    "of curl": "curl -u ann:SECRET https://example.org/a.tgz",
}
# Secrets with characters at which a simpler look would end.
WHOLE = {
    'PASSWORD="correct horse battery"': f'PASSWORD="{HIDDEN}"',
    "password=s3cr;et&xyz9": f"password={HIDDEN}",
    "DB_PASSWORD=ab,cdEF12345 next": f"DB_PASSWORD={HIDDEN} next",
    "postgres://ann:pa@ssw0rd@db/x": f"postgres://ann:{HIDDEN}@db/x",
    "postgres://ann:pa/ssw0rd@db/x": f"postgres://ann:{HIDDEN}@db/x",
    'PASSWORD="never closed': f'PASSWORD="{HIDDEN}',
}
SLOW = (
    "token.",
    "a.",
    "token=",
    "-token ",
    "a://b:",
    "a://",
    "password: ",
    "\x1b[",
    "-----BEGIN ",
    "bearer ",
    "eyJa.",
    "=",
    "'",
    "\\",
)
HARMLESS = (
    "password: wrong",
    "the token has expired",
    "error: secret not found",
    "listening on http://127.0.0.1:8000/version",
    "tokens: 3",
    "basic checks passed",
    "sha256 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "ssh://git@example.org:22/orders.git",
    "http://127.0.0.1:8000/version?by=ann@example.org",
    "PWD=/srv/orders",
    "docker run -u 1000:1000 image",
)
KNOWN_FORMS = (
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_" + "a1" * 18,
    "glpat-" + "x" * 20,
    "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_a_secret_is_hidden_and_the_rest_of_its_line_is_not(line: str) -> None:
    assert clean(line.replace("SECRET", SECRET)) == line.replace("SECRET", HIDDEN)


@pytest.mark.parametrize("secret", KNOWN_FORMS)
def test_secrets_that_are_known_by_their_form_are_hidden_anywhere(secret: str) -> None:
    assert clean(f"using {secret} now") == f"using {HIDDEN} now"


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_no_secret_stays_as_it_is(line: str) -> None:
    assert clean(line) == line


@pytest.mark.parametrize(("line", "kept"), WHOLE.items())
def test_a_secret_is_hidden_whole(line: str, kept: str) -> None:
    assert clean(line) == kept


@pytest.mark.parametrize("repeated", SLOW)
def test_no_line_takes_more_than_twice_as_long_when_it_is_twice_as_long(repeated: str) -> None:
    def steps(size: int) -> float:
        line = (repeated * size)[:size]
        begin = time.process_time()
        for _ in range(3):
            hide(line)
        return time.process_time() - begin

    hide(repeated)
    # Of cubic cost it would be 4,096 times as much, of quadratic 256; the bound is wide because machines are noisy.
    assert min(steps(16_000) for _ in range(3)) < 100 * max(min(steps(1_000) for _ in range(3)), 0.0005)


@given(st.text())
def test_hiding_twice_is_hiding_once(line: str) -> None:
    assert hide(hide(line)) == hide(line)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_secret_that_arrives_in_pieces_is_hidden(size: int) -> None:
    lines: list[str] = []
    output = Output(lines.append)
    said = (
        f"before\nDB_PASSWORD={SECRET}\n\x1b[31mpass\x1b[0mword={SECRET}\n" + "x" * 1990 + f" token={SECRET}\nafter\n"
    )
    data = said.encode()
    for start in range(0, len(data), size):
        output.out.feed(data[start : start + size])
    output.finish()
    result = output.result(1, timed_out=False)
    for text in ("\n".join(lines), result.output, "\n".join(result.stdout), result.failure):
        assert SECRET[:7] not in text
    assert (lines[0], lines[1], lines[2], lines[-1]) == (
        "before",
        f"DB_PASSWORD={HIDDEN}",
        f"password={HIDDEN}",
        "after",
    )
    assert all(len(line) <= MAX_LINE for line in lines)


def test_a_private_key_that_is_printed_is_hidden_line_by_line() -> None:
    lines: list[str] = []
    output = Output(lines.append)
    key = openssh()
    output.err.feed(f"before\n{key}after\n".encode())
    output.finish()
    assert lines[0] == "before"
    assert lines[-1] == "after"
    assert not [line for line in key.splitlines()[1:-1] if any(line in one for one in lines)]


@pytest.mark.parametrize(
    "begin",
    [
        "x" * 2100 + "-----BEGIN OPENSSH PRIVATE KEY-----",
        "x" * 20_000 + "-----BEGIN OPENSSH PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\rprogress",
        "\x1b[1m-----BEGIN\x1b[0m OPENSSH PRIVATE KEY-----",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    ],
)
def test_a_private_key_is_hidden_however_its_first_line_is_printed(begin: str) -> None:
    lines: list[str] = []
    output = Output(lines.append)
    output.out.feed(f"{begin}\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUA\n".encode())
    output.finish()
    assert lines[-1] == HIDDEN


def test_a_key_that_never_ends_does_not_hide_everything_after_it() -> None:
    keys = PrivateKeys()
    assert keys.hide("-----BEGIN PRIVATE KEY-----") == f"-----BEGIN PRIVATE KEY-----{HIDDEN}"
    assert [keys.hide("line") for _ in range(1000)][-1] == "line"


def test_a_known_secret_is_hidden_whatever_stands_around_it() -> None:
    assert hide_known("it is s3cr3t-pw.", ["s3cr3t-pw", "a\nb"]) == f"it is {HIDDEN}."


def test_a_known_secret_is_hidden_where_its_line_was_cut() -> None:
    line = clean("x" * 1990 + " s3cr3t-password-of-ours")
    assert line.endswith("s3cr3t-p…")
    assert hide_known(line, ["s3cr3t-password-of-ours"]).endswith(f"x {HIDDEN}…")


@pytest.mark.parametrize(
    "mark", ["\u202e", "\u2066", "\u200f", "\u2028", "\u061c", "\x1b]0;title\x07", "\x9b", "\x1b[2J"]
)
def test_what_makes_text_read_as_what_it_is_not_is_taken_out(mark: str) -> None:
    assert clean(f"exit {mark}status") == "exit status"


def test_of_a_line_that_is_written_over_the_last_counts() -> None:
    assert clean("failed\rdone\r") == "done"
