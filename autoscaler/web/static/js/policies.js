// The policy set: files with their problems in place, the next seven days of windows, and what would be decided if.
import { html, useEffect, useMemo, useState } from "/vendor/htm-preact.js";
import { get, named, post } from "/js/api.js";
import { useAnswer } from "/js/live.js";
import { Empty, Skeleton, Trouble } from "/js/parts.js";
import { absolute, clock, number, now, parts } from "/js/words.js";

const DAY = 86400;

export function PoliciesPage({ name }) {
  const { answer, error } = useAnswer(() => get("/policies", { file: name }), [name]);
  useEffect(() => { document.title = "autoscaler · policies"; }, []);
  if (!answer) return html`<h1>Policies</h1><${Trouble} error=${error} />${!error && html`<${Skeleton} />`}`;
  return html`<div class="title"><p class="crumbs">${name ? html`<a href="#/policies">‹ all files</a>` : ""}</p>
      <h1>${name ? html`<b>${name}</b>` : "Policies"}</h1>
      <p class="soft">in force: <code>${answer.revision || "none"}</code></p>
      ${answer.rejected && html`<p class="trouble"><b>A newer set, ${answer.rejected}, does not load: the last good one stays in force.</b></p>`}</div>
    ${answer.problems.filter((each) => !name || each.file === name).length > 0 && html`<${Problems} problems=${answer.problems} name=${name} />`}
    ${name ? html`<${Source} file=${answer.files[0]} />` : html`<${Files} files=${answer.files} />`}
    <${Week} windows=${answer.windows} />`;
}

