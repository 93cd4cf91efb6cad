// What a person can say: pause, resume, override, each with a token; and the dialog of keys.
import { html, useEffect, useRef, useState } from "/vendor/htm-preact.js";
import { named, post, token } from "/js/api.js";
import { again } from "/js/live.js";

let open = () => {};

export const showHelp = () => open({ kind: "help" });
export const askToken = () => open({ kind: "token" });
export const say = (kind, workload) => open({ kind, workload });

const SPANS = [["15 minutes", 900], ["1 hour", 3600], ["4 hours", 14400], ["a day", 86400]];

const KEYS = [["/", "search"], ["j  k", "next, previous workload"], ["Enter", "open it"], ["Esc", "back to the fleet"], ["?", "these keys"]];

export function Dialogs() {
  const [shown, show] = useState(null);
  const place = useRef(null);
  useEffect(() => { open = show; }, []);
  useEffect(() => {
    const dialog = place.current;
    if (shown && dialog && !dialog.open) dialog.showModal();
  }, [shown]);
  if (!shown) return null;
  const close = () => { place.current?.close(); show(null); };
  const body = shown.kind === "help" ? html`<${Help} />` : shown.kind === "token" ? html`<${Token} close=${close} />`
    : html`<${Saying} ...${shown} close=${close} />`;
  return html`<dialog ref=${place} onClose=${() => show(null)} aria-labelledby="asked">${body}
    <button class="quiet shut" onClick=${close} aria-label="close">✕</button></dialog>`;
}

const Help = () => html`<h2 id="asked">Keys</h2>
  <dl class="keys">${KEYS.map(([key, does]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>`;

function Token({ close }) {
  const [word, type] = useState(token.get());
  const keep = (event) => {
    event.preventDefault();
    token.set(word.trim());
    again();
    close();
  };
  return html`<form onSubmit=${keep}><h2 id="asked">Token</h2><${TokenField} word=${word} type=${type} />
    <p class="row"><button class="main">Keep it in this tab</button></p></form>`;
}

const TokenField = ({ word, type }) => html`<label>Token <input type="password" autocomplete="off" required value=${word}
  onInput=${(event) => type(event.target.value)} /><small>Stays in this tab, and is sent to this daemon only. It stands in the file that <code>web.tokens</code> of the settings names.</small></label>`;

function Saying({ kind, workload, close }) {
  const [word, type] = useState(token.get());
  const [said, set] = useState({ count: workload?.desired ?? 1, for_s: kind === "pause" ? "" : 3600, why: "", force: false });
  const [error, fail] = useState(null);
  const [busy, work] = useState(false);
  const what = workload ? workload.policy : "everything";
  const change = (key, value) => set({ ...said, [key]: value });
  const send = async (event) => {
    event.preventDefault();
    work(true);
    token.set(word.trim());
    const body = { why: said.why };
    if (kind !== "resume" && said.for_s !== "") body.for_s = Number(said.for_s);
    if (kind === "override") Object.assign(body, { count: Number(said.count), force: said.force });
    try {
      await post(`/${kind}/${workload ? named(workload.key) : "fleet"}`, body);
      again();
      close();
    } catch (wrong) {
      if (wrong.status === 401) token.set("");
      fail(wrong);
      work(false);
    }
  };
  const spans = kind === "pause" ? [["until resumed", ""], ...SPANS] : SPANS;
  return html`<form onSubmit=${send}>
    <h2 id="asked">${{ pause: "Pause", resume: "Resume", override: "Set a count for" }[kind]} ${what}</h2>
    ${kind === "pause" && html`<p class="soft">Nothing is scaled or replaced meanwhile. What is half done is finished.</p>`}
    ${kind === "override" && html`<label>Count <input type="number" min="0" max="100000" required value=${said.count} onInput=${(e) => change("count", e.target.value)} /></label>
      <label class="check"><input type="checkbox" checked=${said.force} onChange=${(e) => change("force", e.target.checked)} /> allow more than the policy's max (${workload.max})</label>`}
    ${kind !== "resume" && html`<label>For how long <select value=${said.for_s} onChange=${(e) => change("for_s", e.target.value)}>
      ${spans.map(([name, seconds]) => html`<option value=${seconds}>${name}</option>`)}</select></label>`}
    <label>Why <input value=${said.why} maxlength="500" placeholder="for the record" onInput=${(e) => change("why", e.target.value)} /></label>
    ${(!token.get() || error?.status === 401) && html`<${TokenField} word=${word} type=${type} />`}
    ${error && html`<p class="trouble" role="alert"><b>${error.message}</b> ${error.hint}</p>`}
    <p class="row"><button type="button" class="quiet" onClick=${close}>Cancel</button>
      <button class="main" disabled=${busy}>${{ pause: "Pause", resume: "Resume", override: "Set it" }[kind]}</button></p>
  </form>`;
}

