// Whether what is shown is live, late or lost; and a counter that rises whenever the pages should look again.
import { useEffect, useState } from "/vendor/htm-preact.js";
import { listen } from "/js/api.js";
import { learnClock, now } from "/js/words.js";

const AGAIN_MS = 1000; // pages look again at most this often
const RETRY_MS = 2000;

export const live = { state: "connecting", cycle: null, heard: 0, lostAt: null, refused: null, turn: 0, lines: 0 };
const watchers = new Set();
let waiting = null;

function tellAll() {
  for (const watcher of watchers) watcher((n) => n + 1);
}

function lookAgain() {
  waiting ??= setTimeout(() => {
    waiting = null;
    live.turn += 1;
    tellAll();
  }, live.turn ? AGAIN_MS : 0);
}

function heard(name, data) {
  live.heard = Date.now();
  if (name === "cycle") {
    live.cycle = data;
    if (data.count) learnClock(Math.max(data.at, now()));
    live.state = "live";
    lookAgain();
  } else if (name === "line" || name === "lost") { // lost: we were too slow, and look at everything again
    live.lines += 1;
    lookAgain();
  }
}

// The daemon sends a comment at least every 10 s; a cycle may be much longer.
function check() {
  const quiet = (Date.now() - live.heard) / 1000;
  const late = live.cycle ? now() - live.cycle.at - live.cycle.every_s : 0;
  if (document.hidden) return;
  if (live.state === "live" && quiet > 25) lost();
  else if (live.state === "live" && late > Math.max(5, live.cycle.every_s)) live.state = "late";
  else if (live.state === "late" && late <= Math.max(5, live.cycle.every_s)) live.state = "live";
  else return;
  tellAll();
}

function lost() {
  if (live.state !== "lost") live.lostAt = now();
  live.state = "lost";
  tellAll();
}

// A browser has six connections to one place: a page that nobody sees gives its own back.
let end = new AbortController();
const seen = () => new Promise((done) => {
  if (!document.hidden) return done();
  document.addEventListener("visibilitychange", () => done(), { once: true });
});

async function follow() {
  for (;;) {
    await seen();
    end = new AbortController();
    try {
      await listen(end.signal, heard);
      lost();
    } catch (error) {
      if (end.signal.aborted) continue;
      live.refused = error.status === 401 ? error : null;
      lost();
    }
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
}

export function start() {
  follow();
  setInterval(check, 1000);
  document.addEventListener("visibilitychange", () => document.hidden && end.abort());
  addEventListener("pagehide", () => end.abort());
}

export const again = () => {
  live.turn += 1;
  tellAll();
};

export function useLive() {
  const [, tick] = useState(0);
  useEffect(() => {
    watchers.add(tick);
    return () => watchers.delete(tick);
  }, []);
  return live;
}

// What `ask` gives, asked again with every turn of the daemon; the last answer stays while the next is on its way.
export function useAnswer(ask, deps) {
  const { turn } = useLive();
  const [said, say] = useState({ answer: null, error: null });
  useEffect(() => {
    let current = true;
    ask().then(
      (answer) => current && say({ answer, error: null }),
      (error) => current && say((before) => ({ answer: error.status ? null : before.answer, error })),
    );
    return () => { current = false; };
  }, [...deps, turn]);
  return said;
}
