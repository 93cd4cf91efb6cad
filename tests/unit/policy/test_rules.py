"""Rules across keys: each told with its place and a way out, and what is close to them but fine loads."""

from __future__ import annotations

import pytest

from autoscaler.model.policy import Empty, Failing, Fallback, Legacy, NotANumber, Plausible, Policy, Resource, ZeroIf
from autoscaler.policy.later import LATER
from autoscaler.policy.load import load
from tests.unit.policy.test_load import SMALLEST, one, problem, problems

HEAD = "name: web\ntarget: {compose: {project: shop, service: web}}\nreplicas: {min: 2, max: 12}\n"
QUERY = "prometheus: sum(jobs)"
PROCESS = HEAD.replace("compose: {project: shop, service: web}", "process: {command: [serve]}")
KUBERNETES = HEAD.replace("compose: {project: shop, service: web}", "kubernetes: {namespace: shop, name: web}")
WAKES = f"signals: [{{name: w, {QUERY}, wake_above: 0}}]\n"


def signal(words: str) -> str:
    return f"{HEAD}signals:\n  - {{name: s, {words}}}\n"


def pushed(match: str, more: str = "") -> str:
    return signal(f"push: {{match: '{match}', as: gauge}}, per_replica: 1{', ' + more if more else ''}")


def window(words: str) -> str:
    return f"{HEAD}schedule:\n  - {{name: office, {words}}}\n"


def of(text: str, change: str) -> str:
    return text.replace("{compose: {project: shop, service: web}}", change)


