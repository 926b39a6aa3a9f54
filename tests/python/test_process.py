"""headrace.mq.process against the definitions of its docstring, input oddities, and a plain reference."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import textwrap
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace import errors
from headrace.mq import ProcessResult, process

T = 1_617_516_000


class Bench:
    """A folder in which CSVs are written and processed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def run(self, sent: str | bytes, received: str | bytes, **options: int) -> ProcessResult:
        return process(self.write("p.csv", sent), self.write("c.csv", received), self.out, **options)

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.out / name).open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            return list(csv.DictReader(file))

    def problems(self) -> list[tuple[str, str, int]]:
        return [(row["problem"], row["id"], int(row["line"])) for row in self.rows("problems.csv")]

    def metric(self, name: str) -> str:
        return next(row["value"] for row in self.rows("summary.csv") if row["metric"] == name)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_two_messages_are_joined_with_exact_durations(bench: Bench) -> None:
    result = bench.run(
        f"1,{T},{T}.000000001\n2,{T}.5,{T + 1}\n",
        f"2,{T + 2}.000000001,{T + 3}\n1,{T}.25,{T + 3}\n",
    )
    assert (result.verdict, result.exit_code) == ("valid", 0)
    assert bench.rows("latencies.csv") == [
        {"id": "1", "processing_ms": "250.000000", "send_ms": "0.000001"},
        {"id": "2", "processing_ms": "1500.000001", "send_ms": "500.000000"},
    ]
    assert bench.rows("throughput.csv") == [
        {"second": "0", "received": "1", "sent": "2"},
        {"second": "1", "received": "0", "sent": "0"},
        {"second": "2", "received": "1", "sent": "0"},
    ]
    assert bench.problems() == []


def test_the_seeds_own_example_rows_are_read(bench: Bench) -> None:
    rows = "1,1617516000,1617516005\n2,1617516010,1617516015\n"
    result = bench.run(rows, "1,1617516001,1617516006\n2,1617516012,1617516016\n")
    assert result.counts["matched"] == 2
    assert result.metrics["processing_latency_avg"] == 1500.0
    assert result.metrics["send_time_max"] == 5000.0


def test_sixteen_figures_follow_their_definitions(bench: Bench) -> None:
    sent = "".join(f"m{i},{T + second},{T + second}.1\n" for i, second in enumerate([0, 0, 0, 2]))
    received = "".join(f"m{i},{T + second},{T + 9}\n" for i, second in enumerate([1, 1, 3, 3]))
    metrics = bench.run(sent, received).metrics
    # latencies 1000, 1000, 3000, 1000 ms; seconds 0..3: received 0 2 0 2, sent 3 0 1 0
    assert [metrics[f"processing_latency_{k}"] for k in ("min", "max", "avg", "stddev")] == [
        1000,
        3000,
        1500,
        1000,
    ]
    assert [metrics[f"send_time_{k}"] for k in ("min", "max", "avg", "stddev")] == [100, 100, 100, 0]
    assert [metrics[f"processing_throughput_{k}"] for k in ("min", "max", "avg")] == [0, 2, 1]
    assert metrics["processing_throughput_stddev"] == pytest.approx((4 / 3) ** 0.5, abs=1e-6)
    assert [metrics[f"send_throughput_{k}"] for k in ("min", "max", "avg")] == [0, 3, 1]
    assert metrics["send_throughput_stddev"] == pytest.approx(2**0.5, abs=1e-6)
    assert metrics["processing_latency_p50"] == 1000
    assert metrics["processing_latency_p99"] == 3000


def test_figures_of_one_message_have_no_deviation(bench: Bench) -> None:
    metrics = bench.run(f"a,{T}\n", f"a,{T + 1}\n").metrics
    assert metrics["processing_latency_stddev"] is None
    assert metrics["send_time_avg"] is None
    assert bench.metric("send_time_avg") == ""


# What may happen to a message.


def test_acked_and_never_received_is_lost(bench: Bench) -> None:
    result = bench.run(f"a,{T},{T}\nb,{T},{T}\n", f"a,{T},{T}\n")
    assert (result.verdict, result.exit_code, result.counts["lost"]) == ("invalid", 3, 1)
    assert bench.problems() == [("lost", "b", 2)]
    assert bench.rows("latencies.csv")[1] == {"id": "b", "processing_ms": "", "send_ms": "0.000000"}
    assert "1 acknowledged message was never received" in result.reasons[0]


