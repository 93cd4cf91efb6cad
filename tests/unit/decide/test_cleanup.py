"""What a clean-up takes away, and above all what it never does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.decide.cleanup import remaining, sighted, sweep
from autoscaler.model.cleanup import Ended, Image, Mounted, Sightings, Stock, Sweep, Use, Volume, What, Why
from autoscaler.model.policy import Cleanup, Orphans, Removals

NOW = 1_000_000.0
UNSEEN = Sightings()
ALL = Cleanup(
    name="night",
    project="shop",
    cron="0 3 * * *",
    exited_after=3600.0,
    dangling_images=True,
    keep_images=2,
    orphan_volumes=Orphans.SEEN,
)


def ended(id: str = "c", **words: object) -> Ended:
    told: dict[str, object] = {"id": id, "name": f"shop-{id}", "project": "shop", "finished": NOW - 7200, **words}
    return Ended(**told)  # type: ignore[arg-type]


def done(stock: Stock, seen: Sightings = UNSEEN, cleanup: Cleanup = ALL, spent: tuple[float, ...] = ()) -> Sweep:
    return sweep(cleanup, stock, seen, spent, NOW)


def goes(*words: object, **more: object) -> list[tuple[str, Why]]:
    return [(each.id, each.why) for each in done(*words, **more).goes]  # type: ignore[arg-type]


def stays(*words: object, **more: object) -> list[tuple[str, Why]]:
    return [(each.id, each.why) for each in done(*words, **more).stays]  # type: ignore[arg-type]


def test_a_container_goes_once_it_ended_long_enough_ago_the_oldest_first() -> None:
    stock = Stock(ended=(ended("b"), ended("a", finished=NOW - 9000), ended("young", finished=NOW - 3599)))
    assert goes(stock) == [("a", Why.EXITED), ("b", Why.EXITED)]
    assert done(stock).goes[1].text == "ended 2h ago with exit code 0"
    assert stays(stock) == []


def test_a_container_stays_that_somebody_stopped_or_that_another_one_needs() -> None:
    stock = Stock(
        ended=(
            ended("a", by_hand=True),
            ended("b", kept_running=True),
            ended("c", lends=True),
            ended("d", marked=True),
            ended("e", project="other"),
        )
    )
    assert goes(stock) == []
    assert stays(stock) == [
        ("a", Why.STOPPED_BY_HAND),
        ("b", Why.STOPPED_BY_HAND),
        ("c", Why.LENDS_NETWORK),
        ("d", Why.UNDER_WAY),
    ]


def test_dangling_images_go_where_compose_built_them_for_the_project_or_only_its_containers_had_them() -> None:
    images = (
        Image(id="built", project="shop"),
        Image(id="pulled"),
        Image(id="shared"),
        Image(id="strange"),
        Image(id="theirs", project="other"),
        Image(id="used", project="shop"),
    )
    seen = Sightings(images={"pulled": ("shop",), "shared": ("other", "shop"), "theirs": ("shop",)})
    stock = Stock(images=images, used_images=frozenset({"used"}))
    assert goes(stock, seen) == [("built", Why.DANGLING_IMAGE), ("pulled", Why.DANGLING_IMAGE)]
    assert stays(stock, seen) == [("shared", Why.USED_ELSEWHERE)]


def test_of_each_name_the_newest_images_stay_and_what_is_in_use_whatever_its_age() -> None:
    images = tuple(Image(id=f"web{n}", names=(f"web:{n}",), created=float(n), project="shop") for n in range(5))
    images += (Image(id="api", names=("api:1",), project="shop"), Image(id="foreign", names=("web:9",), created=9.0))
    stock = Stock(images=images, used_images=frozenset({"web0"}))
    assert goes(stock) == [("web1", Why.OLD_IMAGE), ("web2", Why.OLD_IMAGE)]


def test_an_image_with_several_names_stays() -> None:
    images = tuple(Image(id=f"web{n}", names=(f"web:{n}",), created=float(n), project="shop") for n in (1, 2))
    both = Image(id="both", names=("web:0", "mirror:0"), created=0.0, project="shop")
    newer = tuple(Image(id=f"m{n}", names=(f"mirror:{n}",), created=float(n), project="shop") for n in (1, 2))
    assert stays(Stock(images=(*images, both, *newer))) == [("both", Why.SEVERAL_NAMES)]


def test_an_anonymous_volume_goes_once_no_container_has_it_if_it_was_seen_when_it_was_made() -> None:
    def volume(name: str, plain: bool = True) -> Volume:
        return Volume(name=name, plain=plain)

    stock = Stock(
        volumes=(*map(volume, ("made", "given", "shared", "unseen", "used")), volume("data", plain=False)),
        used_volumes=frozenset({"used"}),
    )
    mine = dict.fromkeys(("made", "given", "used", "data"), ("shop",))
    seen = Sightings(volumes={**mine, "shared": ("", "shop")}, made=frozenset({"made", "shared", "unseen", "used"}))
    assert goes(stock, seen) == [("made", Why.ORPHAN_VOLUME)]
    assert stays(stock, seen) == [("given", Why.NOT_SEEN), ("shared", Why.USED_ELSEWHERE)]


def test_nothing_goes_that_the_policy_does_not_name() -> None:
    stock = Stock(ended=(ended(),), images=(Image(id="i", project="shop"),), volumes=(Volume(name="v", plain=True),))
    seen = Sightings(volumes={"v": ("shop",)}, made=frozenset({"v"}))
    only = Cleanup(name="n", project="shop", cron="0 3 * * *", exited_after=3600.0)
    assert [what for what, _ in goes(stock, seen, only)] == ["c"]


def test_the_budget_counts_what_went_within_its_period_and_says_what_it_holds_back() -> None:
    few = Cleanup(name="n", project="shop", cron="0 3 * * *", exited_after=1.0, budget=Removals(count=3, per=600.0))
    stock = Stock(ended=tuple(ended(id) for id in "abc"))
    spent = (NOW - 601, NOW - 599)
    assert goes(stock, cleanup=few, spent=spent) == [("a", Why.EXITED), ("b", Why.EXITED)]
    assert stays(stock, cleanup=few, spent=spent) == [("c", Why.CLEANUP_BUDGET)]
    assert done(stock, cleanup=few, spent=spent).stays[0].text == "the budget is 3 removals per 10m"


def test_what_was_seen_once_stays_seen_until_it_is_gone() -> None:
    first = sighted(Sightings(), [Use("shop", "i", (Mounted("v", made=True),))])
    again = sighted(first, [Use("other", "i", (Mounted("v"),))])
    assert again == Sightings({"i": ("other", "shop")}, {"v": ("other", "shop")}, frozenset({"v"}))
    assert sighted(again, [Use("shop", "i")]) is again
    assert remaining(again, Stock(images=(Image(id="i"),))) == Sightings({"i": ("other", "shop")})


PROJECTS = st.sampled_from(["shop", "other", ""])
IDS = st.sampled_from("abcdef")
TIMES = st.floats(NOW - 20_000, NOW)
STOCKS = st.builds(
    Stock,
    ended=st.lists(
        st.builds(
            Ended, id=IDS, name=IDS, project=PROJECTS, finished=TIMES, kept_running=st.booleans(),
            by_hand=st.booleans(), marked=st.booleans(), lends=st.booleans(), size=st.integers(0, 9),
        ), unique_by=lambda each: each.id,
    ).map(tuple),
    images=st.lists(
        st.builds(
            Image, id=IDS, project=PROJECTS, created=TIMES,
            names=st.lists(st.sampled_from(["web:1", "web:2", "api:1"]), max_size=2, unique=True).map(tuple),
        ), unique_by=lambda each: each.id,
    ).map(tuple),
    volumes=st.lists(st.builds(Volume, name=IDS, plain=st.booleans()), unique_by=lambda each: each.name).map(tuple),
    used_images=st.frozensets(IDS),
    used_volumes=st.frozensets(IDS),
)  # fmt: skip
USES = st.lists(
    st.builds(Use, PROJECTS, IDS, st.lists(st.builds(Mounted, IDS, st.booleans()), max_size=3).map(tuple)), max_size=8
)
BUDGETS = st.builds(Removals, count=st.integers(1, 5), per=st.just(600.0))


@given(STOCKS, USES, BUDGETS, st.lists(TIMES, max_size=6))
def test_nothing_outside_of_the_project_and_of_what_was_seen_is_ever_chosen(
    stock: Stock, uses: list[Use], budget: Removals, spent: list[float]
) -> None:
    seen = sighted(Sightings(), uses)
    cleanup = Cleanup(
        name="n", project="shop", cron="0 3 * * *", exited_after=3600.0, dangling_images=True, keep_images=1,
        orphan_volumes=Orphans.SEEN, budget=budget,
    )  # fmt: skip
    told = sweep(cleanup, stock, seen, spent, NOW)
    containers = {each.id: each for each in stock.ended}
    images = {each.id: each for each in stock.images}
    volumes = {each.name: each for each in stock.volumes}
    users = {kind: {} for kind in What}  # type: dict[What, dict[str, set[str]]]
    for use in uses:
        users[What.IMAGE].setdefault(use.image, set()).add(use.project)
        for each in use.volumes:
            users[What.VOLUME].setdefault(each.name, set()).add(use.project)
    for item in told.goes:
        if item.what is What.CONTAINER:
            one = containers[item.id]
            assert one.project == "shop"
            assert NOW - one.finished >= 3600.0
            assert not any((one.by_hand, one.kept_running, one.marked, one.lends))
            continue
        theirs = users[item.what].get(item.id, set())
        assert theirs <= {"shop"}
        if item.what is What.IMAGE:
            assert item.id not in stock.used_images
            assert images[item.id].project in ("shop", "")
            assert "shop" in {images[item.id].project, *theirs}
            assert len(images[item.id].names) <= 1
        else:
            assert item.id not in stock.used_volumes
            assert volumes[item.id].plain
            assert theirs == {"shop"}
            assert any(Mounted(item.id, made=True) in use.volumes for use in uses)
    assert len(told.goes) + sum(at > NOW - 600.0 for at in spent) <= max(
        budget.count, sum(at > NOW - 600.0 for at in spent)
    )
    chosen = [(item.what, item.id) for item in (*told.goes, *told.stays)]
    assert len(chosen) == len(set(chosen)), "each thing is told of once"
