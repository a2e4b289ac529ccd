"""Files with hosts in them: what they come to, what is refused, what is named because it is not taken over."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from deployer import inventory
from deployer.domain.errors import Invalid
from deployer.domain.inventory import Inventory

KNOWN = ("hostname", "address", "reach", "directory", "description", "labels", "ssh_user", "ssh_port", "jump")


def read(text: str, kind: str) -> Inventory:
    return inventory.read(text, kind, KNOWN)


def hosts(found: Inventory) -> dict[str, dict[str, str]]:
    return {one.name: {key: value for key, value in one.fields.items() if key != "hostname"} for one in found.entries}


def remarks(found: Inventory) -> list[str]:
    return [f"{one.line}: {one.note}" for one in found.remarks]


class TestTable:
    """CSV."""

    def test_a_row_is_a_host(self) -> None:
        found = read('hostname,address,labels,description\nweb-1,192.0.2.1,"web, prod","a ""b"""\n\nweb-2,,,\n', "csv")
        assert hosts(found) == {
            "web-1": {"address": "192.0.2.1", "labels": "web, prod", "description": 'a "b"'},
            "web-2": {"labels": "", "description": ""},
        }
        assert [one.line for one in found.entries] == [2, 4]

    def test_a_row_over_several_lines_has_the_line_it_begins_at(self) -> None:
        found = read('hostname,description\na,"one\ntwo"\nb,x\n', "csv")
        assert [(one.name, one.line) for one in found.entries] == [("a", 2), ("b", 4)]

    @pytest.mark.parametrize("delimiter", [";", "\t"])
    def test_the_header_says_how_cells_are_separated(self, delimiter: str) -> None:
        text = "\ufeffHostname,Address\r\nweb-1,192.0.2.1\r\n".replace(",", delimiter)
        assert hosts(read(text, "csv")) == {"web-1": {"address": "192.0.2.1"}}

    def test_a_column_that_is_not_known_is_named(self) -> None:
        assert remarks(read("hostname,owner\na,b\n", "csv")) == ["1: The column owner is not taken over."]

    def test_a_row_of_another_length_is_refused_alone(self) -> None:
        found = read("hostname,address\na,b,c\nd,e\n", "csv")
        assert [str(one.refused) for one in found.entries] == ["The line has 3 cells, the header 2.", "None"]

    @pytest.mark.parametrize(
        "text", ["", "address\n", "hostname,hostname\n", 'hostname\n"a\n', 'hostname\n"a"b\n', "\n\n", "hostname\n" * 2]
    )
    def test_what_is_no_table_is_refused(self, text: str) -> None:
        if text == "hostname\nhostname\n":
            assert list(hosts(read(text, "csv"))) == ["hostname"]
            return
        with pytest.raises(Invalid) as refused:
            read(text, "csv")
        assert refused.value.field == "content"


CONFIG = """
# a comment
User everybody
Host bastion
    HostName bastion.example.org
    User jump
    Port 2200
Host web-1 web-2
    HostName %h.example.org
    User=deploy
    Port = 2222
    ProxyJump bastion
    IdentityFile ~/.ssh/id_ed25519
    IdentityFile ~/.ssh/other
    ForwardAgent yes
Host old
    ProxyCommand nc %h %p
Host far
    ProxyJump a,b
Host tokens
    IdentityFile ~/.ssh/%r
Host *.wild !web-2
    Port 9
Host web-*
    ProxyJump none
    User nobody
Match user root
    User elsewhere
Host quoted
    User "with"
"""


class TestSSHConfig:
    """~/.ssh/config."""

    def test_the_first_value_that_fits_holds(self) -> None:
        found = read(CONFIG, "ssh-config")
        web = {"reach": "ssh", "ssh_user": "everybody", "ssh_port": "2222", "key_file": "~/.ssh/id_ed25519"}
        web |= {"jump": "everybody@bastion.example.org:2200"}
        assert hosts(found)["web-1"] == web | {"address": "web-1.example.org"}
        assert hosts(found)["quoted"] == {"reach": "ssh", "ssh_user": "everybody"}
        assert "*.wild" not in hosts(found)

    def test_settings_before_the_first_host_are_for_all_and_a_later_block_adds_what_is_missing(self) -> None:
        text = "Host a\n Port 1\nHost *\n User u\n Port 2\n"
        assert hosts(read(text, "ssh-config")) == {"a": {"reach": "ssh", "ssh_user": "u", "ssh_port": "1"}}

    def test_what_is_not_taken_over_is_named_or_refused(self) -> None:
        found = read(CONFIG, "ssh-config")
        said = " ".join(remarks(found))
        for words in ("ForwardAgent is not taken over.", "Match and what stands below it", "Of several IdentityFile"):
            assert words in said
        refused = {one.name: str(one.refused) for one in found.entries if one.refused}
        assert set(refused) == {"old", "far", "tokens"}
        assert "ProxyCommand" in refused["old"]
        assert "several hosts" in refused["far"]

    def test_a_pattern_that_denies_a_host_is_not_for_it(self) -> None:
        text = "Host a b\n\nHost * !b\n User u\n"
        found = hosts(read(text, "ssh-config"))
        assert found["a"]["ssh_user"] == "u"
        assert "ssh_user" not in found["b"]

    def test_a_line_that_is_none_is_named(self) -> None:
        found = read('Host a\n User "open\n\n =\nHost\n', "ssh-config")
        assert [one.line for one in found.remarks] == [2]


