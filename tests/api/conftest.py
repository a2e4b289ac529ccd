"""A client of the JSON API."""

from __future__ import annotations

import pytest
from flask import Flask, current_app
from flask.testing import FlaskClient

from tests.world import World


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Sends requests to the application of the test, on both databases."""
    return app.test_client()


@pytest.fixture
def reader(shared_world: World) -> FlaskClient:
    """Sends requests to the application of ``shared_world``."""
    return current_app.test_client()
