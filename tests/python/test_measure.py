"""headrace.measure: histograms against numpy, schedules, and segments that survive being cut."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from headrace import errors
from headrace.measure import ABSENT, Histogram, Pacer, SegmentReader, SegmentWriter, fold_id

HOUR = 3_600_000_000_000

durations = hnp.arrays(np.int64, st.integers(1, 200), elements=st.integers(0, HOUR))
mixed = hnp.arrays(np.int64, st.integers(0, 200), elements=st.integers(-(2**63), 2**63 - 1))


def histogram_of(values: Any) -> Histogram:
    h = Histogram()
    h.record_many(np.asarray(values, dtype=np.int64))
    return h


@given(durations, st.lists(st.floats(0, 100), min_size=1, max_size=10))
def test_percentiles_agree_with_numpy_within_a_thousandth(values: np.ndarray, ps: list[float]) -> None:
    h = histogram_of(values)
    for p, ours in zip(ps, h.percentiles(ps), strict=True):
        theirs = int(np.percentile(values, p, method="inverted_cdf"))
        rank = p / 100 * len(values)
        if abs(rank - round(rank)) < 1e-6:  # either neighbour is right when rounding decides
            neighbours = np.sort(values)[max(round(rank) - 1, 0) : round(rank) + 1]
            theirs = int(neighbours[np.argmin(np.abs(neighbours - ours))])
        assert theirs <= ours <= theirs * (1 + 1 / 1024)


@given(durations)
def test_count_extremes_mean_and_deviation_are_exact(values: np.ndarray) -> None:
    h = histogram_of(values)
    exact = [int(v) for v in values]
    n = len(exact)
    assert (h.count, h.min, h.max, len(h)) == (n, min(exact), max(exact), n)
    assert h.mean == pytest.approx(sum(exact) / n, rel=1e-15)
    squares = sum((n * v - sum(exact)) ** 2 for v in exact)  # n^2 times the squares about the mean
    expected = (squares / (n * n * (n - 1))) ** 0.5 if n > 1 else 0.0
    assert h.stddev == pytest.approx(expected, rel=1e-12)


@given(mixed)
def test_every_value_is_counted_once(values: np.ndarray) -> None:
    h = histogram_of(values)
    assert h.below == int((values < 0).sum())
    assert h.above == int((values > HOUR).sum())
    assert h.total == len(values)
    inside = values[(values >= 0) & (values <= HOUR)]
    expected, _ = np.histogram(inside, bins=Histogram.bounds)
    np.testing.assert_array_equal(h.counts, expected)


@given(mixed, mixed)
def test_merging_equals_recording_all(a: np.ndarray, b: np.ndarray) -> None:
    h = histogram_of(a)
    h.merge(histogram_of(b))
    assert h == histogram_of(np.concatenate([a, b]))


@given(mixed)
def test_bytes_and_pickle_round_trip(values: np.ndarray) -> None:
    h = histogram_of(values)
    assert Histogram.from_bytes(h.to_bytes()) == h
    assert pickle.loads(pickle.dumps(h)) == h


@given(st.binary(max_size=300))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(errors.InvalidArgument, match="not a histogram"):
        Histogram.from_bytes(data)


def test_record_many_takes_signed_integers_of_any_layout() -> None:
    h = Histogram()
    h.record_many(np.arange(10, dtype=np.int32))
    h.record_many(np.arange(20, dtype=np.int64).reshape(4, 5)[:, ::2])
    assert h.count == 22
    for wrong in (np.array([1.5]), np.array([2**63], dtype=np.uint64), np.array(["1"])):
        with pytest.raises(TypeError, match="signed integers"):
            h.record_many(wrong)
    with pytest.raises(errors.InvalidArgument):
        h.record(1, n=-1)
    assert h.count == 22


def test_counts_is_a_read_only_view_that_follows() -> None:
    h = Histogram()
    counts = h.counts
    h.record(7, n=3)
    assert counts[7] == 3
    with pytest.raises(ValueError, match="read-only"):
        counts[7] = 0
    del h
    assert counts[7] == 3, "the view keeps its histogram alive"


def test_threads_may_share_a_histogram() -> None:
    h = Histogram()
    values = np.full(100_000, 5)
    threads = [threading.Thread(target=h.record_many, args=(values,)) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert h.count == 400_000


def test_a_histogram_shows_itself() -> None:
    h = histogram_of([850, 12_340, 4_560_000])
    h.record(-1)
    assert repr(h) == (
        "<Histogram values 3, mean 1.52 ms, p50 12.3 us, p90 4.56 ms, p99 4.56 ms, p99.9 4.56 ms, "
        "max 4.56 ms, negative 1>"
    )
    assert h._repr_html_().startswith("<table>")
    assert repr(Histogram()) == "<Histogram values 0>"


def test_hgrm_has_the_columns_that_plotters_read() -> None:
    text = histogram_of(np.arange(1, 1001) * 1_000_000).to_hgrm()
    rows = [line.split() for line in text.splitlines()[2:] if not line.startswith("#")]
    fractions = [float(row[1]) for row in rows]
    assert fractions == sorted(fractions)
    assert rows[-1][1:] == ["1.000000000000", "1000"]
    median = next(row for row in rows if row[1] == "0.500000000000")
    assert float(median[0]) == pytest.approx(500, rel=1e-3)
    with pytest.raises(errors.InvalidArgument):
        Histogram().to_hgrm(unit_ns=0)


@given(st.floats(1e-3, 1e6), st.integers(1, 50))
def test_constant_schedule_is_absolute(rate: float, n: int) -> None:
    p = Pacer(rate, 1_000)
    times = [p.next() for _ in range(n)]
    assert all(abs(t - 1_000 - i * 1e9 / rate) <= 1 for i, t in enumerate(times))
    assert p.issued == n


def test_poisson_schedule_follows_from_its_seed() -> None:
    def draw(seed: int) -> list[int]:
        p = Pacer(100, arrivals="poisson", seed=seed)
        return [p.next() for _ in range(50)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_due_counts_up_to_its_limit() -> None:
    p = Pacer(1000, 0)
    assert p.due(10_000_000) == 11
    assert p.due(10_000_000, limit=4) == 4
    assert repr(p) == "<Pacer 1000/s constant, 0 issued>"


def test_a_schedule_that_cannot_be_kept_is_refused() -> None:
    for rate in (0, -1, float("nan"), float("inf")):
        with pytest.raises(errors.InvalidArgument, match="rate"):
            Pacer(rate)
    with pytest.raises(errors.InvalidArgument, match="arrivals"):
        Pacer(1, arrivals="sometimes")  # type: ignore[arg-type]


times = st.none() | st.integers(-(2**62), 2**62)
sent_rows = st.lists(st.tuples(st.text(max_size=60), times, times, times, st.integers(0, 2**32 - 1)), max_size=30)


@settings(max_examples=50)
@given(rows=sent_rows)
def test_sent_rows_come_back_as_they_were(rows: list[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = str(tmp_path_factory.mktemp("segment") / "s.seg")
    with SegmentWriter(path, "sent", program="test", anchor=(5, 10)) as w:
        for id, intended, sent, acked, size in rows:
            w.sent(id, intended=intended, sent=sent, acked=acked, size=size, worker=1, attempts=2, error=-3)
    r = SegmentReader(path)
    columns = r.read()
    expected = [
        (fold_id(id).encode(), *(ABSENT if t is None else t for t in stamps), size) for id, *stamps, size in rows
    ]
    names = ("id", "intended", "sent", "acked", "size")
    assert list(zip(*(columns[name].tolist() for name in names), strict=True)) == expected
    assert (columns["worker"] == 1).all()
    assert (columns["error"] == -3).all()
    assert (r.rows, r.torn, r.damage, r.bytes) == (len(rows), False, None, r.size)
    assert all(column.flags.c_contiguous for column in columns.values())


def test_header_describes_the_segment(tmp_path: Path) -> None:
    path = str(tmp_path / "r.seg")
    with SegmentWriter(path, "received", program="mq consume", detail="ledger", anchor=(5, 10)) as w:
        w.received("a", received=1, receive_acked=2, size=9, redelivered=True)
    r = SegmentReader(path)
    assert r.kind == "received"
    assert r.header["kind"] == "received"
    assert r.header["detail"] == "ledger"
    assert r.header["program"] == "mq consume"
    assert r.header["clock_anchor"] == {"monotonic_ns": 5, "epoch_ns": 10}
    names = [field["name"] for field in r.header["fields"]]
    assert names == ["id", "received", "receive_acked", "error"]
    assert {name: column.tolist() for name, column in r.read().items()} == {
        "id": [b"a"],
        "received": [1],
        "receive_acked": [2],
        "error": [0],
    }


def test_read_continues_where_it_stopped(tmp_path: Path) -> None:
    path = str(tmp_path / "s.seg")
    with SegmentWriter(path, "sent") as w:
        for i in range(5000):
            w.sent(str(i), sent=i)
    r = SegmentReader(path)
    chunks = []
    while len(chunk := r.read(limit=1000)["sent"]):
        assert len(chunk) >= 1000 or r.rows == 5000
        chunks.append(chunk)
    assert len(chunks) > 1
    np.testing.assert_array_equal(np.concatenate(chunks), np.arange(5000))


@pytest.fixture(scope="module")
def small_segment(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Three blocks of two rows."""
    path = tmp_path_factory.mktemp("small") / "s.seg"
    with SegmentWriter(str(path), "sent", anchor=(0, 0)) as w:
        for i in range(6):
            w.sent(f"id-{i}", sent=i)
            if i % 2:
                w.flush()
    return path.read_bytes()