def test_without_ack_time_a_message_is_unacked_not_lost(bench: Bench) -> None:
    result = bench.run(f"a,{T},{T}\nb,{T},\nc,{T}\nd,{T}\n", f"a,{T},{T}\nd,{T},{T}\n")
    counts = result.counts
    assert result.verdict == "valid"
    assert (counts["lost"], counts["unacked"], counts["unacked_received"], counts["unjoined"]) == (0, 3, 1, 2)
    assert bench.problems() == [("unacked", "b", 2), ("unacked", "c", 3)]
    assert any("never acknowledged" in warning for warning in result.warnings)


def test_duplicates_are_counted_apart_and_allowed(bench: Bench) -> None:
    result = bench.run(f"a,{T},{T}\n", f"a,{T + 2},{T}\na,{T + 1},{T}\na,{T + 3},{T}\n")
    assert (result.verdict, result.counts["duplicated"], result.counts["received"]) == ("valid", 2, 1)
    assert bench.rows("latencies.csv")[0]["processing_ms"] == "1000.000000"
    assert [row["received"] for row in bench.rows("throughput.csv")] == ["0", "1"]
    assert bench.problems() == [("duplicate", "a", 1), ("duplicate", "a", 3)]


def test_duplicates_in_another_file_name_that_file(bench: Bench) -> None:
    p, c1, c2 = (
        bench.write("p.csv", f"a,{T}\n"),
        bench.write("c1.csv", f"a,{T}\n"),
        bench.write("c2.csv", f"a,{T + 1}\n"),
    )
    process(p, [c1, c2], bench.out)
    assert [(row["problem"], row["file"]) for row in bench.rows("problems.csv")] == [("duplicate", str(c2))]


def test_received_and_never_sent_is_an_orphan(bench: Bench) -> None:
    result = bench.run(f"a,{T},{T}\n", f"a,{T},{T}\nx,{T},{T}\n")
    assert (result.exit_code, result.counts["orphaned"]) == (3, 1)
    assert bench.problems() == [("orphan", "x", 2)]


def test_twice_in_one_producer_is_a_retry_and_the_earliest_send_counts(bench: Bench) -> None:
    result = bench.run(f"a,{T + 1},{T + 2}\na,{T},{T + 3}\n", f"a,{T + 2},{T}\n")
    assert (result.verdict, result.counts["retries"], result.counts["sent"]) == ("valid", 1, 1)
    assert bench.rows("latencies.csv") == [{"id": "a", "processing_ms": "2000.000000", "send_ms": "2000.000000"}]
    assert bench.problems() == [("retry", "a", 2)]


def test_the_same_id_with_two_producers_is_invalid(bench: Bench) -> None:
    p1, p2 = bench.write("p1.csv", f"a,{T},{T}\nb,{T},{T}\n"), bench.write("p2.csv", f"a,{T + 1},{T}\n")
    c = bench.write("c.csv", f"a,{T + 1},{T}\nb,{T},{T}\n")
    result = process(str(bench.folder / "p*.csv"), c, bench.out)
    assert (result.verdict, result.exit_code, result.counts["shared"]) == ("invalid", 3, 1)
    assert result.counts["sent"] == 2
    assert ("shared", "a", str(p2)) in [(r["problem"], r["id"], r["file"]) for r in bench.rows("problems.csv")]
    assert str(p1) not in [row["file"] for row in bench.rows("problems.csv") if row["problem"] == "shared"]


def test_negative_latency_is_kept_counted_and_listed(bench: Bench) -> None:
    result = bench.run(f"a,{T + 1},{T}.5\nb,{T},{T}\n", f"a,{T},{T}\nb,{T + 1},{T}\n")
    assert result.verdict == "valid"
    assert (result.counts["negative_latency"], result.counts["negative_send_time"]) == (1, 1)
    assert bench.rows("latencies.csv")[0] == {
        "id": "a",
        "processing_ms": "-1000.000000",
        "send_ms": "-500.000000",
    }
    assert result.metrics["processing_latency_min"] == -1000.0
    assert bench.problems() == [("negative_latency", "a", 1), ("negative_send_time", "a", 1)]


