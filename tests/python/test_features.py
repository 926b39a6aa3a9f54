"""headrace.has, why_not, build_config and FeatureNotBuilt."""

from __future__ import annotations

import pytest

import headrace
from headrace import _core, features
from headrace.features import Feature


def test_every_build_has_redis_tls_and_the_in_process_queue() -> None:
    for name in ("redis", "tls", "inproc"):
        assert headrace.has(name)
        assert headrace.why_not(name) is None
        features.require(name)


def test_unknown_feature_is_refused_with_the_known_ones() -> None:
    with pytest.raises(headrace.errors.InvalidArgument, match=r"unknown feature 'kafak'; known: .*redis"):
        headrace.has("kafak")


def test_build_config_lists_features_and_flags() -> None:
    config = headrace.build_config()
    assert config["features"] == {name: built for name, built, *_ in _core.features()}
    assert config["version"] == headrace.__version__
    for key in ("compiler", "build_type", "flags", "sanitizers", "boost", "hiredis", "openssl", "xxhash"):
        assert isinstance(config[key], str)
    assert tuple(map(int, config["boost"].split("."))) >= (1, 81)


def test_missing_feature_names_library_package_and_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Feature("fake", False, "fake>=2", "libfake-dev", "HEADRACE_WITH_FAKE")
    monkeypatch.setitem(features._FEATURES, "fake", absent)
    assert not headrace.has("fake")
    with pytest.raises(headrace.errors.FeatureNotBuilt) as caught:
        features.require("fake")
    assert isinstance(caught.value, ImportError)
    assert str(caught.value) == headrace.why_not("fake")
    for part in ("fake>=2", "apt install libfake-dev", "-Ccmake.define.HEADRACE_WITH_FAKE=ON"):
        assert part in str(caught.value)
