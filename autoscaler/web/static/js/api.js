// The daemon's API. The token stays in this tab; errors carry the daemon's own sentence and hint.

const BASE = "/api/v1";
const KEY = "token";

export const token = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (word) => (word ? sessionStorage.setItem(KEY, word) : sessionStorage.removeItem(KEY)),
};

export class Wrong extends Error {
  constructor(status, said) {
    super(said.error);
    this.status = status;
    this.hint = said.hint ?? "";
  }
}

const headers = (more = {}) => (token.get() ? { ...more, Authorization: `Bearer ${token.get()}` } : more);

async function answer(response) {
  const text = await response.text();
  let said;
  try {
    said = JSON.parse(text);
  } catch {
    said = { error: text || response.statusText };
  }
  if (!response.ok) throw new Wrong(response.status, said);
  return said;
}

export function get(path, query = {}) {
  const asked = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const tail = asked.length ? `?${new URLSearchParams(asked)}` : "";
  return fetch(BASE + path + tail, { headers: headers() }).then(answer);
}

export function post(path, body) {
  const said = { method: "POST", body: JSON.stringify(body), headers: headers({ "Content-Type": "application/json" }) };
  return fetch(BASE + path, said).then(answer);
}

export const named = (key) => key.split("/").map(encodeURIComponent).join("/");

// Server-sent events over fetch, because EventSource cannot carry a token.
export async function listen(signal, tell) {
  const response = await fetch(`${BASE}/events`, { headers: headers(), signal });
  if (!response.ok) throw new Wrong(response.status, await response.json().catch(() => ({ error: response.statusText })));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    tell("heard", null);
    const whole = (rest + value).split("\n\n");
    rest = whole.pop();
    for (const event of whole) {
      const lines = Object.fromEntries(event.split("\n").map((line) => line.split(/: ?(.*)/s).slice(0, 2)));
      if (lines.event) tell(lines.event, JSON.parse(lines.data));
    }
  }
}