def test_a_receipt_before_the_first_send_is_in_no_second(bench: Bench) -> None:
    bench.run(f"a,{T + 5},{T + 5}\nb,{T + 5},{T + 6}\n", f"a,{T},{T}\nb,{T + 6},{T}\n")
    assert bench.rows("throughput.csv") == [
        {"second": "0", "received": "0", "sent": "2"},
        {"second": "1", "received": "1", "sent": "0"},
    ]
    assert ("negative_latency", "a", 1) in bench.problems()


def test_overtaking_is_counted_per_producer_in_the_order_of_sending(bench: Bench) -> None:
    sent = f"a,{T}.1,{T}.9\nc,{T}.3,{T}.9\nb,{T}.2,{T}.9\n"
    assert bench.run(sent, f"a,{T + 1},\nb,{T + 2},\nc,{T + 3},\n").counts["reordered"] == 0
    assert bench.run(sent, f"a,{T + 3},\nb,{T + 1},\nc,{T + 2},\n").counts["reordered"] == 2
    same_time = f"a,{T},{T}\nb,{T},{T}\n"
    assert bench.run(same_time, f"a,{T + 3},\nb,{T + 1},\n").counts["reordered"] == 0


# How files may look.


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        pytest.param(f"id,sent,acked\na,{T},{T}\n", f"id,received,acked\na,{T},{T}\n", id="header row"),
        pytest.param(f'"id","sent","acked"\na,{T},{T}\n', f"a,{T},{T}\n", id="quoted header row"),
        pytest.param(f"\n\na,{T},{T}\n\n  \n", f"\r\na,{T},{T}\n,,\n", id="blank lines"),
        pytest.param(f"a, {T}, {T}\n", f"a,\t{T} , {T} \n", id="spaces after commas"),
        pytest.param(f" a ,{T},{T}\n", f"a,{T},{T}\n", id="spaces around the id"),
        pytest.param(f"a,{T},{T}\r\n", f"id,received\r\na,{T},{T}\r\n", id="CRLF"),
        pytest.param(f"\ufeffa,{T},{T}\n", f"\ufeffid,received,acked\na,{T},{T}\n", id="byte order mark"),
        pytest.param(f'"a",{T},{T}\n', f'a,"{T}","{T}"\n', id="quotes"),
        pytest.param(f'"a", "{T}", "{T}"\n', f"a,{T},{T}\n", id="quotes after spaces"),
        pytest.param(f"a,{T}000000000,{T}000000000\n", f"a,{T},{T}\n", id="nanoseconds and seconds"),
        pytest.param(f"a,{T}.000000000,{T}.0\n", f"a,{T}.0000000009999,{T}\n", id="fractions of any length"),
        pytest.param(f"a,{T},{T}", f"a,{T},{T}", id="complete last row without newline"),
        pytest.param(f"x,{T},{T}\na,{T},{T}".replace("x", "a"), f"a,{T},{T}\r", id="last row after another"),
        pytest.param(f"a,{T},{T},\n", f"a,{T},{T},,\n", id="empty columns at the end"),
        pytest.param("id,sent,acked\n" + f"a,{T},\n", f"a,{T},\n", id="empty ack column"),
    ],
)
def test_tolerated_form(bench: Bench, sent: str, received: str) -> None:
    result = bench.run(sent, received)
    assert (result.verdict, result.counts["matched"], result.warnings[:1]) in (
        ("valid", 1, []),
        ("valid", 1, ["1 message was never acknowledged (1 of them received)"]),
    )
    assert result.counts["unreadable"] == result.counts["torn"] == 0
    assert bench.rows("latencies.csv")[0]["id"] == "a"
    assert bench.rows("latencies.csv")[0]["processing_ms"] == "0.000000"


def test_ids_are_text(bench: Bench) -> None:
    ids = ["007", "7", "1e5", "100000", "0x10", "NaN", "é", "a b"]
    text = "".join(f"{i},{T},{T}\n" for i in ids)
    result = bench.run(text, text)
    assert result.counts["matched"] == len(ids)
    assert [row["id"] for row in bench.rows("latencies.csv")] == ids


