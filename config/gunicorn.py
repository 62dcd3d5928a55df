"""How gunicorn serves the application; every line that is not obvious says why."""

import signal
import subprocess
import sys
from functools import partial

from gunicorn.workers.base import Worker

from config import ConfigurationError, load
from config.settings import ROOT, bind_address

try:
    settings = load()
except ConfigurationError as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(1)

bind = [bind_address(settings.port, settings.is_production)]
workers = settings.web_concurrency
worker_class = "gthread"
threads = settings.web_threads
timeout = 20  # the router gives up at 30 s
graceful_timeout = 20  # a dyno is killed 30 s after SIGTERM
keepalive = 95  # the router keeps connections for 90 s; ours must not close first
reuse_port = True  # the kernel spreads connections evenly over the workers
preload_app = False  # threads and connections belong to the worker
control_socket_disable = True  # its socket in $HOME would be taken over by the next gunicorn of this user
forwarded_allow_ips = ""  # PROXY_HOPS alone decides what a proxy may say
header_map = "drop"  # X_Forwarded_For is not X-Forwarded-For
forwarded_allow_ips = ""  # app.security counts the proxies; the platform's `*` would believe every client
forwarder_headers = ""  # and let it move the application by a header SCRIPT_NAME
limit_request_line = 4094
limit_request_fields = 100
max_requests = 20_000
max_requests_jitter = 2_000
accesslog = None  # the application writes its own line, without paths and tokens
loglevel = "warning" if not settings.is_production else "info"
chdir = str(ROOT)
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" else None  # noqa: S108  a heartbeat file on disk can block


def on_starting(server) -> None:
    """Try the application once, so that a mistake is one line and exit code 1, not a crash loop.

    `make run` has just done so with its migration.
    """
    if (
        settings.is_production
        and subprocess.run([sys.executable, "-c", "import wsgi"], cwd=ROOT, check=False).returncode
    ):
        sys.exit(1)


def when_ready(server) -> None:
    """Say where the service is, where its mails are, and how to make an administrator; warn when mails wait."""
    if settings.is_production and not settings.mail_server:
        server.log.warning("Mails stay queued: set MAIL_SERVER or RESEND_API_KEY")
    if settings.environment == "development":
        sys.stdout.write(
            f"{settings.product_name} is at {settings.base_url} (stop it with Ctrl-C)\n"
            f"Mails are kept at {settings.base_url}/dev/mailbox\n"
            "Make an administrator: make admin EMAIL=you@example.com\n"
        )
        sys.stdout.flush()


def post_fork(server, worker) -> None:
    """Let a worker stop at once without closing its pool first.

    gthread does that inside the signal's handler. Where the signal meets the worker handing over a request, or
    closing the pool already, it waits for a lock of its own until it is killed.
    """
    worker.handle_quit = partial(Worker.handle_quit, worker)


def post_worker_init(worker) -> None:
    """Start the threads of this process: create_app starts none, commands and tests call it too."""
    from app import background

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches the master too, which stops us
    background.start(worker.app.callable)
    background.drain_on_sigterm(worker.app.callable)