INI = """
lonely ansible_host=192.0.2.99
[web]
web[01:03].example.org ansible_port=2222
'web-x' ansible_host=192.0.2.50 ansible_user="own user" # a comment
[web:vars]
ansible_user=deploy
ansible_ssh_private_key_file=~/.ssh/web
http_port=80
ansible_password=topsecret
[db]
db-[a:c] ansible_connection=local ansible_user=x
odd:2200
tpl ansible_host="{{ where }}"
win ansible_connection=winrm
[prod:children]
web
db
nowhere
[prod:vars]
ansible_user=everyone
ansible_port=22
"""
YAML = """
all:
  vars: {ansible_user: root}
  hosts:
    lonely:
      ansible_host: 192.0.2.99
  children:
    prod:
      children:
        web:
          vars:
            ansible_port: 0022
            http: {port: 80}
          hosts:
            web[1:2]: {ansible_user: deploy}
            web3:
        db: {hosts: {db1: null}}
"""


class TestAnsible:
    """Inventories in INI and YAML."""

    def test_ini_has_ranges_groups_and_what_is_nearest_holds(self) -> None:
        found = hosts(read(INI, "ansible-ini"))
        assert found["lonely"] == {"address": "192.0.2.99"}
        assert found["web02.example.org"] == {
            "labels": "prod web",
            "ssh_port": "2222",
            "ssh_user": "deploy",
            "key_file": "~/.ssh/web",
        }
        assert (found["web-x"]["ssh_user"], found["web-x"]["address"]) == ("own user", "192.0.2.50")
        assert found["db-b"] == {"reach": "local", "labels": "db prod"}
        assert (found["odd"]["ssh_port"], found["odd"]["ssh_user"]) == ("2200", "everyone")
        assert len(found) == 11

    def test_what_is_not_taken_over_is_named_and_never_with_its_value(self) -> None:
        found = read(INI, "ansible-ini")
        said = " ".join(remarks(found))
        for words in ("http_port is not", "ansible_password is not", "There is no group nowhere."):
            assert words in said
        assert "topsecret" not in said
        refused = {one.name: str(one.refused) for one in found.entries if one.refused}
        assert set(refused) == {"tpl", "win"}

    def test_yaml_comes_to_the_same(self) -> None:
        found = read(YAML, "ansible-yaml")
        web = {"labels": "prod web", "ssh_port": "0022"}
        assert hosts(found) == {
            "lonely": {"address": "192.0.2.99", "ssh_user": "root"},
            "web1": web | {"ssh_user": "deploy"},
            "web2": web | {"ssh_user": "deploy"},
            "web3": web | {"ssh_user": "root"},
            "db1": {"labels": "db prod", "ssh_user": "root"},
        }
        assert remarks(found) == ["12: The variable http is not taken over."]

    @pytest.mark.parametrize(
        "text",
        [
            "[a\nb",
            "[a:nonsense]\nb",
            "host 'open",
            "host word",
            "[a:vars]\nword",
            "web[1:2",
            "web[2:1]",
            "web[1:a]",
            "web[1:5:0]",
            "[a:children]\nb\n[b:children]\na",
            "[a:children]\na",
        ],
    )
    def test_a_broken_ini_is_refused(self, text: str) -> None:
        with pytest.raises(Invalid) as refused:
            read(text, "ansible-ini")
        assert refused.value.field == "content"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("a: [", "Line 2 is not YAML"),
            ("- a\n- b", "is not where an inventory has it"),
            ("all: text", "is not where an inventory has it"),
            ("all:\n  what: {}", "Line 2 is not where"),
            ("all:\n  hosts: [a]", "Line 2 is not where"),
            ("? [a]\n: b", "is not where"),
            ("all: &x {}\nb: *x", "anchor or an alias"),
            ("all:\n  vars:\n    k: !vault x", "Line 3 has a tag"),
            ("!!python/object/apply:os.system ['true']", "has a tag"),
            ("all:\n  hosts: {a: , a: }", "Line 2 names something a second time"),
            ("a: {}\n---\nb: {}", "not exactly one document"),
            ("", "not exactly one document"),
            ("[" * 5000, "nested too deeply"),
            ("{a: " * 5000, "nested too deeply"),
            ("%YAML 9", "is not YAML"),
        ],
    )
    def test_a_hostile_yaml_is_refused_with_its_line(self, text: str, words: str) -> None:
        with pytest.raises(Invalid) as refused:
            read(text, "ansible-yaml")
        assert words in str(refused.value)


