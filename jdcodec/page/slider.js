// Two pictures over each other and a divider that stays put while they scroll; or one picture alone.

const ZOOMS = [[0, "Fit"], [1, "100 %"], [2, "200 %"], [4, "400 %"]];
const slider = { zoom: 0, share: 0.5, width: 1, height: 1 };

/** Show pictures {uri, alt} of width × height pixels; the left one is null where there is only one. */
function showPictures(left, right, width, height) {
  Object.assign(slider, { width, height });
  for (const [side, picture] of [["left", left], ["right", right]])
    if (picture) Object.assign(byId(`${side}-image`), { src: picture.uri, alt: picture.alt });
  byId("viewer").classList.toggle("single", !left);
  drawZoom();
}

/** At 100 % a pixel of the picture takes one of the screen. */
function drawZoom() {
  const { zoom, width, height } = slider;
  const free = byId("viewer").parentElement.clientWidth;
  const actual = width / window.devicePixelRatio;
  const fitting = Math.min(actual, free, (0.85 * window.innerHeight * width) / height);
  byId("pair").style.width = `${zoom ? zoom * actual : fitting}px`;
  byId("pair").style.aspectRatio = `${width} / ${height}`;
  byId("pair").classList.toggle("magnified", zoom > 1);
  byId("stage").classList.toggle("fits", !zoom);
  byId("stage").classList.toggle("larger", Boolean(zoom));
  drawDivider();
}

/** Zoom so that what is at a point of the window, or at the centre of the frame, stays there. */
function zoomTo(zoom, point) {
  const middle = (box) => ({ x: box.left + box.width / 2, y: box.top + box.height / 2 });
  const before = byId("pair").getBoundingClientRect();
  const from = point || middle(byId("stage").getBoundingClientRect());
  const [x, y] = [(from.x - before.left) / before.width, (from.y - before.top) / before.height];
  slider.zoom = zoom;
  for (const choice of byId("zoom").querySelectorAll("input")) choice.checked = Number(choice.value) === zoom;
  drawZoom();
  const after = byId("pair").getBoundingClientRect();
  const to = point || middle(byId("stage").getBoundingClientRect());
  byId("stage").scrollBy(after.left + x * after.width - to.x, after.top + y * after.height - to.y);
  drawDivider();
}

function drawDivider() {
  const stage = byId("stage");
  const at = slider.share * stage.clientWidth;
  const cut = Math.max(0, byId("pair").clientWidth - at - stage.scrollLeft);
  byId("left-image").style.clipPath = `inset(0 ${cut}px 0 0)`;
  byId("divider").style.left = `${at}px`;
  byId("divider").setAttribute("aria-valuenow", String(Math.round(100 * slider.share)));
  byId("divider").setAttribute("aria-valuetext", `${Math.round(100 * slider.share)} % left picture`);
}

function moveDivider(share) {
  slider.share = Math.min(1, Math.max(0, share));
  drawDivider();
}

function dividerKey(event) {
  const big = event.shiftKey ? 0.1 : 0.01;
  const moves = { ArrowLeft: -big, ArrowDown: -big, ArrowRight: big, ArrowUp: big, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
  if (!(event.key in moves)) return;
  event.preventDefault();
  moveDivider(slider.share + moves[event.key]);
}

/** The digits of the zooms, 0 for Fit. */
function zoomKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return;
  const zoom = ZOOMS.find(([value]) => String(value) === event.key);
  if (zoom) zoomTo(zoom[0]);
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
  const stage = byId("stage");
  const choice = ([value, text]) =>
    html("label", {}, html("input", { type: "radio", name: "zoom", value }), ` ${text}`);
  byId("zoom").replaceChildren(html("legend", {}, "Zoom"), ...ZOOMS.map(choice));
  byId("zoom").querySelector("input").checked = true;
  byId("zoom").addEventListener("change", (event) => zoomTo(Number(event.target.value)));
  byId("divider").addEventListener("keydown", dividerKey);
  document.addEventListener("keydown", zoomKey);
  const toPointer = (event) => {
    const box = stage.getBoundingClientRect();
    moveDivider((event.clientX - box.left) / stage.clientWidth);
    return true;
  };
  drag(byId("divider"), toPointer);
  drag(stage, (event, last) => {
    if (!slider.zoom) return toPointer(event);
    if (event.pointerType === "touch") return false; // the browser scrolls by itself
    stage.scrollBy(last.clientX - event.clientX, last.clientY - event.clientY);
    return true;
  });
  // On the whole viewer: the first click brings the divider under the pointer.
  byId("viewer").addEventListener("dblclick", ({ clientX, clientY }) =>
    zoomTo(slider.zoom ? 0 : 1, { x: clientX, y: clientY }),
  );
  stage.addEventListener("scroll", drawDivider);
  window.addEventListener("resize", drawZoom);
  new ResizeObserver(drawZoom).observe(byId("viewer").parentElement);
}
