// The verdict at the top, the sortable table, and the tables of all values, commands and problems.

/** Columns of the table: heading, the value to sort by (null last) and the text to show. */
function columns() {
  const measure = data.measures[chosen.measure].split(" (")[0];
  const rate = (codec) => difference("bd_rate", chosen.reference, codec);
  const gain = (codec) => difference("bd_quality", chosen.reference, codec);
  const peak = (codec) => (group().peaks[chosen.measure] || {})[codec];
  const expense = (codec) => data.codecs.find((one) => one.name === codec).expense;
  const delta = (found, digits, mark) => (found.value === null ? found.why : signed(found.value, digits) + mark);
  const cost = (heading, field, show) => ({
    heading,
    value: (codec) => (expense(codec) && expense(codec)[field] !== null ? expense(codec)[field] : null),
    text: (codec) => show(expense(codec)[field]),
  });
  const seconds = (value) => (value < 0.0995 ? `${number(1000 * value, 1)} ms` : `${number(value, 2)} s`);
  const megabytes = (value) => `${number(value / 1e6, 0)} MB`;
  return [
    { heading: "Codec", value: (codec) => codec, text: (codec) => codec, head: true },
    {
      heading: "BD-rate",
      value: (codec) => (codec === chosen.reference ? 0 : rate(codec) ? rate(codec).value : null),
      text: (codec) => (codec === chosen.reference ? "0 %" : rate(codec) ? delta(rate(codec), 1, " %") : ""),
      why: (codec) => rate(codec) && rate(codec).why,
    },
    {
      heading: `BD-${measure}`,
      value: (codec) => (codec === chosen.reference ? 0 : gain(codec) ? gain(codec).value : null),
      text: (codec) => (codec === chosen.reference ? "0" + unit() : gain(codec) ? delta(gain(codec), 2, unit()) : ""),
      why: (codec) => gain(codec) && gain(codec).why,
    },
    {
      heading: "Overlap",
      value: (codec) => (rate(codec) ? rate(codec).overlap : null),
      text: (codec) => `${number(100 * rate(codec).overlap, 0)} %`,
    },
    {
      heading: `Peak ${measure}`,
      value: (codec) => (peak(codec) ? peak(codec).quality : null),
      text: (codec) => number(peak(codec).quality, 2) + unit(),
    },
    {
      heading: "bpp at peak",
      value: (codec) => (peak(codec) ? peak(codec).bpp : null),
      text: (codec) => number(peak(codec).bpp, 3),
    },
    cost("Encode", "encode_seconds", seconds),
    cost("Decode", "decode_seconds", seconds),
    cost("Encode memory", "encode_bytes", megabytes),
    cost("Decode memory", "decode_bytes", megabytes),
  ];
}

