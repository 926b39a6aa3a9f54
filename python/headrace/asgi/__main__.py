"""``python -m headrace.asgi module:app`` serves an application; see ``--help``."""

from __future__ import annotations

import sys

from headrace.asgi.command import main
from headrace.cli import guard

sys.exit(guard(main))