def test_quoted_ids_keep_commas_quotes_newlines_and_spaces(bench: Bench) -> None:
    ids = ["a,b", 'say "hi"', "two\nlines", " padded ", '"', "\r\n"]
    text = "".join('"{}",{},{}\n'.format(i.replace('"', '""'), T, T) for i in ids) + f"last,{T}\n"
    result = bench.run(text, text.rsplit("last", 1)[0] + f"x,{T}\n")
    assert result.counts["matched"] == len(ids)
    assert [row["id"] for row in bench.rows("latencies.csv")] == [*ids, "last"]
    # Lines are those of the file, newlines within quotes included.
    assert bench.problems() == [("unacked", "last", 9), ("orphan", "x", 9)]


def test_ids_may_be_any_bytes(bench: Bench) -> None:
    row = b"\xff\xfe\x80\x00z,%d,%d\n" % (T, T)
    assert bench.run(b"h,%d\n" % T + row, row).counts["matched"] == 1
    assert b"\xff\xfe\x80\x00z," in (bench.out / "latencies.csv").read_bytes()


def test_a_long_id_is_kept_whole(bench: Bench) -> None:
    text = f"{'x' * 5000}a,{T},{T}\n{'x' * 5000}b,{T},{T}\n"
    assert bench.run(text, text).counts["matched"] == 2
    assert bench.rows("latencies.csv")[1]["id"] == "x" * 5000 + "b"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("b", "1 column"),
        (f"b,{T},{T},{T}", "4 columns"),
        (f",{T},{T}", "empty id"),
        ("b,,", "1 column"),
        (f"b,,{T}", "is empty"),
        (f"b,-{T},{T}", "sign"),
        (f"b,+{T},{T}", "sign"),
        (f"b,1.6e9,{T}", "exponent"),
        (f"b,nan,{T}", "not a time"),
        (f"b,inf,{T}", "not a time"),
        (f"b,{T}.,{T}", "not a time"),
        (f"b,.5,{T}", "not a time"),
        (f"b,{T}x,{T}", "not a time"),
        (f"b,{T} 5,{T}", "not a time"),
        (f"b,{T},never", "ack time 'never'"),
        (f"b,{T}000,{T}", "milliseconds or microseconds"),
        (f"b,{T}000000,{T}", "milliseconds or microseconds"),
        (f"b,{T}000000000.5,{T}", "not a time"),
        (f"b,99999999999,{T}", "2262"),
        (f"b,99999999999999999999,{T}", "2262"),
        (f'"b"c,{T},{T}', "behind a closing quote"),
        (f'"b,{T},{T}', "behind a closing quote"),
        (f"b\t{T}\t{T}", "1 column"),
        (f"b;{T};{T}", "1 column"),
        ("id,sent,acked", "not a time"),
    ],
)
def test_an_unreadable_row_is_listed_warned_about_and_spoils_nothing(bench: Bench, row: str, says: str) -> None:
    result = bench.run(f'a,{T},{T}\n{row}\n"z",{T},{T}\n', f"a,{T},{T}\nz,{T},{T}\n")
    assert (result.verdict, result.counts["unreadable"], result.counts["matched"]) == ("valid", 1, 2)
    (problem,) = bench.rows("problems.csv")
    assert (problem["problem"], problem["line"], problem["file"]) == (
        "unreadable",
        "2",
        str(bench.folder / "p.csv"),
    )
    assert says in problem["detail"]
    assert result.warnings == [f"{bench.folder}/p.csv: 1 row could not be read: line 2, which {problem['detail']}"]


def test_a_first_row_with_a_number_is_no_header(bench: Bench) -> None:
    result = bench.run(f"a,1e5,{T}\nb,{T},{T}\n", f"nan,nan,nan\nb,{T},{T}\n")
    assert result.counts["unreadable"] == 2


def test_a_quote_that_is_never_closed_costs_one_row(bench: Bench) -> None:
    result = bench.run(f'"a,{T},{T}\nb,{T},{T}\nc,{T},{T}\n', f"b,{T},{T}\nc,{T},{T}\n")
    assert (result.counts["unreadable"], result.counts["matched"]) == (1, 2)
    assert bench.problems() == [("unreadable", "", 1)]


