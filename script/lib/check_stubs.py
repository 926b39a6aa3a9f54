"""Compares the stubs of headrace._core with the module, leaving out what cannot be otherwise with pybind11.

pybind11 gives its classes a metaclass of its own, which no stub can name, and classes without a constructor an
``__init__(*args, **kwargs)`` that only raises. Everything else that mypy.stubtest finds is an error.
"""

from __future__ import annotations

import re
import subprocess
import sys

EXPECTED = re.compile(r"is inconsistent, metaclass differs$|\.__init__ is inconsistent, stub does not have \*args ")


def main() -> int:
    command = [sys.executable, "-m", "mypy.stubtest", "headrace._core", "--concise"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [line for line in result.stdout.splitlines() if not EXPECTED.search(line)]
    print("\n".join(found))
    print(result.stderr, end="", file=sys.stderr)
    explained = result.returncode == 0 or bool(result.stdout)
    return 0 if explained and not found else 1


if __name__ == "__main__":
    sys.exit(main())
