from __future__ import annotations

from pathlib import Path

import pytest

from headrace.results import batching_figures, http_figures, part, schema

DOCS = Path(__file__).parents[2] / "docs" / "results.md"


@pytest.mark.parametrize(
    ("heading", "columns"),
    [
        ("## samples.parquet", schema.SAMPLES),
        ("## series.parquet", schema.SERIES),
        ("## summary.csv, summary.json", schema.SUMMARY),
        ("## summary of batching", batching_figures.COLUMNS),
        ("## summary of http", http_figures.COLUMNS),
    ],
)
def test_every_column_is_documented_as_it_is(heading: str, columns: tuple[schema.Column, ...]) -> None:
    section = DOCS.read_text().split(heading + "\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{c.name}` | {c.type} | {c.unit} | {c.meaning} |" for c in columns]


def test_columns_have_distinct_names_and_known_types() -> None:
    summaries = [part.figures(name).columns for name in part.PARTS]
    for columns in (schema.SAMPLES, schema.SERIES, *summaries):
        assert len({c.name for c in columns}) == len(columns)
        assert {c.type for c in columns} <= {"string", "name", "int32", "int64", "double", "bool"}
