// One workload: how its count came about, its instances, its past on one time axis, and what happened.
import { html, useEffect, useState } from "/vendor/htm-preact.js";
import { get, named } from "/js/api.js";
import { Charts } from "/js/charts.js";
import { useAnswer } from "/js/live.js";
import { At, Bar, For, Skeleton, Tag, Trouble } from "/js/parts.js";
import { say } from "/js/say.js";
import { goal, load, now, number, parts, span } from "/js/words.js";

const RANGES = { "1 h": 3600, "6 h": 6 * 3600, "24 h": 24 * 3600, "7 d": 7 * 24 * 3600 };

export function WorkloadPage({ name }) {
  const [range, setRange] = useState(3600);
  const [at, setAt] = useState(null);
  const detail = useAnswer(() => get(`/workloads/${named(name)}`), [name]);
  const series = useAnswer(() => get(`/series/${named(name)}`, { since: now() - range }), [name, range]);
  const history = useAnswer(() => get("/history", { workload: name, limit: 60 }), [name]);
  const past = useAnswer(() => (at === null ? Promise.resolve(null) : get(`/explain/${named(name)}`, { at })), [name, at]);
  const w = detail.answer?.workload;
  useEffect(() => { document.title = `autoscaler · ${parts(name).name}`; }, [name]);
  if (!w) return html`<${Trouble} error=${detail.error} />${!detail.error && html`<${Skeleton} rows=${10} />`}`;
  const lines = history.answer?.lines ?? [];
  return html`
    <${Title} w=${w} detail=${detail.answer} />
    <${Trouble} error=${detail.error} />
    <div class="work">
      <div class="left">
        <section class="card past" aria-labelledby="charts-title">
          <header><h2 id="charts-title">Replicas and signals</h2>
            <div class="chips" role="group" aria-label="time range">${Object.entries(RANGES).map(([word, seconds]) => html`
              <button class="chip" aria-pressed=${range === seconds ? "true" : "false"} onClick=${() => setRange(seconds)}>${word}</button>`)}</div></header>
          ${series.answer ? html`<${Charts} w=${w} signals=${detail.answer.signals} series=${series.answer} lines=${lines} range=${range} pick=${setAt} at=${at} />`
            : html`<${Skeleton} rows=${6} /><${Trouble} error=${series.error} />`}
        </section>
        <${History} lines=${lines} pick=${setAt} error=${history.error} />
      </div>
      <div class="right">
        <${How} detail=${detail.answer} past=${past} at=${at} back=${() => setAt(null)} />
        <${Signals} signals=${detail.answer.signals} />
        <${Instances} detail=${detail.answer} />
      </div>
    </div>`;
}

