import json
import os
import threading
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from blueprints.metrics import recorder as recorder_module
from blueprints.metrics.recorder import MAX_NAME, OTHER, this_process
from blueprints.metrics.series import BOUNDS, Series

HOUR = 1_813_060_800  # when the clock of these tests starts


def requests_of(delta):
    return {(row["minute"], row["method"], row["route"], row["status_class"]): row for row in delta.payload["requests"]}


def count(row):
    return Series.from_json(row).count


def test_a_delta_holds_what_was_counted_by_minute_method_route_and_status_class(recorder, clock):
    recorder.add_request("GET", "/a", "2xx", 0.010)
    recorder.add_request("GET", "/a", "2xx", 0.030)
    recorder.add_request("GET", "/a", "5xx", 0.001)
    recorder.add_request("POST", "/a", "2xx", 0.001)
    clock.now += timedelta(minutes=1)
    recorder.add_request("GET", "/a", "2xx", 0.001)

    rows = requests_of(recorder.drain())

    first, second = HOUR, HOUR + 60
    assert {key: count(row) for key, row in rows.items()} == {
        (first, "GET", "/a", "2xx"): 2,
        (first, "GET", "/a", "5xx"): 1,
        (first, "POST", "/a", "2xx"): 1,
        (second, "GET", "/a", "2xx"): 1,
    }
    assert rows[first, "GET", "/a", "2xx"]["sum_us"] == 40_000


def test_draining_takes_everything_once_and_numbers_it(recorder):
    assert recorder.drain() is None
    recorder.add_request("GET", "/a", "2xx", 0.01)
    first = recorder.drain()
    assert recorder.drain() is None
    recorder.add_request("GET", "/a", "2xx", 0.01)
    second = recorder.drain()

    assert (first.seq, second.seq) == (1, 2)
    assert first.process == second.process
    assert [count(row) for row in second.payload["requests"]] == [1]


def test_a_payload_survives_json(recorder):
    recorder.add_request("GET", "/a", "2xx", 0.0123, 0.2)
    recorder.add_error(KeyError(), uuid4())
    payload = recorder.drain().payload
    assert json.loads(json.dumps(payload)) == payload


def test_a_histogram_counts_a_duration_in_the_first_bound_that_holds_it(recorder):
    for seconds in (0.004, 0.005, 0.0051, 10.0, 10.1):
        recorder.add_request("GET", "/a", "2xx", seconds)
    (row,) = recorder.drain().payload["requests"]
    assert row["buckets"] == [2, 1, *[0] * (len(BOUNDS) - 3), 1, 1]


def test_the_waiting_before_a_request_is_counted_apart(recorder):
    recorder.add_request("GET", "/a", "2xx", 0.01, 0.5)
    recorder.add_request("GET", "/a", "2xx", 0.01, 0.25)
    recorder.add_request("GET", "/a", "2xx", 0.01)
    (row,) = recorder.drain().payload["requests"]
    assert (row["queue_count"], row["queue_sum_us"], row["queue_max_ms"]) == (2, 750_000, 500)
    assert sum(row["queue_buckets"]) == 2


def test_keys_beyond_the_limit_are_counted_as_other(recorder, clock, monkeypatch):
    monkeypatch.setattr(recorder_module, "MAX_KEYS", 3)
    for number in range(6):
        recorder.add_request("GET", f"/{number}", "2xx", 0.01)
    clock.now += timedelta(minutes=1)
    recorder.add_request("GET", "/0", "2xx", 0.01)
    recorder.add_request("GET", "/4", "2xx", 0.01)

    found = {(key[0] - HOUR, key[2]): count(row) for key, row in requests_of(recorder.drain()).items()}

    assert found == {(0, "/0"): 1, (0, "/1"): 1, (0, "/2"): 1, (0, OTHER): 3, (60, "/0"): 1, (60, OTHER): 1}


