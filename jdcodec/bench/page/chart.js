// The rate–distortion chart: curves, published curves behind them, values under pointer or arrow keys.

let placed = []; // every marker drawn: {codec, point, x, y}
let current = -1; // index into `placed` of the marker whose values are shown

/** Round steps over [low, high], about `count` of them. */
function ticks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw);
  const found = [];
  for (let tick = Math.ceil(low / step); tick * step <= high + step * 1e-6; tick += 1) found.push(tick * step);
  return found;
}

/** 1, 2 and 5 times the powers of ten in [low, high]. */
function logarithmicTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1)
    for (const factor of [1, 2, 5]) {
      const tick = factor * 10 ** power;
      if (tick >= low && tick <= high) found.push(tick);
    }
  return found;
}

/** What maps bpp and quality to the pixels of a plot, with the ticks of both axes. */
function axes(points, width, height) {
  const margin = { left: 46, right: 16, top: 16, bottom: 44 };
  const rates = points.map((point) => point.bpp);
  const values = points.map((point) => point[chosen.measure]);
  const pad = (Math.max(...values) - Math.min(...values)) * 0.06 || 1;
  const [bottom, top] = [Math.min(...values) - pad, Math.max(...values) + pad];
  const log = chosen.logarithmic;
  const [low, high] = log ? [Math.min(...rates) / 1.1, Math.max(...rates) * 1.1] : [0, Math.max(...rates) * 1.04];
  const along = log ? (rate) => Math.log(rate / low) / Math.log(high / low) : (rate) => (rate - low) / (high - low);
  return {
    margin,
    x: (rate) => margin.left + along(rate) * (width - margin.left - margin.right),
    y: (value) => height - margin.bottom - ((value - bottom) / (top - bottom)) * (height - margin.top - margin.bottom),
    rateTicks: log ? logarithmicTicks(low, high) : ticks(low, high, Math.max(3, width / 110)),
    valueTicks: ticks(bottom, top, height / 60),
  };
}

