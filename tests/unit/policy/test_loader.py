"""Loading one set after the other: the same as loading each afresh, and only what changed is read again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import PolicyError
from autoscaler.policy.load import Loader, load

FILES = ("a.yaml", "b.yaml", "c.yaml")
POLICY = "name: {name}\ntarget: {{process: {{command: [{name}]}}}}\n"
REPLICAS = "replicas: {max: 5}\n"

DOCUMENTS = st.sampled_from(
    [
        POLICY.format(name="one") + REPLICAS,
        POLICY.format(name="two") + "replicas: {max: 7}\n",
        POLICY.format(name="three"),  # fine only under defaults
        POLICY.format(name="four") + "replicas: {max: none}\n",
        "kind: defaults\nreplicas: {max: 9}\n",
        "kind: defaults\nreplicas: {min: 2, max: 9}\nmode: observe\n",
        "kind: defaults\nreplicas: {min: x}\n",
        "kind: defaults\nscope: {namespace: shop}\n",
        "name: [\n",
        "",
    ]
)
TEXTS = st.lists(DOCUMENTS, min_size=1, max_size=3).map("---\n".join)
SETS = st.lists(st.dictionaries(st.sampled_from(FILES), TEXTS), min_size=1, max_size=6)


def outcome(loader: Loader | None, texts: list[tuple[str, str]]) -> object:
    try:
        return load(texts, "r") if loader is None else loader.load(texts, "r")
    except PolicyError as error:
        return error.problems


@given(SETS)
def test_one_after_the_other_gives_what_each_gives_afresh(sets: list[dict[str, str]]) -> None:
    loader = Loader()
    for each in sets:
        texts = sorted(each.items())
        assert outcome(loader, texts) == outcome(None, texts)


def test_what_did_not_change_is_not_read_again() -> None:
    loader = Loader()
    texts = [(f"{name}.yaml", POLICY.format(name=name) + REPLICAS) for name in ("a", "b", "c")]
    first = loader.load(texts, "1").policies
    second = loader.load([texts[0], ("b.yaml", texts[1][1] + "mode: observe\n"), texts[2]], "2").policies
    assert [before is after for before, after in zip(first, second, strict=True)] == [True, False, True]
    assert outcome(loader, [texts[0], ("b.yaml", "name: ["), texts[2]]) != ()
    third = loader.load(texts, "4").policies
    assert [before is after for before, after in zip(first, third, strict=True)] == [True, False, True]


def test_new_defaults_are_under_every_policy() -> None:
    loader = Loader()
    policy = ("a.yaml", POLICY.format(name="a") + REPLICAS)
    assert loader.load([policy], "1").policies[0].mode.value == "act"
    told = [policy, ("d.yaml", "kind: defaults\nmode: observe\n")]
    assert loader.load(told, "2").policies[0].mode.value == "observe"
    assert loader.load([policy], "3").policies[0].mode.value == "act"
