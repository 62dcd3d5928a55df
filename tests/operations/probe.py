"""A blueprint for these tests alone: it waits as long as it is told to, and breaks when asked."""

import logging
import time
from pathlib import Path
from uuid import uuid4

from flask import Response
from pydantic import BaseModel, Field

from app import access
from app.plugins import Mount, Plugin, current
from app.schemas import Email, In, Message, Password
from app.web import Blueprint, Done

bp = Blueprint("probe")


class ProbeSettings(BaseModel):
    """Where the probe says that a request has begun, and looks whether it may end."""

    probe_folder: Path = Field(description="A folder of the test.")


class Fail(In):
    """What a form holds that must never leave the house."""

    email: Email
    password: Password
    sentence: str


@bp.raw("/wait", only="page")
@access.public
def wait() -> Response:
    """Answer once the file `go` is there."""
    folder = current(ProbeSettings).probe_folder
    (folder / f"begun-{uuid4()}").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)
    return Response("finished")


@bp.form("/fail")
@access.public
def fail(form: Fail) -> Done[Message]:
    """Log a sentence, then break with it."""
    logging.getLogger("probe").warning(form.sentence)
    raise RuntimeError(form.sentence)


plugin = Plugin("probe", mounts=(Mount(bp),), settings=ProbeSettings)