function drawChart() {
  const plot = byId("plot");
  const width = Math.max(280, byId("chart").clientWidth);
  const height = Math.round(Math.min(480, Math.max(300, width * 0.6)));
  const shown = names.filter((codec) => !chosen.hidden.has(codec) && curve(codec).length);
  plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
  plot.setAttribute("aria-label", `${data.measures[chosen.measure]} against bits per pixel: ${shown.join(", ")}`);
  plot.replaceChildren();
  placed = [];
  select(-1);
  if (!shown.length) {
    plot.append(svg("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "no curve to show"));
    return;
  }
  const frame = axes(shown.flatMap(curve), width, height);
  drawFrame(plot, frame, width, height);
  drawPublished(plot, frame, width, height);
  drawInput(plot, frame, width, height);
  for (const codec of [...shown].reverse()) drawCurve(plot, frame, codec);
  plot.append(svg("path", { class: "ring", id: "ring", d: "" }));
}

function drawFrame(plot, { margin, x, y, rateTicks, valueTicks }, width, height) {
  const floor = height - margin.bottom;
  for (const value of valueTicks) {
    plot.append(svg("line", { class: "grid", x1: margin.left, x2: width - margin.right, y1: y(value), y2: y(value) }));
    const text = String(Number(value.toPrecision(4)));
    plot.append(svg("text", { x: margin.left - 8, y: y(value) + 4, "text-anchor": "end" }, text));
  }
  for (const rate of rateTicks) {
    plot.append(svg("line", { class: "grid", x1: x(rate), x2: x(rate), y1: margin.top, y2: floor }));
    const text = String(Number(rate.toPrecision(4)));
    plot.append(svg("text", { x: x(rate), y: floor + 18, "text-anchor": "middle" }, text));
  }
  plot.append(svg("line", { class: "axis", x1: margin.left, x2: width - margin.right, y1: floor, y2: floor }));
  plot.append(svg("text", { x: width - margin.right, y: height - 8, "text-anchor": "end" }, "bits per pixel"));
  plot.append(svg("text", { x: margin.left + 6, y: margin.top + 8 }, data.measures[chosen.measure]));
}

/** Published curves are of clean pictures, so they stand behind sets without noise only; cut off at the frame. */
function drawPublished(plot, { margin, x, y }, width, height) {
  if (!chosen.anchors) return;
  const [w, h] = [width - margin.left - margin.right, height - margin.top - margin.bottom];
  const area = svg("rect", { x: margin.left, y: margin.top, width: w, height: h });
  plot.append(svg("clipPath", { id: "frame" }, area));
  for (const anchor of data.anchors) {
    const values = anchor.measures[chosen.measure];
    if (!values) continue;
    const points = anchor.bpp.map((rate, i) => [rate, values[i]]).sort((a, b) => a[0] - b[0]);
    const path = "M" + points.map(([rate, value]) => `${x(rate)},${y(value)}`).join("L");
    const line = svg("path", { class: "published", d: path, "clip-path": "url(#frame)" });
    line.append(svg("title", {}, anchor.codec));
    plot.append(line);
    for (const [rate, value] of points) {
      const [px, py] = [x(rate), y(value)];
      if (px >= margin.left && px <= width - margin.right && py >= margin.top && py <= height - margin.bottom)
        placed.push({ published: anchor, rate, value, x: px, y: py });
    }
  }
}

/** How good the noisy pictures are that were coded: a codec above this line has denoised. */
function drawInput(plot, { margin, y }, width, height) {
  const value = group().input[chosen.measure];
  if (value === undefined || y(value) < margin.top || y(value) > height - margin.bottom) return;
  plot.append(svg("line", { class: "input", x1: margin.left, x2: width - margin.right, y1: y(value), y2: y(value) }));
  const text = `noisy input, ${number(value, 2)}${unit()}`;
  plot.append(svg("text", { x: width - margin.right - 4, y: y(value) - 6, "text-anchor": "end" }, text));
}

function drawCurve(plot, { x, y }, codec) {
  const points = curve(codec);
  const at = (point) => [x(point.bpp), y(point[chosen.measure])];
  const path = "M" + points.map((point) => at(point).join()).join("L");
  const line = svg("path", { class: codec === first ? "curve first" : "curve", d: path, "data-codec": codec });
  line.style.stroke = colour(codec);
  plot.append(line);
  for (const point of points) {
    const [px, py] = at(point);
    const mark = svg("path", { class: "mark", d: marker(codec, px, py, codec === first ? 6 : 5) });
    mark.style.fill = colour(codec);
    plot.append(mark);
    placed.push({ codec, point, x: px, y: py });
  }
}

/** Show the values of marker `index`, or of none for −1. */
function select(index, speak = false) {
  current = index;
  const tip = byId("tip");
  const found = placed[index];
  tip.hidden = !found;
  if (byId("ring")) byId("ring").setAttribute("d", found ? marker("", found.x, found.y, 9) : "");
  if (!found) return;
  const lines = found.published ? publishedLines(found) : codecLines(found);
  tip.replaceChildren(html("b", {}, lines[0]), ...lines.slice(1).map((line) => html("div", {}, line)));
  const [width, height] = [byId("chart").clientWidth, byId("chart").clientHeight];
  const scale = width / byId("plot").viewBox.baseVal.width;
  const left = found.x * scale + 14;
  tip.style.left = `${left + tip.offsetWidth > width ? Math.max(4, left - tip.offsetWidth - 28) : left}px`;
  tip.style.top = `${Math.min(Math.max(4, found.y * scale - tip.offsetHeight / 2), height - tip.offsetHeight - 4)}px`;
  if (speak) byId("spoken").textContent = lines.join(", ");
}

function codecLines({ codec, point }) {
  const measure = data.measures[chosen.measure].split(" (")[0];
  return [
    titles[codec],
    `${number(point.bpp, 3)} bits per pixel`,
    `${measure} ${number(point[chosen.measure], 2)}${unit()}`,
    ...(chosen.measure === "ms_ssim_db" ? [`MS-SSIM ${number(point.ms_ssim, 4)}`] : []),
    `quality ${point.quality}`,
  ];
}

function publishedLines({ published, rate, value }) {
  const source = published.source ? [published.source] : [];
  return [published.codec, `${number(rate, 3)} bits per pixel`, `${number(value, 2)}${unit()}`, ...source];
}

/** The marker nearest to a pointer; the measured ones win over published ones close by. */
function nearest(event) {
  const box = byId("plot").getBoundingClientRect();
  const scale = byId("plot").viewBox.baseVal.width / box.width;
  const [px, py] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  let [best, reach] = [-1, 40];
  placed.forEach((mark, index) => {
    const far = Math.hypot(mark.x - px, mark.y - py) + (mark.published ? 8 : 0);
    if (far < reach) [best, reach] = [index, far];
  });
  return best;
}

/** Arrow keys: along a curve, or to the nearest rate on the next one. */
function step(event) {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key === "Escape") select(-1);
  if (!(event.key in moves)) return;
  event.preventDefault();
  const own = placed.map((mark, index) => ({ ...mark, index })).filter((mark) => !mark.published);
  if (!own.length) return;
  const codecs = names.filter((codec) => own.some((mark) => mark.codec === codec));
  const here = own.find((mark) => mark.index === current);
  if (!here) return select(own.find((mark) => mark.codec === codecs[0]).index, true);
  const [along, across] = moves[event.key];
  const line = codecs[(codecs.indexOf(here.codec) + across + codecs.length) % codecs.length];
  const marks = own.filter((mark) => mark.codec === line);
  const at = across
    ? marks.reduce((a, b) => (Math.abs(b.x - here.x) < Math.abs(a.x - here.x) ? b : a))
    : marks[Math.min(marks.length - 1, Math.max(0, marks.findIndex((mark) => mark.index === current) + along))];
  select(at.index, true);
}

function drawLegend() {
  byId("legend").replaceChildren(
    ...names.map((codec) => {
      const sample = svg("svg", { width: 26, height: 14, "aria-hidden": "true" });
      const line = svg("line", { x1: 0, x2: 26, y1: 7, y2: 7, "stroke-width": codec === first ? 3.4 : 1.8 });
      const mark = svg("path", { d: marker(codec, 13, 7, 5) });
      line.style.stroke = mark.style.fill = colour(codec);
      sample.append(line, mark);
      const button = html("button", { type: "button", "aria-pressed": String(!chosen.hidden.has(codec)) }, sample, codec);
      button.title = titles[codec];
      button.addEventListener("click", () => {
        chosen.hidden.has(codec) ? chosen.hidden.delete(codec) : chosen.hidden.add(codec);
        button.setAttribute("aria-pressed", String(!chosen.hidden.has(codec)));
        drawChart();
      });
      return html("li", {}, button);
    }),
  );
}

function startChart() {
  drawLegend();
  byId("anchors-label").hidden = !data.anchors.length;
  byId("plot").addEventListener("pointermove", (event) => select(nearest(event)));
  byId("plot").addEventListener("pointerdown", (event) => select(nearest(event)));
  byId("plot").addEventListener("pointerleave", () => select(-1));
  byId("plot").addEventListener("blur", () => select(-1));
  byId("plot").addEventListener("keydown", step);
  byId("logarithmic").addEventListener("change", (event) => {
    chosen.logarithmic = event.target.checked;
    drawChart();
  });
  byId("anchors").addEventListener("change", (event) => {
    chosen.anchors = event.target.checked;
    drawChart();
  });
  new ResizeObserver(drawChart).observe(byId("chart"));
}
