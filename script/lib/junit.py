"""What a JUnit XML file says: how many passed, failed and were skipped, and why they were skipped."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Counts:
    """Results of some checks. ``notes`` says why: one line for each skipped one."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.notes += other.notes

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read_junit(path: Path) -> Counts:
    """Counts of a file that pytest or ctest wrote; a file that is missing or torn is one failure."""
    try:
        cases = ET.parse(path).getroot().iter("testcase")
    except (OSError, ET.ParseError):
        return Counts(failed=1)
    counts = Counts()
    for case in cases:
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            counts.failed += 1
        elif skipped is not None or case.get("status") in ("notrun", "disabled"):
            counts.skipped += 1
            counts.notes.append(f"skipped {case.get('name')}: {_first_line(skipped)}")
        else:
            counts.passed += 1
    return counts


def _first_line(skipped: ET.Element | None) -> str:
    text = "" if skipped is None else skipped.get("message") or skipped.text or ""
    return text.strip().partition("\n")[0] or "no reason given"
