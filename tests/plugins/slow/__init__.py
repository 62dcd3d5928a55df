"""Jobs that take as long as a test wants: they wait until a file is there."""

import time
from pathlib import Path
from uuid import uuid4

from app.database import transaction
from app.jobs import Job, QueuedJob
from app.plugins import Plugin


def wait_in(folder: str) -> None:
    """Say that the job has begun, then wait until it may end."""
    place = Path(folder)
    with (place / "begun").open("a") as file:
        file.write("x")
    while not (place / "may-end").exists():
        time.sleep(0.02)


def mail(folder: str) -> None:
    """At least once: its effect is outside the database."""
    with (Path(folder) / "sent").open("a") as file:
        file.write("x")
    wait_in(folder)


def note(folder: str) -> None:
    """Exactly once: its effect is a row."""
    with transaction() as session:
        session.add(QueuedJob(id=uuid4(), name="effect"))
        session.flush()
    wait_in(folder)


mailing = Job("slow.mail", mail)
noting = Job("slow.note", note, atomic=True)
plugin = Plugin("slow", jobs=(mailing, noting))
