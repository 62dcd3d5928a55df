"""Mails while every process is killed: none is lost, and none is sent for what was rolled back."""

import http.client
import random
import re
import signal
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

import config
from app import create_app
from app.database import db
from tests.operations.processes import (
    Running,
    Session,
    eventually,
    is_open,
    on_a_port,
    procfile,
    running,
    wait_until_serving,
)
from tests.services import free_port
from tests.services.smtp import Mailbox, smtp

KILLS = 30
LONGEST_LIFE_SECONDS = 0.6  # the backlog of mails of thirty such lives is sent within seconds
MAIL_TAKES_SECONDS = 0.05  # so that many kills meet the worker between a mail and its answer
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
OFF = dict.fromkeys(("LIMIT_INVITE_USER", "LIMIT_INVITE_TEAM", "LIMIT_INVITE_PAIR", "LIMIT_INVITE_ADDRESS"), "off")


@dataclass
class Service:
    """A web process and a job worker as Procfile starts them, killed and started again at will."""

    environ: dict[str, str]
    folder: Path
    port: int
    processes: list[Running] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)
    starts: int = 0

    def start(self) -> None:
        """Start both; returns when one answers and the other works."""
        self.starts += 1
        for name in ("web", "worker"):
            folder = self.folder / f"{name}-{self.starts}"
            self.processes.append(self.stack.enter_context(running(procfile(name), self.environ, folder)))
        web, worker = self.processes
        wait_until_serving(web)
        eventually(lambda: "The worker runs." in worker.stdout, lambda: worker.said)

    def kill(self) -> None:
        """Kill -9 everything, and let what the dead held be taken at once."""
        for process in self.processes:
            process.tell_all(signal.SIGKILL)
        self.stack.close()
        eventually(lambda: not is_open(self.port))  # whoever is left of the group would still listen
        self.processes.clear()
        # The lease of a job that was being done runs out a minute after the kill, and a mail that found no server
        # waits for its next try. Nobody is alive to hold a lease, and a test does not wait for the clock.
        self.execute("UPDATE jobs SET lease_until = NULL, run_at = created_at WHERE state = 'queued'")

    def rows(self, query: str) -> list[Any]:
        with self.connect() as connection:
            return list(connection.execute(text(query)))

    def execute(self, statement: str) -> None:
        with self.connect() as connection:
            connection.execute(text(statement))
            connection.commit()

    @contextmanager
    def connect(self) -> Iterator[Any]:
        with create_engine(self.environ["DATABASE_URL"], poolclass=NullPool).connect() as connection:
            yield connection

    def mails_waiting(self) -> int:
        return self.rows("SELECT count(*) FROM jobs WHERE state = 'queued' AND name LIKE 'mail.%'")[0][0]

    def invited(self) -> set[str]:
        """The addresses of the invitations that were committed."""
        return {row.email for row in self.rows("SELECT email FROM invitations")}