def test_any_cut_is_a_torn_tail_or_a_clear_error(small_segment: bytes, tmp_path: Path) -> None:
    block = 24 + 2 * 80
    header = len(small_segment) - 3 * block
    path = tmp_path / "cut.seg"
    for cut in range(len(small_segment) + 1):
        path.write_bytes(small_segment[:cut])
        if cut < header:
            with pytest.raises(errors.IoError, match=r"cut\.seg: (it is empty|the header is cut short)"):
                SegmentReader(str(path))
            continue
        r = SegmentReader(str(path))
        assert r.read()["sent"].tolist() == list(range((cut - header) // block * 2))
        assert r.torn_bytes == (cut - header) % block
        assert r.torn == (r.torn_bytes != 0)
        assert r.damage is None


def test_a_damaged_middle_raises_after_the_rows_before_it(small_segment: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.seg"
    broken = bytearray(small_segment)
    broken[-200] ^= 1  # in the second block
    path.write_bytes(broken)
    r = SegmentReader(str(path))
    assert r.read()["sent"].tolist() == [0, 1]
    assert r.damage is not None
    with pytest.raises(errors.IoError, match=r"bad\.seg: damaged at byte \d+: the checksum of the block"):
        r.read()


def test_what_is_no_segment_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "rows.csv"
    text.write_text("id,sent,acked\n" * 10)
    with pytest.raises(errors.IoError, match="it is not a segment"):
        SegmentReader(str(text))
    with pytest.raises(errors.NotFound):
        SegmentReader(str(tmp_path / "missing.seg"))


def test_a_segment_is_never_overwritten(tmp_path: Path) -> None:
    path = str(tmp_path / "s.seg")
    SegmentWriter(path, "sent").close()
    with pytest.raises(errors.IoError, match="never overwritten"):
        SegmentWriter(path, "sent")


def test_wrong_kinds_and_levels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidArgument, match="kind"):
        SegmentWriter(str(tmp_path / "a"), "lost")  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgument, match="detail"):
        SegmentWriter(str(tmp_path / "b"), "sent", detail="summary")  # type: ignore[arg-type]
    with SegmentWriter(str(tmp_path / "c"), "sent") as w, pytest.raises(errors.InvalidArgument, match="sent rows only"):
        w.received("x")


def test_fold_id_keeps_short_ids_and_their_type() -> None:
    assert fold_id("007") == "007"
    assert fold_id(b"007") == b"007"
    long = "order-" + "x" * 50
    assert len(fold_id(long)) == 40
    assert fold_id(long).startswith("order-x~")
    assert fold_id(long).encode() == fold_id(long.encode())
    with pytest.raises(TypeError):
        fold_id(7)  # type: ignore[type-var]
