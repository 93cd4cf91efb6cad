// The frame around every page: head, live line, routes, keys.
import { html, render, useEffect, useState } from "/vendor/htm-preact.js";
import { get } from "/js/api.js";
import { FleetPage } from "/js/fleet.js";
import { live, start, useAnswer, useLive } from "/js/live.js";
import { At } from "/js/parts.js";
import { PoliciesPage } from "/js/policies.js";
import { Dialogs, askToken, showHelp } from "/js/say.js";
import { learnClock, number, now, span } from "/js/words.js";
import { WorkloadPage } from "/js/workload.js";

const THEMES = ["auto", "light", "dark"];

function route() {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const words = path.split("/").filter(Boolean).map(decodeURIComponent);
  return { page: words[0] ?? "", rest: words.slice(1).join("/"), query: new URLSearchParams(query ?? "") };
}

function LiveLine() {
  const { state, cycle, lostAt, refused } = useLive();
  if (refused)
    return html`<div class="live lost" role="status">
      This daemon asks for a token. <button onClick=${askToken}>Give it one</button></div>`;
  if (state === "lost" && !cycle) return html`<div class="live lost" role="status">No daemon answers here. Trying again.</div>`;
  if (state === "lost")
    return html`<div class="live lost" role="status">
      Disconnected since <${At} at=${lostAt} />, showing the last known. Trying again.</div>`;
  if (state === "late")
    return html`<div class="live late" role="status">${span(now() - cycle.at)} behind: the last cycle ended <${At} at=${cycle.at} />.</div>`;
  return html`<div class="live ${state}" role="status"><span class="hidden">${state}</span></div>`;
}

function Head({ page }) {
  const { answer } = useAnswer(() => get("/head"), []);
  const [theme, setTheme] = useState(document.documentElement.dataset.theme);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    window.dispatchEvent(new Event("theme"));
  }, [theme]);
  if (answer) learnClock(answer.at);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  const tab = (name, to, word) => html`<a href=${to} aria-current=${page === name ? "page" : null}>${word}</a>`;
  return html`<header class="head">
    <a class="brand" href="#/"><img src="/icon.svg" alt="" width="22" height="22" />autoscaler</a>
    <nav aria-label="pages">${tab("", "#/", "Fleet")}${tab("policies", "#/policies", "Policies")}</nav>
    ${answer && html`<p class="vitals">
      <span title="what a cycle took, of the time between two">cycle <b>${number(answer.cycle.duration_s)} s</b> / ${span(answer.cycle.every_s)}</span>
      <span title="the policy set in force">policies <b>${answer.policies.revision.slice(0, 7) || "none"}</b></span>
      ${answer.policies.rejected && html`<a class="warn" href="#/policies">◆ a newer set is rejected</a>`}
      ${answer.pause && html`<span class="warn">‖ everything is paused</span>`}
      ${answer.store && html`<span class="bad" title=${answer.store}>■ the store fails</span>`}
    </p>`}
    <button class="quiet" onClick=${() => setTheme(next)} title=${`theme: ${theme}`} aria-label=${`theme: ${theme}, change to ${next}`}>
      ${{ auto: "◑", light: "☀", dark: "☾" }[theme]}</button>
    <button class="quiet" onClick=${showHelp} title="keys" aria-label="keys">?</button>
  </header>`;
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const rows = [...document.querySelectorAll("[data-row]")];
  const here = rows.indexOf(document.activeElement);
  const does = {
    "/": () => document.querySelector("input[type=search]")?.focus(),
    j: () => rows[Math.min(here + 1, rows.length - 1)]?.focus(),
    k: () => rows[Math.max(here - 1, 0)]?.focus(),
    Escape: () => { location.hash = "#/"; },
    "?": showHelp,
  }[event.key];
  if (does) {
    event.preventDefault();
    does();
  }
}

function App() {
  const [{ page, rest, query }, go] = useState(route());
  useEffect(() => {
    const moved = () => {
      const to = route();
      go((from) => {
        if (from.page !== to.page || from.rest !== to.rest) {
          scrollTo(0, 0);
          document.querySelector("main")?.focus();
        }
        return to;
      });
    };
    addEventListener("hashchange", moved);
    addEventListener("keydown", keys);
    return () => {
      removeEventListener("hashchange", moved);
      removeEventListener("keydown", keys);
    };
  }, []);
  const shown = { "": FleetPage, w: WorkloadPage, policies: PoliciesPage }[page] ?? FleetPage;
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.querySelector("main").focus(); }}>to the content</a>
    <${LiveLine} />
    <${Head} page=${page} />
    <main id="main" tabindex="-1"><${shown} key=${page + rest} name=${rest} query=${query} /></main>
    <${Dialogs} />`;
}

start();
render(html`<${App} />`, document.getElementById("app"));
