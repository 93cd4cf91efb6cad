// Numbers, spans and times as people write them. Times are seconds since the epoch, by the daemon's clock.

let ahead = 0; // of this machine's clock before the daemon's, in seconds

export const learnClock = (at) => { ahead = Date.now() / 1000 - at; };
export const now = () => Date.now() / 1000 - ahead;

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export const number = (value) =>
  value === null || value === undefined ? "?" : Math.abs(value) < 10 ? plain.format(value) : short.format(value);

export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m`;
  if (s < 86400) return `${Math.floor(s / 3600)} h` + (s % 3600 >= 60 ? ` ${Math.floor((s % 3600) / 60)} m` : "");
  return `${Math.floor(s / 86400)} d` + (s % 86400 >= 3600 ? ` ${Math.floor((s % 86400) / 3600)} h` : "");
}

export const ago = (at) => (at === null ? "never" : now() - at < 1 ? "just now" : `${span(now() - at)} ago`);

const two = (n) => String(n).padStart(2, "0");
export function clock(at, seconds = true) {
  const d = new Date(at * 1000);
  const time = `${two(d.getHours())}:${two(d.getMinutes())}` + (seconds ? `:${two(d.getSeconds())}` : "");
  const today = new Date(now() * 1000).toDateString() === d.toDateString();
  return today ? time : `${d.toLocaleDateString("en", { weekday: "short", day: "numeric", month: "short" })} ${time}`;
}
export const day = (at) => new Date(at * 1000).toLocaleDateString("en", { weekday: "short", day: "numeric" });
export const absolute = (at) => new Date(at * 1000).toISOString().replace(".000", "").replace("T", " ").replace("Z", " UTC");

// platform/instance/namespace/kind/name → its parts
export function parts(key) {
  const [platform, instance, space, kind, ...name] = key.split("/");
  return { platform: instance === "default" ? platform : `${platform}/${instance}`, space, kind, name: name.join("/") };
}

export const reason = (code) => code.replaceAll("_", " ");

const GOALS = {
  per_replica: (t) => `${number(t)} per replica`,
  value: (t) => `${number(t)}`,
  utilization: (t) => `${number(t)} %`,
  steps: () => "steps",
  wake_above: (t) => `wakes above ${number(t)}`,
};
export const goal = (signal) => (GOALS[signal.goal] ?? (() => ""))(signal.target);
export const load = (signal) =>
  signal.load === null ? "no data" : number(signal.load) + (signal.goal === "utilization" ? " %" : "");