BOMBS: dict[str, tuple[str, Callable[[], str]]] = {
    "10 MB": ("csv", lambda: "hostname\n" + "x" * 10_000_000),
    "100,000 rows": ("csv", lambda: "hostname\n" + "a\n" * 100_000),
    "a cell of 400 KB": ("csv", lambda: "hostname\n" + "x" * 400_000),
    "NUL": ("csv", lambda: "hostname\na\x00\n"),
    "lone surrogate": ("csv", lambda: "hostname\na\ud800\n"),
    "escape": ("ssh-config", lambda: "Host a\x1b[2J\n"),
    "100,000 hosts": ("ssh-config", lambda: "".join(f"Host {n:x}\n" for n in range(60_000))),
    "patterns": ("ssh-config", lambda: "".join(f"Host h{n}\nHost *{n}*\n" for n in range(4_000))),
    "a million in a range": ("ansible-ini", lambda: "web[1:999999]"),
    "ranges in ranges": ("ansible-ini", lambda: "w[1:5000][1:5000][1:5000]"),
    "very many ranges": ("ansible-ini", lambda: "a" + "[1:1]" * 1_200),
    "the same range": ("ansible-ini", lambda: "[g]\n" + "w[1:4999]\n" * 30_000),
    "a chain of groups": ("ansible-ini", lambda: "".join(f"[g{n}:children]\ng{n + 1}\n" for n in range(1_900))),
    "50,000 groups": ("ansible-ini", lambda: "".join(f"[g{n}]\n" for n in range(50_000))),
    "aliases": ("ansible-yaml", lambda: "a: &a [x]\n" + "".join(f"b{n}: [*a, *a]\n" for n in range(1000))),
    "deep": ("ansible-yaml", lambda: "".join("  " * n + "all:\n" for n in range(400))),
    "events": ("ansible-yaml", lambda: "[" + "a," * 240_000 + "]"),
}


@pytest.mark.parametrize(("kind", "make"), BOMBS.values(), ids=BOMBS.keys())
def test_what_is_written_to_be_large_is_refused_soon(kind: str, make: Callable[[], str]) -> None:
    text = make()
    begin = time.process_time()
    with pytest.raises(Invalid) as refused:
        read(text, kind)
    assert time.process_time() - begin < 5
    assert refused.value.field == "content"
    assert len(str(refused.value)) < 400


def test_very_many_names_of_one_block_are_read_soon() -> None:
    lines = [" ".join(f"h{number}" for number in range(begin, begin + 1_000)) for begin in range(0, 4_000, 1_000)]
    text = "".join(f"Host {line} {line.split()[0]}\n  ProxyJump h1\n" for line in lines) + f"Host {'a ' * 5_100}\n"
    begin = time.process_time()
    found = read(text, "ssh-config")
    assert time.process_time() - begin < 5
    assert len(found.entries) == 4_000
    assert remarks(found) == ["9: This line is not one of an SSH configuration."]


def test_many_variables_on_many_hosts_are_read_soon() -> None:
    text = "[g]\nw[1:4999]\n[g:vars]\n" + "".join(f"v{n}=1\n" for n in range(40_000))
    begin = time.process_time()
    found = read(text, "ansible-ini")
    assert time.process_time() - begin < 5
    assert (len(found.entries), len(found.remarks)) == (4999, 200)


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("hostname,address\n", "", "csv"),
        ("# x\n address;hostname\n", "", "csv"),
        ("x", "a.CSV", "csv"),
        (CONFIG, "", "ssh-config"),
        ("User x\nHost a\n HostName b\n", "config", "ssh-config"),
        (INI, "hosts", "ansible-ini"),
        (YAML, "", "ansible-yaml"),
        ("x", "hosts.yml", "ansible-yaml"),
        ("---\nall: {}\n", "", "ansible-yaml"),
        ("", "", "ansible-ini"),
    ],
)
def test_the_format_is_guessed(text: str, name: str, kind: str) -> None:
    assert inventory.guess(text, name) == kind