function Title({ w, detail }) {
  const { platform, space, kind, name } = parts(w.key);
  const busy = w.doing.length > 0;
  return html`<section class="title">
    <p class="crumbs"><a href="#/">‹ fleet</a></p>
    <div class="names"><h1>${space}/<b>${name}</b></h1>
      <p class="soft">${platform} ${kind.toLowerCase()} · policy <a href=${`#/policies/${named(w.file)}`}>${w.policy}</a> (${w.file}:${w.line})
        ${detail.algorithm === "adaptive" && " · adaptive"}</p></div>
    <p class="now"><b class="big">${w.existing ?? "?"}</b> <span class="soft">of ${w.min ?? "–"}–${w.max ?? "–"}</span>
      <${Bar} w=${w} />
      <span>${w.ready ?? "?"} ready</span>
      ${w.desired !== null && w.desired !== w.existing && html`<span class="to">${w.desired > w.existing ? "▲" : "▼"} wants ${w.desired}</span>`}
      ${detail.asked !== null && detail.asked !== w.desired && html`<span>signals ask for ${detail.asked}</span>`}
      ${w.since !== null && html`<span><code>${w.reason}</code> for <${For} at=${w.since} /></span>`}
    </p>
    <p class="lead">${w.because || "waiting for the first cycle"}</p>
    ${w.trouble && html`<p class="trouble"><b>${w.trouble}</b></p>`}
    ${w.pause && html`<p class="said"><${Tag} state="paused" /> ${w.pause.by && `by ${w.pause.by} `}${w.pause.until ? html`for another ${span(w.pause.until - now())}` : "until resumed"}${w.pause.why && `: ${w.pause.why}`}</p>`}
    ${w.override && html`<p class="said"><${Tag} state="override" /> ${w.override.count} ${w.override.by && `by ${w.override.by} `}for another ${span(w.override.until - now())}${w.override.why && `: ${w.override.why}`}</p>`}
    ${w.mode === "observe" && html`<p class="said"><${Tag} state="observe" /> decides and records, changes nothing</p>`}
    ${detail.windows.map((window) => html`<p class="said"><span class="tag hold">⧗ ${window.name}</span> open until <${At} at=${window.end} />:
      ${window.min !== null && ` at least ${window.min}`}${window.max !== null && ` at most ${window.max}`}</p>`)}
    ${busy && html`<p class="said"><span class="tag act">▲ under way</span> ${w.doing.slice(0, 4).map((each) => `${each.kind} ${each.stage}`).join(", ")}${w.doing.length > 4 && `, ${w.doing.length - 4} more`}</p>`}
    <p class="actions">
      ${w.pause || w.override ? html`<button onClick=${() => say("resume", w)}>Resume</button>` : html`<button onClick=${() => say("pause", w)}>Pause</button>`}
      <button onClick=${() => say("override", w)} disabled=${w.max === null}>Override</button></p>
  </section>`;
}

function How({ detail, past, at, back }) {
  const then = at !== null;
  const steps = then ? past.answer?.steps : detail.steps;
  const count = then ? past.answer?.decision.desired : detail.workload.desired;
  return html`<section class="card how" aria-labelledby="how-title">
    <header><h2 id="how-title">How ${count ?? "it"} came about</h2>
      ${then && html`<button class="chip" onClick=${back}>at <${At} at=${at} /> ✕ back to now</button>`}</header>
    ${then && html`<${Trouble} error=${past.error} />`}
    ${then && past.answer?.note && html`<p class="soft">${past.answer.note}</p>`}
    ${steps?.length ? html`<ol class="steps">${steps.map((step) => html`<li class=${step.before !== step.after ? "moves" : ""}>
      <span class="stage">${step.stage}</span>
      <span class="move">${step.before !== step.after ? html`${step.before} → <b>${step.after}</b>` : html`<b>${step.after}</b>`}</span>
      <span class="words">${step.sentence} <code>${step.reason}</code></span></li>`)}</ol>` : html`<p class="soft">Not decided yet.</p>`}
  </section>`;
}

function Signals({ signals }) {
  if (!signals.length) return null;
  return html`<section class="card" aria-labelledby="signals-title"><header><h2 id="signals-title">Signals</h2></header>
    <div class="scroll"><table class="plain"><thead><tr><th scope="col">signal</th><th scope="col" class="num">now</th><th scope="col" class="num">target</th><th scope="col" class="num">asks for</th><th scope="col" class="num">age</th></tr></thead>
    <tbody>${signals.map((signal) => html`<tr><th scope="row" title=${signal.query}>${signal.name}<br /><small class="soft">${signal.source}</small></th>
      <td class="num">${signal.missing ? html`<span class="tag warn" title=${signal.missing}>? no data</span>` : html`<b>${load(signal)}</b>`}
        ${signal.expected !== null && html`<br /><small class="soft">expects ${number(signal.expected)}</small>`}</td>
      <td class="num">${goal(signal)}</td><td class="num">${signal.asks ?? "–"}</td>
      <td class="num soft">${signal.age_s === null ? "–" : span(signal.age_s)}</td></tr>`)}</tbody></table></div>
    ${signals.some((each) => each.query) && html`<details><summary>queries</summary>${signals.filter((each) => each.query).map((each) => html`<p><b>${each.name}</b></p><pre>${each.query}</pre>`)}</details>`}
  </section>`;
}

function Instances({ detail }) {
  const { instances, recycle } = detail;
  const sick = recycle ? ` (${recycle.sick} sick, ${recycle.replacing} being replaced)` : "";
  return html`<section class="card" aria-labelledby="instances-title"><header><h2 id="instances-title">Instances <span class="soft">${instances.length}${sick}</span></h2></header>
    ${recycle && html`<p class="soft">${recycle.unhealthy_for_s === null ? "" : `One that is unhealthy for ${span(recycle.unhealthy_for_s)} gets a successor. `}${recycle.sentence}</p>`}
    ${instances.length ? html`<div class="scroll tall" tabindex="0" role="region" aria-label="instances"><table class="plain"><thead><tr><th scope="col">instance</th><th scope="col">state</th><th scope="col" class="num">for</th><th scope="col" class="num">age</th><th scope="col" class="num">restarts</th></tr></thead>
      <tbody>${instances.map((each) => html`<tr><th scope="row">${each.name}</th><td>${stateOf(each)}</td><td class="num"><${For} at=${each.since} /></td>
        <td class="num"><${For} at=${each.created} /></td><td class="num">${each.restarts}${each.oom_kills > 0 && html` <span class="tag bad">out of memory</span>`}</td></tr>`)}</tbody></table></div>`
      : html`<p class="soft">None runs.</p>`}
  </section>`;
}

function stateOf(each) {
  if (each.draining) return html`<span class="tag hold">◐ leaving</span>`;
  if (each.ready) return html`<span class="tag ok">● ready</span>${each.drifted && html` <span class="tag warn">drifted</span>`}`;
  return each.was_ready ? html`<span class="tag bad">■ sick</span>` : html`<span class="tag act">▲ starting</span>`;
}

function History({ lines, pick, error }) {
  return html`<section class="card story-card" aria-labelledby="history-title"><header><h2 id="history-title">What happened</h2></header>
    <${Trouble} error=${error} />
    ${lines.length ? html`<ol class="story">${lines.map((line) => html`<li>
      <span class="when"><${At} at=${line.at} /></span>
      <span class="move">${moveOf(line)}</span>
      <span class="words">${line.text}${line.by && html` <span class="tag off">${line.by}</span>`} <code>${line.reason}</code> ${" "}<small class="soft" title="policy set">${line.revision.slice(0, 7)}</small>
        ${line.kind === "decision" && html` <button class="link" onClick=${() => pick(line.at)}>how?</button>`}</span></li>`)}</ol>`
      : html`<p class="soft">Nothing yet.</p>`}
  </section>`;
}

function moveOf(line) {
  if (line.before === null || line.after === null) return line.after ?? html`<span class="soft">${line.kind}</span>`;
  if (line.before === line.after) return line.after;
  return html`<span class=${line.after > line.before ? "up" : "down"}>${line.after > line.before ? "▲" : "▼"} ${line.before} → ${line.after}</span>`;
}
