"""The ``headrace`` command: a thin face over public functions.

Exit codes: 0 valid, 1 failed, 2 bad usage, 3 INVALID measurement, 130 interrupted. Errors are one line on
standard error. Set HEADRACE_TRACEBACK=1 to see where an error comes from.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from headrace.errors import HeadraceError, InvalidArgument

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with ``argv`` (default: this process's) and returns its exit code. Raises nothing."""

    def command() -> object:
        from headrace.cli.app import app

        return app(list(sys.argv[1:] if argv is None else argv), prog_name="headrace", standalone_mode=False)

    return guard(command)


def guard(program: Callable[[], object]) -> int:
    """Runs ``program`` and returns the exit code: what it returned, if that is one, else 0; errors as above.

    For small programs over the public functions: ``sys.exit(guard(main))``.
    """
    try:
        code = program()
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_FAILED
    except Exception as error:
        if os.environ.get("HEADRACE_TRACEBACK"):
            raise
        return _report(error)


def _report(error: Exception) -> int:
    """One line on standard error; the exit code says whose fault it was."""
    if type(error).__name__ == "Abort":  # Ctrl-C while the command line was being read
        return EXIT_INTERRUPTED
    if hasattr(error, "format_message"):  # the command line could not be understood
        text, code = _usage_text(error), EXIT_USAGE
    elif isinstance(error, HeadraceError):
        text, code = str(error), EXIT_USAGE if isinstance(error, InvalidArgument) else EXIT_FAILED
    else:
        text, code = (
            f"internal error: {type(error).__name__}: {error} (HEADRACE_TRACEBACK=1 shows more)",
            EXIT_FAILED,
        )
    if text:
        print(f"headrace: {text}", file=sys.stderr)
    return code


def _usage_text(error: Exception) -> str:
    text = " ".join(error.format_message().split())  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    return f"{text} (try '{context.command_path} --help')" if context is not None and text else text


def _reader_gone() -> int:
    """Whoever read our output has left (``| head``): no reason to complain, and nothing more to write."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILED
