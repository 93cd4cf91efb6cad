// The charts of one workload: replicas first, then each signal, all on one time axis; and the same as a table.
import { html } from "/vendor/htm-preact.js";
import { band, Chart, colour, marks } from "/js/chart.js";
import { clock, number, now } from "/js/words.js";

const SERIES = ["series-a", "series-b", "series-c", "series-d"];

export function Charts({ w, signals, series, lines, range, pick, at }) {
  const count = Math.max(0, ...Object.values(series.values).map((values) => values.length));
  const times = Array.from({ length: count }, (_, i) => series.start + i * series.every_s);
  const span = () => [now() - range, now()];
  const values = (name) => series.values[name] ?? times.map(() => null);
  const replicas = [
    { label: "asked", values: values("asked"), colour: "soft", dash: [4, 4], step: true, width: 1.25 },
    { label: "existing", values: values("existing"), colour: "series-a", step: true, fill: 0.12 },
    { label: "ready", values: values("ready"), colour: "ok", step: true, width: 1.25 },
  ];
  const recorded = series.values.recorded?.some((value) => value !== null) ? series.values.recorded : null;
  if (recorded) replicas.unshift({ label: "on record", values: times.map((_, i) => recorded[i] ?? null), colour: "series-a", dash: [2, 3], step: true, width: 1.25 });
  const behind = (u) => {
    const [from, to] = span();
    if (w.max !== null) band(u, from, to, w.max, 1e9, "beyond");
    if (w.min !== null) band(u, from, to, 0, w.min, "beyond");
    for (const window of series.windows) {
      if (window.min !== null) band(u, window.start, window.end, w.min ?? 0, window.min, "hold", true);
      if (window.max !== null && w.max !== null) band(u, window.start, window.end, window.max, w.max, "hold", true);
    }
    if (w.mode !== "observe") marks(u, lines.map(markOf).filter(Boolean));
    cursorAt(u, at);
  };
  return html`<div class="charts">
    <${Chart} title=${html`<b>replicas</b> <span class="key existing">existing</span> <span class="key ready">ready</span> <span class="key asked">asked by signals</span>${recorded && html` <span class="key recorded">on record</span>`}${series.windows.length > 0 && html` <span class="key window">schedule</span>`}`}
      times=${times} lines=${replicas} height=${210} span=${span} draw=${behind} onPick=${pick} least=${w.max ?? 1} />
    ${signals.filter((signal) => signal.goal !== "wake_above").map((signal, i) => html`
      <${SignalChart} key=${signal.name} signal=${signal} times=${times} values=${values} span=${span} pick=${pick} at=${at} tone=${SERIES[i % SERIES.length]} />`)}
    <${Known} times=${times} series=${series} />
    <p class="soft hint">Click a moment to see how its count came about.</p>
    <${Table} times=${times} series=${series} />
  </div>`;
}

// How far back what is drawn is known, and by what.
function Known({ times, series }) {
  const { recorded, ...others } = series.values;
  const first = (columns) => times.findIndex((_, i) => columns.some((values) => (values[i] ?? null) !== null));
  const any = first(Object.values(series.values));
  const own = first(Object.values(others));
  if (any < 0) return html`<p class="soft hint">No data in this time.</p>`;
  return html`${any > 0 && html`<p class="soft hint">No data before ${clock(times[any])}.</p>`}
    ${recorded && recorded[any] !== undefined && own !== any && html`<p class="soft hint">${own < 0 ? "In this time" : `Before ${clock(times[own])}`} the daemon has only what is on record: the count it last decided, drawn dotted, and no loads.</p>`}`;
}

function SignalChart({ signal, times, values, span, pick, at, tone }) {
  const unit = signal.goal === "utilization" ? " %" : "";
  const expected = values(`expected ${signal.name}`);
  const drawn = [{ label: signal.name, values: values(`signal ${signal.name}`), colour: tone, fill: 0.08 }];
  if (expected.some((value) => value !== null)) drawn.unshift({ label: "expected at most", values: expected, colour: "series-b", dash: [5, 4], width: 1.25 });
  const scalar = signal.goal === "utilization" || signal.goal === "value";
  const behind = (u) => {
    if (scalar && signal.target !== null) {
      const y = u.valToPos(signal.target, "y", true);
      line(u, u.bbox.left, y, u.bbox.left + u.bbox.width, y, "soft");
    }
    cursorAt(u, at);
  };
  const target = scalar ? `target ${number(signal.target)}${unit}` : signal.goal === "per_replica" ? `target ${number(signal.target)} per replica` : signal.goal;
  return html`<${Chart} title=${html`<b>${signal.name}</b> <span class="soft">${target}</span>${signal.expected !== null && html` <span class="key expected">expected at most</span>`}${signal.missing && html` <span class="tag warn">? ${signal.missing}</span>`}`}
    times=${times} lines=${drawn} height=${130} span=${span} unit=${unit} draw=${behind} onPick=${pick} least=${scalar ? signal.target : 1} />`;
}

function line(u, x, y, toX, toY, name) {
  u.ctx.save();
  u.ctx.strokeStyle = colour(name);
  u.ctx.setLineDash([3, 4]);
  u.ctx.beginPath();
  u.ctx.moveTo(x, y);
  u.ctx.lineTo(toX, toY);
  u.ctx.stroke();
  u.ctx.restore();
}

function cursorAt(u, at) {
  if (at === null) return;
  const x = u.valToPos(at, "x", true);
  if (x >= u.bbox.left && x <= u.bbox.left + u.bbox.width) line(u, x, u.bbox.top, x, u.bbox.top + u.bbox.height, "accent");
}

function markOf(told) {
  if (told.kind === "control") return { at: told.at, sign: "✎", colour: "ink" };
  if (told.kind === "outcome") return told.text.startsWith("replace") ? { at: told.at, sign: "↻", colour: "bad" } : null;
  if (told.kind !== "decision" || told.before === told.after) return null;
  return told.after > told.before ? { at: told.at, sign: "▲", colour: "series-a" } : { at: told.at, sign: "▼", colour: "series-a" };
}

// The same numbers for those who cannot see the lines: one row per cell that is known, the newest first.
function Table({ times, series }) {
  const names = Object.keys(series.values);
  const rows = times.map((at, i) => [at, names.map((name) => series.values[name][i])]).filter(([, row]) => row.some((value) => value !== null && value !== undefined));
  return html`<details><summary>as a table</summary><div class="scroll tall" tabindex="0" role="region" aria-label="the charts as a table"><table class="plain">
    <thead><tr><th scope="col">time</th>${names.map((name) => html`<th scope="col" class="num">${name.replace("signal ", "")}</th>`)}</tr></thead>
    <tbody>${rows.reverse().slice(0, 240).map(([at, row]) => html`<tr><th scope="row">${clock(at)}</th>${row.map((value) => html`<td class="num">${value === null || value === undefined ? "–" : number(value)}</td>`)}</tr>`)}</tbody>
  </table></div></details>`;
}
