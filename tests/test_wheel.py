"""The wheel carries everything: the demo runs from it, outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo.tree import Tree, told_version

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout."""
    out = tmp_path_factory.mktemp("dist")
    argv = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(CHECKOUT)]
    subprocess.run(argv, check=True, capture_output=True, timeout=100)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel in it. What the wheel needs is borrowed from ours: no network is used."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python")]
    argv = [*pip, "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(argv, check=True, capture_output=True, timeout=100)
    (site,) = place.glob("lib/python3*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place


@pytest.fixture(scope="module")
def tree(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """The demo, run by the installed program somewhere else."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    tree = Tree.grown(elsewhere / "home", [str(installed / "bin" / "deployer")], elsewhere)
    yield tree
    tree.fell()


def test_it_carries_templates_static_files_migrations_and_the_demo(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())

    for folder in ("templates", "static", "migrations"):
        here = (file for file in (CHECKOUT / folder).rglob("*") if file.is_file() and "__pycache__" not in file.parts)
        assert {f"deployer/{file.relative_to(CHECKOUT)}" for file in here} <= packed
    assert {"deployer/demo/payload/service.py", "deployer/demo/payload/restart.py"} <= packed
    assert not [name for name in packed if name.startswith("tests/")]


def test_the_program_is_the_one_of_the_wheel(installed: Path) -> None:
    where = subprocess.run(
        [str(installed / "bin" / "python"), "-c", "import deployer; print(deployer.__file__)"],
        cwd=installed,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert Path(where.strip()).is_relative_to(installed)


def test_its_demo_serves_pages_and_files_and_upgrades(tree: Tree) -> None:
    for path in ("/sign-in", "/static/vendor/htmx.min.js"):
        with urllib.request.urlopen(tree.ready["url"] + path, timeout=10) as answer:
            assert answer.status == 200

    assert tree.wait_for_rollout(tree.roll_out("catalog", "1.1.0", "1.4.0", host="1,2")) == "succeeded"
    assert sorted(told_version(one) for one in tree.instances("catalog")) == ["1.1.0", "1.1.0", "1.4.0", "1.4.0"]


def test_its_demo_ends_whole(tree: Tree) -> None:
    assert tree.stop()[0] == 0
    assert tree.gone()
