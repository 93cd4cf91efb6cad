// Small pictures and words that every page uses.
import { html } from "/vendor/htm-preact.js";
import { absolute, ago, clock, now, span } from "/js/words.js";

export const STATES = {
  urgent: { sign: "◆", word: "needs you", tone: "warn" },
  acting: { sign: "▲", word: "acting", tone: "act" },
  held: { sign: "◐", word: "held", tone: "hold" },
  at_max: { sign: "▔", word: "at max", tone: "warn" },
  missing: { sign: "?", word: "missing data", tone: "warn" },
  sick: { sign: "■", word: "sick", tone: "bad" },
  idle: { sign: "○", word: "idle", tone: "off" },
  paused: { sign: "‖", word: "paused", tone: "off" },
  override: { sign: "✎", word: "override", tone: "off" },
  observe: { sign: "◌", word: "observe", tone: "off" },
};

const WEIGHT = ["sick", "missing", "urgent", "acting", "paused", "override", "idle", "at_max", "held", "observe"];

// The one state that a row's sign shows.
export function Sign({ states, down }) {
  const first = WEIGHT.find((state) => states.includes(state));
  const told = first ? STATES[first] : { sign: "●", word: "steady", tone: "ok" };
  const sign = first === "acting" && down ? "▼" : told.sign;
  return html`<span class="sign ${told.tone}" role="img" aria-label=${told.word} title=${told.word}>${sign}</span>`;
}

export const Tag = ({ state }) =>
  html`<span class="tag ${STATES[state].tone}"><span aria-hidden="true">${STATES[state].sign}</span> ${STATES[state].word}</span>`;

export const When = ({ at }) => html`<time title=${absolute(at)}>${ago(at)}</time>`;
export const At = ({ at }) => html`<time title=${absolute(at)}>${clock(at)}</time>`;
export const For = ({ at }) => html`<time title=${`since ${absolute(at)}`}>${span(now() - at)}</time>`;

// min, ready, existing and asked of a maximum, as one bar.
export function Bar({ w, asked }) {
  const most = Math.max(w.max ?? 0, w.existing ?? 0, w.desired ?? 0, 1);
  const at = (n) => `${(100 * (n ?? 0)) / most}%`;
  const told = `${w.ready ?? "?"} ready of ${w.existing ?? "?"}, wanted ${w.desired ?? "?"}, at most ${w.max ?? "?"}`;
  return html`<span class="bar" role="img" aria-label=${told} title=${told}>
    <i class="there" style=${{ width: at(w.existing) }}></i>
    <i class="ready" style=${{ width: at(w.ready) }}></i>
    ${w.desired !== null && w.desired !== w.existing && html`<i class="want" style=${{ left: at(w.desired) }}></i>`}
    ${w.min !== null && html`<i class="least" style=${{ left: at(w.min) }}></i>`}
  </span>`;
}

// Counts over time as steps; where nothing was known there is a gap.
export function Spark({ values, most, width = 120, height = 22 }) {
  const top = Math.max(most ?? 1, ...values.map((value) => value ?? 0), 1);
  const step = width / values.length;
  const y = (value) => (height - 1 - (value / top) * (height - 3)).toFixed(1);
  let line = "";
  let area = "";
  values.forEach((value, i) => {
    if (value === null) return;
    const [left, right] = [(i * step).toFixed(1), ((i + 1) * step).toFixed(1)];
    line += `${i && values[i - 1] !== null ? "L" : "M"}${left} ${y(value)}H${right}`;
    area += `M${left} ${height}V${y(value)}H${right}V${height}Z`;
  });
  const known = values.filter((value) => value !== null);
  const told = known.length ? `between ${Math.min(...known)} and ${Math.max(...known)} in the last six hours` : "not known";
  return html`<svg class="spark" viewBox="0 0 ${width} ${height}" width=${width} height=${height} role="img" aria-label=${told}>
    <path class="area" d=${area} /><path class="line" d=${line} /></svg>`;
}

export const Empty = ({ title, children }) =>
  html`<section class="empty"><h2>${title}</h2>${children}</section>`;

export const Trouble = ({ error }) =>
  error && html`<p class="trouble" role="alert"><b>${error.message}</b> ${error.hint}</p>`;

export const Skeleton = ({ rows = 8 }) =>
  html`<div class="skeleton" aria-hidden="true">${Array.from({ length: rows }, () => html`<i></i>`)}</div>`;
