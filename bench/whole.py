"""The console with one page more, to compare with: the table of instances as a whole, as it is usually polled."""

from __future__ import annotations

from flask import Flask, render_template

from deployer import app as real
from deployer.domain.access import Verb
from deployer.queries import catalog
from deployer.queries.fleet import InstanceFilter
from deployer.queries.paging import MAX_LIMIT, Slice
from deployer.web.auth import needs
from deployer.web.views import services as views


def create_app() -> Flask:
    """What gunicorn serves."""
    app = real.create_app()

    @app.get("/whole/<id:service_id>/<id:rows>")
    @needs(Verb.VIEW)
    def whole(service_id: int, rows: int) -> str:
        rev = catalog.revision(service_id)
        shown = views.instances(service_id, InstanceFilter(), Slice(limit=min(rows, MAX_LIMIT)))
        return f"<!-- since={rev} -->" + render_template("services/_instances.html", **shown)

    return app