def test_a_row_longer_than_the_buffer_costs_one_row(bench: Bench) -> None:
    result = bench.run(f"a,{T},{T}\n{'x' * 5_000_000}\nb,{T},{T}\n", f"a,{T},{T}\nb,{T},{T}\n")
    assert (result.counts["unreadable"], result.counts["matched"]) == (1, 2)


@pytest.mark.parametrize(
    "tail",
    [
        "b",
        "b,",
        f"b,{T}",
        f"b,{T},",
        f"b,{T},16175",
        f"b,{T},{T}.1234",
        '"b',
        f'"b",{T}.000000000,"1617',
        "b,1617",
    ],
)
def test_a_last_row_cut_short_is_torn(bench: Bench, tail: str) -> None:
    head = f"a,{T}.000000000,{T}.000000000\n"
    result = bench.run(head + tail, f"a,{T},{T}\n")
    assert (result.verdict, result.counts["torn"], result.counts["sent"]) == ("valid", 1, 1)
    assert bench.problems() == [("torn", "", 2)]
    assert len(result.warnings) == 1


def test_a_whole_last_row_without_newline_counts(bench: Bench) -> None:
    head = f"a,{T}.000000000,{T}.000000000\n"
    assert bench.run(f"{head}b,{T}.000000000,{T}.000000001", f"a,{T}\nb,{T + 1}").counts["matched"] == 2


def test_files_with_nothing_in_common_fail_with_one_reason(bench: Bench) -> None:
    result = bench.run(f"a,{T},{T}\n", f"b,{T},{T}\n")
    assert (result.verdict, result.exit_code, result.files) == ("failed", 1, {})
    assert "'a'" in result.reasons[0]
    assert "'b'" in result.reasons[0]
    assert not list(bench.out.iterdir())


@pytest.mark.parametrize(("sent", "received"), [("", ""), ("", f"a,{T}\n"), (f"a,{T}\n", ""), ("id,sent\n", "\n\n")])
def test_empty_files_fail_with_one_reason(bench: Bench, sent: str, received: str) -> None:
    result = bench.run(sent, received)
    assert (result.verdict, result.exit_code) == ("failed", 1)
    assert "no readable row" in result.reasons[0] or "neither" in result.reasons[0]
    assert "FAILED" in result.table()


def test_times_far_apart_are_an_error_that_names_both_rows(bench: Bench) -> None:
    with pytest.raises(errors.InvalidArgument, match=r"p\.csv:2 to .*c\.csv:1"):
        bench.run(f"a,{T},{T}\nb,5,6\n", f"a,{T + 1},{T}\n")
    assert not list(bench.out.iterdir())


def test_missing_and_repeated_inputs_are_clear_errors(bench: Bench) -> None:
    p = bench.write("p.csv", f"a,{T}\n")
    with pytest.raises(errors.NotFound, match=r"producers: .*nowhere\.csv: no such file"):
        process(bench.folder / "nowhere.csv", p, bench.out)
    with pytest.raises(errors.NotFound, match="no file matches"):
        process(p, str(bench.folder / "c*.csv"), bench.out)
    with pytest.raises(errors.InvalidArgument, match="given twice"):
        process(p, p, bench.out)
    with pytest.raises(errors.InvalidArgument, match="no files given"):
        process([], p, bench.out)
    with pytest.raises(errors.InvalidArgument, match="memory_limit"):
        process(p, bench.write("c.csv", ""), bench.out, memory_limit=0)
    assert not bench.out.exists()


def test_a_pipe_a_folder_and_utf16_are_clear_errors(bench: Bench) -> None:
    p = bench.write("p.csv", f"a,{T}\n")
    os.mkfifo(bench.folder / "pipe", 0o600)
    with pytest.raises(errors.IoError, match="not a regular file"):
        process(p, bench.folder, bench.out)
    with pytest.raises(errors.IoError, match="UTF-16"):
        process(p, bench.write("c.csv", "a,1\n".encode("utf-16")), bench.out)


def test_an_out_that_is_a_file_is_a_clear_error(bench: Bench) -> None:
    bench.out.write_text("in the way")
    with pytest.raises(errors.IoError, match="cannot make the folder"):
        bench.run(f"a,{T}\n", f"a,{T}\n")


