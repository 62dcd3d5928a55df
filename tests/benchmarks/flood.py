"""Whether bcrypt can take the service down: sixteen connections hammer sign-in while somebody asks a plain route."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import bcrypt

from tests.benchmarks import CannotMeasure, Figure, compare
from tests.benchmarks.client import Connection, request
from tests.benchmarks.load import STARTED, Order, command
from tests.benchmarks.serving import ROOT, databases, listening, make_account, migrate, processors, production

COST = 12
CONNECTIONS = 16
PROCESSES, THREADS = 2, 8
PAUSE_SECONDS = 0.1
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
RIGHT, WRONG = {"email": EMAIL, "password": PASSWORD}, {"email": EMAIL, "password": "wrong horse battery"}
BODIES = [RIGHT, WRONG, WRONG, WRONG]  # a flood knows few passwords
REFUSED = 503
# As high as can be, and over a second: a moving window counts the hits in it, and these are many.
LIMITS = dict.fromkeys(("LIMIT_SIGN_IN_ACCOUNT", "LIMIT_SIGN_IN_IP", "LIMIT_SIGN_IN_TOTAL"), "100000000/second")


@dataclass(frozen=True)
class Side:
    """A server under attack: where its sign-in and its plain route are, and the statuses that cost one hash."""

    port: int
    sign_in: str
    live: str
    right: int
    wrong: int


@dataclass(frozen=True)
class Round:
    """What one flood did: hashes and refusals a second, and the milliseconds of the plain route, sorted."""

    hashes: float
    refused: float
    live: list[float]
    others: float  # the share of the processors that other work took just before

    def p50(self) -> float:
        """The median time of the plain route."""
        return median(self.live)

    def p99(self) -> float:
        """Its 99th percentile by nearest rank; of fewer than a hundred the slowest."""
        return self.live[min(len(self.live) - 1, int(len(self.live) * 0.99))]


def measure(*, quick: bool = False) -> list[Figure]:
    """Hashes a second beside what the machine can do, and the plain route's time beside Flask-Security's.

    :raises CannotMeasure: no PostgreSQL, no Flask-Security, or an answer is not what it should be.
    """
    rounds, seconds = (1, 6.0) if quick else (2, 20.0)
    ours: list[Round] = []
    theirs: list[Round] = []
    limits: list[float] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        urls = stack.enter_context(databases(2))
        service = stack.enter_context(serve_ours(Path(name), urls[0]))
        baseline = stack.enter_context(serve_flask_security(Path(name), urls[1]))
        for _ in range(rounds):
            before = hash_limit(seconds / 4)
            ours.append(attack(service, seconds))
            limits.append(mean((before, hash_limit(seconds / 4))))
            theirs.append(attack(baseline, seconds))
    return figures(ours, theirs, limits)


def figures(ours: list[Round], theirs: list[Round], limits: list[float]) -> list[Figure]:
    """The rounds as figures."""
    refused, others = mean(one.refused for one in ours), mean(one.others for one in ours + theirs)
    hashes_note = (
        f"the other is the machine's limit; {refused:.0f} tries a second were refused with 503 and are not counted; "
        f"other work took {others:.0%} of the processors just before"
    )
    asked = [sum(len(one.live) for one in side) for side in (ours, theirs)]
    live_note = f"the other is Flask-Security; asked {asked[0]} times, and {asked[1]} times the other"
    p50, p99 = ([[part(one) for one in side] for side in (ours, theirs)] for part in (Round.p50, Round.p99))
    return [
        compare("Flood: hashes", "/s", [one.hashes for one in ours], limits, at_least=0.90, note=hashes_note),
        compare("Flood: plain route, p50", "ms", *p50, note=live_note),
        compare("Flood: plain route, p99", "ms", *p99, at_most=0.10),
    ]


@contextmanager
def serve_ours(folder: Path, database_url: str) -> Iterator[Side]:
    """The service in production mode, with one verified account."""
    environ = production(folder) | LIMITS | {"DATABASE_URL": database_url, "BCRYPT_COST": str(COST)}
    migrate(environ)
    make_account(environ, EMAIL, PASSWORD)
    with listening("service", "wsgi:app", "config/gunicorn.py", environ, folder, PROCESSES, THREADS) as (port, _):
        yield Side(port, "/api/auth/sign-in", "/health/live", right=200, wrong=401)


@contextmanager
def serve_flask_security(folder: Path, database_url: str) -> Iterator[Side]:
    """Flask-Security under the same gunicorn, with the same account."""
    try:
        import flask_security  # noqa: F401
    except ImportError:
        raise CannotMeasure("The flood is compared with Flask-Security: install tests/requirements.txt.") from None
    environ = production(folder) | {"DATABASE_URL": database_url, "BENCH_EMAIL": EMAIL, "BENCH_PASSWORD": PASSWORD}
    files = ("tests.benchmarks.flask_security_app:app", "tests/benchmarks/flask_security_app.py")
    with listening("flask-security", *files, environ, folder, PROCESSES, THREADS) as (port, _):
        yield Side(port, "/login", "/live", right=200, wrong=400)


def hash_limit(seconds: float) -> float:
    """Hashes a second that this machine can do with nothing else to do.

    With as many threads as hash in a flood, two for each processor: on a busy machine fewer get a smaller share.
    """
    salt, ends = bcrypt.gensalt(COST), time.perf_counter() + seconds
    threads = PROCESSES * len(processors())

    def work(_: int) -> float:
        began, done = time.perf_counter(), 0
        while time.perf_counter() < ends:
            bcrypt.hashpw(b"somebody", salt)
            done += 1
        return done / (time.perf_counter() - began)

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(work, range(threads)))


def attack(side: Side, seconds: float) -> Round:
    """Flood the sign-in, every fourth connection with the right password, and ask the plain route meanwhile.

    :raises CannotMeasure: an answer is neither a sign-in, nor a refused password, nor a 503.
    """
    check(side)
    others = busy_share()
    order = Order(side.port, side.sign_in, BODIES, CONNECTIONS, warm_up_seconds=2, seconds=seconds)
    flood = subprocess.Popen(command(order), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with flood:
        if flood.stdout is None or flood.stdout.readline().strip() != STARTED:
            raise CannotMeasure(f"The flood did not begin: {flood.communicate()[1]}")
        live = probe(side, seconds)
        said, errors = flood.communicate()
    if flood.returncode:
        raise CannotMeasure(f"The flood broke off: {errors}")
    answers = {int(status): number for status, number in json.loads(said).items()}
    if not answers.keys() <= {side.right, side.wrong, REFUSED}:
        raise CannotMeasure(f"The sign-in answered {answers}")
    refused = answers.pop(REFUSED, 0)
    return Round(sum(answers.values()) / seconds, refused / seconds, sorted(live), others)


def busy_share(seconds: float = 1) -> float:
    """How much of all processors is in use, from 0 to 1; nothing of ours runs meanwhile.

    :raises CannotMeasure: this is not Linux.
    """

    def ticks() -> tuple[int, int]:
        numbers = [int(number) for number in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]  # idle, and idle with a disk to wait for

    try:
        before = ticks()
        time.sleep(seconds)
        after = ticks()
    except OSError:
        raise CannotMeasure("How busy a machine is, is read from Linux's /proc, and there is none here.") from None
    return 1 - (after[1] - before[1]) / (after[0] - before[0])


def check(side: Side) -> None:
    """The right password must be let in, and the wrong one refused, or no hash is measured."""
    with Connection(side.port) as connection:
        for body, expected in ((RIGHT, side.right), (WRONG, side.wrong)):
            status = connection.ask(request("POST", side.sign_in, body))
            if status != expected:
                raise CannotMeasure(f"{side.sign_in} answered {status}, not {expected}")


def probe(side: Side, seconds: float) -> list[float]:
    """Milliseconds of a plain request, connecting included; 100 ms after its answer the next one follows.

    Each has a new connection: a kept-alive one would stay with one process, be it the busier or the idler one.
    """
    message, ends, taken = request("GET", side.live, last=True), time.perf_counter() + seconds, []
    while (began := time.perf_counter()) < ends:
        with Connection(side.port) as connection:
            status = connection.ask(message)
        taken.append((time.perf_counter() - began) * 1e3)
        if status != 200:
            raise CannotMeasure(f"{side.live} answered {status}")
        time.sleep(PAUSE_SECONDS)
    return taken
