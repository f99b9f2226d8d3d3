// Shared by the parts of the report: what the reader has chosen, and small helpers.

const names = data.codecs.map((codec) => codec.name);
const titles = Object.fromEntries(data.codecs.map((codec) => [codec.name, codec.title]));
const first = names[0];
const chosen = {
  group: 0,
  measure: "psnr",
  reference: names[1] || first,
  logarithmic: false,
  anchors: true,
  hidden: new Set(),
  sort: { column: 1, descending: false },
};

const group = () => data.groups[chosen.group];
const unit = () => (chosen.measure === "ssimulacra2" ? "" : " dB");
const number = (value, digits) => value.toFixed(digits).replace("-", "−");
const signed = (value, digits) => (value > 0 ? "+" : "") + number(value, digits);
const colour = (codec) => `var(--s${Math.max(0, names.indexOf(codec)) % 8})`;

/** An SVG element with attributes and children. */
function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Fill a select with [value, text] pairs. */
function fill(select, options, value) {
  select.replaceChildren(...options.map(([key, text]) => html("option", { value: key }, text)));
  select.value = value;
}

/** The points of a codec's curve in the chosen group that have the chosen measure, in rising bpp. */
function curve(codec) {
  const points = group().curves[codec] || [];
  return points.filter((point) => point[chosen.measure] !== null).sort((a, b) => a.bpp - b.bpp);
}

/** A Bjøntegaard difference of `test` to `reference`, or undefined where there is none. */
function difference(kind, reference, test) {
  const table = group()[kind][chosen.measure];
  return table && table[reference] && table[reference][test];
}

/** The outline of a codec's marker about (x, y): shapes differ, so that colour is not the only thing. */
function marker(codec, x, y, r) {
  const corners = (turns) => "M" + turns.map(([a, b]) => `${x + a * r},${y + b * r}`).join("L") + "Z";
  const shapes = [
    `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`,
    corners([[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]),
    corners([[0, -1.15], [1.1, 0.85], [-1.1, 0.85]]),
    corners([[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]]),
    corners([[0, 1.15], [1.1, -0.85], [-1.1, -0.85]]),
    corners([[-1.15, 0], [0.85, -1.1], [0.85, 1.1]]),
    corners([[1.15, 0], [-0.85, -1.1], [-0.85, 1.1]]),
    corners([[-0.4, -1.1], [0.4, -1.1], [1.1, -0.4], [1.1, 0.4], [0.4, 1.1], [-0.4, 1.1], [-1.1, 0.4], [-1.1, -0.4]]),
  ];
  return shapes[Math.max(0, names.indexOf(codec)) % shapes.length];
}