def test_a_full_disk_is_one_error_and_leaves_no_half_file(bench: Bench) -> None:
    # A file size limit fails the same write that a full disk would.
    bench.write("p.csv", "".join(f"m{i},{T},{T}\n" for i in range(50_000)))
    bench.write("c.csv", "".join(f"m{i},{T},{T}\n" for i in range(50_000)))
    program = """
        import resource, signal, sys
        from headrace import errors
        from headrace.mq import process
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            process("p.csv", "c.csv", "out")
        except errors.IoError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=bench.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot write out/latencies.csv" in done.stdout
    assert list(bench.out.iterdir()) == []


def test_ctrl_c_ends_a_long_join_and_leaves_no_half_file(bench: Bench) -> None:
    line = "".join(f"m{i:07d},{T}.000000000,{T}.000000000\n" for i in range(100_000))
    with (bench.folder / "p.csv").open("w") as p, (bench.folder / "c.csv").open("w") as c:
        for i in range(20):
            p.write(line.replace("m", f"{i}-"))
            c.write(line.replace("m", f"{i}-"))
    program = """
        import os, signal, threading
        from headrace.mq import process
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            process("p.csv", "c.csv", "out")
        except KeyboardInterrupt:
            print("interrupted")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=bench.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "interrupted\n"
    assert list(bench.out.iterdir()) == []


def test_lists_globs_and_brackets_in_names_are_taken(bench: Bench) -> None:
    odd = bench.write("p[1].csv", f"a,{T}\n")
    plain = bench.write("q.csv", f"b,{T}\n")
    c = bench.write("c.csv", f"a,{T}\nb,{T}\n")
    assert process([odd, str(bench.folder / "q*.csv")], [c], bench.out).counts["matched"] == 2
    assert plain.exists()


def test_the_result_shows_itself(bench: Bench) -> None:
    result = bench.run(f"a,{T},{T}\n<b>,{T},{T}\n", f"a,{T}.25,{T}\n<c>,{T},{T}\n")
    assert repr(result) == "ProcessResult(invalid, sent=2, received=2, lost=1, duplicated=0, orphaned=1)"
    table = result.table()
    assert "verdict: INVALID" in table
    assert "250.000" in table
    assert "because 1 acknowledged message" in table
    assert "<table>" in result._repr_html_()
    assert set(result.files) == {"latencies.csv", "throughput.csv", "summary.csv", "problems.csv"}
    assert all(path.is_file() for path in result.files.values())


# Against a reference that says the definitions once more, plainly.


class Row(NamedTuple):
    id: str
    first: int
    second: int | None


