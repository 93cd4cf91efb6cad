"""The loader: what is accepted means what it says, and what is not gets every problem with its place and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import PolicyError
from autoscaler.model.policy import Mode, Policy, Select
from autoscaler.policy.defaults import as_yaml, resolved
from autoscaler.policy.later import LATER
from autoscaler.policy.load import load
from autoscaler.policy.nodes import MOST_TEXT
from autoscaler.policy.units import duration, fraction, percent, seconds
from autoscaler.store.policy_files import files

EXAMPLES = files([Path(__file__).parents[3] / folder for folder in ("policies", "docs/examples")])

SMALLEST = """\
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 12}
signals:
  - name: in flight
    prometheus: sum(haproxy_backend_current_sessions{proxy="web"})
    per_replica: 8
"""


def one(text: str) -> Policy:
    (policy,) = load([("web.yaml", text)], "r1").policies
    return policy


def problems(*texts: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        load([(f"{i}.yaml", text) for i, text in enumerate(texts)], "r1")
    return list(caught.value.problems)


def problem(text: str) -> str:
    (only,) = problems(text)
    return only


def test_the_smallest_useful_policy() -> None:
    policy = one(SMALLEST)
    assert policy.replicas is not None
    assert (policy.replicas.min, policy.replicas.max) == (2, 12)
    assert policy.signals[0].per_replica == 8.0
    assert policy.signals[0].max_age is None
    assert policy.mode is Mode.ACT
    assert policy.recycle is None


def test_the_set_tells_where_each_policy_stands() -> None:
    second = SMALLEST.replace("name: web", "name: api", 1).replace("service: web", "service: api")
    loaded = load([("a.yaml", f"{SMALLEST}---\n{second}")], "r7")
    assert loaded.revision == "r7"
    assert [(each.policy.name, each.file, each.line) for each in loaded.placed] == [
        ("web", "a.yaml", 1),
        ("api", "a.yaml", 9),
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_loads_and_survives_being_written_out(path: Path) -> None:
    policy = one(path.read_text())
    written = as_yaml(resolved(policy))
    assert one(written) == resolved(policy)
    assert as_yaml(one(written)) == written


def test_durations_percents_and_limits_of_speed() -> None:
    policy = one(
        SMALLEST.replace("per_replica: 8", "value: 300ms\n    max_age: 45s")
        + "behavior: {up: {rates: [{percent: 50, per: 1m}], select: min}, down: {tolerance: 5%, stabilization: 0s}}\n"
        + "recycle: {when: {unhealthy_for: 0.5h}}\n"
    )
    assert policy.signals[0].value == pytest.approx(0.3)
    assert policy.signals[0].max_age == 45.0
    assert policy.behavior.up.rates is not None
    assert (policy.behavior.up.rates[0].percent, policy.behavior.up.rates[0].per) == (50, 60.0)
    assert policy.behavior.up.select is Select.MIN
    assert policy.behavior.down.tolerance == pytest.approx(0.05)
    assert policy.behavior.down.stabilization == 0.0
    assert resolved(policy).behavior.down.rates is not None
    assert policy.recycle is not None
    assert policy.recycle.when.unhealthy_for == 1800.0


def test_words_that_yaml_1_1_would_turn_into_something_else_stay_text() -> None:
    policy = one(SMALLEST + "labels: {switch: off, at: 18:30, day: 2026-12-25, code: 007, version: 1.10}\n")
    assert policy.labels == {"switch": "off", "at": "18:30", "day": "2026-12-25", "code": "007", "version": "1.10"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("max: 12", "max: 1"), "0.yaml:3:25: replicas.max: must be at least replicas.min (2), got 1"),
        (("max: 12", "max: twelve"), "0.yaml:3:25: replicas.max: expected a whole number, at least 1"),
        (
            ("max: 12", "max: 2.5"),
            "0.yaml:3:25: replicas.max: expected a whole number, at least 1, at most 100000, got 2.5",
        ),
        (("max: 12", "max: yes"), "0.yaml:3:25: replicas.max: expected a whole number"),
        (
            ("max: 12", "max: .inf"),
            "0.yaml:3:25: replicas.max: expected a whole number, at least 1, at most 100000, got .inf",
        ),
        (("max: 12", "max: ~"), "replicas.max: expected a whole number, at least 1, at most 100000, got nothing"),
        (("min: 2", "min: 0"), "0.yaml:3:17: replicas.min: expected a whole number, at least 1"),
        (("service: web", "servce: web"), "hint: did you mean service?"),
        (("per_replica: 8", "per_replica: 300m"), "hint: 0.3 or 300ms? m as a thousandth"),
        (("per_replica: 8", "value: 300m"), "hint: 0.3 or 300ms?"),
        (("per_replica: 8", "utilization: 0.7"), "hint: 70% or 0.7%?"),
        (("per_replica: 8", "per_replica: 0"), "expected a number, above 0, got 0"),
        (("per_replica: 8", "per_replica: .nan"), "expected a number, above 0, got .nan"),
        (("per_replica: 8", "per_replica: 8\n    value: 3"), "expected exactly one goal of per_replica, value"),
        (("    per_replica: 8\n", ""), "0.yaml:5:5: signals[0]: expected exactly one goal"),
        (("compose: {project: shop, service: web}", ""), "expected exactly one of compose, kubernetes, process"),
        (("per_replica: 8", "per_replica: 8\n    max_age: 30"), "hint: 30s?"),
        (("per_replica: 8", "per_replica: 8\n    max_age: 1h30m"), "hint: one number and one of ms s m h d: 90m"),
        (('proxy="web"', 'proxy="{namespace}"'), "{namespace} stands for nothing with a compose target"),
        (("name: web\n", "name: web\nversion: 2\n"), "version: expected a whole number, at least 1, at most 1, got 2"),
        (("name: web\n", "name: web\nname: api\n"), "0.yaml:2:1: key name is written twice, first in line 1"),
        (("name: web\n", "name: !!str web\n"), "0.yaml:1:7: tags are not used here, got !!str"),
        (("name: web\n", "name: web\nkind: cleanup\n"), "0.yaml:3:1: target: unknown key"),
        (("name: web\n", "name: [web\n"), "this is not YAML"),
        (("name: web\n", "name: *nobody\n"), "alias *nobody names nothing"),
        (("name: web\n", "name: web\n<<: {mode: act}\n"), "merge keys (<<) are not used here"),
        (("name: web\n", "name: web\nmode: obseve\n"), "hint: did you mean observe?"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_a_way_out(change: tuple[str, str], said: str) -> None:
    assert said in "\n".join(problems(SMALLEST.replace(*change, 1)))


def test_all_problems_of_all_files_come_at_once_in_their_order() -> None:
    first = SMALLEST.replace("min: 2", "min: 20").replace("per_replica: 8", "per_replca: 8")
    found = problems(first, "nme: x\n", "- a list\n")
    places = [text.split(": ")[0] for text in found]
    assert places == sorted(places, key=lambda place: (place.split(":")[0], *map(int, place.split(":")[1:])))
    text = "\n".join(found)
    for part in ("max: must be at least", "per_replca: unknown key", "1.yaml:1:1: nme: unknown key", "expected a map"):
        assert part in text


def test_names_and_workloads_are_unique() -> None:
    twice = problems(SMALLEST, SMALLEST)
    assert len(twice) == 2
    assert "there is another policy named web at 0.yaml:1" in twice[0] + twice[1]
    assert "steers compose/shop/web already" in twice[0] + twice[1]


def test_a_key_is_either_known_or_later() -> None:
    for kind, later in LATER.items():
        assert not later & set(kind.__struct_fields__), kind


def test_aliases_work_and_cannot_blow_up() -> None:
    policy = one(SMALLEST + "labels: {a: &x hello, b: *x}\n")
    assert policy.labels == {"a": "hello", "b": "hello"}
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
    )
    assert "more than 100000 values once its aliases are expanded" in problem(bomb)


def test_a_file_nested_without_end_is_refused() -> None:
    assert "nested more than 50 deep" in problem("a: " + "[" * 60 + "]" * 60)


def test_an_empty_file_is_an_empty_set() -> None:
    assert load([("a.yaml", "# nothing yet\n"), ("b.yaml", "")], "r").placed == ()


@given(st.text(max_size=200))
def test_any_text_loads_or_is_told_what_is_wrong(text: str) -> None:
    found: tuple[str, ...] = ()
    try:
        load([("any.yaml", text)], "r")
    except PolicyError as error:
        found = error.problems
    assert all(each.startswith("any.yaml:") for each in found)


@given(st.floats(min_value=0.001, max_value=1e6).map(lambda span: round(span, 3)))
def test_durations_are_read_back(span: float) -> None:
    assert seconds(duration(span)) == pytest.approx(span)


@given(st.integers(min_value=1, max_value=100_000))
def test_percents_are_read_back(thousandths: int) -> None:
    assert fraction(percent(thousandths / 1000)) == pytest.approx(thousandths / 1000)


def test_ten_thousand_policies_fit_into_one_file_and_an_endless_one_is_refused() -> None:
    many = "---\n".join(
        SMALLEST.replace("name: web", f"name: p{n}", 1).replace("service: web", f"service: s{n}") for n in range(1000)
    )
    assert len(load([("many.yaml", many)], "r").placed) == 1000
    assert 10 * len(many) < MOST_TEXT
    assert "this file has more than 16 million characters" in problem("# " + "x" * MOST_TEXT)


def test_hostile_texts_end_in_one_sentence() -> None:
    assert "nested more than 50 deep" in problem("{a: " * 20_000)
    assert "more than 100000 values" in problem("a: [" + "x, " * 100_001 + "]")
    chain = "".join(f"k{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    assert "more than 100000 values once its aliases are expanded" in problem("k0: &a0 [x]\n" + chain)
    assert "this is not YAML" in problem("name: \x00\n")
    assert "expected a duration" in problem(SMALLEST + f"every: {'9' * 5000}s\n")
    assert "expected a whole number" in problem(SMALLEST.replace("max: 12", f"max: {'9' * 5000}"))


CLEANUP = """
kind: cleanup
name: night
project: shop
cron: "0 3 * * 7"
exited_after: 1d
"""


def test_a_cleanup_loads_beside_policies_and_back_from_its_own_text() -> None:
    (placed,) = load([("a.yaml", f"{SMALLEST}---{CLEANUP}")], "r1").cleanups
    assert (placed.file, placed.cleanup.project, placed.cleanup.exited_after) == ("a.yaml", "shop", 86400.0)
    (again,) = load([("b.yaml", as_yaml(placed.cleanup))], "r1").cleanups
    assert again.cleanup == placed.cleanup


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("exited_after: 1d\n", ""), "cleanup: this clean-up takes nothing away"),
        (("project: shop", 'project: "*"'), "1.yaml:4:10: project: expected a project's name, got *"),
        (("0 3 * * 7", "0 3 * *"), "1.yaml:5:7: cron: expected five fields"),
        (("exited_after", "exited_afer"), "hint: did you mean exited_after?"),
        (("name: night", "name: web"), "name: there is another policy named web at 0.yaml:1"),
        (("exited_after: 1d", "exited_after: 1d\ntimezone: Asia/Seul"), "hint: did you mean Asia/Seoul?"),
    ],
)
def test_what_is_wrong_with_a_cleanup_is_said_with_its_place(change: tuple[str, str], said: str) -> None:
    assert said in "\n".join(problems(SMALLEST, CLEANUP.replace(*change, 1)))


@pytest.mark.parametrize("hidden", [r"\e[2J", r"\n", r"\x9b1m", r"\u202e", r"\u200b", r"\u2028", r"\uE000", r"\uFFFF"])
def test_a_name_with_characters_that_nobody_sees_is_refused_where_it_stands(hidden: str) -> None:
    said = problem(SMALLEST.replace("name: in flight", f'name: "in{hidden} flight"'))
    assert said.startswith("0.yaml:5:11: signals[0].name: expected text without characters that nobody sees, got in\\x")
    assert said.endswith("hint: remove what is written there as \\x…")
    assert problem(SMALLEST.replace("name: web", f'name: "web{hidden}x"', 1)).startswith("0.yaml:1:7: name: ")
    assert "target.compose.service: " in problem(SMALLEST.replace("service: web", f'service: "web{hidden}x"'))


def test_a_name_may_be_in_any_language() -> None:
    assert one(SMALLEST.replace("name: web", "name: 주문 – заказы 🚀", 1)).name == "주문 – заказы 🚀"
