"""What the service is compared with: bare Flask, under gunicorn with our settings but none of our hooks."""

from flask import Flask

from config.gunicorn import *  # noqa: F403

app = Flask(__name__)


@app.get("/health/live")
def live() -> dict[str, str]:
    """The same JSON as the service's."""
    return {"status": "healthy"}


def post_worker_init(worker) -> None:
    """Nothing: bare Flask has no threads to start."""
