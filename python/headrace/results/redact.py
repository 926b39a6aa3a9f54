"""Passwords do not belong into result files: credentials inside URLs and under telling keys become
``***``."""

from __future__ import annotations

import re
from typing import Any

_IN_URL = re.compile(r"(?P<head>\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/@:]*):[^\s/]+@")
_SECRET_KEY = re.compile(r"pass(word|wd)?$|secret|token|requirepass|masterauth", re.IGNORECASE)


def redact(value: Any) -> Any:
    """A copy of nested dicts, lists and strings without passwords. Other values are passed through."""
    if isinstance(value, str):
        return _IN_URL.sub(r"\g<head>:***@", value)
    if isinstance(value, dict):
        return {k: "***" if _is_secret(k, v) else redact(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [redact(v) for v in value]
    return value


def _is_secret(key: Any, value: Any) -> bool:
    return isinstance(key, str) and isinstance(value, str) and bool(value) and bool(_SECRET_KEY.search(key))
