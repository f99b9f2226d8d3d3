// The slider: two decoded pictures of one sample over each other, a divider that stays put while they scroll.

const look = { comparison: 0, left: 0, right: 0, zoom: 0, share: 0.5 };

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
  for (const side of ["left", "right"]) {
    const { label, detail, uri } = shown[look[side]];
    byId(`${side}-image`).src = uri;
    byId(`${side}-image`).alt = `${image}, ${label}`;
    byId(`${side}-caption`).replaceChildren(html("b", {}, label), html("span", {}, detail));
  }
  const crop = cropped ? ` The centre of the picture, ${width} × ${height} pixels, is shown.` : "";
  byId("look-note").textContent =
    "Codecs are shown at about the size that the first one needs at its middle quality; where a scale does not " +
    "go that far, at the nearest it has. 100 % is one picture pixel for each CSS pixel." + crop;
  drawZoom();
}

function drawZoom() {
  const { width } = comparison();
  const viewer = byId("viewer");
  const free = viewer.parentElement.clientWidth;
  const shown = look.zoom ? look.zoom * width : Math.min(width, free);
  byId("pair").style.width = `${shown}px`;
  byId("pair").classList.toggle("magnified", look.zoom > 1);
  byId("stage").classList.toggle("fits", !look.zoom);
  byId("stage").classList.toggle("larger", Boolean(look.zoom));
  drawDivider();
}

function drawDivider() {
  const stage = byId("stage");
  const at = look.share * stage.clientWidth;
  const cut = Math.max(0, byId("pair").clientWidth - at - stage.scrollLeft);
  byId("left-image").style.clipPath = `inset(0 ${cut}px 0 0)`;
  byId("divider").style.left = `${at}px`;
  byId("divider").setAttribute("aria-valuenow", String(Math.round(100 * look.share)));
  byId("divider").setAttribute("aria-valuetext", `${Math.round(100 * look.share)} % left picture`);
}

function moveDivider(share) {
  look.share = Math.min(1, Math.max(0, share));
  drawDivider();
}

function dividerKey(event) {
  const big = event.shiftKey ? 0.1 : 0.01;
  const moves = { ArrowLeft: -big, ArrowDown: -big, ArrowRight: big, ArrowUp: big, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
  if (!(event.key in moves)) return;
  event.preventDefault();
  moveDivider(look.share + moves[event.key]);
}

/** Dragging moves the divider; on a picture larger than its frame, dragging the picture with a mouse moves that. */
function drag(element, move) {
  element.addEventListener("pointerdown", (event) => {
    if (event.button || !move(event, event)) return;
    element.setPointerCapture(event.pointerId);
    let last = event;
    const onMove = (next) => {
      move(next, last);
      last = next;
    };
    const onEnd = () => {
      element.removeEventListener("pointermove", onMove);
      for (const name of ["pointerup", "pointercancel"]) element.removeEventListener(name, onEnd);
    };
    element.addEventListener("pointermove", onMove);
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, onEnd);
  });
}

function startSlider() {
  byId("look").hidden = !data.comparisons.length;
  if (!data.comparisons.length) return;
  const stage = byId("stage");
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
  byId("zoom").addEventListener("change", (event) => {
    look.zoom = Number(event.target.value);
    drawZoom();
  });
  byId("divider").addEventListener("keydown", dividerKey);
  const toPointer = (event) => {
    const box = stage.getBoundingClientRect();
    moveDivider((event.clientX - box.left) / stage.clientWidth);
    return true;
  };
  drag(byId("divider"), toPointer);
  drag(stage, (event, last) => {
    if (!look.zoom) return toPointer(event);
    if (event.pointerType === "touch") return false; // the browser scrolls by itself
    stage.scrollBy(last.clientX - event.clientX, last.clientY - event.clientY);
    return true;
  });
  stage.addEventListener("scroll", drawDivider);
  new ResizeObserver(drawZoom).observe(byId("look"));
  drawPair();
}
