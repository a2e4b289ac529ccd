"""A team brings its first service from the command line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.cli.conftest import Console


def test_a_service_is_added_with_its_recipe(deployer: Console) -> None:
    result = deployer(
        *("service", "add", "orders", "--language", "Go", "--restart", "systemctl restart 'orders app'"),
        *("--health-path", "/ready", "--keep", "3"),
    )

    assert (result.exit_code, result.stderr) == (0, "")
    (service,) = deployer.rows("service")
    assert (service["name"], service["language"]) == ("orders", "Go")
    recipe = json.loads(str(service["recipe"]))
    assert recipe["restart"] == ["systemctl", "restart", "orders app"]
    assert (recipe["health_path"], recipe["keep"]) == ("/ready", 3)
    assert str(service["updated_by"]).startswith("cli:")


def test_a_version_is_added_from_a_file_that_is_kept(stocked: Console, tmp_path: Path) -> None:
    archive = tmp_path / "orders.tar.gz"
    archive.write_bytes(b"an archive")
    sha256 = hashlib.sha256(b"an archive").hexdigest()

    result = stocked("version", "add", "orders", "2.0", "--artifact", str(archive), "--ref", "v2", "--sha256", sha256)

    assert (result.exit_code, result.stderr) == (0, "")
    version = stocked.rows("version")[-1]
    assert (version["label"], version["ref"], version["status"], version["artifact_sha256"]) == ("2.0", "v2", 2, sha256)
    assert (stocked.home / "artifacts" / sha256).read_bytes() == b"an archive"


def test_a_build_is_recorded(stocked: Console) -> None:
    place = ("--url", "https://example.org/1.1.tar.gz", "--sha256", "B" * 64)
    result = stocked("version", "build", "orders", "1.1", "--status", "success", *place)

    assert (result.exit_code, result.stderr) == (0, "")
    version = stocked.rows("version")[-1]
    assert (version["status"], version["artifact_sha256"]) == (2, "b" * 64)


def test_a_version_is_marked_as_one_that_cannot_be_reverted_past(stocked: Console) -> None:
    result = stocked("version", "mark", "orders", "1.1", "--irreversible", "It drops a column.")
    assert (result.exit_code, result.stdout) == (0, "orders 1.1 cannot be reverted past.\n")
    assert stocked.rows("version")[-1]["irreversible"] == "It drops a column."

    assert stocked("version", "mark", "orders", "1.1").stdout == "orders 1.1 can be reverted past.\n"
    assert stocked.rows("version")[-1]["irreversible"] == ""


def test_an_instance_is_recorded_by_names(stocked: Console) -> None:
    result = stocked("instance", "record", "orders", "web-1", "1.0", "--port", "8080", "--weight", "5", "--maintenance")

    assert (result.exit_code, result.stderr) == (0, "")
    (instance,) = stocked.rows("instance")
    assert (instance["port"], instance["weight"], instance["is_maintain"], instance["version_id"]) == (8080, 5, 1, 1)


def test_every_change_is_remembered_under_the_name_of_who_ran_it(stocked: Console) -> None:
    assert {str(row["actor"]).partition(":")[0] for row in stocked.rows("audit_entry")} == {"cli"}
