"""A second, slow join in plain Python with the interface of the native ledger: tests hold the two against
each other."""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import numpy as np

ABSENT = np.iinfo(np.int64).min


def _ns(text: str) -> int:
    return int(Decimal(text) * 1_000_000_000) if text else int(ABSENT)


class ReferenceLedger:
    """Reads CSVs ``id,sent,acked`` and ``id,received,receive_acked`` with seconds and a fraction, or nothing."""

    def __init__(self, producers: list[str], consumers: list[str]) -> None:
        sent = [(number, row) for number, path in enumerate(producers) for row in _rows(path)]
        received = [(number, row) for number, path in enumerate(consumers) for row in _rows(path)]
        first: dict[str, tuple[int, list[str]]] = {}
        owners: dict[str, set[int]] = defaultdict(set)
        for number, row in sent:
            owners[row[0]].add(number)
            first.setdefault(row[0], (number, row))
        receipts: dict[str, list[tuple[int, list[str]]]] = defaultdict(list)
        for number, row in sorted(received, key=lambda item: _ns(item[1][1])):
            receipts[row[0]].append((number, row))
        known = [(row, receipts[id_][0][1]) for id_, (_, row) in first.items() if id_ in receipts]
        self.counts = {
            "sent": len(first),
            "acked": sum(bool(row[2]) for _, row in first.values()),
            "unacked": sum(not row[2] for _, row in first.values()),
            "received": len(receipts),
            "duplicated": sum(len(r) - 1 for r in receipts.values()),
            "lost": sum(bool(row[2]) and id_ not in receipts for id_, (_, row) in first.items()),
            "orphaned": sum(id_ not in first for id_ in receipts),
            "shared": sum(len(numbers) > 1 for numbers in owners.values()),
            "negative_latency": sum(_ns(got[1]) < _ns(row[1]) for row, got in known),
        }
        self._first, self._receipts = first, receipts

    def samples(self) -> list[tuple[str, int, int, int, int]]:
        """(id, sent, acked, received, attempt) of each id and receipt, sorted; absent times are the smallest int64."""
        rows = []
        for id_ in {**self._first, **self._receipts}:
            _, sent = self._first.get(id_, (0, [id_, "", ""]))
            for number, (_, got) in enumerate(self._receipts.get(id_) or [(0, ["", "", ""])], 1):
                attempt = number if id_ in self._receipts else 0
                rows.append((id_, _ns(sent[1]), _ns(sent[2]), _ns(got[1]), attempt))
        return sorted(rows)


def _rows(path: str) -> list[list[str]]:
    with Path(path).open(newline="") as file:
        return list(csv.reader(file))