def test_memory_is_bounded_and_what_does_not_fit_is_counted(recorder, clock, monkeypatch):
    monkeypatch.setattr(recorder_module, "MAX_SERIES", 2)
    for _ in range(5):
        recorder.add_request("GET", "/a", "2xx", 0.01)
        clock.now += timedelta(minutes=1)
    clock.now -= timedelta(minutes=4)
    recorder.add_request("GET", "/a", "2xx", 0.01)  # a series that is open goes on

    payload = recorder.drain().payload

    assert [count(row) for row in payload["requests"]] == [1, 2]
    assert payload["dropped"] == 3


def test_dropping_alone_makes_a_delta_once(recorder):
    recorder.add_drop()
    assert recorder.drain().payload == {"requests": [], "errors": [], "dropped": 1}
    assert recorder.drain() is None


def test_a_long_name_fits_its_column(recorder):
    recorder.add_request("GET", "/" + "x" * 500, "2xx", 0.01)
    recorder.add_error(type("E" * 500, (Exception,), {})())
    payload = recorder.drain().payload
    assert len(payload["requests"][0]["route"]) == MAX_NAME
    assert len(payload["errors"][0]["type"]) == MAX_NAME


class Broken(Exception):
    pass


def test_errors_are_counted_by_hour_and_class_name_with_distinct_users(recorder, clock):
    one, two = UUID(int=1), UUID(int=2)
    for user in (one, one, two, None):
        recorder.add_error(Broken("text that is not kept"), user)
    recorder.add_error(KeyError("x"))
    clock.now += timedelta(hours=1)
    recorder.add_error(Broken(), one)

    assert recorder.drain().payload["errors"] == [
        {"hour": HOUR, "type": "Broken", "count": 4, "users": [str(one), str(two)]},
        {"hour": HOUR, "type": "KeyError", "count": 1, "users": []},
        {"hour": HOUR + 3600, "type": "Broken", "count": 1, "users": [str(one)]},
    ]


def test_error_types_beyond_the_limit_are_counted_as_other(recorder, monkeypatch):
    monkeypatch.setattr(recorder_module, "MAX_ERRORS", 1)
    for error in (KeyError(), ValueError(), TypeError(), KeyError()):
        recorder.add_error(error)
    found = {row["type"]: row["count"] for row in recorder.drain().payload["errors"]}
    assert found == {"KeyError": 2, OTHER: 2}


def test_users_beyond_the_limit_are_dropped_and_their_errors_are_not(recorder, monkeypatch):
    monkeypatch.setattr(recorder_module, "MAX_USERS", 2)
    for number in range(4):
        recorder.add_error(KeyError(), UUID(int=number))
    recorder.add_error(KeyError(), UUID(int=0))  # known already
    payload = recorder.drain().payload
    assert (payload["errors"][0]["count"], len(payload["errors"][0]["users"]), payload["dropped"]) == (
        5,
        2,
        2,
    )
    recorder.add_error(KeyError(), UUID(int=3))
    assert len(recorder.drain().payload["errors"][0]["users"]) == 1


def test_nothing_is_lost_between_threads_and_drains(recorder):
    deltas = []
    done = threading.Event()

    def drain():
        while not done.is_set():
            deltas.append(recorder.drain())

    drainer = threading.Thread(target=drain)
    drainer.start()
    writers = [
        threading.Thread(target=lambda: [recorder.add_request("GET", "/a", "2xx", 0.01) for _ in range(2000)])
        for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    drainer.join()
    deltas.append(recorder.drain())

    found = [delta for delta in deltas if delta is not None]
    assert sum(count(row) for delta in found for row in delta.payload["requests"]) == 8000
    assert [delta.seq for delta in found] == list(range(1, len(found) + 1))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_forked_child_is_a_process_of_its_own():
    this_process.add_request("GET", "/a", "2xx", 0.01)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        empty = this_process.drain() is None
        this_process.add_drop()
        delta = this_process.drain()
        os.write(writer, json.dumps([empty, str(delta.process), delta.seq]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    empty, process, seq = json.loads(os.read(reader, 1000))
    os.close(reader)
    os.close(writer)

    delta = this_process.drain()

    assert empty
    assert seq == 1
    assert UUID(process) != delta.process
    assert delta.payload["requests"]
