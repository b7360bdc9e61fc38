// The interactive part of a report: one filter for the plane, the curves, the spread and the table,
// and one chosen model. It needs no library and fetches nothing.
"use strict";
(() => {
  const PAGE = 50, GROUPS = 40, BINS = 20, LEVELS = 30, REACH = 14;
  const data = JSON.parse(document.getElementById("models-data").textContent);
  const columns = data.columns, N = data.rows;
  const by = Object.fromEntries(columns.map((c) => [c.name, c]));
  const $ = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  // Okabe and Ito's colours, which colour-blind readers can tell apart, with a shape beside each.
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
  const SHAPES = ["circle", "square", "up", "diamond", "down"];
  const VIRIDIS = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#fde725"];

  const state = { shown: [], sort: "", down: false, page: 0, chosen: -1, near: -1 };

  // --- values ----------------------------------------------------------------------------------

  const number = (c, i) => (c.kind === "number" ? c.values[i] : null);
  const text = (c, i) => {
    const v = c.values[i];
    if (c.kind === "flag") return v ? "yes" : "no";
    if (c.kind === "text") return c.levels[v];
    return v === null ? "–" : figure(v, c.role);
  };
  function figure(v, role) {
    if (v === null || v === undefined) return "–";
    // A search has settings of sixteen digits; all of them are in results.csv and in the snippet.
    if (role === "setting") return String(Number.isInteger(v) ? v : +v.toPrecision(4));
    return Number.isInteger(v) && Math.abs(v) > 1 ? String(v) : Math.abs(v) >= 100 ? v.toFixed(0) : v.toFixed(3);
  }
  const settings = columns.filter((c) => c.role === "setting" && !c.hidden);
  const figures = columns.filter((c) => c.role === "figure");
  const main = figures.filter((c) => c.main);
  const shownSettings = settings.length ? settings : columns.filter((c) => c.name === "seed");
  const name = (i) => `model ${i + 1}` + shownSettings.map((c) => `, ${c.label} ${text(c, i)}`).join("");
  const quantile = (sorted, q) => {
    const at = (sorted.length - 1) * q, low = Math.floor(at), high = Math.ceil(at);
    return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
  };
  const ascending = (values) => values.slice().sort((a, b) => a - b);
  const majorityOf = (metric) => {
    const there = data.majority.map((m) => m[metric]).filter((v) => v !== null && v !== undefined);
    return there.length === 1 ? there[0] : null;
  };

  // --- elements --------------------------------------------------------------------------------

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }
  function svg(tag, attributes = {}, ...children) {
    const made = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }
  const label = (x, y, words, anchor = "middle", kind = "") =>
    svg("text", { x, y, "text-anchor": anchor, class: kind }, words);
  function options(select, choices, chosen) {
    select.replaceChildren(...choices.map((c) => element("option", { value: c.name }, c.label)));
    if (choices.some((c) => c.name === chosen)) select.value = chosen;
  }

  // --- axes ------------------------------------------------------------------------------------

  const brief = (v) => (v !== 0 && (Math.abs(v) >= 1e5 || Math.abs(v) < 1e-3) ? v.toExponential(0) : String(+v.toPrecision(6)));
  // A setting's values become steps where they are words or few; spread over decades, a log axis,
  // on which 0 has a place of its own to the left.
  function axis(c, rows, from, to, extra = []) {
    if (c.kind !== "number") {
      const names = c.kind === "flag" ? ["no", "yes"] : c.levels;
      const there = [...new Set(rows.map((i) => +c.values[i]))].sort((a, b) => a - b);
      const step = (to - from) / Math.max(1, there.length);
      const place = new Map(there.map((v, k) => [v, from + step * (k + 0.5)]));
      return {
        at: (v) => place.get(+v), step: Math.abs(step), words: true,
        ticks: there.map((v) => [place.get(v), names[v]]),
      };
    }
    const values = rows.map((i) => c.values[i]).concat(extra).filter((v) => v !== null);
    let low = Math.min(...bounds(values)), high = Math.max(...bounds(values));
    const positive = values.filter((v) => v > 0);
    const [least] = positive.length ? bounds(positive) : [1];
    if (c.role === "setting" && low >= 0 && high / least >= 20) {
      const zero = low === 0 ? 1 : 0, a = Math.log10(least) - zero * 0.7 - 0.1, b = Math.log10(high) + 0.1;
      const at = (v) => from + ((to - from) * ((v > 0 ? Math.log10(v) : Math.log10(least) - 0.7) - a)) / (b - a);
      const ticks = zero ? [[at(0), "0"]] : [];
      for (let e = Math.floor(a); e <= b; e++) {
        const v = 10 ** e;
        if (v >= least * 0.999 && v <= high * 1.001) ticks.push([at(v), brief(v)]);
      }
      return { at, ticks, step: 0 };
    }
    const margin = (high - low || Math.abs(high) * 0.1 || 0.1) * 0.05;
    low -= margin; high += margin;
    const at = (v) => from + ((to - from) * (v - low)) / (high - low);
    const rough = (high - low) / 5, base = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * base).find((s) => s >= rough);
    const ticks = [];
    for (let k = Math.ceil(low / step); k * step <= high; k++) ticks.push([at(k * step), brief(+(k * step).toPrecision(10))]);
    return { at, ticks, step: 0, low, high };
  }
  function bounds(values) {
    let low = Infinity, high = -Infinity;
    for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
    return low > high ? [0, 1] : [low, high];
  }

  // --- colours ---------------------------------------------------------------------------------

  const theme = () => {
    const css = getComputedStyle(document.documentElement);
    const of = (n) => css.getPropertyValue(n).trim();
    const [r, g, b] = of("--paper").match(/[0-9a-f]{2}/gi).map((h) => parseInt(h, 16));
    return { ink: of("--ink"), quiet: of("--quiet"), line: of("--line"), paper: of("--paper"), mark: of("--mark"),
      accent: of("--accent"), band: of("--band"), dark: r + g + b < 384 };
  };
  function mix(t) {
    const at = t * (VIRIDIS.length - 1), k = Math.min(VIRIDIS.length - 2, Math.floor(at));
    const [a, b] = [VIRIDIS[k], VIRIDIS[k + 1]].map((h) => [1, 3, 5].map((j) => parseInt(h.slice(j, j + 2), 16)));
    return `rgb(${a.map((v, j) => Math.round(v + (b[j] - v) * (at - k))).join(",")})`;
  }
  // Returns for each row which look it has, and the looks: colour, shape, words.
  function looks(c, dark) {
    if (!c) return { of: () => 0, list: [{ colour: COLOURS[dark ? 5 : 0], shape: "circle", words: "" }] };
    if (c.kind !== "number") {
      const names = c.kind === "flag" ? ["no", "yes"] : c.levels;
      const list = names.map((words, k) => ({ words, shape: SHAPES[k % SHAPES.length], colour: COLOURS[(dark && k % 6 === 0 ? 5 : dark && k % 6 === 5 ? 0 : k) % 6] }));
      return { of: (i) => +c.values[i], list };
    }
    // On white the ramp's yellow end is too pale, on black its violet end too dark.
    const ramp = (t) => mix(dark ? 0.3 + 0.7 * t : 0.92 * t);
    const distinct = ascending([...new Set(c.values.filter((v) => v !== null))]);
    if (distinct.length <= 12) {
      const place = new Map(distinct.map((v, k) => [v, k]));
      const list = distinct.map((v, k) => ({ words: `${c.label} ${figure(v, c.role)}`, shape: SHAPES[k % SHAPES.length], colour: ramp(distinct.length > 1 ? k / (distinct.length - 1) : 0.5) }));
      return { of: (i) => place.get(c.values[i]) ?? 0, list };
    }
    const edges = Array.from({ length: 9 }, (_, k) => quantile(distinct, (k + 1) / 10));
    const ends = [distinct[0], ...edges, distinct[distinct.length - 1]];
    const list = ends.slice(0, -1).map((v, k) => ({ words: `${c.label} ${figure(+v.toPrecision(3), c.role)} to ${figure(+ends[k + 1].toPrecision(3), c.role)}`, shape: "circle", colour: ramp(k / 9) }));
    return { of: (i) => (c.values[i] === null ? 0 : edges.filter((e) => c.values[i] > e).length), list };
  }
  function trace(path, shape, x, y, r) {
    if (shape === "square") path.rect(x - r * 0.9, y - r * 0.9, 1.8 * r, 1.8 * r);
    else if (shape === "circle") { path.moveTo(x + r, y); path.arc(x, y, r, 0, 2 * Math.PI); }
    else {
      const points = { up: [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]], down: [[0, 1.2], [1.1, -0.8], [-1.1, -0.8]], diamond: [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]] }[shape];
      points.forEach(([a, b], k) => (k ? path.lineTo(x + a * r, y + b * r) : path.moveTo(x + a * r, y + b * r)));
      path.closePath();
    }
  }
  function swatch(look) {
    const marks = {
      circle: () => svg("circle", { cx: 7, cy: 7, r: 5 }), square: () => svg("rect", { x: 2.5, y: 2.5, width: 9, height: 9 }),
      up: () => svg("path", { d: "M7 1L12.5 11H1.5Z" }), down: () => svg("path", { d: "M7 13L12.5 3H1.5Z" }), diamond: () => svg("path", { d: "M7 .5L13.5 7L7 13.5L.5 7Z" }),
    };
    return svg("svg", { width: 14, height: 14, fill: look.colour, "aria-hidden": "true" }, marks[look.shape]());
  }

  // --- the plane -------------------------------------------------------------------------------

  const plane = { points: new Float64Array(2 * N), cells: new Map(), rows: new Set(), order: [], radius: 0 };
  const canvas = $("plane");

  function drawPlane() {
    const x = by[$("plane-x").value], y = by[$("plane-y").value], colour = by[$("plane-colour").value];
    const t = theme(), ratio = sharpness();
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    canvas.width = width * ratio; canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.fillStyle = t.paper; pen.fillRect(0, 0, width, height);
    const rows = state.shown.filter((i) => (x.kind !== "number" || x.values[i] !== null) && (y.kind !== "number" || y.values[i] !== null));
    const stars = data.majority.filter((m) => has(m, x) && has(m, y));
    const across = axis(x, rows, 62, width - 14, stars.map((m) => m[x.name]));
    const up = axis(y, rows, height - 44, 12, stars.map((m) => m[y.name]));
    pen.font = "12px system-ui, sans-serif"; pen.textBaseline = "middle";
    pen.strokeStyle = t.line; pen.fillStyle = t.quiet; pen.lineWidth = 1;
    chance(pen, x, y, rows, across, up, height, t);
    pen.beginPath();
    pen.textAlign = "center";
    const room = Math.max(1, Math.ceil((across.ticks.length * 60) / (width - 76)));
    across.ticks.forEach(([at, words], k) => {
      pen.moveTo(at, 12); pen.lineTo(at, height - 44);
      if (k % room === 0) pen.fillText(clip(words), at, height - 33);
    });
    pen.textAlign = "right";
    for (const [at, words] of up.ticks) { pen.moveTo(62, at); pen.lineTo(width - 14, at); pen.fillText(clip(words), 56, at); }
    pen.stroke();
    pen.fillStyle = t.ink; pen.textAlign = "center";
    pen.fillText(x.label, 62 + (width - 76) / 2, height - 12);
    pen.save(); pen.translate(10, (height - 32) / 2); pen.rotate(-Math.PI / 2); pen.fillText(y.label, 0, 0); pen.restore();

    const look = looks(colour, t.dark), radius = rows.length > 3000 ? 2 : rows.length > 500 ? 3 : 4.5;
    const filled = look.list.map(() => new Path2D()), rings = look.list.map(() => new Path2D());
    plane.cells.clear();
    const constant = by.constant, discrete = stepped(x, rows);
    for (const i of rows) {
      const px = across.at(x.values[i]) + (discrete ? jitter(i) * Math.min(discrete * (width - 76), across.step || Infinity) * 0.3 : 0);
      const py = up.at(y.values[i]);
      plane.points[2 * i] = px; plane.points[2 * i + 1] = py;
      const k = look.of(i);
      trace((constant && constant.values[i] ? rings : filled)[k], look.list[k].shape, px, py, radius);
      const cell = cellOf(px, py);
      const there = plane.cells.get(cell);
      if (there) there.push(i); else plane.cells.set(cell, [i]);
    }
    pen.lineWidth = 1.5;
    look.list.forEach((l, k) => {
      pen.globalAlpha = rows.length > 500 ? 0.6 : 0.8;
      pen.fillStyle = pen.strokeStyle = l.colour;
      pen.fill(filled[k]); pen.stroke(rings[k]);
    });
    pen.globalAlpha = 1;
    for (const m of stars) star(pen, across.at(m[x.name]), up.at(m[y.name]), t);
    plane.rows = new Set(rows);
    plane.radius = radius;
    drawRings();
    plane.order = rows.slice().sort((a, b) => plane.points[2 * a] - plane.points[2 * b]);
    canvas.setAttribute("aria-label", `${y.label} against ${x.label}, ${rows.length} models`);
    const marks = look.list.length > 1 ? look.list.filter((_, k) => rows.some((i) => look.of(i) === k)).slice(0, LEVELS).map((l) => element("li", {}, swatch(l), l.words)) : [];
    const hidden = look.list.length > LEVELS ? [element("li", {}, `… ${look.list.length - LEVELS} more`)] : [];
    const band = x.name === "discrimination" || y.name === "discrimination" ? [element("li", {}, chanceSwatch(), "Discrimination that chance alone would show")] : [];
    $("legend").replaceChildren(...marks, ...hidden, element("li", {}, starSwatch(), data.majority.length > 1 ? "majority classes" : "majority class"), ...band);
  }
  // On a canvas of their own, so that the points are not drawn anew with every move of the mouse.
  function drawRings() {
    const over = $("rings"), pen = over.getContext("2d"), t = theme(), ratio = sharpness();
    over.width = canvas.width; over.height = canvas.height;
    pen.scale(ratio, ratio);
    for (const [i, colour] of [[state.chosen, t.accent], [state.near, t.ink]]) {
      if (!plane.rows.has(i)) continue;
      pen.beginPath(); pen.strokeStyle = colour; pen.lineWidth = 3;
      pen.arc(plane.points[2 * i], plane.points[2 * i + 1], plane.radius + 5, 0, 2 * Math.PI); pen.stroke();
    }
  }
  // Paper has finer dots than a screen.
  const sharpness = () => Math.max(window.devicePixelRatio || 1, document.documentElement.classList.contains("printing") ? 3 : 1);
  const has = (m, c) => c.kind === "number" && m[c.name] !== null && m[c.name] !== undefined;
  const clip = (words, most = 12) => (words.length > most ? `${words.slice(0, most - 1)}…` : words);
  const jitter = (i) => (((i * 2654435761) >>> 0) / 2 ** 32) * 2 - 1;
  // The share of the width between the values of a setting with few of them, else 0.
  function stepped(c, rows) {
    if (c.role !== "setting") return 0;
    const distinct = new Set(rows.map((i) => c.values[i])).size;
    return distinct <= LEVELS ? 1 / Math.max(2, distinct) : 0;
  }
  function chance(pen, x, y, rows, across, up, height, t) {
    const floors = by.discrimination_floor;
    if (!floors) return;
    const known = rows.map((i) => floors.values[i]).filter((v, k) => v !== null && !(by.constant && by.constant.values[rows[k]]));
    if (!known.length) return;
    const mean = known.reduce((a, b) => a + b, 0) / known.length;
    pen.save(); pen.globalAlpha = 0.18; pen.fillStyle = t.band;
    if (x.name === "discrimination") { const a = across.at(Math.max(0, across.low)), b = across.at(Math.min(mean, across.high)); pen.fillRect(a, 12, b - a, height - 56); }
    if (y.name === "discrimination") { const a = up.at(Math.max(0, up.low)), b = up.at(Math.min(mean, up.high)); pen.fillRect(62, b, canvas.clientWidth - 76, a - b); }
    pen.restore();
  }
  const STAR = Array.from({ length: 10 }, (_, k) => [Math.sin((k * Math.PI) / 5), -Math.cos((k * Math.PI) / 5)].map((v) => v * (k % 2 ? 4 : 10)));
  function star(pen, x, y, t) {
    pen.beginPath();
    STAR.forEach(([a, b], k) => (k ? pen.lineTo(x + a, y + b) : pen.moveTo(x + a, y + b)));
    pen.closePath();
    pen.fillStyle = "#F0E442"; pen.strokeStyle = t.dark ? "#fff" : "#000"; pen.lineWidth = 1.2;
    pen.fill(); pen.stroke();
  }
  const starSwatch = () => svg("svg", { width: 16, height: 16, "aria-hidden": "true" }, svg("path", { d: `M${STAR.map(([a, b]) => `${8 + a * 0.75} ${8 + b * 0.75}`).join("L")}Z`, fill: "#F0E442", stroke: "currentColor" }));
  const chanceSwatch = () => svg("svg", { width: 14, height: 14, "aria-hidden": "true" }, svg("rect", { width: 14, height: 14, fill: "#8c959f", opacity: 0.35 }));

  function nearest(px, py) {
    let best = -1, least = REACH * REACH;
    const cx = Math.floor(px / REACH), cy = Math.floor(py / REACH);
    for (let a = cx - 1; a <= cx + 1; a++) for (let b = cy - 1; b <= cy + 1; b++) for (const i of plane.cells.get(`${a},${b}`) || []) {
      const d = (plane.points[2 * i] - px) ** 2 + (plane.points[2 * i + 1] - py) ** 2;
      if (d < least) { least = d; best = i; }
    }
    return best;
  }
  // Few test rows leave few values: models that lie on one another are told of, and chosen in turn.
  function together(i) {
    const [x, y] = [plane.points[2 * i], plane.points[2 * i + 1]];
    return (plane.cells.get(cellOf(x, y)) || []).filter((k) => Math.hypot(plane.points[2 * k] - x, plane.points[2 * k + 1] - y) < 0.5);
  }
  const cellOf = (x, y) => `${Math.floor(x / REACH)},${Math.floor(y / REACH)}`;
  function near(i) {
    const tip = $("tip");
    if (i === state.near && tip.hidden === i < 0) return;
    state.near = i;
    canvas.style.cursor = i < 0 ? "crosshair" : "pointer";
    drawRings();
    tip.hidden = i < 0;
    if (i < 0) return;
    const others = together(i).length - 1;
    tip.textContent = described(i) + (others ? `\n${others} more in the same place: click again for the next.` : "");
    const x = plane.points[2 * i], y = plane.points[2 * i + 1];
    tip.style.left = `${Math.max(0, Math.min(x + 12, canvas.clientWidth - tip.offsetWidth))}px`;
    tip.style.top = `${y > canvas.clientHeight / 2 ? y - tip.offsetHeight - 12 : y + 12}px`;
  }
  function described(i) {
    const said = main.map((c) => `${c.label} ${text(c, i)}`).join(", ");
    const warned = by.constant && by.constant.values[i] ? "\nGives everybody the same label." : "";
    return `${name(i)}\n${said}${warned}`;
  }
  const point = (event) => { const box = canvas.getBoundingClientRect(); return nearest(event.clientX - box.left, event.clientY - box.top); };
  canvas.addEventListener("pointermove", (event) => near(point(event)));
  canvas.addEventListener("pointerleave", () => near(-1));
  canvas.addEventListener("click", (event) => {
    const i = point(event);
    if (i < 0) return;
    const there = together(i), next = there[(there.indexOf(state.chosen) + 1) % there.length];
    near(next); choose(next);
  });
  canvas.addEventListener("keydown", (event) => {
    const order = plane.order, k = order.indexOf(state.near >= 0 ? state.near : state.chosen);
    const moves = { ArrowRight: k + 1, ArrowLeft: k - 1, ArrowUp: k + Math.ceil(order.length / 20), ArrowDown: k - Math.ceil(order.length / 20), Home: 0, End: order.length - 1 };
    if (event.key in moves && order.length) {
      const i = order[Math.max(0, Math.min(order.length - 1, moves[event.key]))];
      near(i);
      $("said").textContent = described(i);
    } else if ((event.key === "Enter" || event.key === " ") && state.near >= 0) choose(state.near);
    else if (event.key === "Escape") near(-1);
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("blur", () => near(-1));

  // --- curves ----------------------------------------------------------------------------------

  const TILTED = 30;
  const PANELS = ["accuracy", "balanced_accuracy", "discrimination", "consistency"];
  function groupsOf(c, rows) {
    if (c.kind !== "number") return { of: (i) => c.values[i], note: "" };
    const distinct = ascending([...new Set(rows.map((i) => c.values[i]))]);
    if (distinct.length <= GROUPS) return { of: (i) => c.values[i], note: "" };
    const edges = Array.from({ length: BINS - 1 }, (_, k) => quantile(distinct, (k + 1) / BINS));
    const middle = Array.from({ length: BINS }, (_, k) => quantile(distinct, (k + 0.5) / BINS));
    return { of: (i) => middle[edges.filter((e) => c.values[i] > e).length], note: ` ${distinct.length} values in ${BINS} parts.` };
  }
  function drawCurves() {
    const x = by[$("curve-x").value], parted = by[$("curve-by").value];
    if (!x) return;
    const rows = state.shown.filter((i) => x.kind !== "number" || x.values[i] !== null);
    const group = groupsOf(x, rows), t = theme();
    const look = looks(parted, t.dark);
    const sums = new Map();
    for (const i of rows) {
      const key = `${look.of(i)}|${group.of(i)}`;
      if (!sums.has(key)) sums.set(key, { series: look.of(i), x: group.of(i), rows: [] });
      sums.get(key).rows.push(i);
    }
    const cells = [...sums.values()].sort((a, b) => a.series - b.series || a.x - b.x);
    const panels = PANELS.map((n) => by[n]).filter(Boolean);
    for (const cell of cells) cell.figures = Object.fromEntries(panels.map((c) => [c.name, spreadOf(c, cell.rows)]));
    $("curves").replaceChildren(...panels.map((c) => panel(c, x, rows, cells, look, group)));
    $("curve-note").textContent = `Line: median; band: 10th to 90th percentile over the models of each value (seeds, and whatever else varies).${group.note}`;
    $("curve-legend").replaceChildren(...(look.list.length > 1 ? look.list.filter((_, k) => cells.some((g) => g.series === k)).slice(0, LEVELS).map((l) => element("li", {}, swatch(l), l.words)) : []),
      element("li", {}, dash("majority"), "majority class"), element("li", {}, dash("chance"), "chance level"));
    curveTable(x, parted, cells, panels, look);
  }
  const dash = (kind) => svg("svg", { width: 26, height: 10, class: "chart", "aria-hidden": "true" }, svg("line", { x1: 0, x2: 26, y1: 5, y2: 5, class: kind }));
  function spreadOf(c, rows) {
    const values = ascending(rows.map((i) => number(c, i)).filter((v) => v !== null));
    return values.length ? { n: values.length, low: quantile(values, 0.1), mid: quantile(values, 0.5), high: quantile(values, 0.9) } : null;
  }
  function panel(c, x, rows, cells, look, group) {
    const named = x.kind !== "number", tilted = named && new Set(cells.map((g) => g.x)).size > 4;
    // Names have room for what tells long ones apart.
    const longest = tilted ? Math.min(TILTED, Math.max(...cells.map((g) => xWords(x, g.x).length))) : 0;
    const W = 420, L = 46, R = 10, T = 24, B = 40 + 6.2 * longest, H = 200 + B;
    const known = cells.filter((g) => g.figures[c.name]);
    const reference = majorityOf(c.name);
    const ends = known.flatMap((g) => [g.figures[c.name].low, g.figures[c.name].high]).concat(reference === null ? [] : [reference], c.name === "discrimination" ? [0] : []);
    const up = axis({ kind: "number", values: ends, role: "figure" }, ends.map((_, k) => k), H - B, T);
    const across = axis(x.kind === "number" ? { ...x, values: cells.map((g) => g.x) } : x, x.kind === "number" ? cells.map((_, k) => k) : rows, L, W - R);
    const made = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "chart", role: "img", "aria-label": `${c.label} against ${x.label}; the table below has the figures` });
    made.append(label(L, 14, c.label, "start", "title"));
    for (const [at, words] of up.ticks) made.append(svg("line", { x1: L, x2: W - R, y1: at, y2: at, class: "axis" }), label(L - 5, at + 4, words, "end"));
    const every = Math.max(1, Math.ceil((across.ticks.length * (tilted ? 13 : named ? 64 : 34)) / (W - L - R)));
    across.ticks.forEach(([at, words], k) => {
      if (k % every) return;
      const said = tilted ? label(0, 0, clip(words, TILTED), "end") : label(at, H - B + 16, clip(words));
      if (tilted) said.setAttribute("transform", `translate(${at + 4} ${H - B + 12}) rotate(-65)`);
      made.append(said);
    });
    made.append(label(L + (W - L - R) / 2, H - 6, x.label));
    if (reference !== null) made.append(svg("line", { x1: L, x2: W - R, y1: up.at(reference), y2: up.at(reference), class: "majority" }));
    const floors = by.discrimination_floor;
    look.list.forEach((l, k) => {
      const line = known.filter((g) => g.series === k);
      if (!line.length) return;
      const xs = line.map((g) => across.at(g.x)), of = (end) => line.map((g) => up.at(g.figures[c.name][end]));
      const path = (ys, order) => ys.map((y, j) => `${(order ? order[j] : xs[j]).toFixed(1)} ${y.toFixed(1)}`).join("L");
      if (across.words) line.forEach((g, j) => made.append(svg("line", { x1: xs[j] + shift(k, look), x2: xs[j] + shift(k, look), y1: of("low")[j], y2: of("high")[j], stroke: l.colour, "stroke-width": 5, opacity: 0.35 })));
      else made.append(svg("path", { d: `M${path(of("high"))}L${path(of("low").reverse(), xs.slice().reverse())}Z`, fill: l.colour, opacity: 0.22 }), svg("path", { d: `M${path(of("mid"))}`, fill: "none", stroke: l.colour, "stroke-width": 2 }));
      line.forEach((g, j) => made.append(svg("circle", { cx: xs[j] + (across.words ? shift(k, look) : 0), cy: of("mid")[j], r: 3, fill: l.colour }, svg("title", {}, `${l.words ? `${l.words}, ` : ""}${x.label} ${xWords(x, g.x)}: ${figure(g.figures[c.name].mid)} (${figure(g.figures[c.name].low)} to ${figure(g.figures[c.name].high)}), ${g.figures[c.name].n} models`))));
      if (c.name === "discrimination" && floors && k === line[0].series) {
        const chanceAt = line.map((g) => spreadOf(floors, g.rows)).map((s) => (s ? up.at(s.mid) : null));
        if (across.words) chanceAt.forEach((y, j) => { if (y !== null) made.append(svg("line", { x1: xs[j] - 7, x2: xs[j] + 7, y1: y, y2: y, class: "chance" })); });
        else if (chanceAt.every((v) => v !== null)) made.append(svg("path", { d: `M${path(chanceAt)}`, class: "chance" }));
      }
    });
    return made;
  }
  const shift = (k, look) => (look.list.length > 1 ? (k - (look.list.length - 1) / 2) * 6 : 0);
  const xWords = (x, v) => (x.kind === "number" ? brief(v) : x.kind === "flag" ? ["no", "yes"][v] : x.levels[v]);
  function curveTable(x, parted, cells, panels, look) {
    const head = element("tr", {}, ...[x.label, ...(parted ? [parted.label] : []), "models", ...panels.map((c) => `${c.label}: median (10th to 90th percentile)`)].map((w) => element("th", { scope: "col" }, w)));
    const lines = cells.map((g) => element("tr", {}, element("th", { scope: "row" }, xWords(x, g.x)), ...(parted ? [element("td", {}, look.list[g.series].words)] : []), element("td", {}, String(g.rows.length)),
      ...panels.map((c) => { const s = g.figures[c.name]; return element("td", {}, s ? `${figure(s.mid)} (${figure(s.low)} to ${figure(s.high)})` : "–"); })));
    const top = element("tr", {}, element("th", { scope: "row" }, "majority class"), ...(parted ? [element("td")] : []), element("td"), ...panels.map((c) => element("td", {}, figure(majorityOf(c.name)))));
    $("curve-table").replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...(data.majority.length === 1 ? [top] : []), ...lines)));
  }

  // --- the spread ------------------------------------------------------------------------------

  function drawSpread() {
    const c = by[$("spread-of").value];
    const kept = settings.filter((s) => !s.chance);
    const groups = new Map();
    for (const i of state.shown) {
      if (number(c, i) === null) continue;
      const key = kept.map((s) => s.values[i]).join("|");
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(i);
    }
    const several = [...groups.values()].filter((g) => g.length > 1), drawn = several.slice(0, GROUPS);
    const singles = groups.size - several.length;
    $("spread-note").textContent = !several.length
      ? "No two of these models differ in their seeds alone."
      : `A dot is a model; the tick is the median of those that differ in their seeds or divisions of the rows alone.${majorityOf(c.name) === null ? "" : " Dashed: the majority class."}` + (several.length > GROUPS ? ` The first ${GROUPS} of ${several.length} settings; show fewer models to see others.` : "") + (singles ? ` ${singles} settings have a single model.` : "");
    if (!drawn.length) return $("spread").replaceChildren();
    const look = looks(null, theme().dark).list[0];
    const W = Math.max(340, Math.min(1000, $("spread").clientWidth || 700)), narrow = W < 600, step = narrow ? 40 : 22, T = 8, B = 40, H = T + step * drawn.length + B;
    const words = drawn.map((g) => kept.map((s) => `${s.label} ${text(s, g[0])}`).join(", ") || "all models");
    // Where it is narrow the words stand above the dots.
    const L = narrow ? 12 : Math.min(W * 0.5, 16 + 6.8 * Math.max(...words.map((w) => w.length))), fits = Math.floor(((narrow ? W : L) - 15) / 6.8);
    const rows = drawn.flat(), reference = majorityOf(c.name);
    const across = axis({ ...c, role: "figure" }, rows, L, W - 12, reference === null ? [] : [reference]);
    const made = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "chart", role: "img", "aria-label": `${c.label} of single models, ${drawn.length} settings` });
    for (const [at, said] of across.ticks) made.append(svg("line", { x1: at, x2: at, y1: T, y2: H - B, class: "axis" }), label(at, H - B + 16, said));
    made.append(label(L + (W - L) / 2, H - 6, c.label));
    if (reference !== null) made.append(svg("line", { x1: across.at(reference), x2: across.at(reference), y1: T, y2: H - B, class: "majority" }, svg("title", {}, "majority class")));
    drawn.forEach((g, k) => {
      const y = T + step * (k + (narrow ? 0.75 : 0.5)), s = spreadOf(c, g);
      const fitting = words[k].length > fits ? `…${words[k].slice(1 - fits)}` : words[k];
      made.append(narrow ? label(4, y - 12, fitting, "start") : label(L - 8, y + 4, fitting, "end"));
      for (const i of g) {
        const dot = svg("circle", { cx: across.at(c.values[i]), cy: y, r: 4, fill: look.colour, opacity: 0.6, style: "cursor:pointer" }, svg("title", {}, described(i)));
        dot.addEventListener("click", () => choose(i));
        made.append(dot);
      }
      made.append(svg("line", { x1: across.at(s.mid), x2: across.at(s.mid), y1: y - 8, y2: y + 8, stroke: "var(--ink)", "stroke-width": 2 }));
    });
    $("spread").replaceChildren(made);
  }

  // --- the table -------------------------------------------------------------------------------

  // Whether a model is one at all stands before its figures.
  const ordered = ["setting", "flag", "figure", "fact"].flatMap((role) => columns.filter((c) => c.role === role));
  const tableColumns = () => ordered.filter((c) => !c.hidden && (c.role !== "figure" || c.main || $("all-columns").checked) && (c.role !== "fact" || $("all-columns").checked || c.name === "error"));
  function drawHead() {
    const sorts = [{ name: "", label: "model" }, ...tableColumns()];
    $("head").replaceChildren(element("tr", {}, ...sorts.map((c) => {
      const on = state.sort === c.name, arrow = on ? (state.down ? " ▼" : " ▲") : "";
      const button = element("button", { type: "button" }, c.label + arrow);
      button.addEventListener("click", () => {
        [state.sort, state.down] = [c.name, on ? !state.down : false];
        state.page = 0;
        drawHead(); drawTable();
        $("head").querySelectorAll("button")[sorts.indexOf(c)].focus();
      });
      return element("th", { scope: "col", "aria-sort": on ? (state.down ? "descending" : "ascending") : "none" }, button);
    })));
  }
  function sorted() {
    const c = by[state.sort], sign = state.down ? -1 : 1;
    if (!c) return state.down ? state.shown.slice().reverse() : state.shown;
    const names = c.kind === "text" ? new Map(c.levels.map((l, k) => [l, k]).sort(([a], [b]) => (a < b ? -1 : 1)).map(([, k], place) => [k, place])) : null;
    const key = (i) => (names ? names.get(c.values[i]) : c.values[i]);
    return state.shown.slice().sort((a, b) => {
      const [u, v] = [key(a), key(b)];
      if (u === null || v === null) return (u === null) - (v === null) || a - b;
      return sign * (u - v) || a - b;
    });
  }
  // The pinned row stays below the heading, whose names take a line or two.
  function pin() { $("head").parentElement.style.setProperty("--head", `${$("head").offsetHeight}px`); }
  function drawTable() {
    const shown = tableColumns(), rows = sorted(), pages = Math.max(1, Math.ceil(rows.length / PAGE));
    state.page = Math.min(state.page, pages - 1);
    $("pinned").replaceChildren(...data.majority.map((m) => element("tr", { class: "pinned" }, element("th", { scope: "row" }, m.label),
      ...shown.map((c) => element("td", {}, c.name === "constant" ? "yes" : c.role === "figure" && m[c.name] !== null && m[c.name] !== undefined ? figure(m[c.name]) : "")))));
    $("body").replaceChildren(...rows.slice(state.page * PAGE, (state.page + 1) * PAGE).map((i) => {
      const button = element("button", { type: "button", "aria-label": `Choose ${name(i)}` }, String(i + 1));
      const row = element("tr", { "data-model": i, class: i === state.chosen ? "chosen" : "", ...(i === state.chosen ? { "aria-current": "true" } : {}) }, element("th", { scope: "row" }, button),
        ...shown.map((c) => element("td", c.kind === "flag" && c.values[i] ? { class: "yes" } : {}, text(c, i))));
      row.addEventListener("click", () => { if (getSelection().isCollapsed) choose(i, true); });
      return row;
    }));
    pin();
    $("page").textContent = `${rows.length ? state.page * PAGE + 1 : 0} to ${Math.min(rows.length, (state.page + 1) * PAGE)} of ${rows.length}`;
    $("back").disabled = state.page === 0;
    $("on").disabled = state.page >= pages - 1;
  }
  $("back").addEventListener("click", () => { state.page--; drawTable(); });
  $("on").addEventListener("click", () => { state.page++; drawTable(); });
  $("all-columns").addEventListener("change", () => { drawHead(); drawTable(); });

  // --- the filter ------------------------------------------------------------------------------

  const COMPARE = { ">=": (a, b) => a >= b, "<=": (a, b) => a <= b, "!=": (a, b) => a !== b, "=": (a, b) => a === b, "<": (a, b) => a < b, ">": (a, b) => a > b };
  const called = (word) => columns.find((c) => [c.name, c.label].some((n) => n.toLowerCase() === word.toLowerCase()));
  function condition(word) {
    const match = word.match(/^([^<>=!]+)(>=|<=|!=|=|<|>)(.+)$/);
    if (!match) {
      const wanted = word.toLowerCase(), texts = columns.filter((c) => c.kind === "text");
      return (i) => texts.some((c) => text(c, i).toLowerCase().includes(wanted));
    }
    const c = called(match[1].replaceAll("_", " ").trim()) || called(match[1].trim());
    if (!c) throw new Error(`there is no column ${match[1]}`);
    const test = COMPARE[match[2]];
    if (c.kind === "number") {
      const limit = Number(match[3]);
      if (Number.isNaN(limit)) throw new Error(`${c.label} is a number, ${match[3]} is none`);
      const of = c.role === "setting" ? (i) => Number(text(c, i)) : (i) => c.values[i];
      return (i) => c.values[i] !== null && test(of(i), limit);
    }
    return (i) => test(text(c, i).toLowerCase(), match[3].toLowerCase());
  }
  function refresh() {
    const words = $("filter").value.match(/"[^"]*"|\S+/g) || [];
    let conditions = [], problem = "";
    try { conditions = words.map((w) => condition(w.replaceAll('"', ""))); } catch (error) { problem = error.message; }
    for (const select of $("levels").querySelectorAll("select")) {
      if (select.value === "") continue;
      const c = by[select.name], v = Number(select.value);
      conditions.push((i) => c.values[i] === v);
    }
    state.shown = [];
    for (let i = 0; i < N; i++) if (conditions.every((holds) => holds(i))) state.shown.push(i);
    $("shown").textContent = problem ? `Cannot be understood: ${problem}.` : `${state.shown.length} of ${N} models.`;
    $("shown").classList.toggle("bad", Boolean(problem));
    state.page = 0;
    drawAll();
  }
  function drawAll() { near(-1); drawPlane(); drawCurves(); drawSpread(); drawTable(); }
  let waiting = 0;
  $("filter").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(refresh, 120); });
  $("filters").addEventListener("submit", (event) => { event.preventDefault(); refresh(); });
  $("filters").addEventListener("reset", () => setTimeout(refresh));
  for (const id of ["plane-x", "plane-y", "plane-colour"]) $(id).addEventListener("change", () => { near(-1); drawPlane(); });
  for (const id of ["curve-x", "curve-by"]) $(id).addEventListener("change", drawCurves);
  $("spread-of").addEventListener("change", drawSpread);

  // --- the chosen model ------------------------------------------------------------------------

  let histories = null;
  function historyOf(i) {
    const there = $("histories-data");
    if (!there) return null;
    // Parsed when first asked for: of many models it is the largest part of the page.
    histories ||= JSON.parse(there.textContent);
    const kept = histories.models[i];
    return kept && kept.length ? Object.fromEntries(histories.names.map((n, k) => [n, kept[k].map((v) => (v === null ? null : v / histories.scale))])) : null;
  }
  function choose(i, go = false) {
    state.chosen = i;
    drawRings(); drawTable(); drawChosen();
    const jump = element("a", { href: "#model" }, "See it below");
    $("said").replaceChildren(`Chosen: ${described(i).replaceAll("\n", ". ")} `, jump, ".");
    if (go) $("model").focus();
  }
  function drawChosen() {
    const i = state.chosen, box = $("chosen");
    if (i < 0) return box.replaceChildren(element("p", { class: "quiet" }, "None yet: click a point, or a number in the table."));
    const facts = [...settings, ...columns.filter((c) => c.role === "fact" || c.kind === "flag")];
    const list = element("dl", { class: "facts" }, ...facts.flatMap((c) => [element("dt", {}, c.label), element("dd", {}, text(c, i))]));
    const m = data.majority[data.of ? data.of[i] : 0] || {};
    const grid = element("table", {}, element("thead", {}, element("tr", {}, ...["figure", "this model", "majority class"].map((w) => element("th", { scope: "col" }, w)))),
      element("tbody", {}, ...figures.filter((c) => c.main || c.values[i] !== null).map((c) => element("tr", {}, element("th", { scope: "row" }, c.label), element("td", {}, text(c, i)), element("td", {}, figure(m[c.name]))))));
    const parts = [element("p", {}, element("strong", {}, name(i)), by.constant && by.constant.values[i] ? " gives everybody the same label: its Discrimination of 0 and Consistency of 1 mean nothing." : ""),
      list, element("h3", {}, "Its figures"), element("p", { class: "quiet" }, "On the test rows, but for those named validation."), element("div", { class: "table", tabindex: "0" }, grid), element("h3", {}, "Its epochs"), ...epochs(i)];
    if (data.commands) parts.push(element("h3", {}, "Train it again"), ...commands(i));
    box.replaceChildren(...parts);
  }
  function epochs(i) {
    const history = historyOf(i);
    if (!history) return [element("p", { class: "quiet" }, "None are kept: its method has none, or an earlier version wrote the record.")];
    const kept = by.epoch ? by.epoch.values[i] : null;
    const charts = [["loss of the target, training rows", ["loss"]], ["validation rows", Object.keys(history).filter((n) => n !== "loss")]];
    return [element("div", { class: "panels" }, ...charts.map(([title, names]) => epochChart(title, names, history, kept))),
      element("ul", { class: "legend" }, ...charts[1][1].map((n, k) => element("li", {}, swatch({ ...looks(by.constant, theme().dark).list[0], colour: lineColour(k), shape: SHAPES[k] }), by[n] ? by[n].label : n)), element("li", {}, `dashed: the epoch kept, ${kept}`))];
  }
  const lineColour = (k) => COLOURS[[theme().dark ? 5 : 0, 1, 2][k % 3]];
  function epochChart(title, names, history, kept) {
    const W = 360, H = 220, L = 46, R = 10, T = 24, B = 36, E = history.loss.length;
    const values = names.flatMap((n) => history[n]).filter((v) => v !== null);
    const up = axis({ kind: "number", values, role: "figure" }, values.map((_, k) => k), H - B, T);
    const across = axis({ kind: "number", values: [1, E], role: "figure" }, [0, 1], L, W - R);
    const made = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "chart", role: "img", "aria-label": `${title}, ${E} epochs: ` + names.map((n) => `${n.replaceAll("_", " ")} from ${figure(history[n][0])} to ${figure(history[n][E - 1])}`).join(", ") });
    made.append(label(L, 14, title, "start", "title"), label(L + (W - L - R) / 2, H - 4, "epoch"));
    for (const [at, words] of up.ticks) made.append(svg("line", { x1: L, x2: W - R, y1: at, y2: at, class: "axis" }), label(L - 5, at + 4, words, "end"));
    for (const [at, words] of across.ticks) if (Number.isInteger(+words)) made.append(label(at, H - B + 16, words));
    if (kept) made.append(svg("line", { x1: across.at(kept), x2: across.at(kept), y1: T, y2: H - B, class: "kept" }));
    names.forEach((n, k) => {
      const points = history[n].map((v, e) => (v === null ? null : [across.at(e + 1), up.at(v)])).filter(Boolean);
      made.append(svg("path", { d: points.length ? `M${points.map(([a, b]) => `${a.toFixed(1)} ${b.toFixed(1)}`).join("L")}` : "", fill: "none", stroke: lineColour(k), "stroke-width": 1.8 }));
      points.filter((_, e) => e % Math.ceil(E / 8) === 0).forEach(([a, b]) => { const at = swatch({ shape: SHAPES[k], colour: lineColour(k) }).firstChild; made.append(svg("g", { transform: `translate(${a - 4} ${b - 4}) scale(.58)`, fill: lineColour(k) }, at)); });
    });
    return made;
  }
  function python(value, indent = "") {
    if (value === null) return "None";
    if (value === true) return "True";
    if (value === false) return "False";
    if (Array.isArray(value)) return `[${value.map((v) => python(v)).join(", ")}]`;
    if (typeof value !== "object") return JSON.stringify(value);
    const lines = Object.entries(value).map(([k, v]) => `${indent}    ${JSON.stringify(k)}: ${python(v, `${indent}    `)},\n`);
    return lines.length ? `{\n${lines.join("")}${indent}}` : "{}";
  }
  function trialOf(i) {
    const c = data.commands, study = c[data.studies ? data.studies[i] : 0];
    const made = structuredClone(study.trial);
    for (const column of columns) {
      if (!column.path || column.values[i] === null) continue;
      const value = column.kind === "text" ? column.json[column.values[i]] : column.values[i];
      const parts = column.path.split("."), last = parts.pop();
      parts.reduce((at, p) => (at[p] ||= {}), made)[last] = value;
    }
    return [study, made];
  }
  function commands(i) {
    const [study, trial] = trialOf(i);
    const snippet = (trial.rival ? study.rival : study.python).replace("{trial}", () => python(trial));
    const blocks = [["Python", snippet]];
    if (study.shell) {
      // Only GRAD's models can be saved: a rival is trained again and compared.
      const command = study.shell.replace("{key}", () => data.keys[i]) + (trial.rival ? "" : " --save model.safetensors");
      blocks.push(["In a terminal, where the study's folder is", command]);
      if (!trial.rival) blocks.push(["What that saves, in Python", 'from grad_ext import load\n\nmodel = load("model.safetensors")']);
    }
    return blocks.map(([title, code], k) => {
      // Two buttons of one name: each is read out with what it copies.
      const called = element("span", { id: `code-${k}` }, title);
      const button = element("button", { type: "button", class: "noprint", id: `copy-${k}`, "aria-labelledby": `copy-${k} code-${k}` }, "Copy");
      const pre = element("pre", { tabindex: "0" }, code);
      button.addEventListener("click", () => copy(pre, button));
      return element("div", { class: "code" }, element("p", { class: "quiet" }, called, " ", button), pre);
    });
  }
  async function copy(pre, button) {
    try { await navigator.clipboard.writeText(pre.textContent); } catch {
      const range = document.createRange();
      range.selectNodeContents(pre);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      if (!document.execCommand("copy")) { button.textContent = "Marked: press Ctrl+C"; return; }
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }

  // --- the beginning ---------------------------------------------------------------------------

  const few = (c) => (c.kind === "text" ? c.levels.length : c.kind === "flag" ? 2 : new Set(c.values).size);
  const varying = settings.filter((c) => few(c) > 1);
  const none = { name: "-", label: "nothing" };
  options($("plane-y"), [...figures, ...varying], "accuracy");
  options($("plane-x"), [...figures, ...varying], "discrimination");
  const told = varying.filter((c) => !c.chance);
  const colourBy = told.find((c) => c.name === "study") || told.find((c) => c.name === "method") || told.find((c) => c.name === "lam") || told[0];
  options($("plane-colour"), [none, ...varying, ...(by.constant ? [by.constant] : [])], colourBy ? colourBy.name : "-");
  options($("curve-x"), varying.length ? varying : shownSettings, ((by.method && few(by.method) > 6 ? by.method : told.find((c) => c.name === "lam")) || told[0] || {}).name);
  const parts = varying.filter((c) => c.kind === "text" && few(c) <= LEVELS);
  const lineBy = ["study", "method", "recipe", "dataset"].find((n) => parts.some((c) => c.name === n && few(c) <= 6));
  options($("curve-by"), [none, ...parts], lineBy && lineBy !== $("curve-x").value ? lineBy : "-");
  options($("spread-of"), figures, "accuracy");
  for (const c of told.filter((s) => few(s) <= LEVELS)) {
    const values = c.kind === "text" ? c.levels.map((l, k) => [k, l]) : ascending([...new Set(c.values.filter((v) => v !== null))]).map((v) => [v, figure(v, "setting")]);
    $("levels").append(element("label", {}, c.label, element("select", { name: c.name }, element("option", { value: "" }, "all"), ...values.map(([v, words]) => element("option", { value: v }, String(words))))));
  }
  $("levels").addEventListener("change", refresh);
  const example = told.find((c) => c.kind === "number");
  const hint = `${example ? `${example.name}=${text(example, 0)} ` : ""}discrimination<0.05 constant=no`;
  $("filter").placeholder = hint;
  $("filter-help").textContent = `Conditions on any column, such as ${hint}; a word alone is looked for in names.`;

  $("explorer").hidden = false;
  drawHead(); refresh(); drawChosen();
  let width = 0;
  new ResizeObserver(() => {
    if (canvas.clientWidth === width) return;
    width = canvas.clientWidth;
    requestAnimationFrame(() => { drawPlane(); drawSpread(); pin(); });
  }).observe(canvas.parentElement);
  const repaint = () => { drawPlane(); drawCurves(); drawSpread(); drawChosen(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  const printing = (on) => { document.documentElement.classList.toggle("printing", on); repaint(); };
  // A canvas that is drawn anew for printing comes out blank; a picture of it does not.
  const printed = element("img", { alt: "" });
  addEventListener("beforeprint", () => {
    printing(true);
    const whole = element("canvas", { width: canvas.width, height: canvas.height }), pen = whole.getContext("2d");
    for (const part of [canvas, $("rings")]) pen.drawImage(part, 0, 0);
    printed.src = whole.toDataURL();
    canvas.parentElement.append(printed);
  });
  addEventListener("afterprint", () => { printed.remove(); printing(false); });
})();
