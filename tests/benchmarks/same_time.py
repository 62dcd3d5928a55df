"""Whether time tells that an account exists: the same request for a known and for an unknown address, in turns."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from math import comb
from pathlib import Path
from statistics import median, quantiles

import bcrypt
import psycopg2

from tests.benchmarks import CannotMeasure, Figure
from tests.benchmarks.client import Connection, request
from tests.benchmarks.serving import ROOT, databases, listening, make_account, migrate, production
from tests.services import free_port

SMTP_SECONDS = 2
PAUSE_SECONDS = 0.02  # what the last request left to do shall not meet the next one
WARM_UP = 3
TEMPLATE, PASSWORD = "template@example.com", "correct horse battery"
OLD_COST = 10
MANY = "100000000/second"
ENVIRON = {
    "WORKER": "embedded",
    "MAIL_SERVER": "127.0.0.1",
    "MAIL_USE_TLS": "false",
    **dict.fromkeys(("LIMIT_SIGN_IN_ACCOUNT", "LIMIT_SIGN_IN_IP", "LIMIT_SIGN_IN_TOTAL"), MANY),
    **dict.fromkeys(("LIMIT_SIGN_UP_IP", "LIMIT_MAIL_ADDRESS", "LIMIT_MAIL_IP"), MANY),
}
# How a known account differs from a verified one: assignments of an SQL UPDATE.
VERIFIED = "email_verified_at = now()"
UNVERIFIED = "email_verified_at = NULL"
IMPORTED = "password_hash = %(old_hash)s"


@dataclass(frozen=True)
class Question:
    """A request that must take as long for a known address as for an unknown one."""

    name: str
    path: str
    status: int
    known: str
    with_password: bool = False
    times: int = 1  # pairs a round: what takes no hash is quick to ask

    def message(self, kind: str, number: int) -> bytes:
        """The request for one address; each is asked about once."""
        body = {"email": self.address(kind, number)}
        return request("POST", self.path, body | ({"password": "wrong horse battery"} if self.with_password else {}))

    def address(self, kind: str, number: int) -> str:
        """An address of this question; known and unknown ones are of one length."""
        return f"{self.name.lower().replace(' ', '.').replace(',', '')}.{kind}.{number:04}@example.com"


QUESTIONS = (
    Question("sign-in", "/api/auth/sign-in", 401, VERIFIED, with_password=True),
    Question("sign-in, old hash", "/api/auth/sign-in", 401, IMPORTED, with_password=True),
    Question("sign-up", "/api/auth/sign-up", 202, VERIFIED, with_password=True),
    Question("forgot-password", "/api/auth/forgot-password", 200, VERIFIED, times=4),
    Question("resend-verification", "/api/auth/resend-verification", 200, UNVERIFIED, times=4),
)


def measure(*, quick: bool = False) -> list[Figure]:
    """For each question the ratio of the medians, known to unknown.

    :raises CannotMeasure: no PostgreSQL, or an answer is not what it should be.
    """
    rounds = WARM_UP + (10 if quick else 60)
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        (url,) = stack.enter_context(databases(1))
        port = stack.enter_context(slow_smtp())
        environ = production(folder) | ENVIRON | {"DATABASE_URL": url, "MAIL_PORT": str(port)}
        migrate(environ)
        make_account(environ, TEMPLATE, PASSWORD)
        for question in QUESTIONS:
            make_accounts(url, question, rounds * question.times)
        files = ("wsgi:app", "config/gunicorn.py")
        served, _ = stack.enter_context(listening("service", *files, environ, folder, 1, 8))
        connection = stack.enter_context(Connection(served))
        taken: dict[Question, list[tuple[float, float]]] = {question: [] for question in QUESTIONS}
        for question, number in turns(rounds):
            taken[question].append(ask_both(connection, question, number))
    return [figure(question, taken[question][WARM_UP * question.times :]) for question in QUESTIONS]


def turns(rounds: int) -> Iterator[tuple[Question, int]]:
    """Every pair to ask about, in an order that lets all questions meet the same machine."""
    for number in range(rounds):
        for question in QUESTIONS:
            for turn in range(question.times):
                yield question, number * question.times + turn


def ask_both(connection: Connection, question: Question, number: int) -> tuple[float, float]:
    """Milliseconds for a known and an unknown address; which goes first changes from pair to pair.

    :raises CannotMeasure: the answer is not the one that both get.
    """
    taken: dict[str, float] = {}
    for kind in ("known", "other") if number % 2 else ("other", "known"):
        time.sleep(PAUSE_SECONDS)
        status, seconds = connection.timed(question.message(kind, number))
        if status != question.status:
            raise CannotMeasure(f"{question.path} answered {status}, not {question.status}")
        taken[kind] = seconds * 1e3
    return taken["known"], taken["other"]


def figure(question: Question, pairs: list[tuple[float, float]]) -> Figure:
    """The ratio of the medians; the spread is the middle half of the pairs' own ratios."""
    known, other = (median(pair[part] for pair in pairs) for part in (0, 1))
    low, _, high = quantiles((mine / theirs for mine, theirs in pairs), n=4)
    slower = sum(mine > theirs for mine, theirs in pairs)
    chance = sign_test(slower, len(pairs))
    note = (
        f"the known address was slower in {slower} of {len(pairs)} pairs, a share of {slower / len(pairs):.2f} "
        f"(sign test: p {f'= {chance:.2f}' if chance >= 0.01 else '< 0.01'})"
    )
    name = f"Same time: {question.name}"
    return Figure(name, "ms", known, other, known / other, (low, high), at_most=1.05, at_least=0.95, note=note)


def sign_test(slower: int, pairs: int) -> float:
    """How likely a share at least this far from a half is when nothing tells the two apart; two-sided."""
    extreme = max(slower, pairs - slower)
    return min(1.0, 2 * sum(comb(pairs, number) for number in range(extreme, pairs + 1)) / 2**pairs)


def make_accounts(url: str, question: Question, number: int) -> None:
    """Copy the one account there is, for the known addresses of a question; a sign-up for each would take a minute."""
    addresses = [question.address("known", one) for one in range(number)]
    old_hash = bcrypt.hashpw(b"an old password", bcrypt.gensalt(OLD_COST)).decode()
    with closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection, connection, connection.cursor() as sql:
        copies = "SELECT users.*, address FROM users, unnest(%s) AS address WHERE email = %s"
        sql.execute(f"CREATE TEMP TABLE copies ON COMMIT DROP AS {copies}", (addresses, TEMPLATE))
        changes = f"id = gen_random_uuid(), email = address, email_key = address, is_admin = false, {question.known}"
        sql.execute(f"UPDATE copies SET {changes}", {"old_hash": old_hash})
        sql.execute("ALTER TABLE copies DROP COLUMN address")
        sql.execute("INSERT INTO users SELECT * FROM copies")


@contextmanager
def slow_smtp() -> Iterator[int]:
    """The port of an SMTP server that takes two seconds for a mail."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.slow_smtp", str(port), str(SMTP_SECONDS)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout is None or not process.stdout.readline():
                raise CannotMeasure("The SMTP server did not start")
            yield port
        finally:
            process.terminate()
