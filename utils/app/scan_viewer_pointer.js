// The pointer on a pane of the scan viewer: drag pans, drag with the right button changes the window, ctrl-wheel zooms, wheel
// scrolls through a stack; with the ruler on, clicks and drags measure.

function handlePointer(viewer, pane) {
  const { canvas } = pane, { ruler } = viewer, placeOf = (event) => [event.clientX, event.clientY];
  let drag = null;
  canvas.onpointerdown = (event) => {
    if (viewer.isSmall(pane.figure)) return;
    drag = { x: event.clientX, y: event.clientY, button: event.button, view: { ...viewer.view } };
    canvas.setPointerCapture(event.pointerId);
    if (ruler.isOn && event.button === 0) ruler.down(onScan(viewer, event), placeOf(event));
  };
  canvas.onpointermove = (event) => {
    if (ruler.isOn && drag?.button !== 2) ruler.move(onScan(viewer, event), placeOf(event));
    else if (drag) dragged(viewer, drag, event);
    if (!drag) pane.pointed.textContent = strengthAt(viewer, pane, event);
  };
  canvas.onpointerleave = () => (pane.pointed.textContent = "");
  canvas.onpointerup = canvas.onpointercancel = (event) => {
    if (ruler.isOn && drag?.button === 0) ruler.up(onScan(viewer, event));
    drag = null;
  };
  canvas.oncontextmenu = (event) => event.preventDefault();
  canvas.ondblclick = (event) => ruler.isOn || zoomAt(viewer, event, 2);
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !viewer.slices.length) return; // a plain wheel scrolls the page
    event.preventDefault();
    if (event.ctrlKey) zoomAt(viewer, event, Math.exp(-event.deltaY / 200));
    else viewer.go(viewer.position + viewer.wheel.steps(event));
  }, { passive: false });
}

// Where an event on a canvas is on the scan, in fractions of its sides
function onScan({ view: { x, y, zoom } }, { offsetX, offsetY, target }) {
  const across = (offsetX / target.clientWidth - 0.5 - x) / zoom + 0.5;
  const down = (offsetY / target.clientHeight - 0.5 - y) / zoom + 0.5;
  return [clamp(across, [0, 1]), clamp(down, [0, 1])];
}

function zoomAt(viewer, { offsetX, offsetY, target }, factor) {
  viewer.zoomBy(factor, offsetX / target.clientWidth, offsetY / target.clientHeight);
}

function dragged(viewer, start, { clientX, clientY, target }) {
  const across = (clientX - start.x) / target.clientWidth, down = (clientY - start.y) / target.clientHeight;
  if (start.button === 2) {
    const contrast = clamp(start.view.contrast * Math.exp(2 * across), CONTRAST);
    viewer.set({ contrast, brightness: clamp(start.view.brightness - down, BRIGHTNESS) });
  } else viewer.set(offsetInside(start.view.x + across, start.view.y + down, viewer.view.zoom));
}

// The strength of the evidence under the pointer, as text
function strengthAt(viewer, pane, event) {
  if (!pane.levels || !viewer.isStudy) return "";
  const { width, height, data } = pane.levels, [x, y] = onScan(viewer, event);
  const column = Math.min(Math.floor(x * width), width - 1), row = Math.min(Math.floor(y * height), height - 1);
  const strength = data[4 * (row * width + column)] / 255;
  const value = pane.full ? `${(strength * pane.full[0]).toPrecision(2)} ${pane.full[1]}, ` : "";
  return `${value}${Math.round(100 * strength)} % of full scale${strength === 1 ? " or more" : ""}`;
}
