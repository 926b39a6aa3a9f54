from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from results_helpers import MS, Message, make_run, record, steady, write_csvs

from headrace.errors import Closed, InvalidArgument, IoError, NotFound
from headrace.results import CaseFacts, RunFolder, from_csv, load
from headrace.results.schema import SAMPLES, SUMMARY, seed_metrics


def test_run_json_is_there_before_anything_ran(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, name="mq 1-1", spec={"producers": 1}, seed=7)
    document = json.loads((run.path / "run.json").read_text())
    assert run.path.parent == tmp_path
    assert run.path.name.startswith("mq-1-1-")
    assert (document["state"], document["seed"], document["spec"]) == ("running", 7, {"producers": 1})
    assert document["anchor"] == {"monotonic_ns": run.anchor[0], "epoch_ns": run.anchor[1]}
    assert {"cpu", "cores", "kernel", "governor", "memory_bytes", "open_files_limit"} <= document["machine"].keys()
    assert document["versions"]["headrace"]["version"]


def test_two_runs_in_one_second_get_two_folders(tmp_path: Path) -> None:
    paths = {RunFolder.create(tmp_path, name="x", spec={}).path for _ in range(3)}
    assert len(paths) == 3


def test_finished_run_loads_with_all_its_files(tmp_path: Path) -> None:
    path = make_run(tmp_path, {"1-1": lambda _: steady(1000)}, facts=CaseFacts(window=1, expected=1000))
    run = load(path)
    assert (run.verdict, run.reasons, run.exit_code, run.state) == ("valid", [], 0, "finished")
    assert {p.name for p in path.iterdir()} == {
        "run.json",
        "samples.parquet",
        "series.parquet",
        "summary.json",
        "summary.csv",
        "segments",
        "exports",
    }
    assert not [p for p in path.rglob("*") if p.name.endswith(".tmp")]
    assert [c.name for c in run.cases] == ["1-1"]
    assert load(path / "run.json").name == "test run"


def test_summary_has_the_sixteen_metrics_first(tmp_path: Path) -> None:
    run = load(make_run(tmp_path, {"1-1": lambda _: steady(1000)}))
    frame = run.summary
    assert list(frame.columns) == [c.name for c in SUMMARY]
    assert list(frame.columns[2:18]) == seed_metrics()
    assert len(seed_metrics()) == 16
    row = frame.iloc[0]
    assert row["processing_latency_p50"] == pytest.approx(0.5)
    assert row["send_time_avg"] == pytest.approx(0.4)
    assert row["send_throughput_max"] == 1000
    assert row["acked_rate"] == pytest.approx(1000 / 0.9994)
    assert row["verdict"] == "valid"
    assert pd.isna(row["window"])


def test_summary_csv_and_json_agree(tmp_path: Path) -> None:
    path = make_run(tmp_path, {"a": lambda _: steady(10), "b": lambda _: steady(20)})
    stored = json.loads((path / "summary.json").read_text())
    frame = pd.read_csv(path / "summary.csv")
    assert list(frame["case"]) == [row["case"] for row in stored] == ["a", "b"]
    assert list(frame["sent"]) == [row["sent"] for row in stored] == [10, 20]


def test_definitions_of_seconds_and_deviation(tmp_path: Path) -> None:
    second = 1000 * MS
    messages = [
        Message("a", 0, 2 * MS, (3 * MS,)),
        Message("b", 10 * MS, 14 * MS, (13 * MS, 50 * MS)),
        Message("c", 2 * second, 2 * second + 6 * MS, (3 * second + 1,)),
    ]
    row = load(make_run(tmp_path, {"x": lambda _: messages})).summary.iloc[0]
    # sent per second: 2, 0, 1, 0; first receipts: 2, 0, 0, 1
    assert (row["send_throughput_min"], row["send_throughput_max"], row["send_throughput_avg"]) == (
        0,
        2,
        0.75,
    )
    assert row["send_throughput_stddev"] == pytest.approx(np.std([2, 0, 1, 0], ddof=1))
    assert row["processing_throughput_avg"] == 0.75
    assert row["processing_throughput_stddev"] == pytest.approx(np.std([2, 0, 0, 1], ddof=1))
    assert row["send_time_stddev"] == pytest.approx(np.std([2, 4, 6], ddof=1))
    assert row["processing_latency_max"] == pytest.approx(1000.000001)
    assert (row["received"], row["duplicated"]) == (3, 1)