@pytest.fixture
def service(migrated: dict[str, str], tmp_path: Path) -> Iterator[Service]:
    """The service, running, with an account; its mails go to a port where nobody listens yet."""
    environ = on_a_port(
        migrated
        | OFF
        | {"WORKER": "separate", "WEB_CONCURRENCY": "1", "WEB_THREADS": "4", "LOG_LEVEL": "WARNING"}
        | {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": str(free_port()), "MAIL_USE_TLS": "false"}
    )
    make_account(environ)
    service = Service(environ, tmp_path, int(environ["PORT"]))
    with service.stack:
        service.start()
        yield service


def make_account(environ: dict[str, str]) -> None:
    from blueprints.auth.services.operators import create_admin

    with create_app(config.load(environ)).app_context():
        create_admin(EMAIL, PASSWORD)
        db.engine.dispose()


@pytest.fixture
def ada(service: Service) -> Session:
    """A client that is signed in; its session outlives the processes."""
    session = Session(service.port)
    assert session.call("POST", "/api/auth/sign-in", data={"email": EMAIL, "password": PASSWORD}).status == 200
    return session


@pytest.fixture
def new_team(ada: Session) -> Callable[[], str]:
    """Makes teams of hers; returns their ids."""

    def make() -> str:
        reply = ada.call("POST", "/api/teams", data={"name": "Night Shoot"})
        assert reply.status == 201, reply.text
        return reply.json["data"]["team"]["id"]

    return make


def invite(ada: Session, team_id: str, email: str) -> int | None:
    """The status of the answer, or None without one."""
    try:
        return ada.call("POST", f"/api/teams/{team_id}/invite", data={"email": email}).status
    except (OSError, http.client.HTTPException):
        return None


@contextmanager
def mail_server(service: Service) -> Iterator[Mailbox]:
    """The mail server where the service looks for it."""
    with smtp(port=int(service.environ["MAIL_PORT"])) as mailbox:
        yield mailbox


def by_address(mailbox: Mailbox) -> dict[str, list[tuple[str, str]]]:
    """Message-ID and link of every mail, by the address it went to."""
    found = defaultdict(list)
    for message in list(mailbox.messages):
        body = message.get_body(("plain",)).get_content()
        link = re.search(r"http://\S+/team/invite/\S+", body).group(0)
        found[message.rcpt_tos[0]].append((message["Message-ID"], link))
    return found


def test_an_answered_invitation_is_mailed_after_everything_was_killed(service, ada, new_team):
    assert invite(ada, new_team(), "bob@example.com") == 201
    service.kill()
    assert service.mails_waiting() == 1
    with mail_server(service) as mailbox:
        service.start()
        eventually(lambda: not service.mails_waiting())
        (mails,) = by_address(mailbox).values()
        assert len(set(mails)) == 1, "each repeat has the same Message-ID and link"
        preview = f"/api/teams/invites/preview?token={mails[0][1].rpartition('/')[2]}"
        assert ada.call("GET", preview).json["data"]["invitation"]["email"] == "b***@example.com"


def test_nothing_is_left_of_an_invitation_that_was_killed_before_its_commit(service, ada, new_team, engine_name):
    team_id, statuses = new_team(), []
    eventually(lambda: not service.rows("SELECT id FROM jobs WHERE state = 'queued'"))
    client = threading.Thread(target=lambda: statuses.append(invite(ada, team_id, "bob@example.com")))
    with service.connect() as connection, mail_server(service) as mailbox:
        # PostgreSQL: the invitation is written, and its mail waits to be. SQLite has one writer: the change waits
        # to begin, with a connection in its hand.
        lock = "BEGIN IMMEDIATE" if engine_name == "sqlite" else "LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE"
        connection.execute(text(lock))
        client.start()
        eventually(lambda: holds_a_connection(service) if engine_name == "sqlite" else waits_for_jobs(service))
        for process in service.processes:
            process.tell_all(signal.SIGKILL)
        client.join()
        connection.rollback()
        service.kill()
        assert statuses == [None]
        service.start()
        assert service.invited() == set()
        assert invite(ada, team_id, "eve@example.com") == 201
        eventually(lambda: not service.mails_waiting())
        assert by_address(mailbox).keys() == service.invited() == {"eve@example.com"}


def holds_a_connection(service: Service) -> bool:
    return service.processes[0].call("GET", "/health").json["metrics"]["activeConnections"] > 0


def waits_for_jobs(service: Service) -> list[Any]:
    """The statement of the request, which waits for the lock; periodic jobs are queued by another one."""
    waiting = "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO jobs%'"
    return service.rows(f"{waiting} AND query NOT LIKE '%ON CONFLICT%'")


def test_at_thirty_random_moments_no_mail_is_lost(service, ada, new_team):
    seed = random.randrange(2**32)
    moments, answered = random.Random(seed), set()
    teams = [new_team() for _ in range(KILLS)]  # a team waits for a hundred answers at most
    with mail_server(service) as mailbox:
        mailbox.delay_seconds = MAIL_TAKES_SECONDS
        for life, team_id in enumerate(teams):
            killer = threading.Timer(moments.uniform(0, LONGEST_LIFE_SECONDS), service.kill)
            killer.start()
            for number in range(100):
                email = f"invited-{life}-{number}@example.com"
                status = invite(ada, team_id, email)
                if status is None:
                    break
                assert status == 201, f"seed {seed}"
                answered.add(email)
            killer.join()
            service.start()
        mailbox.delay_seconds = 0
        eventually(lambda: not service.mails_waiting(), lambda: told(service, seed), seconds=60)
        service.kill()
        mails = by_address(mailbox)
    invited = service.invited()
    assert answered <= mails.keys(), f"lost: {answered - mails.keys()} (seed {seed})"
    assert mails.keys() == invited, f"lost: {invited - mails.keys()}, made up: {mails.keys() - invited} (seed {seed})"
    repeated = {email: found for email, found in mails.items() if len(found) > 1}
    assert all(len(set(found)) == 1 for found in repeated.values()), f"{repeated} (seed {seed})"
    assert repeated, f"no kill met the worker between a mail and its answer (seed {seed})"


def told(service: Service, seed: int) -> str:
    """What a failure says of the mails that still wait."""
    waiting = service.rows("SELECT name, attempts, last_error FROM jobs WHERE state = 'queued'")
    return f"{waiting} (seed {seed})\n{service.processes[-1].said}"