CPU = signal("resource: cpu, utilization: 70%")
LEARNS = f"""{HEAD}algorithm: adaptive
objective: {{latency: 300ms, good: fast, total: served, target: 99.9%}}
signals:
  - {{name: s, {QUERY}, per_replica: 8, capacity: learn, busy: cpu, served: served}}
  - {{name: cpu, resource: cpu}}
  - {{name: served, prometheus: 'sum(rate(answers[1m]))'}}
  - {{name: fast, prometheus: 'sum(rate(answers_bucket{{le="0.3"}}[1m]))'}}
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # targets
        (of(SMALLEST, "{}"), "2:9: target: expected exactly one of compose, kubernetes, process, got none"),
        (of(SMALLEST, "{compose: {project: a, service: b}, process: {command: [x]}}"), "got compose and process"),
        (of(SMALLEST, "{compose: {project: shop}}"), "target.compose: expected exactly one of service, selector"),
        (of(SMALLEST, "{compose: {project: shop, service: web, selector: {a: b}}}"), "got service and selector"),
        (of(SMALLEST, "{compose: {project: 'sh*', service: web}}"), 'expected a project\'s name, or "*"'),
        (of(SMALLEST, "{compose: {project: shop, service: '*'}}"), "several services are found by selector"),
        (of(SMALLEST, "{kubernetes: {namespace: 'sh*', name: web}}"), "namespace: expected a namespace's name, or"),
        (of(SMALLEST, "{kubernetes: {namespace: [a, '*'], name: web}}"), "namespace: expected a namespace's name, or"),
        (of(SMALLEST, "{kubernetes: {namespace: [], name: web}}"), "namespace: expected at least one namespace"),
        (of(SMALLEST, "{kubernetes: {namespace: {a: b}, name: web}}"), "namespace: expected text or a list, got a map"),
        (of(SMALLEST, "{kubernetes: {namespace: a, name: '*'}}"), "name: expected a workload's name, got *"),
        (of(SMALLEST, "{kubernetes: {namespace: a}}"), "target.kubernetes: expected exactly one of name, selector"),
        (of(SMALLEST, "{kubernetes: {namespace: a, name: web, selector: {a: b}}}"), "got name and selector"),
        (of(SMALLEST, "{kubernetes: {namespace: a, kind: Job, name: web}}"), "kind: needs apiVersion beside it"),
        (of(SMALLEST, "{kubernetes: {namespace: a, kind: R, apiVersion: x, name: w}}"), "apiVersion: expected text"),
        # one source, one goal
        (signal("per_replica: 8"), "5:5: signals[0]: expected exactly one source of prometheus, scrape, push"),
        (signal(f"{QUERY}, resource: cpu, per_replica: 8"), "got prometheus and resource"),
        (signal(QUERY), "expected exactly one goal of per_replica, value, utilization, steps, or only wake_above, got"),
        (signal(f"{QUERY}, per_replica: 8, value: 3"), "got per_replica and value"),
        (signal(f"{QUERY}, per_replica: 8, steps: [{{above: 1, replicas: 2}}]"), "got per_replica and steps"),
        (signal("scrape: {metric: m, as: gauge}, per_replica: 1"), "signals[0].scrape: port is missing"),
        (pushed("m", "scrape: {metric: m, as: gauge, port: 1}"), "got scrape and push"),
        (pushed('{a="b"}'), "push.match: cannot be followed: it names no"),
        (pushed('m[5m]'), "match: cannot be followed: it is no series"),
        (pushed('m offset 5m'), "cannot be followed: it is no series selector"),
        (pushed('sum(m)'), "cannot be followed: it is no series selector"),
        (pushed('m{a=~"("}'), "match: cannot be followed: "),
        (pushed('m{a="{namespace}{x}"}'), "{namespace} stands for nothing"),
        (pushed("m", "server: eu"), "server: does not go with push: only a query"),
        (pushed("m", "empty: {zero_if: up}"), "zero_if: does not go with push"),
        # adaptive
        (signal(f"{QUERY}, value: 3, capacity: 4"), "signals[0].capacity: goes with per_replica only"),
        (signal(f"{QUERY}, per_replica: 8, capacity: 7"), "capacity: must be at least per_replica (8), got 7"),
        (signal(f"{QUERY}, per_replica: 8, capacity: learnt"), "or 256Mi, above 0 or learn, got learnt"),
        (signal(f"{QUERY}, per_replica: 8, capacity: learn"), "signals[0].capacity: nothing to learn it from"),
        (signal(f"{QUERY}, per_replica: 8, capacity: 9, busy: s"), "signals[0].busy: does nothing beside a capacity"),
        (signal(f"{QUERY}, per_replica: 8, capacity: 9, latency: s"), "latency: does nothing beside a capacity"),
        (LEARNS.replace("busy: cpu", "latency: cpu"), "latency: does nothing without objective.service_time"),
        (LEARNS.replace("busy: cpu", "latency: gpu"), "signals[0].latency: there is no signal named gpu"),
        (signal(f"{QUERY}, per_replica: 8, served: s"), "signals[0].served: does nothing without capacity"),
        (signal(f"{QUERY}, per_replica: 8, capacity: 9, served: s"), "signals[0].served: names the signal itself"),
        (LEARNS.replace("busy: cpu", "busy: gpu"), "busy: there is no signal named gpu\n  hint: did you mean cpu?"),
        (LEARNS.replace("busy: cpu, ", ""), "signals[1]: expected exactly one goal of per_replica"),
        (LEARNS.replace(", target: 99.9%", ""), "objective.target: is missing beside good and total"),
        (LEARNS.replace("latency: 300ms, ", "service_time: 100ms, "), "objective.service_time: does nothing without"),
        (LEARNS.replace("target: 99.9%", "target: 100%"), "such as 70%, above 0, below 100%"),
        (LEARNS.replace("objective: {latency: 300ms, good: fast, total: served, target: 99.9%}", "objective: {}"),
         "objective: expected latency, or good, total and target, got none"),
        (SMALLEST + "objective: {latency: 300ms}\n", "objective: does nothing without algorithm: adaptive"),
        (SMALLEST + "compare: hpa\n", "compare: must be another than algorithm, which is hpa"),
        (SMALLEST + "algorithm: adaptive\ncompare: adaptive\n", "hint: compare: hpa, or remove it"),
        (SMALLEST + "compare: adaptive\nparity: strict\n", "compare: does not go with parity: strict"),
        (SMALLEST + "compare: adaptive\nevery: 2m\n", "every: must be at most 1m with compare: adaptive, got 2m"),
        (SMALLEST + "algorithm: adaptive\nparity: strict\n", "algorithm: does not go with parity: strict"),
        (SMALLEST + "algorithm: adaptive\nevery: 2m\n", "every: must be at most 1m with algorithm: adaptive, got 2m"),
        (SMALLEST + "algorithm: adaptive\nobjective: {latency: 100ms, service_time: 100ms}\n",
         "objective.latency: must be more than service_time (100ms), got 100ms"),
        # words that need a query
        (signal("resource: cpu, utilization: 70%, wake_above: 1"), "wake_above: does not go with resource"),
        (signal("resource: cpu, utilization: 70%, server: eu"), "server: does not go with resource: only a query"),
        (signal("resource: cpu, utilization: 70%, reduce: max"), "reduce: does not go with resource"),
        (signal("resource: cpu, utilization: 70%, max_age: 1m"), "max_age: does not go with resource"),
        (signal("resource: cpu, utilization: 70%, coverage: 50%"), "coverage: does not go with resource"),
        (signal("resource: cpu, value: 3"), "value: does not go with resource: more replicas do not lower the sum"),
        (signal("resource: cpu, utilization: 70%, container: app"), "container: does not go with a compose target"),
        (signal(f"{QUERY}, per_replica: 8, container: app"), "container: does not go with prometheus: only resource"),
        (of(CPU, "{process: {command: [x]}}"), "resource: does not go with a process target: nothing measures single"),
        (signal("scrape: {metric: m, as: gauge, port: 1}, per_replica: 1, empty: {zero_if: up}"), "zero_if: does"),
        # ages that cannot be told
        (signal("prometheus: 'sum(', per_replica: 1, max_age: 1m"), "max_age: the age of the data cannot be told"),
        (signal("prometheus: 'sum(', per_replica: 1, coverage: 50%"), "coverage: which instances are in the data"),
        (signal("prometheus: vector(1), per_replica: 1, max_age: 1m"), "the query reads no series"),
        # steps, plausible, counts
        (signal(f"{QUERY}, steps: [{{above: 5, replicas: 2}}, {{above: 5, replicas: 3}}]"), "steps[1].above: must be"),
        (signal(f"{QUERY}, steps: [{{above: 5, replicas: 3}}, {{above: 6, replicas: 3}}]"), "steps[1].replicas: must"),
        (signal(f"{QUERY}, steps: []"), "steps: expected at least one item"),
        (signal(f"{QUERY}, per_replica: 1, plausible: {{}}"), "plausible: expected min, max or both, got none"),
        (signal(f"{QUERY}, per_replica: 1, plausible: {{min: 5, max: 5}}"), "plausible.max: must be more than min (5)"),
        (signal(f"{QUERY}, per_replica: 1, at_most: 1"), "at_most: must be within replicas (2 to 12), got 1"),
        (signal(f"{QUERY}, per_replica: 1, at_most: 13"), "at_most: must be within replicas (2 to 12), got 13"),
        (signal(f"{QUERY}, per_replica: 1, failed: {{at_least: 13}}"), "failed.at_least: must be within replicas"),
        (signal(f"{QUERY}, per_replica: 1, failed: {{}}"), "failed: expected exactly one of last_good, at_least"),
        (signal(f"{QUERY}, per_replica: 1, failed: {{last_good: 5m, at_least: 3}}"), "got last_good and at_least"),
        # words or maps
        (signal(f"{QUERY}, per_replica: 1, empty: none"), "empty: expected missing, 0 or ignore, got none"),
        (signal(f"{QUERY}, per_replica: 1, empty: []"), "missing, 0 or ignore or a map of zero_if, got a list"),
        (signal(f"{QUERY}, per_replica: 1, empty: {{zero: x}}"), "empty.zero: unknown key"),
        (signal(f"{QUERY}, per_replica: 1, failed: holt"), "hint: did you mean hold?"),
        (SMALLEST + "behavior: legasy\n", "hint: did you mean legacy?"),
        (signal(f"{QUERY}, per_replica: 1, empty: {{zero_if: 'up{{a=\"{{namespace}}\"}}'}}"), "stands for nothing"),
        # quantities
        (signal(f"{QUERY}, per_replica: 500m"), "0.5 or 500ms? m as a thousandth is only for Kubernetes quantities"),
        (signal(f"{QUERY}, per_replica: 1G"), "per_replica: expected a number, above 0, got 1G"),
        (signal("resource: memory, per_replica: 5 MB"), "got 5 MB\n  hint: 500m is half a core, 256Mi are bytes"),
        (signal("resource: cpu, per_replica: 0m"), "a number or a quantity such as 500m or 256Mi, above 0, got"),
        (signal(f"{QUERY}, per_replica: 8, plausible: {{max: 300m}}"), "hint: 0.3 or 300ms?"),
        # idle
        (HEAD + WAKES, "signals[0].wake_above: does nothing without idle"),
        (SMALLEST + "idle: {after: 10m}\n", "8:7: idle: needs a signal with wake_above"),
        (HEAD + WAKES + "idle: {after: 10m, replicas: 2}\n", "idle.replicas: must be less than replicas.min (2)"),
        (HEAD + WAKES + "idle: {replicas: 0}\n", "idle: after is missing"),
        (HEAD.replace("replicas: {min: 2, max: 12}\n", "recycle: {when: {unhealthy_for: 1m}}\nidle: {after: 1m}\n"),
         "idle: needs replicas"),
        (HEAD + f"idle: {{after: 1m}}\nsignals: [{{name: w, {QUERY}, wake_above: 0, at_most: 3}}]\n",
         "at_most: does nothing: this signal has no goal"),
        (HEAD + f"idle: {{after: 1m}}\nsignals: [{{name: w, {QUERY}, wake_above: 0, failed: {{at_least: 3}}}}]\n",
         "failed: does nothing: this signal has no goal"),
        # schedule
        (window("cron: 0 8 * * *, for: 1h"), "schedule[0]: expected min, max or both, got none"),
        (window("cron: 0 8 * * *, for: 1h, min: 5, max: 4"), "schedule[0].max: must be at least min (5), got 4"),
        (window("cron: 0 8 * * *, for: 1h, min: 1"), "schedule[0].min: must be within replicas (2 to 12), got 1"),
        (window("cron: 0 8 * * *, for: 1h, max: 13"), "schedule[0].max: must be within replicas (2 to 12), got 13"),
        (window("cron: 0 8 * *, for: 1h, min: 3"), "schedule[0].cron: expected five fields"),
        (window("cron: 0 8 * * *, for: 25h, min: 3"), "schedule[0].for: its next start comes before its end"),
        (window("cron: 0 8 * * *, for: 1h, min: 3, timezone: Asia/Soul"), "hint: did you mean Asia/Seoul?"),
        (window("cron: 0 8 * * *, for: 1h, min: 3, timezone: seoul"), "hint: did you mean Asia/Seoul?"),
        (window("cron: 0 8 * * *, for: 1h, min: 3, timezone: ../etc/passwd"), "there is no time zone ../etc/passwd"),
        (window("cron: 0 8 * * *, for: 1h, min: 3, timezone: America"), "there is no time zone America"),
        (window("cron: 0 8 * * *, for: 1h, min: 3, except: [2026-02-30]"), "except[0]: expected a date such as"),
        (window("cron: 0 8 * * *, for: 1h, min: 3, except: [20261225]"), "except[0]: expected a date"),
        (window("cron: 0 8 * * *, for: 1h, min: 3") + "  - {name: office, cron: 0 9 * * *, for: 1h, min: 3}\n",
         "schedule[1].name: there is another window named office"),
        (HEAD.replace("replicas: {min: 2, max: 12}\n", "recycle: {when: {unhealthy_for: 1m}}\n")
         + "schedule: [{name: a, cron: 0 8 * * *, for: 1h, min: 3}]\n", "schedule: needs replicas"),
        # the rest
        (SMALLEST + "every: 0s\n", "every: expected a duration such as 30s, above 0"),
        (SMALLEST + "behavior: {up: {rates: [{per: 15s}]}}\n", "rates[0]: expected exactly one of replicas, percent"),
        (SMALLEST + "behavior: {reversals: {count: 6}}\n", "behavior.reversals: per is missing"),
        (SMALLEST + "behavior: {reversals: 6 per 1h}\n", "behavior.reversals: expected a map, got 6 per 1h"),
        (SMALLEST + "behavior: {reversals: {count: 2, per: 1h}}\nparity: strict\n", "reversals: does not go with"),
        (SMALLEST + "recycle: {when: {}}\n", "recycle.when: expected at least one cause, got none"),
        (SMALLEST + "recycle: {when: {restarts: {count: 3}}}\n", "recycle.when.restarts: per is missing"),
        (SMALLEST + "recycle: {when: {exited: ok}}\n", "recycle.when.exited: expected"),
        (SMALLEST + "recycle: {when: {unhealthy_for: 1m}, unavailable: 0}\n", "recycle.unavailable: expected"),
        (SMALLEST + "recycle: {when: {unhealthy_for: 1m}, windows: [{cron: 0 3 * * *, for: 1h}]}\n",
         "recycle.windows: does nothing without older_than, image_changed or config_changed"),
        (SMALLEST.replace("compose: {project: shop, service: web}", "kubernetes: {namespace: shop, name: web}")
         + "recycle: {when: {unhealthy_for: 1m}, method: restart}\n",
         "recycle.method: restart does nothing without older_than or image_changed"),
        (SMALLEST.replace("compose: {project: shop, service: web}",
                          "kubernetes: {namespace: shop, kind: ReplicaSet, name: web}")
         + "recycle: {when: {older_than: 1d}, method: restart}\n",
         "recycle.method: restart does not go with a ReplicaSet: it does not roll"),
        (SMALLEST + "recycle: {when: {unhealthy_for: 1m}, pull: {cron: 0 3 * * *}}\n",
         "recycle.pull: does nothing without image_changed: what is pulled replaces nobody"),
        (SMALLEST + "recycle: {when: {image_changed: true}, pull: {cron: 0 3 * *}}\n",
         "recycle.pull.cron: expected five fields"),
        (SMALLEST + "recycle: {when: {image_changed: true}, pull: {cron: 0 3 * * *, timezone: Mars}}\n",
         "recycle.pull.timezone: there is no time zone Mars"),
        (SMALLEST.replace("compose: {project: shop, service: web}", "kubernetes: {namespace: shop, name: web}")
         + "recycle: {when: {image_changed: true}, pull: {cron: 0 3 * * *}}\n",
         "recycle.pull: does not go with a kubernetes target: its nodes pull images"),
        (SMALLEST + "recycle: {when: {older_than: 1d}, windows: [{cron: 0 3 * *, for: 1h}]}\n",
         "recycle.windows[0].cron: expected five fields"),
        (SMALLEST + "recycle: {when: {older_than: 1d}, method: delete}\n", "does not go with a compose target"),
        (KUBERNETES + "recycle: {when: {older_than: 1d}, how: surge}\n", "recycle.how: does not go with a kubernetes"),
        (KUBERNETES + "recycle: {when: {exited: error}}\n", "when.exited: does not go with a kubernetes target"),
        (PROCESS + "recycle: {when: {image_changed: true}}\n", "workers have no image"),
        (PROCESS + "recycle: {when: {memory_growth: {percent: 50, per: 6h}}}\n", "the memory of single workers"),
        (SMALLEST + "recycle: {when: {outlier: {prometheus: lag, for: 5m}}}\n", "outlier: times_median is missing"),
        (SMALLEST + "recycle: {when: {outlier: {prometheus: lag, for: 5m, times_median: 1}}}\n", "a number, above 1"),
        (SMALLEST + "recycle: {when: {outlier: {prometheus: 'lag{a=\"{namespace}\"}', for: 5m, times_median: 3}}}\n",
         "recycle.when.outlier.prometheus: {namespace} stands for nothing with a compose target"),
        (SMALLEST + "labels: [a]\n", "labels: expected a map, got a list"),
        (SMALLEST + "lifecycle: {before_stop: {http: drain}}\n", "http: expected text like :8000/drain, got drain"),
        (SMALLEST + "lifecycle: {before_stop: {http: /drain}}\n", "before_stop.http: port is missing, got /drain"),
        (KUBERNETES + "lifecycle: {before_stop: {http: ':8000/drain'}}\n", "preStop hook"),
        (KUBERNETES + "lifecycle: {drain: 5s}\n", "lifecycle.drain: does not go with a kubernetes target"),
        (HEAD.replace("replicas: {min: 2, max: 12}\n", ""), "this policy does nothing"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_said_with_a_way_out(text: str, said: str) -> None:
    assert said in "\n".join(problems(text))


@pytest.mark.parametrize(
    "text",
    [
        of(SMALLEST, "{compose: {project: '*', service: web}}"),
        of(SMALLEST, "{compose: {project: '*', selector: {tier: web}}}"),
        signal(f"{QUERY}, per_replica: 8, at_most: 2"),
        signal(f"{QUERY}, per_replica: 8, max_age: 1m, coverage: 90%, reduce: max, server: eu"),
        signal("resource: cpu, steps: [{above: 1, replicas: 2}, {above: 2, replicas: 4}]"),
        signal("scrape: {metric: m, as: gauge, port: 1}, utilization: 50%"),
        signal("prometheus: 'sum(', per_replica: 1"),
        signal('push: {match: \'m{a="{service}", b=~"x.*"}\', as: rate}, reduce: sum, per_replica: 1, max_age: 1m'),
        of(signal("scrape: {metric: m, as: gauge}, per_replica: 1"), "{process: {command: [x]}}"),
        HEAD + WAKES + "idle: {after: 10m}\n",
        of(HEAD, "{process: {command: [x]}}") + WAKES + "idle: {after: 10m}\n",
        window("cron: 0 8 * * *, for: 24h, min: 3"),
        window("cron: 0 0 * * fri-mon, for: 1d, max: 3, timezone: UTC, except: [2028-02-29]"),
        HEAD,
        SMALLEST + "behavior: {reversals: {count: 2, per: 1h}}\n",
        SMALLEST + "parity: strict\nmode: observe\nevery: 30s\ncombine: all\n",
    ],
)
def test_what_is_close_to_it_but_fine_loads(text: str) -> None:
    assert one(text).name == "web"


def test_words_and_maps_stand_for_what_they_say() -> None:
    words = one(signal(f"{QUERY}, per_replica: 8, empty: 0, nan: ignore, failed: hold")).signals[0]
    assert (words.empty, words.nan, words.failed) == (Empty.ZERO, NotANumber.IGNORE, Failing.HOLD)
    quoted = one(signal(f"{QUERY}, per_replica: 8, empty: '0', plausible: {{min: 5ms}}")).signals[0]
    assert (quoted.empty, quoted.plausible) == (Empty.ZERO, Plausible(min=0.005))
    maps = one(signal(f"{QUERY}, per_replica: 8, empty: {{zero_if: up}}, failed: {{last_good: 5m}}")).signals[0]
    assert (maps.empty, maps.failed) == (ZeroIf(zero_if="up"), Fallback(last_good=300.0))
    assert one(SMALLEST + "behavior: legacy\n").behavior is Legacy.LEGACY


def test_quantities_stand_beside_a_resource_in_any_order() -> None:
    for written, meant in (("500m", 0.5), ("0.5", 0.5), ("256Mi", 268435456.0), ("1G", 1e9), ("'2'", 2.0)):
        for words in (f"resource: memory, per_replica: {written}", f"per_replica: {written}, resource: memory"):
            found = one(signal(words)).signals[0]
            assert (found.resource, found.per_replica) == (Resource.MEMORY, meant)


def test_rules_of_several_parts_are_all_told_at_once() -> None:
    text = HEAD.replace("max: 12", "max: 1") + (
        f"signals: [{{name: s, {QUERY}}}]\nschedule: [{{name: a, cron: 0 25 * * *, for: 1h, min: 3}}]\n"
    )
    found = problems(text)
    assert [each.split(": ")[1] for each in found] == [
        "replicas.max",
        "signals[0]",
        "schedule[0].cron",
        "schedule[0].min",
    ]


PLACES: dict[str, str] = {
    "Policy": "{key}: {{}}\n",
    "TargetSpec": "target: {{{key}: {{}}}}\n",
    "KubernetesTarget": "target: {{kubernetes: {{namespace: a, name: b, {key}: x}}}}\n",
    "Signal": "signals: [{{name: s, prometheus: up, per_replica: 1, {key}: x}}]\n",
}


@pytest.mark.parametrize(
    ("kind", "key"), [(kind, key) for kind, keys in LATER.items() for key in sorted(keys)], ids=lambda each: str(each)
)
def test_a_key_that_does_not_work_yet_is_refused_by_name(kind: type, key: str) -> None:
    own = PLACES[kind.__name__].format(key=key)
    head = "name: web\nreplicas: {max: 3}\n"
    target = "" if own.startswith("target") else "target: {compose: {project: a, service: b}}\n"
    assert f"{key}: not available yet" in problem(head + target + own)


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    assert "kind: expected policy, defaults or cleanup, got polisy" in problem("kind: polisy\n")


def test_two_policies_on_one_explicit_target_are_refused_and_selectors_are_not() -> None:
    second = SMALLEST.replace("name: web", "name: api", 1)
    assert "target: policy web at 0.yaml:1 steers compose/shop/web already" in problems(SMALLEST, second)[0]
    by_label = of(second, "{compose: {project: shop, selector: {a: b}}}")
    elsewhere = of(second, "{compose: {project: shop, service: web, engine: west}}")
    assert isinstance(one(by_label), Policy)
    for other in (by_label, elsewhere):
        assert len(load([("a", SMALLEST), ("b", other)], "r").placed) == 2
