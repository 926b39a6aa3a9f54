from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_join import ReferenceLedger
from results_helpers import seconds

from headrace.results import samples

_IDS = st.integers(0, 12).map(lambda n: f"id-{n}")
_TIME = st.integers(1_600_000_000_000_000_000, 1_600_000_000_000_000_050)
_SENT = st.lists(st.tuples(_IDS, _TIME, st.none() | _TIME), max_size=12, unique_by=lambda row: row[0])
_RECEIVED = st.lists(st.tuples(_IDS, _TIME, _TIME), max_size=16, unique_by=lambda row: (row[0], row[1]))


def _write(folder: Path, name: str, rows: list[tuple[str, int, int | None]]) -> Path:
    path = folder / name
    lines = (f"{i},{seconds(a)},{'' if b is None else seconds(b)}\n" for i, a, b in rows)
    path.write_text("".join(lines))
    return path


@settings(max_examples=60, deadline=None)
@given(sent=st.lists(_SENT, min_size=1, max_size=1), received=st.lists(_RECEIVED, min_size=1, max_size=3))
def test_native_join_and_the_slow_one_agree(
    sent: list[list[tuple[str, int, int | None]]], received: list[list[tuple[str, int, int]]]
) -> None:
    stamps = [(row[0], row[1]) for rows in received for row in rows]
    if len(set(stamps)) < len(stamps):
        return  # two receipts of one id at one nanosecond have no order
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        producers = tuple(_write(folder, f"sent-{i}.csv", rows) for i, rows in enumerate(sent))
        consumers = tuple(_write(folder, f"received-{i}.csv", rows) for i, rows in enumerate(received))
        slow = ReferenceLedger([str(p) for p in producers], [str(p) for p in consumers])
        found = samples.join(samples.Inputs(producers, consumers), case="x")
    assert {name: getattr(found.counts, name) for name in slow.counts} == slow.counts
    columns = [found.table[n].to_pylist() for n in ("id", "sent", "acked", "received", "attempt")]
    rows = [tuple(samples.ABSENT if v is None else v for v in row) for row in zip(*columns, strict=True)]
    assert sorted(rows) == slow.samples()


def test_no_files_give_an_empty_table_of_the_right_columns() -> None:
    found = samples.join(samples.Inputs(), case="x")
    assert found.table.schema == samples.SCHEMA
    assert found.counts.sent == 0


def test_cases_with_and_without_files_can_be_put_together(tmp_path: Path) -> None:
    file = _write(tmp_path, "sent-0.csv", [("é", 1_600_000_000_000_000_000, None)])
    full = samples.join(samples.Inputs((file,), ()), case="a").table
    both = samples.concat([samples.join(samples.Inputs(), case="b").table, full, full])
    assert both.num_rows == 2
    assert both["id"].to_pylist() == ["é", "é"]
    assert both["source"].to_pylist() == ["sent-0.csv", "sent-0.csv"]
    assert both["recipient"].null_count == 2
    assert pa.types.is_dictionary(both.schema.field("case").type)


def test_only_sent_and_received_files_are_inputs(tmp_path: Path) -> None:
    for name in ("sent-1.seg", "sent-0.csv", "received-00000.seg", "notes.txt", "sent.log"):
        (tmp_path / name).write_text("x")
    (tmp_path / "sent-9.seg").touch()  # killed before it had written anything
    found = samples.Inputs.find(tmp_path)
    assert [p.name for p in found.sent] == ["sent-0.csv", "sent-1.seg"]
    assert [p.name for p in found.received] == ["received-00000.seg"]
    assert found.has_csv()
