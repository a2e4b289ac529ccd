"""Import hosts from the command line: without --apply nothing is written."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Console

CONFIG = "Host db-1\n  HostName 192.0.2.9\n  User deploy\n  IdentityFile ~/.ssh/id\n  ForwardAgent yes\nHost web_1\n"


def test_a_file_is_looked_at_and_then_imported(stocked: Console, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(CONFIG)
    words = ("host", "import", str(file), "--directory", "/srv/deployer", "--labels", "new")
    before = stocked.dump()
    looked = stocked(*words)
    assert looked.exit_code == 1, looked.output  # a host in it is refused
    assert stocked.dump() == before
    for line in (
        "+ credential id: ~/.ssh/id",
        "+ hostname db-1, address 192.0.2.9, directory /srv/deployer, reach ssh, labels new, ssh_user deploy, "
        "credential id",
        "Nothing was written. With --apply it is done.",
    ):
        assert line in looked.stdout.splitlines()
    assert "Line 6, web_1: refused." in looked.stderr
    assert "Line 5: ForwardAgent is not taken over." in looked.stderr
    done = stocked(*words, "--apply")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (
        0,
        "Imported: 1 added, 0 changed, 0 unchanged, 1 left out.",
    )
    assert stocked("host", "list", "--label", "new").stdout.startswith("db-1\tssh deploy@192.0.2.9\tnever\t0\tnew")
    again = stocked(*words)
    assert "1 unchanged." in again.stdout
    nothing = stocked(*words, "--apply")
    assert nothing.exit_code == 1


def test_a_preview_succeeds_when_no_host_in_it_is_refused(stocked: Console) -> None:
    looked = stocked("host", "import", "-", "--directory", "/srv", stdin="hostname,address\ndb-1,192.0.2.9\n")
    assert looked.exit_code == 0, looked.output


def test_standard_input_is_a_file_too(stocked: Console) -> None:
    ended = stocked("host", "import", "-", "--directory", "/srv", "--apply", stdin="hostname,address\ndb-1,192.0.2.9\n")
    assert ended.exit_code == 0, ended.output
    assert [row["hostname"] for row in stocked.rows("host")] == ["web-1", "db-1"]


def test_a_bad_file_is_refused_and_changes_nothing(stocked: Console, tmp_path: Path) -> None:
    file = tmp_path / "file"
    before = stocked.dump()
    for data, field in (
        (b"\xff", "content: "),
        (b"hostname\na\x00", "content: "),
        (b"", "content: "),
        (b"x" * 3_000_000, "content: "),
        (b"[a\nb", "content: "),
    ):
        file.write_bytes(data)
        ended = stocked("host", "import", str(file), "--apply")
        assert ended.exit_code == 2, ended.output
        assert ended.stderr.startswith(field), ended.stderr
    assert stocked("host", "import", str(tmp_path / "none")).exit_code == 2
    assert stocked.dump() == before
