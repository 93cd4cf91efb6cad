// The fleet: what needs a person, chips, and one line per workload. Filtering, sorting and paging is the daemon's.
import { html, useEffect, useRef, useState } from "/vendor/htm-preact.js";
import { get, named } from "/js/api.js";
import { useAnswer } from "/js/live.js";
import { Bar, Empty, For, Sign, Skeleton, Spark, STATES, Trouble } from "/js/parts.js";
import { goal, load, number, parts, reason } from "/js/words.js";

const PAGE = 50;
const ORDERS = { urgent: "needs you", name: "name", changed: "last changed", replicas: "most replicas", fullest: "fullest" };

const EXAMPLE = `name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 12}
signals:
  - name: in flight
    prometheus: sum(haproxy_backend_current_sessions{proxy="{service}"})
    per_replica: 8`;

function moved(query, changes) {
  const next = new URLSearchParams(query);
  for (const [key, value] of Object.entries(changes)) value ? next.set(key, value) : next.delete(key);
  location.hash = `#/?${next}`;
}

export function FleetPage({ query }) {
  const asked = {
    search: query.get("search") ?? "",
    state: query.get("state") ?? "",
    reason: query.get("reason") ?? "",
    sort: query.get("sort") ?? "urgent",
    offset: Number(query.get("offset") ?? 0),
    limit: PAGE,
  };
  const { answer, error } = useAnswer(() => get("/workloads", asked), Object.values(asked));
  useEffect(() => { document.title = "autoscaler · fleet"; }, []);
  const filtered = asked.search || asked.state || asked.reason;
  return html`
    <h1 class="hidden">Fleet</h1>
    <${Urgent} rows=${answer?.urgent ?? []} count=${answer?.counts.urgent ?? 0} query=${query} />
    <${Controls} asked=${asked} answer=${answer} query=${query} />
    <${Trouble} error=${error} />
    ${!answer && !error && html`<${Skeleton} rows=${12} />`}
    ${answer && answer.total === 0 && html`<${First} />`}
    ${answer && answer.total > 0 && answer.rows.length === 0 && html`<${Empty} title="No workload is like that">
      <p>${filtered && html`<button onClick=${() => { location.hash = "#/"; }}>Show all ${answer.total}</button>`}</p></${Empty}>`}
    ${answer && answer.rows.length > 0 && html`<${Rows} rows=${answer.rows} />`}
    ${answer && html`<${Pager} answer=${answer} query=${query} />`}`;
}

function Urgent({ rows, count, query }) {
  if (!rows.length) return null;
  return html`<section class="urgent" aria-label="needs you">
    <button class="lead" onClick=${() => moved(query, { state: "urgent", offset: "" })}><span aria-hidden="true">◆</span> ${count} ${count === 1 ? "needs" : "need"} you</button>
    <ul>${rows.map(({ workload: w, urgent }) => html`<li key=${w.key}>
      <a href=${`#/w/${named(w.key)}`}>${parts(w.key).space}/${parts(w.key).name}</a> ${urgent}
      ${w.since !== null && html` <span class="soft">for <${For} at=${w.since} /></span>`}</li>`)}
      ${count > rows.length && html`<li class="soft">and ${count - rows.length} more</li>`}</ul>
  </section>`;
}