def reference(producers: list[list[Row]], consumers: list[list[Row]]) -> dict[str, object]:
    sends: dict[str, list[tuple[int, Row]]] = defaultdict(list)
    receipts: dict[str, list[Row]] = defaultdict(list)
    for number, rows in enumerate(producers):
        for row in rows:
            sends[row.id].append((number, row))
    for rows in consumers:
        for row in rows:
            receipts[row.id].append(row)
    sent = {i: min(row.first for _, row in rows) for i, rows in sends.items()}
    acks = {i: [row.second for _, row in rows if row.second is not None] for i, rows in sends.items()}
    received = {i: min(row.first for row in rows) for i, rows in receipts.items()}
    order = {i: min(n for n, _ in rows) for i, rows in sends.items()}
    reordered = sum(
        any(order[j] == order[i] and sent[j] < sent[i] and received[j] > received[i] for j in sent if j in received)
        for i in sent
        if i in received
    )
    start = min(sent.values())
    seconds: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for time in sent.values():
        seconds[(time - start) // 10**9][1] += 1
    for time in received.values():
        if time >= start:
            seconds[(time - start) // 10**9][0] += 1
    return {
        "latencies": [
            (
                i,
                _ms(received[i] - sent[i]) if i in received else "",
                _ms(min(acks[i]) - sent[i]) if acks[i] else "",
            )
            for i in sends
        ],
        "throughput": [tuple(seconds[s]) for s in range(max(seconds) + 1)],
        "counts": {
            "sent": len(sent),
            "retries": sum(sum(n == rows[0][0] for n, _ in rows) - 1 for rows in sends.values()),
            "shared": sum(len({n for n, _ in rows}) > 1 for rows in sends.values()),
            "acked": sum(bool(a) for a in acks.values()),
            "received": len(received),
            "matched": len(sent.keys() & received.keys()),
            "duplicated": sum(len(rows) - 1 for rows in receipts.values()),
            "lost": sum(bool(acks[i]) and i not in received for i in sent),
            "unacked_received": sum(not acks[i] and i in received for i in sent),
            "orphaned": len(received.keys() - sent.keys()),
            "unjoined": len(received.keys() ^ sent.keys()),
            "negative_latency": sum(received[i] < sent[i] for i in sent if i in received),
            "negative_send_time": sum(min(acks[i]) < sent[i] for i in sent if acks[i]),
            "reordered": reordered,
        },
    }


def _ms(ns: int) -> str:
    return f"{Decimal(ns) / Decimal(10**6):.6f}"


def _text(rows: list[Row]) -> str:
    def time(ns: int | None) -> str:
        return "" if ns is None else f"{ns // 10**9}.{ns % 10**9:09d}"

    return "".join('"{}",{},{}\n'.format(r.id.replace('"', '""'), time(r.first), time(r.second)) for r in rows)


_times = st.integers(T * 10**9, T * 10**9 + 5 * 10**9) | st.integers(T, T + 4).map(lambda s: s * 10**9)
_rows = st.lists(
    st.builds(Row, st.sampled_from(["a", "b", "c", "d", "00", "0", 'q"', "n\n", "x,y"]), _times, st.none() | _times),
    max_size=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    producers=st.lists(_rows, min_size=1, max_size=3),
    consumers=st.lists(_rows, min_size=1, max_size=3),
    memory=st.sampled_from([1, 1 << 30]),
    threads=st.integers(1, 3),
)
def test_agrees_with_the_reference(
    bench: Bench, producers: list[list[Row]], consumers: list[list[Row]], memory: int, threads: int
) -> None:
    ps = [bench.write(f"p{i}.csv", _text(rows)) for i, rows in enumerate(producers)]
    cs = [bench.write(f"c{i}.csv", _text(rows)) for i, rows in enumerate(consumers)]
    result = process(ps, cs, bench.out, memory_limit=memory, threads=threads)
    ids = {row.id for rows in producers for row in rows} & {row.id for rows in consumers for row in rows}
    if not ids:
        assert result.exit_code == 1
        return
    expected = reference(producers, consumers)
    counts = expected["counts"]
    assert isinstance(counts, dict)
    assert {name: result.counts[name] for name in counts} == counts
    assert [tuple(row.values()) for row in bench.rows("latencies.csv")] == expected["latencies"]
    seconds = [(int(row["received"]), int(row["sent"])) for row in bench.rows("throughput.csv")]
    assert seconds == expected["throughput"]
    assert result.exit_code == (3 if counts["lost"] or counts["orphaned"] or counts["shared"] else 0)


def test_many_rows_join_alike_in_memory_on_disk_and_with_any_number_of_threads(bench: Bench) -> None:
    n = 150_000
    p = bench.write("p.csv", "".join(f"m{i},{T}.{i:09d},{T + 1}\n" for i in range(n)))
    c = bench.write("c.csv", "".join(f"m{i},{T + 1}.{i:09d},{T + 2}\n" for i in range(n - 1, -1, -1) if i % 1000))
    results = []
    for memory, threads in ((1 << 30, 2), (1, 1), (1, 3)):
        result = process(p, c, bench.out, memory_limit=memory, threads=threads)
        texts = tuple((bench.out / name).read_bytes() for name in sorted(result.files))
        results.append(texts)
        assert (result.counts["lost"], result.counts["matched"]) == (n // 1000, n - n // 1000)
    assert results[0] == results[1] == results[2]
    assert bench.rows("latencies.csv")[-1] == {
        "id": f"m{n - 1}",
        "processing_ms": "1000.000000",
        "send_ms": "999.850001",
    }


def test_importing_the_processor_is_cheap() -> None:
    program = "import sys; import headrace.mq.process; print('pandas' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "False"
