from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

class _Result(TypedDict):
    verdict: str
    reasons: list[str]
    warnings: list[str]
    files: list[str]
    counts: dict[str, int]
    summary: list[tuple[str, str, str]]

class Ledger:
    def __init__(
        self,
        producers: list[str],
        consumers: list[str],
        *,
        owners: list[int] = ...,
        epoch: bool = False,
        memory_limit: int = ...,
        threads: int = 0,
        spill_folder: str = "/tmp",
    ) -> None: ...
    @property
    def counts(self) -> dict[str, int]: ...
    @property
    def verdict(self) -> str: ...
    @property
    def reasons(self) -> list[str]: ...
    @property
    def warnings(self) -> list[str]: ...
    def throughput(self) -> dict[str, NDArray[np.uint64]]: ...
    def samples(self) -> dict[str, NDArray[Any]]: ...

def count_meanings() -> dict[str, str]: ...
def process(producers: list[str], consumers: list[str], out: str, *, memory_limit: int, threads: int) -> _Result: ...
