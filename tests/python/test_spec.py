from __future__ import annotations

import json
from pathlib import Path

import pytest

from headrace.errors import InvalidArgument, NotFound
from headrace.experiment import load_spec, parse_spec, plan

FILES = sorted((Path(__file__).parents[2] / "experiments").glob("*/*.toml"))
SPECS = [path for path in FILES if "[experiment]" in path.read_text()]


def cases(data, **options):
    return plan(parse_spec(data), **options)


def test_an_empty_spec_is_one_case_of_defaults():
    (case,) = cases({})
    assert case.name == "spec"
    assert (case.settings.producers, case.settings.consumers, case.settings.total) == (1, 1, 1000)
    assert case.expect == "valid"


def test_cases_win_over_defaults():
    data = {"defaults": {"size": 10, "count": 5}, "case": [{"name": "a", "size": 20}, {"name": "b"}]}
    a, b = cases(data)
    assert (a.settings.size, a.settings.count) == (20, 5)
    assert (b.settings.size, b.settings.count) == (10, 5)


def test_lists_are_a_sweep_of_every_combination():
    data = {"case": [{"name": "c", "size": [1, 2], "window": [10, 20], "redis": {"appendfsync": ["always", "no"]}}]}
    planned = cases(data)
    assert len(planned) == 8
    assert planned[0].name == "c,size=1,window=10,appendfsync=always"
    assert planned[-1].settings.redis == {"appendfsync": "no"}


def test_repeats_are_interleaved():
    planned = cases({"experiment": {"repeat": 2}, "case": [{"name": "a"}, {"name": "b"}]})
    assert [(c.name, c.repeat) for c in planned] == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert len(cases({"experiment": {"repeat": 2}}, repeat=5)) == 5


def test_consumers_batch_as_producers_do_unless_told():
    assert cases({"case": {"batch": 5}})[0].settings.consumer_batch == 5
    assert cases({"case": {"batch": 5, "consumer_batch": 0}})[0].settings.consumer_batch == 0


def test_overrides_reach_every_case_and_take_bare_words():
    data = {"case": [{"name": "a"}, {"name": "b", "size": 10}]}
    spec = parse_spec(data, overrides=["size=[1, 2]", "redis.appendfsync=always", "experiment.repeat=3"])
    assert spec.repeat == 3
    planned = plan(spec)
    assert len(planned) == 12
    assert {c.settings.size for c in planned} == {1, 2}
    assert {c.settings.redis["appendfsync"] for c in planned} == {"always"}


def test_the_spec_as_run_can_be_run_again():
    spec = parse_spec({"experiment": {"name": "x"}, "case": {"size": [1, 2], "expect": "invalid"}})
    again = parse_spec(spec.to_json())
    assert [(c.name, c.expect, c.settings) for c in plan(again)] == [(c.name, c.expect, c.settings) for c in plan(spec)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"case": {"sise": 1}}, "key 'sise' is unknown; known: name, expect, url"),
        ({"expriment": {}}, "table 'expriment' is unknown; known: experiment"),
        ({"experiment": {"nome": "x"}}, "key 'nome' is unknown"),
        ({"case": {"size": 0}}, "size must be a whole number from 1 to 536870912, not 0"),
        ({"case": {"size": True}}, "size must be a whole number"),
        ({"case": {"size": [1, "2"]}}, "size must be a whole number"),
        ({"case": {"size": []}}, "size is an empty list"),
        ({"case": {"threads": 0}}, "threads must be a whole number"),
        ({"case": {"rate": -1}}, "rate must be a number of at least 0"),
        ({"case": {"timeout": 0}}, "timeout must be a number above 0"),
        ({"case": {"topic": " "}}, "topic must be a text of one line that is not empty"),
        ({"case": {"arrivals": "bursts"}}, "arrivals must be one of constant, poisson"),
        ({"case": {"expect": "fine"}}, "expect must be one of valid"),
        ({"case": {"redis": "always"}}, "redis must be a table"),
        ({"case": {"redis": {"save": 1.5}}}, "save must be a text, a whole number or true/false"),
        ({"case": {"url": "ftp://x"}}, "url has the unknown scheme 'ftp'"),
        ({"case": {"url": "localhost:6379"}}, "url"),
        ({"case": {"url": "redis://x", "redis": {"appendfsync": "no"}}}, "leave out url"),
        ({"case": {"batch": 10, "window": 5}}, "does not fit into window"),
        ({"case": [{"name": "a"}, {"name": "a"}]}, "two cases are named 'a'"),
        ({"case": []}, "cases are written as"),
        ({"case": 5}, "cases are written as"),
        ({"defaults": 5}, "defaults must be a table"),
        ({"experiment": {"repeat": 0}}, "repeat must be a whole number"),
        ({"case": {"size": list(range(1, 20001))}}, "at most 10000"),
    ],
)
def test_a_mistake_is_named_in_one_line(data, said):
    with pytest.raises(InvalidArgument) as caught:
        plan(parse_spec(data, source="my.toml"))
    text = str(caught.value)
    assert said in text
    assert text.startswith("my.toml: ")
    assert "\n" not in text


@pytest.mark.parametrize("override", ["size", "=1", "a.b.c=1", 'size="x"', "nosuch=1"])
def test_a_bad_override_is_refused(override):
    with pytest.raises(InvalidArgument):
        parse_spec({}, overrides=[override])


def test_a_file_that_is_not_toml_is_refused_with_its_name_and_line(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text("[case]\nsize = \n")
    with pytest.raises(InvalidArgument, match=r"broken\.toml: not valid TOML: .*line 2"):
        load_spec(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidArgument, match="UTF-8"):
        load_spec(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NotFound, match="nowhere"):
        load_spec(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("path", SPECS, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_the_specs_that_come_with_headrace_are_good(path):
    spec = load_spec(path)
    assert plan(spec)
    assert spec.description


def test_a_run_can_be_repeated_from_its_folder(tmp_path):
    stored = {"spec": {"experiment": {"name": "again", "seed": 7}, "case": [{"name": "a", "size": [1, 2]}]}}
    (tmp_path / "run.json").write_text(json.dumps(stored))
    spec = load_spec(tmp_path)
    assert (spec.name, spec.seed, len(plan(spec))) == ("again", 7, 2)

    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(InvalidArgument, match="not the description of a run"):
        load_spec(tmp_path)
