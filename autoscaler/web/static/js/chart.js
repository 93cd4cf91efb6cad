// Charts over one time axis with one cursor. Lines are drawn by uPlot; bands, hatches and marks by us.
import { html, useEffect, useRef } from "/vendor/htm-preact.js";
import { clock, day, number } from "/js/words.js";

const SYNC = "time";
const DAY = 86400;
const probe = document.createElement("i");

// The colour a variable of the style sheet has in this theme.
export function colour(name) {
  probe.style.color = `var(--${name})`;
  probe.hidden = true;
  document.body.append(probe);
  return getComputedStyle(probe).color;
}

const faded = (rgb, share) => rgb.replace("rgb(", "rgba(").replace(")", `, ${share})`);

const stepped = () => uPlot.paths.stepped({ align: 1 });

function axes(unit) {
  const [ink, grid] = [colour("soft"), colour("grid")];
  const font = "12px system-ui, sans-serif";
  const base = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return [
    { ...base, grid: { show: false }, space: 80, size: 28, values: (u, times) => times.map(times[1] - times[0] < DAY / 2 ? (at) => clock(at, false).split(" ").pop() : day) },
    { ...base, size: 48, space: 34, values: (u, values) => values.map((value) => number(value) + (unit ?? "")) },
  ];
}

// `lines` are {label, values, colour, dash, step, fill}; `draw(u)` paints behind them; `onPick(at)` is told a click.
export function Chart({ title, times, lines, height, span, unit, draw, onPick, floor = 0, least = 1 }) {
  const place = useRef(null);
  const chart = useRef(null);
  const picked = useRef(onPick);
  picked.current = onPick;
  const painted = useRef(draw);
  painted.current = draw;
  const spanned = useRef(span); // a chart that stays is asked for another time
  spanned.current = span;
  const shape = JSON.stringify([lines.map((line) => [line.label, line.colour]), unit]);
  const data = [times, ...lines.map((line) => line.values)];

  useEffect(() => {
    const node = place.current;
    const make = () => {
      chart.current?.destroy();
      const series = lines.map((line) => ({
        label: line.label,
        stroke: colour(line.colour),
        width: line.width ?? 1.75,
        dash: line.dash,
        fill: line.fill ? faded(colour(line.colour), line.fill) : undefined,
        paths: line.step ? stepped() : undefined,
        points: { show: false },
        spanGaps: false,
      }));
      const u = new uPlot({
        width: node.clientWidth,
        height,
        legend: { show: false },
        cursor: { sync: { key: SYNC }, y: false, points: { size: 6 }, drag: { x: false, y: false } },
        scales: { x: { time: true, range: () => spanned.current() }, y: { range: (_, low, high) => [floor, Math.max(high ?? 0, least) * 1.08] } },
        axes: axes(unit),
        series: [{}, ...series],
        hooks: { drawAxes: [(self) => { node.dataset.from = self.scales.x.min; painted.current?.(self); }], setCursor: [(self) => read(self, node)] },
      }, data, node);
      u.over.addEventListener("click", () => u.cursor.left >= 0 && picked.current?.(u.posToVal(u.cursor.left, "x")));
      chart.current = u;
    };
    make();
    const resized = new ResizeObserver(() => node.clientWidth && chart.current.setSize({ width: node.clientWidth, height }));
    resized.observe(node);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    addEventListener("theme", make);
    scheme.addEventListener("change", make);
    return () => {
      resized.disconnect();
      removeEventListener("theme", make);
      scheme.removeEventListener("change", make);
      chart.current.destroy();
      chart.current = null;
    };
  }, [shape]);

  useEffect(() => { chart.current?.setData(data); });

  return html`<figure class="chart"><figcaption>${title}</figcaption>
    <div class="plot" ref=${place} role="img" aria-label=${said(lines, unit)}><output class="read" aria-hidden="true"></output></div></figure>`;
}

// What stands under the cursor, in the corner of the chart.
function read(u, node) {
  const at = u.cursor.idx;
  const words = at === null || at === undefined ? [] : u.series.slice(1).map((series, i) => [series.label, u.data[i + 1][at]]);
  const text = words.filter(([, value]) => value !== null && value !== undefined).map(([label, value]) => `${label} ${number(value)}`);
  node.querySelector(".read").textContent = text.length ? `${clock(u.data[0][at])}   ${text.join("   ")}` : "";
}

function said(lines, unit) {
  return lines.map((line) => {
    const known = line.values.filter((value) => value !== null && value !== undefined);
    if (!known.length) return `${line.label}: not known`;
    return `${line.label}: ${number(known.at(-1))}${unit ?? ""} last, between ${number(Math.min(...known))} and ${number(Math.max(...known))}`;
  }).join("; ");
}

// Painting behind the lines: a band between two values for a time, hatched or plain.
export function band(u, from, to, low, high, name, hatched) {
  const { ctx, bbox } = u;
  const clip = (value, scale) => u.valToPos(value, scale, true);
  const left = Math.max(bbox.left, clip(from, "x"));
  const right = Math.min(bbox.left + bbox.width, clip(to, "x"));
  if (right <= left) return;
  const top = Math.max(bbox.top, clip(high, "y"));
  const bottom = Math.min(bbox.top + bbox.height, clip(low, "y"));
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, right - left, bottom - top);
  ctx.clip();
  ctx.fillStyle = colour(name);
  ctx.strokeStyle = colour(name);
  ctx.globalAlpha = hatched ? 0.35 : 1;
  if (!hatched) ctx.fillRect(left, top, right - left, bottom - top);
  for (let x = left - (bottom - top); hatched && x < right; x += 8 * devicePixelRatio) {
    ctx.beginPath();
    ctx.moveTo(x, bottom);
    ctx.lineTo(x + (bottom - top), top);
    ctx.stroke();
  }
  ctx.restore();
}

// Marks on the time axis: {at, sign, colour}.
export function marks(u, told) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.font = `${10 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  for (const mark of told) {
    const x = u.valToPos(mark.at, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.fillStyle = colour(mark.colour);
    ctx.fillText(mark.sign, x, bbox.top + bbox.height - 3 * devicePixelRatio);
  }
  ctx.restore();
}
