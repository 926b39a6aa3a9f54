from __future__ import annotations

pytest_plugins = ["headrace.servers.pytest_plugin"]
