"""headrace._core.ledger.Ledger: counts, verdict and samples of joined files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headrace import errors
from headrace._core.ledger import Ledger, count_meanings

ABSENT = np.iinfo(np.int64).min
S = 10**9


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "p.csv").write_text("b,10,11\na,10,12\nlost,11,13\nc,12\n")
    (tmp_path / "c.csv").write_text("a,15,16\nx,14,\nb,13,14\na,14,15\n")
    return str(tmp_path / "p.csv"), str(tmp_path / "c.csv")


def test_samples_are_columns_in_the_producers_order_with_orphans_last(files: tuple[str, str]) -> None:
    ledger = Ledger([files[0]], [files[1]])
    samples = ledger.samples()
    assert samples["id"].dtype == np.dtype("S40")
    assert samples["id"].tolist() == [b"b", b"a", b"a", b"lost", b"c", b"x"]
    assert samples["attempt"].tolist() == [1, 1, 2, 0, 0, 1]
    assert samples["received"].tolist() == [13 * S, 14 * S, 15 * S, ABSENT, ABSENT, 14 * S]
    assert samples["receive_acked"].tolist() == [14 * S, 15 * S, 16 * S, ABSENT, ABSENT, ABSENT]
    assert samples["sent"].tolist() == [10 * S, 10 * S, 10 * S, 11 * S, 12 * S, ABSENT]
    assert samples["acked"].tolist() == [11 * S, 12 * S, 12 * S, 13 * S, ABSENT, ABSENT]
    assert samples["source"].tolist() == [0, 0, 0, 0, 0, -1]
    assert samples["consumer"].tolist() == [0, 0, 0, -1, -1, 0]
    assert samples["redelivered"].dtype == np.bool_
    assert {column.shape for column in samples.values()} == {(6,)}


def test_samples_outlive_the_ledger(files: tuple[str, str]) -> None:
    ids = Ledger([files[0]], [files[1]]).samples()["id"]
    assert ids[0] == b"b"


def test_counts_verdict_and_throughput(files: tuple[str, str]) -> None:
    ledger = Ledger([files[0]], [files[1]], memory_limit=1, threads=2)
    assert ledger.verdict == "invalid"
    assert len(ledger.reasons) == 2
    assert (ledger.counts["lost"], ledger.counts["orphaned"], ledger.counts["duplicated"]) == (1, 1, 1)
    assert ledger.counts.keys() == count_meanings().keys()
    assert ledger.throughput()["sent"].tolist() == [2, 1, 1, 0, 0]
    assert ledger.throughput()["received"].tolist() == [0, 0, 0, 1, 2]


def test_owners_make_files_one_producer(tmp_path: Path) -> None:
    for name in ("p0.csv", "p1.csv", "c.csv"):
        (tmp_path / name).write_text("a,10,11\n")
    producers = [str(tmp_path / "p0.csv"), str(tmp_path / "p1.csv")]
    assert Ledger(producers, [str(tmp_path / "c.csv")]).verdict == "invalid"
    assert Ledger(producers, [str(tmp_path / "c.csv")], owners=[3, 3]).verdict == "valid"
    with pytest.raises(errors.InvalidArgument, match="owners"):
        Ledger(producers, [], owners=[1])


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound, match=r"none\.csv: no such file"):
        Ledger([str(tmp_path / "none.csv")], [])
