from typing import TypedDict

class _Result(TypedDict):
    verdict: str
    reasons: list[str]
    warnings: list[str]
    files: list[str]
    counts: dict[str, int]
    summary: list[tuple[str, str, str]]

def process(
    producers: list[str], consumers: list[str], out: str, *, memory_limit: int, threads: int
) -> _Result: ...
