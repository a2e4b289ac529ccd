"""One seeded home for all tests that only need one; each start of the demo in it is a test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.demo.tree import Tree


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a demo that was started and stopped once."""
    home = tmp_path_factory.mktemp("demo") / "home"
    tree = Tree.grown(home)
    try:
        assert tree.stop()[0] == 0
    finally:
        tree.fell()
    return home


@pytest.fixture
def plant() -> Iterator[Callable[..., Tree]]:
    """Start demos that do not outlive the test."""
    trees: list[Tree] = []

    def planted(start: Callable[..., Tree], *args: object, **kwargs: object) -> Tree:
        trees.append(start(*args, **kwargs))
        return trees[-1]

    yield planted
    for tree in trees:
        tree.fell()


@pytest.fixture
def demo(seeded: Path, plant: Callable[..., Tree]) -> Tree:
    """A running demo."""
    return plant(Tree.grown, seeded)
