"""The application that gunicorn and the `flask` command load."""

import gc
import sys

gc.disable()  # what is loaded here stays for good: searching it for garbage takes a tenth of the start

import config  # noqa: E402
from app import create_app  # noqa: E402
from app.plugins import PluginError  # noqa: E402

try:
    app = create_app(config.load())
except (config.ConfigurationError, PluginError) as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(1)

gc.freeze()  # else the first request would pay for that search
gc.enable()
