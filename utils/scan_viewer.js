// One scan in several panes that move together: the plain scan and each network's evidence over it.
// data: { scan, panes: [{ title, caption, alt, evidence }] }; scan and evidence are PNG data addresses.

const START = { zoom: 1, x: 0, y: 0, brightness: 0, contrast: 1, inverted: false, evidence: true, opacity: 0.8 };
const BLINK = 600; // milliseconds

export default function ({ data, parentElement }) {
  const viewer = parentElement.viewer ?? (parentElement.viewer = create(parentElement));
  viewer.show(data);
  return () => viewer.leave();
}

function create(parent) {
  const view = { ...START };
  let panes = [], scan = null, gray = null, blinking = null;
  const root = element("div", { className: "viewer" }, parent);
  const bar = element("div", { className: "bar", role: "toolbar", ariaLabel: "Picture" }, root);
  const grid = element("div", { className: "panes" }, root);
  const controls = toolbar();

  function toolbar() {
    const opacity = slider("Opacity", 0, 1, 0.05, "opacity");
    const brightness = slider("Brightness", -0.5, 0.5, 0.02, "brightness");
    const contrast = slider("Contrast", 0.4, 4, 0.05, "contrast");
    const evidence = toggle("Evidence", "e", () => set({ evidence: !view.evidence }), () => view.evidence);
    const blink = toggle("Blink", "b", () => (blinking ? stopBlinking() : startBlinking()), () => blinking !== null);
    const invert = toggle("Invert", "i", () => set({ inverted: !view.inverted }), () => view.inverted);
    button("Zoom in", "+", () => zoomBy(1.25));
    button("Zoom out", "-", () => zoomBy(0.8));
    button("Full screen", "f", () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()));
    button("Reset", "0", () => { stopBlinking(); set({ ...START }); });
    return { sliders: [opacity, brightness, contrast], toggles: [evidence, blink, invert] };
  }

  function slider(title, low, high, step, name) {
    const label = element("label", { textContent: title }, bar);
    const input = element("input", { type: "range", min: low, max: high, step, ariaLabel: title }, label);
    input.oninput = () => set({ [name]: Number(input.value) });
    return { input, name };
  }

  function button(title, key, act) {
    const one = element("button", { type: "button", title: `${title} (${key.toUpperCase()})`, textContent: title }, bar);
    one.dataset.key = key;
    one.onclick = act;
    return one;
  }

  function toggle(title, key, act, on) {
    return { one: button(title, key, act), on };
  }

  // the keys work wherever the focus is, but not while somebody writes
  function pressed(event) {
    const target = event.composedPath()[0];
    if (event.ctrlKey || event.metaKey || event.altKey || target.isContentEditable) return;
    if (target.matches?.("textarea, select, input:not([type=range], [type=checkbox], [type=radio])")) return;
    const chosen = [...bar.querySelectorAll("button")].find((one) => one.dataset.key === event.key.toLowerCase());
    if (chosen) { event.preventDefault(); chosen.click(); }
  }

  function leave() {
    stopBlinking();
    document.removeEventListener("keydown", pressed);
  }

  function set(changes) {
    Object.assign(view, changes);
    if ("brightness" in changes || "contrast" in changes || "inverted" in changes) window_();
    draw();
  }

  function startBlinking() {
    blinking = setInterval(() => set({ evidence: !view.evidence }), BLINK);
    draw();
  }

  function stopBlinking() {
    if (blinking === null) return;
    clearInterval(blinking);
    blinking = null;
    set({ evidence: true });
  }

  function zoomBy(factor, x = 0.5, y = 0.5) {
    const zoom = Math.min(Math.max(view.zoom * factor, 1), 16);
    const change = zoom / view.zoom - 1;
    set({ zoom, ...inside(view.x + (view.x - (x - 0.5)) * change, view.y + (view.y - (y - 0.5)) * change, zoom) });
  }

  function inside(x, y, zoom = view.zoom) {
    const most = (zoom - 1) / 2;
    return { x: Math.min(Math.max(x, -most), most), y: Math.min(Math.max(y, -most), most) };
  }

  // window and level: the scan's grays through a straight line
  function window_() {
    if (!scan) return;
    gray = element("canvas", { width: scan.naturalWidth, height: scan.naturalHeight });
    const context = gray.getContext("2d", { willReadFrequently: true });
    context.drawImage(scan, 0, 0);
    if (view.brightness === 0 && view.contrast === 1 && !view.inverted) return;
    const pixels = context.getImageData(0, 0, gray.width, gray.height);
    const table = new Uint8ClampedArray(256);
    for (let level = 0; level < 256; level++) {
      const shown = 255 * ((level / 255 - 0.5 + view.brightness) * view.contrast + 0.5);
      table[level] = view.inverted ? 255 - Math.min(Math.max(shown, 0), 255) : shown;
    }
    for (let at = 0; at < pixels.data.length; at += 4) {
      pixels.data[at] = pixels.data[at + 1] = pixels.data[at + 2] = table[pixels.data[at]];
    }
    context.putImageData(pixels, 0, 0);
  }

  function draw() {
    for (const { input, name } of controls.sliders) input.value = view[name];
    for (const { one, on } of controls.toggles) one.ariaPressed = String(on());
    if (!gray) return;
    for (const pane of panes) {
      const { canvas } = pane;
      const width = Math.round(canvas.clientWidth * devicePixelRatio);
      const height = Math.round((width * gray.height) / gray.width);
      if (!width) continue;
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      const context = canvas.getContext("2d");
      const left = width * (0.5 + view.x - view.zoom / 2), top = height * (0.5 + view.y - view.zoom / 2);
      const place = [left, top, width * view.zoom, height * view.zoom];
      context.imageSmoothingEnabled = true;
      context.imageSmoothingQuality = "high";
      context.globalAlpha = 1;
      context.fillRect(0, 0, width, height);
      context.drawImage(gray, ...place);
      if (pane.evidence && view.evidence) {
        context.globalAlpha = view.opacity;
        context.drawImage(pane.evidence, ...place);
      }
      canvas.dataset.shown = pane.evidence && view.evidence ? "evidence" : "scan";
    }
  }

  function handle(canvas) {
    let held = null;
    canvas.onpointerdown = (event) => {
      held = { x: event.clientX, y: event.clientY, button: event.button, view: { ...view } };
      canvas.setPointerCapture(event.pointerId);
    };
    canvas.onpointermove = (event) => {
      if (!held) return;
      const across = (event.clientX - held.x) / canvas.clientWidth, down = (event.clientY - held.y) / canvas.clientHeight;
      if (held.button === 2) {
        const contrast = Math.min(Math.max(held.view.contrast * Math.exp(2 * across), 0.4), 4);
        set({ contrast, brightness: Math.min(Math.max(held.view.brightness - down, -0.5), 0.5) });
      } else set(inside(held.view.x + across, held.view.y + down));
    };
    canvas.onpointerup = canvas.onpointercancel = () => (held = null);
    canvas.oncontextmenu = (event) => event.preventDefault();
    canvas.ondblclick = (event) => zoomBy(2, event.offsetX / canvas.clientWidth, event.offsetY / canvas.clientHeight);
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return; // a plain wheel scrolls the page
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY / 200), event.offsetX / canvas.clientWidth, event.offsetY / canvas.clientHeight);
    }, { passive: false });
  }

  function build(count) {
    grid.replaceChildren();
    panes = Array.from({ length: count }, () => {
      const figure = element("figure", {}, grid);
      const title = element("div", { className: "title" }, figure);
      const canvas = element("canvas", { role: "img", tabIndex: 0 }, figure);
      const caption = element("figcaption", {}, figure);
      handle(canvas);
      return { title, canvas, caption, evidence: null };
    });
    new ResizeObserver(draw).observe(grid);
  }

  async function show(data) {
    document.addEventListener("keydown", pressed); // once, however often it is asked for
    const other = data.name !== root.dataset.name;
    if (panes.length !== data.panes.length) build(data.panes.length);
    data.panes.forEach((pane, at) => {
      panes[at].title.textContent = pane.title;
      panes[at].caption.textContent = pane.caption;
      panes[at].canvas.ariaLabel = pane.alt;
    });
    const loaded = await Promise.all([data.scan, ...data.panes.map((pane) => pane.evidence)].map(load));
    scan = loaded[0];
    panes.forEach((pane, at) => (pane.evidence = loaded[at + 1]));
    root.dataset.name = data.name;
    if (other) Object.assign(view, { ...START, opacity: view.opacity, evidence: view.evidence });
    window_();
    draw();
    root.dataset.ready = data.name;
  }

  return { show, leave };
}

function load(source) {
  if (!source) return null;
  const image = new Image();
  image.src = source;
  return image.decode().then(() => image);
}

function element(tag, properties, parent) {
  const one = Object.assign(document.createElement(tag), properties);
  if (properties.role) one.setAttribute("role", properties.role);
  parent?.appendChild(one);
  return one;
}
