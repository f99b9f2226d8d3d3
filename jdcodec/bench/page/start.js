// Puts the parts together and redraws them when the reader chooses something else to compare.

function drawAll() {
  drawChart();
  drawVerdict();
  drawPeaks();
  drawTable();
  drawValues();
  drawProblems();
}

function start() {
  const kinds = { clean: "clean pictures", pairs: "noisy pictures with clean ones beside them", noise: "clean pictures with noise added" };
  const count = data.set.images.length;
  const noisy = data.set.kind === "clean" ? "" : " The noisy picture is coded and the decoded one compared with the clean one.";
  document.title = `jdc bench: ${data.set.name}`;
  const jobs = data.made.settings.jobs;
  if (jobs > 1) byId("table-note").append(` ${jobs} codings ran side by side, which slows each of them down.`);
  byId("title").textContent = data.set.name;
  byId("about").textContent = `${count} ${kinds[data.set.kind]}, ${names.length} codecs, means over the pictures.${noisy}`;
  const measures = Object.entries(data.measures).filter(([key]) => data.groups.some((one) => one.bd_rate[key]));
  if (measures.length && !measures.some(([key]) => key === chosen.measure)) chosen.measure = measures[0][0];
  fill(byId("group"), data.groups.map((one, index) => [index, `${one.name} (${one.pictures.length})`]), 0);
  fill(byId("measure"), measures, chosen.measure);
  fill(byId("reference"), names.map((codec) => [codec, codec]), chosen.reference);
  for (const [id, key, convert] of [["group", "group", Number], ["measure", "measure", String], ["reference", "reference", String]])
    byId(id).addEventListener("change", (event) => {
      chosen[key] = convert(event.target.value);
      drawAll();
    });
  for (const form of document.forms) form.addEventListener("submit", (event) => event.preventDefault());
  startChart();
  drawAll();
  drawCommands();
  drawMade();
  startLook();
}

start();
