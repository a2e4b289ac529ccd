"""The dropdown of target versions says why one of them cannot be chosen."""

from __future__ import annotations

import re

from deployer.domain.status import BuildStatus
from deployer.operations.catalog import Build, NewVersion, add_version
from tests.web.conftest import Visitor
from tests.world import ADMIN, World


def test_a_version_that_lacks_its_artifact_cannot_be_chosen_and_says_so(visitor: Visitor, world: World) -> None:
    add_version(world.service, NewVersion("1.9.0", Build(BuildStatus.SUCCESS)), ADMIN)
    page = visitor.get(world.url()).text
    assert re.search(r'data-label="1\.9\.0" disabled>1\.9\.0 \(no artifact\)</option>', page)
    assert re.search(r'data-label="1\.8\.0" selected>1\.8\.0</option>', page)
    page = visitor.get(world.url("1.8.0")).text
    assert "No version in this direction has an artifact" in page
    page = visitor.get(world.url("1.0.0", "revert")).text
    assert "No older version has been built successfully" in page
