"""Tests of the cost model: it finds the constants behind steps it explains."""

import dataclasses

import pytest

from benchmarks.cost import MEASURED, Cost, CostConfig, Step, epoch, fit

TRUE = Cost(0.01, 2e-4, 1e-10, 5e-9, 0.5, (4e-6, 7e-7))


def made(positions: int, items: int, samples: int) -> Step:
    """Returns a step that costs what `TRUE` says."""
    return Step(
        positions,
        items,
        samples,
        TRUE.seconds(positions, items, samples),
        TRUE.gigabytes(items, samples),
    )


def test_the_fit_finds_the_constants():
    steps = tuple(
        made(positions, items, samples)
        for positions in (100, 600)
        for items in (3_000, 1_000_000)
        for samples in (0, 1000)
    )
    found = fit(steps)
    assert found[:5] == pytest.approx(TRUE[:5])
    assert found.per_item == pytest.approx(TRUE.per_item)


def test_the_model_is_near_what_was_measured():
    cost = fit(MEASURED)
    for step in MEASURED:
        seconds = cost.seconds(step.positions, step.items, step.samples)
        assert seconds == pytest.approx(step.seconds, rel=0.3)


def test_more_workers_divide_the_work_and_exchange_rows():
    config = CostConfig()
    alone, eight = (epoch(TRUE, config, workers) for workers in (1, 8))
    assert eight["compute"] == pytest.approx(alone["compute"] / 8)
    assert alone["exchange"] == 0 < eight["exchange"]
    slow = dataclasses.replace(config, gigabits=1.0)
    assert epoch(TRUE, slow, 8)["exchange"] > eight["exchange"]
