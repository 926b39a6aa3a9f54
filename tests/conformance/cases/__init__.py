"""All cases, by topic."""

from __future__ import annotations

from tests.conformance.case import Case
from tests.conformance.cases import chunks, connection, fields, framing, host, methods, pipelining, request_line

ALL: list[Case] = [
    *request_line.CASES,
    *host.CASES,
    *fields.CASES,
    *framing.CASES,
    *chunks.CASES,
    *methods.CASES,
    *connection.CASES,
    *pipelining.CASES,
]
