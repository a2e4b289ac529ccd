"""For any WSGI server: ``gunicorn wsgi:app``. `deployer web` does the same with settings that were measured."""

from deployer.app import create_app

app = create_app()
