"""Suppression of candidates that keep arriving: nearly the detections of all at once, each once, in little memory."""

from dataclasses import replace

import numpy as np
import pytest

from untrimmed.detection.stream_suppression import StreamSuppression
from untrimmed.models.suppression import SuppressConfig, suppress

LENGTH, STRIDE, CLASSES = 20.0, 10.0, 2
CONFIGS = {
    "soft": SuppressConfig(),
    "hard": SuppressConfig(method="hard", tiou=0.5),
    "linear": SuppressConfig(method="linear", tiou=0.3, per_class=False),
    "nms and vote": SuppressConfig(nms=0.6, vote=0.6, tiou=0.3),
}


def windows_of(seed, windows, count=5, reach=0.0):
    """Candidates of each window: none begins before it but for `reach` seconds, some end after it."""
    random = np.random.default_rng(seed)
    for first in np.arange(windows) * STRIDE:
        start = first + random.uniform(-reach, LENGTH, count)
        segments = np.stack([start, start + random.uniform(0.5, 9, count)], 1)
        # Few different scores, so that some are equal.
        yield segments, np.round(random.uniform(0, 1, (count, CLASSES)), 2)


def stream(suppression, windows):
    """Everything that is emitted, in rows of start, end, label, score; and when."""
    rows, times = [], []
    for number, window in enumerate(windows):
        now = number * STRIDE + LENGTH
        suppression.add(*window)
        emitted = suppression.emit(now, (number + 1) * STRIDE)
        rows.append(rows_of(emitted))
        times += [now] * len(emitted.labels)
    rows.append(rows_of(suppression.emit(np.inf, np.inf)))
    return np.concatenate(rows), np.array(times)


def rows_of(detections):
    return np.column_stack([detections.segments, detections.labels, detections.scores])


def at_once(windows, config, least):
    segments, scores = (np.concatenate(parts) for parts in zip(*windows, strict=True))
    rows = rows_of(suppress(segments, scores, replace(config, keep=100_000)))
    return rows[rows[:, 3] >= least]


def share_of_equals(rows, others):
    """The share of rows that stand among the others too."""
    return np.mean([np.isclose(others, row, atol=1e-6).all(1).any() for row in rows])


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("latency", [LENGTH, 2 * LENGTH])
def test_nearly_everything_is_emitted_as_suppressing_all_at_once_leaves_it(config, latency):
    windows = list(windows_of(0, 60))
    rows, _ = stream(StreamSuppression(config, CLASSES, 0.5, latency, LENGTH), windows)
    expected = at_once(windows, config, 0.5)
    assert len(expected) > 100
    assert share_of_equals(rows, expected) > 0.98 and share_of_equals(expected, rows) > 0.98


def test_a_stream_of_one_window_is_suppressed_as_a_video():
    windows = list(windows_of(3, 1, count=30))
    for config in CONFIGS.values():
        rows, _ = stream(StreamSuppression(config, CLASSES, 0.3, LENGTH, LENGTH), windows)
        expected = at_once(windows, config, 0.3)
        rows, expected = (part[np.lexsort(np.round(part.T, 9))] for part in (rows, expected))
        assert rows == pytest.approx(expected)


def test_most_is_emitted_long_before_the_end_and_nothing_before_its_own():
    rows, times = stream(StreamSuppression(SuppressConfig(), CLASSES, 0.7, 2 * LENGTH, LENGTH), windows_of(1, 40))
    waits = times - rows[: len(times), 1]
    assert len(times) > 0.9 * len(rows)
    assert waits.min() >= 0 and np.median(waits) <= LENGTH
    assert waits.max() <= 2 * LENGTH + STRIDE


def test_no_action_is_emitted_twice_however_short_the_latency():
    suppression = StreamSuppression(SuppressConfig(method="hard"), 1, 0.1, 0.0, LENGTH)
    suppression.add(np.array([[1.0, 5.0]]), np.array([[0.5]]))
    assert rows_of(suppression.emit(20.0, 10.0)).tolist() == [[1, 5, 0, 0.5]]
    suppression.add(np.array([[2.0, 5.0], [12.0, 14.0]]), np.array([[0.9], [0.3]]))
    assert rows_of(suppression.emit(30.0, 20.0)).tolist() == [[12, 14, 0, 0.3]]
    assert suppression.late == 1


def test_a_worse_candidate_that_arrives_late_is_not_counted():
    suppression = StreamSuppression(SuppressConfig(method="hard"), 1, 0.1, 0.0, LENGTH)
    suppression.add(np.array([[1.0, 5.0]]), np.array([[0.5]]))
    suppression.emit(20.0, 10.0)
    suppression.add(np.array([[2.0, 5.0]]), np.array([[0.4]]))
    assert not len(suppression.emit(np.inf, np.inf).labels)
    assert suppression.late == 0


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_memory_does_not_grow_with_the_video(config):
    suppression, sizes = StreamSuppression(config, CLASSES, 0.3, 2 * LENGTH, LENGTH), []
    for number, window in enumerate(windows_of(2, 40, reach=30.0)):
        suppression.add(*window)
        suppression.emit(number * STRIDE + LENGTH, (number + 1) * STRIDE)
        sizes.append(len(suppression))
    assert max(sizes[20:]) <= 1.5 * max(sizes[:20])


def test_no_minute_of_a_stream_has_more_of_a_class_than_its_limit_and_the_best_of_what_is_due_come_first():
    config = SuppressConfig(method="hard", keep=3, keep_per_minute=4)
    starts = np.arange(0, 300, 2.0)
    segments = np.stack([starts, starts + 1], 1)
    scores = np.stack([np.linspace(0.4, 0.9, len(starts)), np.where(starts % 60 == 0, 0.5, 0.0)], 1)
    suppression = StreamSuppression(config, CLASSES, 0.3, 0.0, LENGTH)
    rows = []
    for first in range(0, 300, 10):
        due = (starts >= first) & (starts < first + 10)
        suppression.add(segments[due], scores[due])
        rows.append(rows_of(suppression.emit(first + 20.0, first + 10.0)))
    rows = np.concatenate(rows)
    busy = rows[rows[:, 2] == 0]
    assert busy[:4, 1].tolist() == [3, 5, 7, 9]
    ends = np.sort(busy[:, 1])
    assert len(ends) == 20 and (ends[4:] - ends[:-4] >= 60).all()
    assert (rows[:, 2] == 1).sum() == 5
    assert suppression.cut.tolist() == [130, 0]


def test_a_stream_in_which_all_classes_share_a_limit_counts_of_each_what_is_left_out():
    config = SuppressConfig(method="hard", keep=2, keep_per_minute=0, keep_per_class=False)
    starts = np.arange(0, 10.0)
    scores = np.stack([np.full(10, 0.9), np.where(starts == 4, 0.5, 0.0)], 1)
    suppression = StreamSuppression(config, CLASSES, 0.3, 0.0, LENGTH)
    suppression.add(np.stack([starts, starts + 0.9], 1), scores)
    emitted = suppression.emit(np.inf, np.inf)
    assert emitted.labels.tolist() == [0, 0]
    assert emitted.cut.tolist() == suppression.cut.tolist() == [8, 1]
