"use strict";
// One set of panels per workload: load, replicas and what took too long, on one axis of time. Drag to zoom, double
// click or Escape to see all again, move to read. Nothing is fetched; the figures stand in the page.
(() => {
  const COLORS = ["--one", "--two", "--three", "--four", "--five", "--six"].map((name) => `var(${name})`);
  const LEFT = 56, RIGHT = 12, TOP = 24, GAP = 34, AXIS = 22;
  const PANELS = [{ key: "load", high: 150 }, { key: "counts", high: 210 }, { key: "over", high: 80 }];
  const STEPS = [60, 300, 900, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000];
  const told = JSON.parse(document.getElementById("figures").textContent);

  const make = (name, attributes, parent, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.append(node);
    return node;
  };
  const shown = (value) => {
    if (value === null || value === undefined) return "–";
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 1e9) return `${+(value / 1e9).toPrecision(3)}G`;
    if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
    if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
    return String(+value.toPrecision(4));
  };
  const date = (at) => new Date(at * 1000).toISOString();
  const when = (at, step) => {
    const text = date(at);
    const day = new Date(at * 1000).toLocaleDateString("en", { month: "short", day: "numeric", timeZone: "UTC" });
    return step >= 86400 || text.slice(11, 16) === "00:00" ? day : text.slice(11, 16);
  };
  const ticks = (top, whole) => {
    const rough = top / 4, size = 10 ** Math.floor(Math.log10(rough));
    let step = [1, 2, 2.5, 5, 10].map((each) => each * size).find((each) => each >= rough) || 10 * size;
    if (whole) step = Math.max(1, Math.ceil(step));
    const found = [];
    for (let at = 0; at <= top * 1.0001; at += step) found.push(at);
    return found;
  };

  for (const place of document.querySelectorAll(".plot")) {
    const trials = JSON.parse(place.dataset.trials).map((index) => told.trials[index]);
    const start = told.start, end = told.end;
    const hidden = new Set();
    let view = [start, end], drag = null;
    const tip = place.querySelector(".tip"), reset = place.parentNode.querySelector(".reset");

    // The part of a curve that is seen, at most one entry per pixel: peaks of load and counts are kept.
    const seen = (curve, wide) => {
      const first = Math.max(0, Math.floor((view[0] - curve.start) / curve.step_s));
      const last = Math.min(curve.load.length, Math.ceil((view[1] - curve.start) / curve.step_s));
      const size = Math.max(1, Math.ceil((last - first) / wide));
      const rows = [];
      for (let from = first; from < last; from += size) {
        const row = { at: curve.start + from * curve.step_s, load: null, needed: null, ready: Infinity, desired: 0, over: 0 };
        for (let index = from; index < Math.min(from + size, last); index++) {
          const load = curve.load[index];
          if (load !== null) row.load = Math.max(row.load ?? 0, load);
          if (curve.needed[index] !== null) row.needed = Math.max(row.needed ?? 0, curve.needed[index]);
          row.ready = Math.min(row.ready, curve.ready[index]);
          row.desired = Math.max(row.desired, curve.desired[index]);
          row.over += curve.over[index];
        }
        rows.push(row);
      }
      return { rows, lasts: size * curve.step_s };
    };

    const draw = () => {
      const wide = place.clientWidth, inner = Math.max(50, wide - LEFT - RIGHT);
      const x = (at) => LEFT + Math.min(Math.max((at - view[0]) / (view[1] - view[0]), 0), 1) * inner;
      const open = trials.map((trial, index) => ({ trial, index, ...seen(trial.curve, inner) }));
      const shownOnes = open.filter((each) => !hidden.has(each.index));
      const first = open[0];
      place.querySelector("svg")?.remove();
      const high = TOP + PANELS.reduce((sum, panel) => sum + panel.high + GAP, 0) - GAP + AXIS;
      const svg = make("svg", { height: high, role: "img", "aria-label": "load, replicas and what took too long" });
      const tops = {
        load: Math.max(1e-9, ...first.rows.map((row) => row.load ?? 0)) * 1.05,
        counts: Math.max(1, ...first.rows.map((row) => row.needed ?? 0),
          ...shownOnes.flatMap((each) => each.rows.map((row) => row.desired))) * 1.05,
        over: Math.max(1e-9, ...shownOnes.flatMap((each) => each.rows.map((row) => row.over / each.lasts))) * 1.05,
      };
      const alone = shownOnes.length === 1;
      const names = inner < 380 ? { load: "Load per second", counts: "Replicas (needed: grey)", over: "Too long, per second" } : {
        load: "Load per second", counts: alone ? "Replicas: ordered (line), ready (tinted), needed (grey)" : "Replicas: ordered (lines), needed (grey)",
        over: "Requests over the objective, per second",
      };
      let top = TOP;
      const step = STEPS.find((each) => (view[1] - view[0]) / each <= Math.max(2, inner / 64)) || STEPS[STEPS.length - 1];
      const marks = [];
      for (let at = Math.ceil(view[0] / step) * step; at <= view[1]; at += step) marks.push(at);
      const dated = step >= 86400 || marks.some((at) => at % 86400 === 0);
      for (const panel of PANELS) {
        const bottom = top + panel.high, most = tops[panel.key];
        const y = (value) => bottom - (value / most) * panel.high;
        make("text", { x: LEFT, y: top - 9, class: "name" }, svg, names[panel.key]);
        for (const tick of ticks(most, panel.key === "counts")) {
          make("line", { x1: LEFT, x2: LEFT + inner, y1: y(tick), y2: y(tick), stroke: "var(--grid)" }, svg);
          make("text", { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, svg, shown(tick));
        }
        for (const [place, at] of marks.entries()) {
          make("line", { x1: x(at), x2: x(at), y1: top, y2: bottom, stroke: "var(--grid)" }, svg);
          if (panel.key === "over") {
            const text = !dated && place === 0 ? `${when(at, 86400)}, ${when(at, step)}` : when(at, step);
            const side = x(at) > LEFT + inner - 24 ? "end" : "middle";
            make("text", { x: side === "end" ? LEFT + inner : x(at), y: bottom + 16, "text-anchor": side }, svg, text);
          }
        }
        const shade = (from, until) => {
          if (until > view[0] && from < view[1]) {
            make("rect", { x: x(from), y: top, width: Math.max(1, x(until) - x(from)), height: panel.high, fill: "var(--shade)" }, svg);
          }
        };
        shade(start, told.scored_from);
        let gap = null;
        for (const row of first.rows) {
          if (row.load === null && gap === null) gap = row.at;
          if (row.load !== null && gap !== null) { shade(gap, row.at); gap = null; }
        }
        if (gap !== null) shade(gap, view[1]);
        // A staircase: each entry holds until the next.
        const stairs = (each, key, close) => {
          let path = "", before = null;
          for (const row of each.rows) {
            const value = row[key];
            if (value === null) { if (before !== null && close) path += `V${y(0)}`; before = null; continue; }
            const left = x(row.at).toFixed(1), level = y(value).toFixed(1);
            path += before === null ? (close ? `M${left},${y(0)}V${level}` : `M${left},${level}`) : `H${left}V${level}`;
            path += `H${x(row.at + each.lasts).toFixed(1)}`;
            before = value;
          }
          return close && before !== null ? `${path}V${y(0)}` : path;
        };
        if (panel.key === "load") {
          make("path", { d: stairs(first, "load", true), fill: "var(--fill)", stroke: "none" }, svg);
          make("path", { d: stairs(first, "load"), fill: "none", stroke: "var(--load)", "stroke-width": 1.3 }, svg);
        } else if (panel.key === "counts") {
          make("path", { d: stairs(first, "needed", true), fill: "var(--need)", stroke: "none" }, svg);
          for (const each of shownOnes) {
            const color = COLORS[each.index % COLORS.length];
            if (shownOnes.length === 1) make("path", { d: stairs(each, "ready", true), fill: color, opacity: 0.14 }, svg);
            make("path", { d: stairs(each, "desired"), fill: "none", stroke: color, "stroke-width": 1.5, "stroke-linejoin": "round" }, svg);
          }
        } else {
          for (const each of shownOnes) {
            const color = shownOnes.length === 1 ? "var(--bad)" : COLORS[each.index % COLORS.length];
            let path = "";
            for (const row of each.rows) {
              if (row.over > 0) {
                const left = x(row.at), width = Math.max(1.5, x(row.at + each.lasts) - left);
                path += `M${left.toFixed(1)},${y(0)}V${Math.min(y(row.over / each.lasts), y(0) - 1.5).toFixed(1)}h${width.toFixed(1)}V${y(0)}Z`;
              }
            }
            make("path", { d: path, fill: color, opacity: 0.85 }, svg);
          }
        }
        make("line", { x1: LEFT, x2: LEFT + inner, y1: bottom, y2: bottom, stroke: "var(--line)" }, svg);
        top = bottom + GAP;
      }
      make("line", { class: "cross", x1: 0, x2: 0, y1: TOP, y2: high - AXIS, stroke: "var(--soft)", "stroke-width": 1, visibility: "hidden" }, svg);
      make("rect", { class: "chosen", x: 0, y: TOP, width: 0, height: high - AXIS - TOP, fill: "var(--one)", opacity: 0.14 }, svg);
      place.prepend(svg);
      if (reset) reset.hidden = view[0] === start && view[1] === end;
    };

    const time = (event) => {
      const inner = Math.max(50, place.clientWidth - LEFT - RIGHT);
      const part = (event.clientX - place.getBoundingClientRect().left - LEFT) / inner;
      return view[0] + Math.min(Math.max(part, 0), 1) * (view[1] - view[0]);
    };
    const pixel = (at) => LEFT + ((at - view[0]) / (view[1] - view[0])) * Math.max(50, place.clientWidth - LEFT - RIGHT);
    const show = (from, until) => {
      const least = 8 * trials[0].curve.step_s;
      if (until - from < least) { const middle = (from + until) / 2; from = middle - least / 2; until = middle + least / 2; }
      view = [Math.max(start, from), Math.min(end, until)];
      tip.style.display = "none";
      draw();
    };
    place.show = show;

    const read = (event) => {
      const at = time(event), cross = place.querySelector(".cross");
      cross.setAttribute("x1", pixel(at)); cross.setAttribute("x2", pixel(at)); cross.setAttribute("visibility", "visible");
      const curve = trials[0].curve, index = Math.min(Math.floor((at - curve.start) / curve.step_s), curve.load.length - 1);
      const load = curve.load[Math.max(0, index)], need = curve.needed[Math.max(0, index)];
      tip.replaceChildren();
      const head = document.createElement("div");
      head.textContent = `${date(curve.start + Math.max(0, index) * curve.step_s).slice(0, 19).replace("T", " ")} UTC`;
      const said = document.createElement("div");
      said.className = "soft";
      said.textContent = load === null ? "the load is not known" : `load ${shown(load)} /s, ${need} needed`;
      const table = document.createElement("table");
      const row = (cells, color) => {
        const line = table.insertRow();
        cells.forEach((cell, place) => {
          const made = line.insertCell();
          if (place === 0 && color) {
            const dot = document.createElement("span");
            dot.className = "dot"; dot.style.background = color; made.append(dot);
          }
          made.append(cell);
        });
      };
      row(["", "ordered", "ready", "too long"]);
      trials.forEach((trial, number) => {
        if (hidden.has(number)) return;
        const own = trial.curve, spot = Math.max(0, Math.min(Math.floor((at - own.start) / own.step_s), own.load.length - 1));
        row([trial.name, shown(own.desired[spot]), shown(own.ready[spot]), shown(own.over[spot])], COLORS[number % COLORS.length]);
      });
      tip.append(head, said, table);
      tip.style.display = "block";
      const left = pixel(at), room = place.clientWidth - left;
      tip.style.left = room > tip.offsetWidth + 24 ? `${left + 14}px` : `${Math.max(0, left - tip.offsetWidth - 14)}px`;
      tip.style.top = `${Math.max(0, Math.min(event.clientY - place.getBoundingClientRect().top + 14, place.clientHeight - tip.offsetHeight))}px`;
    };
    place.addEventListener("pointermove", (event) => {
      read(event);
      if (drag === null) return;
      const chosen = place.querySelector(".chosen"), here = time(event);
      chosen.setAttribute("x", pixel(Math.min(drag, here)));
      chosen.setAttribute("width", Math.abs(pixel(here) - pixel(drag)));
    });
    place.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      drag = time(event);
      place.setPointerCapture(event.pointerId);
    });
    place.addEventListener("pointerup", (event) => {
      if (drag === null) return;
      const here = time(event), from = drag;
      drag = null;
      if (Math.abs(pixel(here) - pixel(from)) > 4) show(Math.min(from, here), Math.max(from, here));
      else place.querySelector(".chosen").setAttribute("width", 0);
    });
    place.addEventListener("pointerleave", () => {
      if (drag !== null) return;
      tip.style.display = "none";
      place.querySelector(".cross").setAttribute("visibility", "hidden");
    });
    const all = () => show(start, end);
    place.addEventListener("dblclick", all);
    reset?.addEventListener("click", all);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") all(); });
    for (const button of place.parentNode.querySelectorAll("button[data-trial]")) {
      button.addEventListener("click", () => {
        const index = Number(button.dataset.trial);
        if (hidden.has(index)) hidden.delete(index); else hidden.add(index);
        button.setAttribute("aria-pressed", String(!hidden.has(index)));
        draw();
      });
    }
    new ResizeObserver(() => draw()).observe(place);
    draw();
  }

  for (const button of document.querySelectorAll("button[data-at]")) {
    button.addEventListener("click", () => {
      const at = Number(button.dataset.at), place = document.getElementById(button.dataset.plot);
      place.show(at - 1800, at + 1800);
      place.scrollIntoView({ block: "center", behavior: "smooth" });
    });
  }
})();
