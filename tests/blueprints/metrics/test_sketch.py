import json
import math
import random

import pytest

from blueprints.metrics.sketch import LEAST_MS, MOST_MS, RELATIVE_ERROR, Sketch

DISTRIBUTIONS = {
    "log-normal": lambda rng: rng.lognormvariate(3.5, 1.1),
    "bimodal": lambda rng: rng.gauss(3, 0.3) if rng.random() < 0.949 else rng.gauss(4000, 200),
    "constant": lambda rng: 12.5,
    "Pareto": lambda rng: 2 * rng.paretovariate(1.1),
    "with zeros": lambda rng: 0.0 if rng.random() < 0.6 else rng.uniform(1, 50),
}


def percentile_cont(values: list[float], fraction: float) -> float:
    """What PostgreSQL's PERCENTILE_CONT answers."""
    values = sorted(values)
    rank = fraction * (len(values) - 1)
    low, high = math.floor(rank), math.ceil(rank)
    return values[low] + (values[high] - values[low]) * (rank - low)


def sketch_of(values) -> Sketch:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch


def through_json(sketch: Sketch) -> Sketch:
    return Sketch.from_json(json.loads(json.dumps(sketch.to_json())))


@pytest.mark.parametrize("size", [1, 2, 3, 20, 21, 100, 999, 5000])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_percentiles_of_eight_merged_parts_are_within_two_per_cent(name, size):
    rng = random.Random(f"{name} {size}")
    values = [max(0.0, DISTRIBUTIONS[name](rng)) for _ in range(size)]
    merged = Sketch()
    for part in range(8):
        merged.merge(through_json(sketch_of(values[part::8])))

    for fraction in (0, 0.25, 0.5, 0.9, 0.95, 0.99, 1):
        expected = percentile_cont(values, fraction)
        assert merged.percentile(fraction) == pytest.approx(expected, rel=RELATIVE_ERROR + 1e-9, abs=LEAST_MS)


def test_the_value_between_two_far_ranks_is_interpolated():
    assert sketch_of([10.0, 1000.0]).percentile(0.5) == 505.0


def test_merging_is_exact():
    rng = random.Random(7)
    values = [rng.lognormvariate(2, 2) for _ in range(3000)]
    merged = Sketch()
    for part in range(8):
        merged.merge(sketch_of(values[part::8]))

    assert merged.to_json() == sketch_of(values).to_json()
    assert merged.count == len(values)


def test_merging_an_empty_sketch_changes_nothing():
    sketch = sketch_of([5.0, 7.0])
    before = sketch.to_json()
    sketch.merge(Sketch())
    assert sketch.to_json() == before

    empty = Sketch()
    empty.merge(sketch)
    assert empty.to_json() == before


def test_json_keeps_everything():
    sketch = sketch_of([0.0, 0.5, 3.0, 3.0, 88.125])
    again = through_json(sketch)
    assert again.to_json() == sketch.to_json()
    assert again.count == 5


def test_an_empty_sketch_has_no_percentile():
    assert Sketch().percentile(0.95) is None
    assert through_json(Sketch()).percentile(0.5) is None


def test_one_value_is_every_percentile_exactly():
    sketch = sketch_of([123.456])
    assert [sketch.percentile(fraction) for fraction in (0, 0.5, 0.95, 1)] == [123.456] * 4


def test_the_shortest_and_the_longest_are_exact():
    sketch = sketch_of([100.0, 101.0, 102.0, 103.0])
    assert (sketch.percentile(0), sketch.percentile(1)) == (100.0, 103.0)


def test_no_percentile_lies_outside_the_values():
    sketch = sketch_of([100.0] * 50)
    assert {sketch.percentile(fraction / 100) for fraction in range(101)} == {100.0}


@pytest.mark.parametrize("value", [0.0, -3.0, float("nan"), LEAST_MS / 2])
def test_what_is_no_duration_counts_as_zero(value):
    sketch = sketch_of([value, 10.0, 10.0, 10.0])
    assert (sketch.zeros, sketch.count, sketch.min_ms) == (1, 4, 0.0)
    assert sketch.percentile(0) == 0.0
    assert sketch.percentile(1) == 10.0


def test_the_size_is_bounded():
    sketch = sketch_of([float("inf"), 1e300, *(1.01**power for power in range(-3000, 3000))])
    assert sketch.max_ms == MOST_MS
    assert len(sketch.bins) <= math.log(MOST_MS / LEAST_MS) / (2 * RELATIVE_ERROR) + 2