def test_samples_have_stated_columns_and_keep_nanoseconds(tmp_path: Path) -> None:
    messages = [Message("007", 0, 5, (7, 9)), Message("1e5", 10, None, ()), Message("x", 20, 30, ())]
    run = load(make_run(tmp_path, {"1-1": lambda _: messages}))
    frame = run.samples
    assert list(frame.columns) == [c.name for c in SAMPLES]
    assert list(frame["id"]) == ["007", "007", "1e5", "x"]
    assert list(frame["attempt"]) == [1, 2, 0, 0]
    assert frame["sent"].dtype == pd.Int64Dtype()
    assert list((frame["received"] - frame["sent"])[:2]) == [7, 9]
    assert frame["acked"].isna().tolist() == [False, False, True, False]
    assert frame["received"].isna().tolist() == [False, False, True, True]
    assert run.verdict == "invalid"  # x was acknowledged and never received
    assert run.exit_code == 3
    assert "1 acknowledged message never received" in run.reasons[0]


def test_worst_case_decides_and_expect_is_applied_first(tmp_path: Path) -> None:
    lossy = [Message("a", 0, 5, (7,)), Message("b", 10, 20, ())]
    run = RunFolder.create(tmp_path, name="x", spec={})
    case = run.start_case("lossy", {}, expect="invalid")
    record(run, case, lossy)
    case.finish()
    case = run.start_case("good", {})
    record(run, case, steady(5))
    case.finish()
    loaded = run.close(report=False)
    assert loaded.verdict == "valid"
    assert "lossy: invalid, as expected" in loaded.notes[0]
    assert [c.verdict for c in loaded.cases] == ["invalid", "valid"]
    assert loaded.cases[0].reasons == ["1 acknowledged message never received (lost)"]


def test_series_rows_keep_unknown_columns_and_are_derived_where_missing(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, name="x", spec={})
    watched = run.start_case("watched", {})
    watched.append_series({"second": 1, "sent": 5, "server_cpu": 0.5, "colour": "red"})
    record(run, watched, steady(5))
    watched.finish()
    alone = run.start_case("alone", {})
    record(run, alone, steady(2500))
    alone.finish()
    series = run.close(report=False).series
    assert list(series["case"]) == ["watched", "alone", "alone", "alone"]
    assert series["colour"].iloc[0] == "red"
    assert list(series["sent"]) == [5, 1000, 1000, 500]
    assert list(series["second"]) == [1, 1, 2, 3]
    assert not (run.path / "series.jsonl").exists()


def test_warmup_is_in_samples_and_not_in_figures(tmp_path: Path) -> None:
    slow = [Message(f"w{i}", i * MS, i * MS + 50 * MS, (i * MS + 60 * MS,)) for i in range(10)]
    fast = [Message(f"m{i}", (20 + i) * MS, (21 + i) * MS, ((22 + i) * MS,)) for i in range(10)]
    path = make_run(tmp_path, {"x": lambda _: slow + fast}, facts=CaseFacts(warmup_s=0.02))
    run = load(path)
    assert len(run.samples) == 20
    assert run.summary["send_time_max"].iloc[0] == pytest.approx(1.0)
    assert run.summary["sent"].iloc[0] == 20


def test_passwords_stay_out_of_the_folder(tmp_path: Path) -> None:
    spec = {"url": "rediss://user:hunter2@host:6379/0", "nested": [{"password": "hunter2"}]}
    run = RunFolder.create(tmp_path, name="x", spec=spec, command=["headrace", "run", "redis://:hunter2@h"])
    run.set_server({"requirepass": "hunter2", "appendfsync": "always"})
    run.start_case("c", {"url": "redis://:hunter2@h"}).finish(CaseFacts(failures=("redis://:hunter2@h refused",)))
    run.close(report=False)
    for file in run.path.rglob("*.*"):
        assert b"hunter2" not in file.read_bytes(), file
    assert load(run.path).spec["url"] == "rediss://user:***@host:6379/0"


def test_exception_in_the_block_leaves_a_failed_run(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, name="x", spec={})
    record(run, run.start_case("c", {}), steady(3))
    with pytest.raises(ZeroDivisionError), run:
        raise ZeroDivisionError("oh")
    loaded = load(run.path)
    assert loaded.verdict == "failed"
    assert loaded.reasons[0] == "ZeroDivisionError: oh"
    assert len(loaded.samples) == 3