function Controls({ asked, answer, query }) {
  const [typed, type] = useState(asked.search);
  const timer = useRef(null);
  useEffect(() => { if (document.activeElement?.type !== "search") type(asked.search); }, [asked.search]);
  const search = (event) => {
    type(event.target.value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => moved(new URLSearchParams(location.hash.split("?")[1] ?? ""), { search: event.target.value, offset: "" }), 150);
  };
  const chip = (state, word, count, sign) => html`<button class="chip" key=${state} aria-pressed=${asked.state === state ? "true" : "false"}
    onClick=${() => moved(query, { state: asked.state === state ? "" : state, reason: "", offset: "" })}>
    ${sign} ${word} <b>${number(count)}</b></button>`;
  const shown = Object.keys(STATES).filter((state) => answer?.counts[state] || state === asked.state);
  return html`<section class="controls" aria-label="filters">
    <div class="find"><input type="search" placeholder="Search: name, team=shop, reason   /" aria-label="search workloads" value=${typed} onInput=${search} />
    <label class="sort">sort <select value=${asked.sort} onChange=${(event) => moved(query, { sort: event.target.value, offset: "" })}>
      ${Object.entries(ORDERS).map(([key, word]) => html`<option value=${key}>${word}</option>`)}</select></label></div>
    <div class="chips">
      ${answer ? html`${chip("", "all", answer.total, "")}${shown.map((state) => chip(state, STATES[state].word, answer.counts[state],
        html`<span class="sign ${STATES[state].tone}" aria-hidden="true">${STATES[state].sign}</span>`))}` : html`<span class="chip">…</span>`}
    </div>
    ${asked.state === "held" && answer && html`<div class="chips why" aria-label="held why">
      ${Object.entries(answer.held).map(([code, count]) => html`<button class="chip" key=${code} aria-pressed=${asked.reason === code ? "true" : "false"}
        onClick=${() => moved(query, { reason: asked.reason === code ? "" : code, offset: "" })}>${reason(code)} <b>${count}</b></button>`)}</div>`}
  </section>`;
}

function Rows({ rows }) {
  return html`<div class="scroll"><table class="fleet">
    <caption class="hidden">workloads</caption>
    <thead><tr><th scope="col">workload</th><th scope="col" class="num">replicas</th><th scope="col"><span class="hidden">of its maximum</span></th>
      <th scope="col">last 6 h</th><th scope="col">leading signal</th><th scope="col">because</th></tr></thead>
    <tbody>${rows.map((row) => html`<${Line} key=${row.workload.key} row=${row} />`)}</tbody></table></div>`;
}

function Line({ row }) {
  const w = row.workload;
  const { platform, space, name } = parts(w.key);
  const to = `#/w/${named(w.key)}`;
  const changing = w.desired !== null && w.current !== null && w.desired !== w.existing;
  const tags = row.states.filter((state) => ["paused", "override", "observe"].includes(state));
  const open = (event) => { if (!event.target.closest("a,button") && !getSelection().toString()) location.hash = to; };
  return html`<tr onClick=${open}>
    <th scope="row"><${Sign} states=${row.states} down=${w.desired < w.existing} />
      <a href=${to} data-row>${space}/<b>${name}</b></a> <span class="soft">${platform}</span></th>
    <td class="num"><b>${w.existing ?? "?"}</b>${changing && html`<span class="to"> → ${w.desired}</span>`}
      <span class="soft of"> / ${w.max ?? "–"}</span></td>
    <td class="barcell"><${Bar} w=${w} /></td>
    <td class="sparkcell"><${Spark} values=${row.trail} most=${w.max} /></td>
    <td class="signal">${row.signal && html`<span class="soft">${row.signal.name}</span> <b>${load(row.signal)}</b>
      <span class="soft"> of ${goal(row.signal)}</span>`}</td>
    <td class="because">${tags.map((state) => html`<span class="tag ${STATES[state].tone}">${STATES[state].sign} ${STATES[state].word}</span> `)}
      <span title=${w.because}>${w.because || w.trouble || "waiting for the first cycle"}</span></td>
  </tr>`;
}

function Pager({ answer, query }) {
  const { offset, matching, rows } = answer;
  if (matching <= rows.length) return html`<p class="pager soft">${number(matching)} of ${number(answer.total)}</p>`;
  const to = (first) => moved(query, { offset: first > 0 ? String(first) : "" });
  return html`<nav class="pager" aria-label="pages of workloads">
    <button disabled=${offset === 0} onClick=${() => to(offset - PAGE)}>‹ before</button>
    <span>${offset + 1}–${offset + rows.length} of ${matching.toLocaleString("en")}</span>
    <button disabled=${offset + PAGE >= matching} onClick=${() => to(offset + PAGE)}>next ›</button></nav>`;
}

const First = () => html`<${Empty} title="No policy yet">
  <p>A policy says what is scaled, by which signal, and how far. Put one into the policy folder, and it is in force within seconds:</p>
  <pre>${EXAMPLE}</pre>
  <p><code>autoscaler validate</code> checks it, <code>autoscaler dry-run</code> says what it would do.</p></${Empty}>`;
