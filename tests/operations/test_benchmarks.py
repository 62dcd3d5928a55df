"""The benchmarks: what they say when something cannot be measured, and how they judge. Nothing here is timed."""

import socketserver
import sys
from contextlib import contextmanager
from threading import Thread

import pytest

from tests.benchmarks import CannotMeasure, Figure, __main__, serving
from tests.benchmarks.client import Connection, request
from tests.benchmarks.flood import Round, busy_share, figures
from tests.benchmarks.load import Flood, Order
from tests.benchmarks.same_time import QUESTIONS, figure, sign_test, turns
from tests.services import ServiceUnavailable


@contextmanager
def answering(*parts):
    """The port of a server that answers each request with these parts, and closes when there are none."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            while parts and self.request.recv(65536):
                for part in parts:
                    self.request.sendall(part)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def run(monkeypatch, *words, **benchmarks):
    monkeypatch.setattr(__main__, "BENCHMARKS", benchmarks)
    monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
    return __main__.main()


def missing(*, quick):
    raise CannotMeasure("There is no such thing here.")


def measured(*, quick):
    return [Figure("Speed", "ms", 12.34, 1234.5, 0.01, (0.009, 0.011), at_most=0.1, note="all was well")]


def test_what_cannot_be_measured_is_said_and_the_rest_is_shown(monkeypatch, capsys):
    assert run(monkeypatch, a=missing, b=measured) == 0
    said = capsys.readouterr()
    assert "Could not measure: a. There is no such thing here." in said.err
    assert "Speed (ms)  12.3  1,234  0.010" in said.out
    assert "Speed: all was well" in said.out


def test_when_nothing_can_be_measured_it_fails(monkeypatch, capsys):
    assert run(monkeypatch, a=missing) == 1
    assert "Speed" not in capsys.readouterr().out


def test_one_can_be_chosen(monkeypatch, capsys):
    assert run(monkeypatch, "--quick", "--only", "b", a=missing, b=measured) == 0
    assert "Could not measure" not in capsys.readouterr().err


@pytest.mark.parametrize("ratio, met", [(0.94, False), (0.95, True), (1.05, True), (1.06, False)])
def test_a_goal_may_have_two_ends(ratio, met):
    both = Figure("Time", "ms", 1, 1, ratio, (1, 1), at_least=0.95, at_most=1.05)
    assert (both.goal, both.is_met) == ("0.95 to 1.05", met)


def test_without_postgresql_nothing_is_measured(monkeypatch):
    @contextmanager
    def none():
        raise ServiceUnavailable("No PostgreSQL can be started")
        yield

    monkeypatch.setattr(serving, "postgres", none)
    with pytest.raises(CannotMeasure, match="No PostgreSQL"), serving.databases(1):
        pass


def test_an_answer_is_read_to_its_end():
    answer = b"HTTP/1.1 401 Unauthorized\r\nContent-", b"Length: 5\r\nX: y\r\n", b"\r\n12", b"345"
    with answering(*answer) as port, Connection(port) as connection:
        for _ in range(3):
            assert connection.ask(request("POST", "/", {"a": 1})) == 401


def test_a_closed_connection_is_no_answer():
    with answering() as port, Connection(port) as connection, pytest.raises(CannotMeasure):
        connection.ask(request("GET", "/"))


def test_a_flood_counts_its_answers(capsys):
    with answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n") as port:
        flood = Flood(Order(port, "/", [{}], connections=3, warm_up_seconds=0, seconds=0.2))
        connections = [Connection(port) for _ in range(3)]
        assert flood.run(connections)[503] > 0
        for connection in connections:
            connection.socket.close()
    assert capsys.readouterr().out == "counting\n"


def test_a_flood_that_breaks_off_is_no_figure():
    with answering() as port, Connection(port) as connection:
        flood = Flood(Order(port, "/", [{}], connections=1, warm_up_seconds=0, seconds=60))
        with pytest.raises(CannotMeasure):
            flood.run([connection])


def test_the_flood_is_judged_by_hashes_and_by_the_slowest_hundredth():
    ours = Round(hashes=9, refused=50, live=[1.0] * 98 + [30.0, 40.0], others=0)
    theirs = Round(hashes=9.5, refused=0, live=[400.0, 500.0], others=0)
    hashes, p50, p99 = figures([ours], [theirs], [10])
    assert (hashes.ratio, hashes.is_met) == (0.9, True)
    assert (p50.ours, p50.other) == (1, 450)
    assert (p99.ours, p99.other, p99.is_met) == (40, 500, True)
    assert "50 tries a second were refused" in hashes.note


def test_the_share_that_others_take_is_a_share():
    assert 0 <= busy_share(0.1) <= 1


def test_each_question_is_asked_about_fresh_addresses():
    messages = [question.message(kind, number) for question, number in turns(9) for kind in ("known", "other")]
    assert len(set(messages)) == len(messages)
    for question in QUESTIONS:
        assert len(question.message("known", 0)) == len(question.message("other", 123))
        assert sum(asked is question for asked, _ in turns(9)) == 9 * question.times


def test_the_ratio_is_that_of_the_medians():
    found = figure(QUESTIONS[0], [(10, 10), (11, 10), (12, 10), (30, 40)])
    assert (found.ours, found.other, found.ratio) == (11.5, 10, 1.15)
    assert "slower in 2 of 4 pairs" in found.note


@pytest.mark.parametrize(
    "slower, pairs, likely", [(5, 10, 1.0), (10, 10, 2 / 1024), (0, 10, 2 / 1024), (8, 10, 112 / 1024)]
)
def test_the_sign_test(slower, pairs, likely):
    assert sign_test(slower, pairs) == likely