def test_interrupted_run_keeps_what_was_recorded(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, name="x", spec={})
    record(run, run.start_case("c", {}), steady(3))
    with pytest.raises(KeyboardInterrupt), run:
        raise KeyboardInterrupt
    loaded = load(run.path)
    assert (loaded.state, loaded.verdict, loaded.exit_code) == ("interrupted", "failed", 1)
    assert "interrupted" in loaded.reasons[0]
    assert loaded.summary["sent"].iloc[0] == 3


def test_closed_folder_takes_no_more(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, name="x", spec={})
    run.start_case("c", {}).finish()
    first = run.close(report=False)
    assert run.close() is first
    with pytest.raises(Closed):
        run.start_case("d", {})
    with pytest.raises(Closed):
        run.append_series({})


def test_killed_runner_leaves_a_run_that_says_it_was_cut(tmp_path: Path) -> None:
    script = """
        import os, signal, sys
        sys.path.insert(0, sys.argv[2])
        from pathlib import Path
        from headrace.results import RunFolder
        from results_helpers import record, steady
        run = RunFolder.create(sys.argv[1], name="killed", spec={})
        done = run.start_case("done", {})
        record(run, done, steady(10))
        done.finish()
        case = run.start_case("open", {})
        record(run, case, steady(20))
        with (case.segments / "sent-0.csv").open("a") as file:
            file.write("torn-17,17")
        case.append_series({"second": 1.0, "sent": 20})
        with (run.path / "series.jsonl").open("a") as file:
            file.write('{"second": 2, "se')
        os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path), str(Path(__file__).parent)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (path,) = tmp_path.iterdir()
    run = load(path)
    assert (run.state, run.verdict, run.exit_code) == ("cut", "failed", 1)
    assert run.reasons[0].startswith("the run was cut")
    assert run.samples.groupby("case", observed=True).size().to_dict() == {"done": 10, "open": 20}
    assert list(run.summary["verdict"]) == ["valid", "failed"]
    assert list(run.series["case"]) == ["open", "done"]
    assert run.case("open").counts.sent == 20


def test_run_that_is_still_going_on_says_so(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, name="x", spec={})
    record(run, run.start_case("c", {}), steady(3))
    loaded = load(run.path)
    assert (loaded.state, loaded.verdict, loaded.exit_code) == ("running", "running", 1)
    assert str(os.getpid()) in loaded.reasons[0]
    assert len(loaded.samples) == 3


def test_another_process_with_the_same_number_is_not_the_runner(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, name="x", spec={})
    document = json.loads((run.path / "run.json").read_text())
    document["process"]["pid_started"] -= 1000
    (run.path / "run.json").write_text(json.dumps(document))
    assert load(run.path).state == "cut"


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        (None, NotFound, "no run.json"),
        ("{", IoError, "cannot read"),
        ('{"a": 1}', InvalidArgument, "was not written by headrace"),
        ('{"format": "headrace-run", "format_version": 99}', InvalidArgument, "newer headrace"),
        ('{"format": "headrace-run", "format_version": 1}', IoError, "name, state, cases"),
    ],
)
def test_what_is_no_run_folder_says_what_it_is(
    tmp_path: Path, content: str | None, error: type[Exception], text: str
) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(error, match=text):
        load(tmp_path)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such run folder"):
        load(tmp_path / "nothing")


def test_unknown_case_names_the_known_ones(tmp_path: Path) -> None:
    run = load(make_run(tmp_path, {"1-1": lambda _: steady(3)}))
    with pytest.raises(InvalidArgument, match=r"its cases: 1-1"):
        run.case("1-5")


def test_disk_full_is_one_error_and_the_folder_still_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder.create(tmp_path, name="x", spec={})
    case = run.start_case("c", {})
    record(run, case, steady(5))
    case.finish()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", full)
    with pytest.raises(IoError, match="No space left on device"):
        run.close(report=False)
    monkeypatch.undo()
    assert not [p for p in run.path.iterdir() if p.name.endswith(".tmp")]
    assert load(run.path).verdict == "valid"
    assert load(run.path).summary["sent"].iloc[0] == 5


def test_real_full_disk_while_the_run_goes_on() -> None:
    with pytest.raises(IoError, match=r"No space left|cannot make the run folder"):
        RunFolder.create("/dev/full", name="x", spec={})


def test_case_with_a_broken_file_has_failed_and_spoils_no_other(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, name="x", spec={})
    broken = run.start_case("broken", {})
    (broken.segments / "sent-0.seg").write_bytes(b"headrseg" + bytes(range(1, 200)))
    broken.finish()
    good = run.start_case("good", {})
    record(run, good, steady(5))
    good.finish()
    loaded = run.close()
    assert [c.verdict for c in loaded.cases] == ["failed", "valid"]
    assert "nothing was recorded" in loaded.reasons[0]
    assert len(loaded.samples) == 5


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="letter or digit"):
        RunFolder.create(tmp_path, name="///", spec={})
    run = RunFolder.create(tmp_path, name="x", spec={})
    run.start_case("c", {})
    with pytest.raises(InvalidArgument, match="started before"):
        run.start_case("c", {})
    with pytest.raises(InvalidArgument, match="no verdict"):
        run.start_case("d", {}, expect="fine")


def test_stored_spec_may_hold_what_json_lacks(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, name="x", spec={"p": Path("/a"), "n": math.nan, "i": np.int64(3)})
    assert load(run.path).spec == {"p": "/a", "n": None, "i": 3}


def test_csvs_give_the_same_figures_as_a_run(tmp_path: Path) -> None:
    messages = steady(50)
    write_csvs(tmp_path, messages, 1_617_516_000 * 1000 * MS)
    run = from_csv([tmp_path / "sent-0.csv"], [tmp_path / "received-0.csv"])
    recorded = load(make_run(tmp_path / "out", {"csv": lambda _: messages}))
    assert run.verdict == "valid"
    assert list(run.samples.columns) == list(recorded.samples.columns)
    figures = ["processing_latency_p50", "send_time_avg", "acked_rate", "sent"]
    pd.testing.assert_frame_equal(run.summary[figures], recorded.summary[figures])
    assert run.samples["sent"].iloc[0] == 1_617_516_000 * 1000 * MS
    assert run.to_epoch_ns(run.samples["sent"].iloc[0]) == 1_617_516_000 * 1000 * MS
    assert len(run.case("csv").samples) == 50


def test_csvs_that_share_no_id_have_failed(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("a,1,2\n")
    (tmp_path / "c.csv").write_text("b,1,2\n")
    run = from_csv([tmp_path / "p.csv"], [tmp_path / "c.csv"])
    assert run.exit_code == 1
    assert "nothing could be joined" in run.reasons[0]
    with pytest.raises(NotFound, match=r"missing\.csv"):
        from_csv([tmp_path / "missing.csv"], [])


def test_exports_in_the_seeds_format_can_be_read_back(tmp_path: Path) -> None:
    path = make_run(tmp_path, {"1-1": lambda _: steady(20)})
    (folder,) = (path / "exports").iterdir()
    text = (folder / "producers.csv").read_text().splitlines()
    assert len(text) == 20
    assert text[0].startswith("p-0,")
    assert len(text[0].split(",")[1].split(".")[1]) == 9
    again = from_csv([folder / "producers.csv"], [folder / "consumers.csv"])
    original = load(path)
    assert list(again.samples["received"] - again.samples["sent"]) == list(
        original.samples["received"] - original.samples["sent"]
    )


def test_summary_and_the_data_processor_agree(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    took = rng.integers(1, 5 * MS, 700)
    messages = [
        Message(f"m{i}", i * 7 * MS, i * 7 * MS + int(t), (i * 7 * MS + int(2 * t),)) for i, t in enumerate(took)
    ]
    path = make_run(tmp_path, {"x": lambda _: [*messages, Message("lost", 0, 5)]})
    (exported,) = path.glob("exports/*/summary.csv")
    processor = pd.read_csv(exported).set_index("metric")["value"]
    row = load(path).summary.iloc[0]
    shared = [name for name in processor.index if name in row.index and name != "verdict"]
    assert {*seed_metrics(), "processing_latency_p99.9", "lost", "acked"} <= set(shared)
    for name in shared:
        assert float(processor[name]) == pytest.approx(float(row[name]), abs=1e-6), name
    assert processor["verdict"] == row["verdict"]


def test_run_shows_itself(tmp_path: Path) -> None:
    run = load(make_run(tmp_path, {"<b>": lambda _: steady(3)}, name="a <script>"))
    assert repr(run).startswith("<Run 'a <script>' VALID, 1 cases")
    assert "<script>" not in run._repr_html_()
    assert "&lt;b&gt;" in run._repr_html_()
    assert repr(run.cases[0]) == "<Case '<b>' VALID>"