function drawTable() {
  const all = columns();
  const { column, descending } = chosen.sort;
  const order = (a, b) => {
    const [x, y] = [all[column].value(a), all[column].value(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return (x < y ? -1 : x > y ? 1 : 0) * (descending ? -1 : 1);
  };
  const heads = all.map(({ heading }, index) => {
    const button = html("button", { type: "button" }, heading);
    button.addEventListener("click", () => {
      chosen.sort = { column: index, descending: index === column && !descending };
      drawTable();
      byId("table").querySelectorAll("thead button")[index].focus();
    });
    const direction = index === column ? (descending ? "descending" : "ascending") : "none";
    return html("th", { scope: "col", "aria-sort": direction }, button);
  });
  const rows = [...names].sort(order).map((codec) => {
    const cells = all.map(({ head, value, text, why }) => {
      if (head) return html("th", { scope: "row" }, text(codec));
      const missing = value(codec) === null;
      return html("td", missing ? { class: "why" } : {}, missing ? (why && why(codec)) || "–" : text(codec));
    });
    return html("tr", { class: codec === first ? "first" : "", "data-codec": codec }, ...cells);
  });
  byId("table").replaceChildren(
    html("caption", { class: "visually-hidden" }, `All codecs, compared with ${chosen.reference}`),
    html("thead", {}, html("tr", {}, ...heads)),
    html("tbody", {}, ...rows),
  );
}

/** One card for each rival: how many bits the first codec needs at equal quality. */
function drawVerdict() {
  const cards = names.slice(1).map((codec) => {
    const rate = difference("bd_rate", codec, first);
    if (!rate || rate.value === null)
      return html("li", {}, html("b", {}, "–"), html("span", {}, `${titles[codec]}: ${rate ? rate.why : "no curve"}`));
    const text = `${Math.abs(rate.value).toFixed(0)} % ${rate.value < 0 ? "fewer" : "more"} bits`;
    const thin = rate.overlap < 0.5 ? `; the curves share only ${number(100 * rate.overlap, 0)} % of their range` : "";
    return html("li", {}, html("b", {}, text), html("span", {}, `than ${titles[codec]}${thin}`));
  });
  const measure = data.measures[chosen.measure].split(" (")[0];
  byId("verdict-heading").textContent = cards.length ? `At equal ${measure}, ${titles[first]} needs` : "";
  byId("verdict").replaceChildren(...cards);
}

/** The best rival's peak, and what the first codec makes of it. */
function drawPeaks() {
  const peaks = group().peaks[chosen.measure] || {};
  const rivals = names.filter((codec) => codec !== first && peaks[codec]);
  byId("peaks").textContent = "";
  if (!peaks[first] || !rivals.length) return;
  const best = rivals.reduce((a, b) => (peaks[b].quality > peaks[a].quality ? b : a));
  const reached = peaks[best].bpp_of_others[first];
  const change = reached && 100 * (reached / peaks[best].bpp - 1);
  byId("peaks").textContent =
    `The best rival, ${best}, peaks at ${number(peaks[best].quality, 2)}${unit()} with ${number(peaks[best].bpp, 3)} bpp; ` +
    (reached === null
      ? `${first} does not reach that, its best is `
      : `${first} is there at ${number(reached, 3)} bpp (${signed(change, 0)} %), and its own peak is `) +
    `${number(peaks[first].quality, 2)}${unit()} with ${number(peaks[first].bpp, 3)} bpp.`;
}

function drawValues() {
  const heads = ["Codec", "Quality", "bpp", "PSNR (dB)", "MS-SSIM", "MS-SSIM (dB)", "SSIMULACRA 2"];
  const fields = [["bpp", 4], ["psnr", 3], ["ms_ssim", 5], ["ms_ssim_db", 3], ["ssimulacra2", 2]];
  const rows = names.flatMap((codec) =>
    (group().curves[codec] || []).map((point) =>
      html(
        "tr",
        {},
        html("th", { scope: "row" }, codec),
        html("td", {}, String(point.quality)),
        ...fields.map(([field, digits]) => html("td", {}, point[field] === null ? "–" : number(point[field], digits))),
      ),
    ),
  );
  byId("values").replaceChildren(
    html("thead", {}, html("tr", {}, ...heads.map((text) => html("th", { scope: "col" }, text)))),
    html("tbody", {}, ...rows),
  );
}

/** What did not work, where the reader cannot miss it. */
function drawProblems() {
  const lines = [
    ...data.absent.map(({ reason }) => `Left out: ${reason}`),
    ...Object.entries(group().dropped).map(([codec, why]) => `No curve of ${codec}: it ${why}`),
    ...Object.entries(group().left_out).map(([image, why]) => `${image} is not averaged: ${why}`),
  ];
  const known = data.failures.length;
  if (known) lines.push(`${known} codings failed in all; results.json lists each.`);
  byId("problems").replaceChildren(...lines.map((line) => html("p", { class: "problem" }, line)));
}

function drawCommands() {
  const ways = { program: "program, timed as a whole process", library: "library, timed warm in one process" };
  byId("commands").replaceChildren(
    ...data.codecs.flatMap((codec) => [
      html("h3", {}, codec.title),
      html("p", { class: "note" }, `${codec.version}; ${ways[codec.kind]}`),
      ...codec.commands.map((command) => html("code", {}, command)),
    ]),
  );
}

function drawMade() {
  const { settings, ...made } = data.made;
  const show = (value) => (value === null ? "–" : Array.isArray(value) ? value.join(", ") : String(value));
  const entries = Object.entries({ ...made, ...settings });
  byId("made").replaceChildren(...entries.flatMap(([key, value]) => [html("dt", {}, key.replace("_", " ")), html("dd", {}, show(value))]));
}
