// Which two decoded pictures of a sample the slider shows.

const look = { comparison: 0, left: 0, right: 0 };

const comparison = () => data.comparisons[look.comparison];

/** Left starts with the first codec, right with the noisy input if there is one, else with a rival. */
function choosePair() {
  const shown = comparison().shown;
  const at = (test, otherwise) => {
    const found = shown.findIndex(test);
    return found < 0 ? otherwise : found;
  };
  look.left = at((one) => one.codec === first, 0);
  look.right = at((one) => one.codec && one.codec !== first, at((one, index) => index !== look.left, 0));
}

function drawChoices() {
  const options = comparison().shown.map((one, index) => [index, one.label]);
  fill(byId("left"), options, look.left);
  fill(byId("right"), options, look.right);
}

function drawPair() {
  const { image, width, height, cropped, shown } = comparison();
  const [left, right] = ["left", "right"].map((side) => {
    const { label, detail, uri } = shown[look[side]];
    byId(`${side}-caption`).replaceChildren(html("b", {}, label), html("span", {}, detail));
    return { uri, alt: `${image}, ${label}` };
  });
  const crop = cropped ? ` The centre of the picture, ${width} × ${height} pixels, is shown.` : "";
  byId("look-note").textContent =
    "Codecs are shown at about the size that the first one needs at its middle quality; where a scale does not " +
    "go that far, at the nearest it has. 100 % is one picture pixel for each pixel of the screen." + crop;
  showPictures(left, right, width, height);
}

function startLook() {
  byId("look").hidden = !data.comparisons.length;
  if (!data.comparisons.length) return;
  fill(byId("picture"), data.comparisons.map((one, index) => [index, one.image]), 0);
  choosePair();
  drawChoices();
  byId("picture").addEventListener("change", (event) => {
    const [left, right] = [look.left, look.right].map((index) => comparison().shown[index].label);
    look.comparison = Number(event.target.value);
    choosePair();
    const same = (label) => comparison().shown.findIndex((one) => one.label === label);
    if (same(left) >= 0 && same(right) >= 0) [look.left, look.right] = [same(left), same(right)];
    drawChoices();
    drawPair();
  });
  for (const side of ["left", "right"])
    byId(side).addEventListener("change", (event) => {
      look[side] = Number(event.target.value);
      drawPair();
    });
  startSlider();
  drawPair();
}
