"""A second, slow join in plain Python with the interface of the native ledger: tests hold the two against
each other."""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

ABSENT = np.iinfo(np.int64).min


def _ns(text: str) -> int:
    return int(Decimal(text) * 1_000_000_000) if text else int(ABSENT)


class ReferenceLedger:
    """Reads CSVs ``id,sent,acked[,intended,worker]`` and ``id,received,receive_acked[,redelivered]``."""

    def __init__(self, memory_limit: int = 0) -> None:
        self.sent: list[tuple[str, list[str]]] = []
        self.received: list[tuple[str, list[str]]] = []

    def add_sent_csv(self, path: str) -> None:
        self.sent += [(path, row) for row in self._rows(path)]

    def add_received_csv(self, path: str) -> None:
        self.received += [(path, row) for row in self._rows(path)]

    def _rows(self, path: str) -> list[list[str]]:
        text = Path(path).read_text()
        whole = text[: text.rfind("\n") + 1]
        return [row for row in csv.reader(whole.splitlines()) if len(row) >= 3]

    def join(self) -> ReferenceResult:
        return ReferenceResult(self.sent, self.received)


class ReferenceResult:
    def __init__(self, sent: list[tuple[str, list[str]]], received: list[tuple[str, list[str]]]) -> None:
        first: dict[str, tuple[str, list[str]]] = {}
        owners: dict[str, set[str]] = defaultdict(set)
        self.retries = 0
        for path, row in sent:
            owners[row[0]].add(path)
            if row[0] in first:
                self.retries += 1
            else:
                first[row[0]] = (path, row)
        receipts: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
        for path, row in sorted(received, key=lambda item: _ns(item[1][1])):
            receipts[row[0]].append((path, row))
        self.shared = sum(len(paths) > 1 for paths in owners.values())
        self.sent = len(first)
        self.acked = sum(bool(row[2]) for _, row in first.values())
        self.unacked = self.sent - self.acked
        self.received = len(receipts)
        self.duplicated = sum(len(r) - 1 for r in receipts.values())
        self.redelivered = sum(row[3:4] == ["1"] for r in receipts.values() for _, row in r)
        self.lost = sum(bool(row[2]) and id_ not in receipts for id_, (_, row) in first.items())
        self.orphaned = sum(id_ not in first for id_ in receipts)
        self.negative = sum(
            _ns(r[0][1][1]) < _ns(first[id_][1][1]) for id_, r in receipts.items() if id_ in first
        )
        self.reordered = self.unreadable = 0
        self._first, self._receipts = first, receipts

    def samples(self) -> dict[str, Any]:
        rows: list[tuple[Any, ...]] = []
        for id_ in [*self._first, *(i for i in self._receipts if i not in self._first)]:
            path, sent = self._first.get(id_, ("", [id_, "", ""]))
            for number, (consumer, got) in enumerate(self._receipts.get(id_) or [("", ["", "", ""])], 1):
                intended = sent[3] if len(sent) > 3 else sent[1]
                rows.append(
                    (
                        id_.encode(),
                        Path(path).name,
                        int(sent[4]) if len(sent) > 4 else 0,
                        100,
                        1,
                        number if consumer else 0,
                        _ns(intended),
                        _ns(sent[1]),
                        _ns(sent[2]),
                        Path(consumer).name,
                        _ns(got[1]),
                        _ns(got[2]),
                        got[3:4] == ["1"],
                        0,
                    )
                )
        names = [
            "id",
            "source",
            "worker",
            "size",
            "attempts",
            "attempt",
            "intended",
            "sent",
            "acked",
            "consumer",
            "received",
            "receive_acked",
            "redelivered",
            "error",
        ]
        kinds = dict.fromkeys(("intended", "sent", "acked", "received", "receive_acked"), np.int64)
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        return {
            n: np.array(c, kinds.get(n, "S40" if n == "id" else None))
            for n, c in zip(names, columns, strict=True)
        }

    def write(self, folder: str) -> None:
        for name in ("latencies", "throughput", "summary", "problems"):
            (Path(folder) / f"{name}.csv").write_text("")
