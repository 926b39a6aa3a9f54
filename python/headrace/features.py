"""What this build can do, and what to install when it cannot.

The list of features has one source, cmake/Features.cmake; the native module carries it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headrace import _core
from headrace.errors import FeatureNotBuilt, InvalidArgument


@dataclass(frozen=True)
class Feature:
    """One optional or built-in ability of the native module.

    ``library`` is what it needs as pkg-config says it, ``apt`` the Debian package that holds it (both empty
    for what every build has), ``option`` the CMake switch: AUTO, ON or OFF.
    """

    name: str
    built: bool
    library: str
    apt: str
    option: str

    def why_not(self) -> str | None:
        """None when it is built; else what to install and how to rebuild."""
        if self.built:
            return None
        return (
            f"headrace was built without {self.name}: {self.library} was not found or was switched off. "
            f"Install it (Debian and Ubuntu: apt install {self.apt}), then reinstall with: "
            f"pip install --force-reinstall --no-deps headrace -Ccmake.define.{self.option}=ON"
        )


_FEATURES: dict[str, Feature] = {f.name: f for f in (Feature(*row) for row in _core.features())}


def build_config() -> dict[str, Any]:
    """What the native module was built with.

    Keys: ``version``, ``compiler``, ``build_type``, ``flags``, ``sanitizers``, ``assertions`` (bool), the
    versions of ``boost``, ``hiredis``, ``openssl`` and ``xxhash``, and ``features`` (name to bool).
    """
    return {**_core.build_config(), "features": {name: f.built for name, f in _FEATURES.items()}}


def names() -> tuple[str, ...]:
    """The features that headrace knows, built in or not."""
    return tuple(sorted(_FEATURES))


def has(feature: str) -> bool:
    """Whether this build has ``feature``; ``build_config()["features"]`` lists the names.

    Raises InvalidArgument for a name that headrace does not know.
    """
    return why_not(feature) is None


def why_not(feature: str) -> str | None:
    """None when ``feature`` is there; else one sentence that says what to install and how to rebuild.

    Raises InvalidArgument for a name that headrace does not know.
    """
    known = _FEATURES.get(feature)
    if known is None:
        raise InvalidArgument(f"unknown feature {feature!r}; known: {', '.join(sorted(_FEATURES))}")
    return known.why_not()


def require(feature: str) -> None:
    """Returns when ``feature`` is there; raises FeatureNotBuilt with the text of why_not() when it is not."""
    reason = why_not(feature)
    if reason is not None:
        raise FeatureNotBuilt(reason)