function Problems({ problems, name }) {
  return html`<section class="card" aria-labelledby="problems-title"><header><h2 id="problems-title">Problems</h2></header>
    <ul class="problems">${problems.filter((each) => !name || each.file === name).map((each) => html`<li>
      ${each.file ? html`<a href=${`#/policies/${named(each.file)}`}><code>${each.file}:${each.line}:${each.column}</code></a>` : ""} ${each.sentence}
      ${each.hint && html`<br /><span class="soft">hint: ${each.hint}</span>`}</li>`)}</ul></section>`;
}

function Files({ files }) {
  if (!files.length) return html`<${Empty} title="No policy files yet"><p>The daemon reads the folders that <code>policies</code> of its settings names.</p></${Empty}>`;
  return html`<section class="card" aria-labelledby="files-title"><header><h2 id="files-title">Files</h2></header>
    <div class="scroll"><table class="plain"><thead><tr><th scope="col">file</th><th scope="col">policies</th><th scope="col" class="num">workloads</th><th scope="col" class="num">lines</th></tr></thead>
    <tbody>${files.map((file) => html`<tr><th scope="row"><a data-row href=${`#/policies/${named(file.name)}`}>${file.name}</a>
        ${file.problems.length > 0 && html` <span class="tag bad">■ ${file.problems.length} ${file.problems.length === 1 ? "problem" : "problems"}</span>`}</th>
      <td>${file.policies.slice(0, 6).map((each) => each.name).join(", ")}${file.policies.length > 6 && ` and ${file.policies.length - 6} more`}</td>
      <td class="num">${file.policies.reduce((sum, each) => sum + each.workloads.length, 0)}</td><td class="num">${file.lines}</td></tr>`)}</tbody></table></div></section>`;
}

const MOST_LINES = 2000; // of a file at once: what is longer no browser lays out in good time

function Source({ file }) {
  const [edited, edit] = useState(null);
  if (edited !== null) return html`<${WhatIf} file=${file} text=${edited} edit=${edit} />`;
  const places = new Map(file.policies.map((each) => [each.line, each]));
  const wrong = new Map();
  for (const each of file.problems) wrong.set(each.line, [...(wrong.get(each.line) ?? []), each]);
  const lines = file.text.replace(/\n$/, "").split("\n");
  const first = lines.length > MOST_LINES && wrong.size > 0 ? Math.max(0, Math.min(...wrong.keys()) - MOST_LINES / 2) : 0;
  const shown = lines.slice(first, first + MOST_LINES);
  return html`<section class="card" aria-labelledby="source-title"><header><h2 id="source-title">Source</h2>
      <button onClick=${() => edit(file.text)}>What if…</button></header>
    ${shown.length < lines.length && html`<p class="soft hint">Lines ${first + 1} to ${first + shown.length} of ${lines.length.toLocaleString("en")}: the file is too long for one page.</p>`}
    <ol class="source">${shown.map((line, i) => Line(line, first + i + 1, places, wrong))}</ol></section>`;
}

function Line(line, no, places, wrong) {
  return html`${places.has(no) && html`<li class="note">${steers(places.get(no))}</li>`}
    <li class=${wrong.has(no) ? "wrong" : ""}><span class="no">${no}</span><code>${coloured(line)}</code></li>
    ${(wrong.get(no) ?? []).map((each) => html`<li class="note bad">■ ${each.sentence}${each.hint && ` (${each.hint})`}</li>`)}`;
}

const steers = ({ name, workloads }) => html`<b>${name}</b> steers ${workloads.length === 0 ? "nothing" : workloads.slice(0, 4).map((key, i) => html`${i > 0 && ", "}<a href=${`#/w/${named(key)}`}>${parts(key).space}/${parts(key).name}</a>`)}${workloads.length > 4 && ` and ${workloads.length - 4} more`}`;

// Keys, comments and the rest of a YAML line in their tones.
function coloured(line) {
  const comment = line.search(/(^|\s)#/);
  const [code, said] = comment < 0 ? [line, ""] : [line.slice(0, comment), line.slice(comment)];
  const pieces = code.split(/([\w.-]+(?=:(?:\s|$)))/);
  return html`${pieces.map((piece, i) => (i % 2 ? html`<span class="y-key">${piece}</span>` : piece))}${said && html`<span class="y-comment">${said}</span>`}`;
}

function WhatIf({ file, text, edit }) {
  const [typed, type] = useState(text);
  const [{ answer, error, busy }, say] = useState({});
  const ask = async () => {
    say({ busy: true });
    try {
      say({ answer: await post("/what-if", { policy: typed, file: file.name }) });
    } catch (wrong) {
      say({ error: wrong });
    }
  };
  const seen = answer?.foresight;
  return html`<section class="card" aria-labelledby="if-title"><header><h2 id="if-title">What if ${file.name} read like this</h2>
      <button class="quiet" onClick=${() => edit(null)}>✕ leave it</button></header>
    <p class="soft">Decided now, from the counts and signals of now. Nothing is saved, nothing is changed.</p>
    <label><span class="hidden">policies</span><textarea class="editor" spellcheck=${false} rows=${Math.min(24, typed.split("\n").length + 2)} value=${typed} onInput=${(e) => type(e.target.value)}></textarea></label>
    <p class="row"><button class="main" disabled=${busy} onClick=${ask}>${busy ? "Deciding…" : "What would be decided?"}</button></p>
    <${Trouble} error=${error} />
    <div aria-live="polite">
    ${answer?.problems.length > 0 && html`<${Problems} problems=${answer.problems} />`}
    ${seen && html`<div class="scroll"><table class="plain"><thead><tr><th scope="col">workload</th><th scope="col" class="num">count</th><th scope="col">because</th></tr></thead>
      <tbody>${seen.workloads.map((each) => html`<tr><th scope="row">${parts(each.key).space}/${parts(each.key).name}</th>
        <td class="num">${each.current === each.desired ? html`${each.current} stays` : html`${each.current} → <b>${each.desired}</b>`}</td>
        <td>${each.because} <code>${each.reason}</code></td></tr>`)}</tbody></table></div>
      ${seen.notes.map((note) => html`<p class="soft">note: ${note}</p>`)}`}</div></section>`;
}

// Windows that open at the same times with the same bounds share a line: `whose` are their workloads.
function alike(windows) {
  const lines = new Map();
  for (const openings of windows) {
    const id = openings[0].name + bounds(openings[0]) + openings.map((each) => `${each.start}-${each.end}`);
    const line = lines.get(id) ?? { openings, whose: [] };
    line.whose.push(openings[0]);
    lines.set(id, line);
  }
  return [...lines.values()];
}

// Floors and ceilings of the next seven days: days side by side.
function Week({ windows }) {
  const rows = useMemo(() => {
    const found = new Map();
    for (const window of windows) {
      const id = `${window.workload} ${window.name}`;
      found.set(id, [...(found.get(id) ?? []), window]);
    }
    return alike([...found.values()]);
  }, [windows]);
  if (!rows.length) return html`<section class="card"><header><h2>The next seven days</h2></header><p class="soft">No policy here has a schedule.</p></section>`;
  const begin = now();
  const share = (at) => Math.min(100, Math.max(0, ((at - begin) / (7 * DAY)) * 100));
  const midnights = Array.from({ length: 7 }, (_, i) => new Date(new Date(begin * 1000).setHours(24 * (i + 1), 0, 0, 0)).getTime() / 1000);
  return html`<section class="card" aria-labelledby="week-title"><header><h2 id="week-title">The next seven days</h2>
      <p class="soft"><span class="key floor">at least</span> <span class="key ceiling">at most</span> in the time of this browser</p></header>
    <div class="scroll"><div class="week">
      <div class="days" aria-hidden="true"><span></span><div>${midnights.map((at) => html`<i style=${{ left: `${share(at)}%` }}>${share(at) < 95 && new Date(at * 1000).toLocaleDateString("en", { weekday: "short", day: "numeric" })}</i>`)}</div></div>
      ${rows.slice(0, 60).map(({ openings, whose }) => html`<div class="lane">
        <span class="who"><b>${bounds(openings[0])}</b> ${openings[0].name} <span class="soft" title=${whose.map((each) => each.policy).join(", ")}><a href=${`#/w/${named(openings[0].workload)}`}>${openings[0].policy}</a>${whose.length > 1 && ` and ${whose.length - 1} more`}</span></span>
        <div role="img" aria-label=${openings.map((each) => `${clock(each.start, false)} to ${clock(each.end, false)}`).join(", ")}>
          ${midnights.map((at) => html`<u style=${{ left: `${share(at)}%` }}></u>`)}
          ${openings.map((each) => html`<i class=${each.min !== null ? "floor" : "ceiling"} title=${`${absolute(each.start)} to ${absolute(each.end)}: ${bounds(each)}`}
            style=${{ left: `${share(each.start)}%`, width: `${Math.max(0.4, share(each.end) - share(each.start))}%` }}></i>`)}</div></div>`)}
      ${rows.length > 60 && html`<p class="soft">and ${number(rows.length - 60)} more: open a file to see its own</p>`}
    </div></div></section>`;
}

const bounds = (window) => [window.min !== null && `≥ ${window.min}`, window.max !== null && `≤ ${window.max}`].filter(Boolean).join(" ");
