// One scan in several panes that move together: the plain scan and each network's evidence over it.
// data: { name, file, scan, palette, study, outlines: { KIND: [[x, y, ...], ...] },
// panes: [{ title, caption, alt, evidence, full }] }; scan and evidence are gray PNG data addresses. A level of evidence
// has the palette's colour and is as opaque as it is strong. Outlines are closed lines in fractions of the scan's sides.

const START = { zoom: 1, x: 0, y: 0, brightness: 0, contrast: 1, inverted: false, evidence: true, opacity: 0.8,
  threshold: 0, contour: false, outline: true, mask: true };
const KEPT = ["opacity", "evidence", "threshold", "contour", "outline", "mask"]; // from one scan to the next
const LINES = { outline: { colour: "#009e73", dash: [] }, mask: { colour: "#56b4e9", dash: [6, 4] } };
const BLINK = 600; // milliseconds

export default function ({ data, parentElement }) {
  const viewer = parentElement.viewer ?? (parentElement.viewer = create(parentElement));
  viewer.show(data);
  return () => viewer.leave();
}

function create(parent) {
  const view = { ...START };
  let panes = [], scan = null, gray = null, blinking = null, palette = null, outlines = {}, file = "";
  const root = element("div", { className: "viewer" }, parent);
  const bar = element("div", { className: "bar", role: "toolbar", ariaLabel: "Picture" }, root);
  const grid = element("div", { className: "panes" }, root);
  const controls = toolbar();

  function toolbar() {
    const opacity = slider("Opacity", 0, 1, 0.05, "opacity", "[]");
    const brightness = slider("Brightness", -0.5, 0.5, 0.02, "brightness");
    const contrast = slider("Contrast", 0.4, 4, 0.05, "contrast");
    const threshold = slider("Hide weaker than", 0, 1, 0.05, "threshold", ",.");
    const evidence = toggle("Evidence", "e", () => set({ evidence: !view.evidence }), () => view.evidence);
    const blink = toggle("Blink", "b", () => (blinking ? stopBlinking() : startBlinking()), () => blinking !== null);
    const contour = toggle("Contour", "c", () => set({ contour: !view.contour }), () => view.contour);
    const outline = toggle("Outline", "o", () => set({ outline: !view.outline }), () => view.outline);
    const mask = toggle("Known mask", "m", () => set({ mask: !view.mask }), () => view.mask);
    const invert = toggle("Invert", "i", () => set({ inverted: !view.inverted }), () => view.inverted);
    button("Zoom in", "+", () => zoomBy(1.25));
    button("Zoom out", "-", () => zoomBy(0.8));
    button("Full screen", "f", () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()));
    button("Reset", "0", () => { stopBlinking(); set({ ...START }); });
    const save = button("Save PNG", "s", savePicture);
    return {
      sliders: [opacity, brightness, contrast, threshold], toggles: [evidence, blink, contour, outline, mask, invert],
      study: [threshold.input.parentElement, contour.one, save], lines: { outline: outline.one, mask: mask.one },
    };
  }

  // keys: the one for less and the one for more
  function slider(title, low, high, step, name, keys) {
    const label = element("label", { textContent: title, title: keys ? `${title} (${keys[0]} and ${keys[1]})` : "" }, bar);
    const input = element("input", { type: "range", min: low, max: high, step, ariaLabel: title }, label);
    input.oninput = () => set({ [name]: Number(input.value) });
    return { input, name, keys };
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
    if (chosen && !chosen.hidden) { event.preventDefault(); chosen.click(); }
    for (const { input, keys } of controls.sliders) {
      const more = keys?.indexOf(event.key) ?? -1;
      if (more < 0 || input.parentElement.hidden) continue;
      if (more) input.stepUp(2); else input.stepDown(2);
      input.oninput();
    }
  }

  function leave() {
    stopBlinking();
    document.removeEventListener("keydown", pressed);
  }

  function set(changes) {
    Object.assign(view, changes);
    if ("brightness" in changes || "contrast" in changes || "inverted" in changes) window_();
    if ("threshold" in changes || "contour" in changes) panes.forEach(colour);
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

  // what is laid over the scan: the evidence in its colours, or the outline of what is strong enough
  function colour(pane) {
    pane.drawn = null;
    if (!pane.levels || !palette) return;
    const { width, height, data } = pane.levels;
    const drawn = element("canvas", { width, height });
    const picture = new ImageData(width, height);
    const least = Math.max(view.threshold * 255, view.contour ? 1 : 0);
    const strong = (at) => data[4 * at] >= least;
    for (let at = 0; at < width * height; at++) {
      if (!strong(at)) continue;
      const across = at % width;
      const edge = view.contour && (across === 0 || across === width - 1 || at < width || at >= width * (height - 1)
        || !(strong(at - 1) && strong(at + 1) && strong(at - width) && strong(at + width)));
      if (view.contour && !edge) continue;
      picture.data.set(palette[view.contour ? 255 : data[4 * at]], 4 * at);
      picture.data[4 * at + 3] = view.contour ? 255 : data[4 * at];
    }
    drawn.getContext("2d").putImageData(picture, 0, 0);
    pane.drawn = drawn;
  }

  // closed lines on the scan, as thin at any zoom
  function line(context, kind, [left, top, width, height]) {
    if (!outlines[kind] || !view[kind]) return;
    context.globalAlpha = 1;
    context.lineWidth = 2 * devicePixelRatio;
    context.strokeStyle = LINES[kind].colour;
    context.setLineDash(LINES[kind].dash.map((length) => length * devicePixelRatio));
    for (const points of outlines[kind]) {
      context.beginPath();
      for (let at = 0; at < points.length; at += 2) context.lineTo(left + points[at] * width, top + points[at + 1] * height);
      context.closePath();
      context.stroke();
    }
  }

  // all panes as they look now, side by side below their titles
  function savePicture() {
    const gap = 16, head = 40;
    const widths = panes.map(({ canvas }) => canvas.width), height = Math.max(...panes.map(({ canvas }) => canvas.height));
    const whole = element("canvas", { width: widths.reduce((sum, width) => sum + width + gap, -gap), height: height + head });
    const context = whole.getContext("2d");
    context.fillRect(0, 0, whole.width, whole.height);
    Object.assign(context, { fillStyle: "white", font: "20px sans-serif", textBaseline: "middle" });
    let left = 0;
    for (const { canvas, title } of panes) {
      context.fillText(title.textContent, left + 8, head / 2, canvas.width - 16);
      context.drawImage(canvas, left, head);
      left += canvas.width + gap;
    }
    whole.toBlob((blob) => {
      const link = element("a", { href: URL.createObjectURL(blob), download: `${file}.png` });
      link.click();
      URL.revokeObjectURL(link.href);
    });
  }

  // the strength under the pointer, in words
  function told(pane, event) {
    if (!pane.levels || !controls.studying) return "";
    const { width, height, data } = pane.levels;
    const across = ((event.offsetX / pane.canvas.clientWidth - 0.5 - view.x) / view.zoom + 0.5) * width;
    const down = ((event.offsetY / pane.canvas.clientHeight - 0.5 - view.y) / view.zoom + 0.5) * height;
    if (across < 0 || down < 0 || across >= width || down >= height) return "";
    const strength = data[4 * (Math.floor(down) * width + Math.floor(across))] / 255;
    const value = pane.full ? `${(strength * pane.full[0]).toPrecision(2)} ${pane.full[1]}, ` : "";
    return `${value}${Math.round(100 * strength)} % of full colour${strength === 1 ? " or more" : ""}`;
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
      if (pane.drawn && view.evidence) {
        context.globalAlpha = view.opacity;
        context.drawImage(pane.drawn, ...place);
      }
      for (const kind of Object.keys(LINES)) line(context, kind, place);
      canvas.dataset.shown = pane.drawn && view.evidence ? "evidence" : "scan";
    }
  }

  function handle(pane) {
    const { canvas } = pane;
    let held = null;
    canvas.onpointerdown = (event) => {
      held = { x: event.clientX, y: event.clientY, button: event.button, view: { ...view } };
      canvas.setPointerCapture(event.pointerId);
    };
    canvas.onpointermove = (event) => {
      if (!held) { pane.pointed.textContent = told(pane, event); return; }
      const across = (event.clientX - held.x) / canvas.clientWidth, down = (event.clientY - held.y) / canvas.clientHeight;
      if (held.button === 2) {
        const contrast = Math.min(Math.max(held.view.contrast * Math.exp(2 * across), 0.4), 4);
        set({ contrast, brightness: Math.min(Math.max(held.view.brightness - down, -0.5), 0.5) });
      } else set(inside(held.view.x + across, held.view.y + down));
    };
    canvas.onpointerleave = () => (pane.pointed.textContent = "");
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
      const pointed = element("div", { className: "pointed" }, figure);
      const caption = element("figcaption", {}, figure);
      const pane = { title, canvas, caption, pointed, levels: null, drawn: null };
      handle(pane);
      return pane;
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
    palette = data.palette;
    controls.studying = data.study;
    outlines = data.outlines;
    file = data.file;
    for (const one of controls.study) one.hidden = !data.study;
    for (const [kind, one] of Object.entries(controls.lines)) one.hidden = !outlines[kind];
    for (const pane of panes) pane.pointed.hidden = !data.study;
    root.dataset.name = data.name;
    if (other) { const kept = Object.fromEntries(KEPT.map((name) => [name, view[name]])); Object.assign(view, START, kept); }
    panes.forEach((pane, at) => {
      pane.levels = loaded[at + 1] && pixelsOf(loaded[at + 1]);
      pane.full = data.panes[at].full;
      colour(pane);
    });
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

function pixelsOf(image) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const context = element("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, width, height);
}

function element(tag, properties, parent) {
  const one = Object.assign(document.createElement(tag), properties);
  if (properties.role) one.setAttribute("role", properties.role);
  parent?.appendChild(one);
  return one;
}
