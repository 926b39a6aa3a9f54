"""What this build can do, and what to install when it cannot."""

from __future__ import annotations

from typing import Any

from headrace import _core

# feature -> (what it needs, Debian package, build switch); None for what every build has.
_FEATURES: dict[str, tuple[str, str, str] | None] = {
    "inproc": None,
    "redis": None,
    "tls": None,
}


def build_config() -> dict[str, Any]:
    """Versions of the compiler and libraries, and the switches, that the native module was built with."""
    return dict(_core.build_config())


def names() -> tuple[str, ...]:
    """The features that headrace knows, built in or not."""
    return tuple(sorted(_FEATURES))


def has(feature: str) -> bool:
    """Whether this build has ``feature`` (``inproc``, ``redis``, ``tls``).

    Raises InvalidArgument for a name that headrace does not know.
    """
    return why_not(feature) is None


def why_not(feature: str) -> str | None:
    """None when ``feature`` is there; else one sentence that says what to install and how to rebuild."""
    from headrace.errors import InvalidArgument

    if feature not in _FEATURES:
        raise InvalidArgument(f"unknown feature {feature!r}; known: {', '.join(sorted(_FEATURES))}")
    needs = _FEATURES[feature]
    if needs is None or feature in _core.build_config().get("features", ()):
        return None
    library, package, switch = needs
    return (
        f"headrace was built without {feature}: {library} was not found. Install it (Debian: apt install {package}), "
        f"then reinstall with: pip install headrace -Ccmake.define.{switch}=ON"
    )
