// One picture, or two over each other, with their facts below.

/** An address for an image in the page; unlike a data URI it may be of any size. */
function address({ type, base64 }) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return URL.createObjectURL(new Blob([bytes], { type }));
}

function drawFacts({ name, facts }) {
  const rows = facts.flatMap(([term, value]) => [html("dt", {}, term), html("dd", {}, value)]);
  return html("div", {}, html("h2", {}, name), html("dl", {}, ...rows));
}

function drawKeys(pair) {
  const key = (name) => html("kbd", {}, name);
  const move = [key("←"), " ", key("→"), " move the divider, ", key("Home"), " and ", key("End"), " show one picture. "];
  const zoom = [key("0"), " fits, ", key("1"), " ", key("2"), " ", key("4"), " are 100, 200 and 400\u00a0%. A double click goes to 100\u00a0% and back."];
  byId("keys").replaceChildren(...(pair ? move : []), ...zoom);
}

function start() {
  const [first, second] = data.pictures.map((one) => ({ uri: address(one), alt: one.name }));
  const names = data.pictures.map((one) => one.name);
  document.title = `${names.join(" | ")} – jdc view`;
  byId("title").textContent = names.join(" and ");
  byId("about").textContent = data.about;
  byId("note").textContent = data.note;
  byId("facts").replaceChildren(...data.pictures.map(drawFacts));
  document.querySelector(".captions").hidden = !second;
  if (second)
    for (const [index, side] of ["left", "right"].entries())
      byId(`${side}-caption`).replaceChildren(
        html("b", {}, data.pictures[index].name),
        html("span", {}, data.pictures[index].summary),
      );
  for (const form of document.forms) form.addEventListener("submit", (event) => event.preventDefault());
  drawKeys(Boolean(second));
  startSlider();
  showPictures(second ? first : null, second || first, data.width, data.height);
  if (second) byId("divider").focus({ preventScroll: true });
}

start();
