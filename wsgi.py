"""The application that gunicorn and the `flask` command load."""

import sys

import config
from app import create_app
from app.plugins import PluginError

try:
    app = create_app(config.load())
except (config.ConfigurationError, PluginError) as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(1)
