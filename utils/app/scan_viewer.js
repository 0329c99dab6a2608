// One scan in several panes that zoom, pan and change their window together: the original image and a saliency map per
// model. data: { name, file, scan, palette, study, large, outlines: { KIND: [[x, y, ...], ...] },
// panes: [{ title, caption, alt, evidence, full }] }. `scan` and `evidence` are grayscale PNG data addresses; a level of
// evidence has the palette's colour, and its opacity grows with it. Outlines are closed polygons in fractions of the
// scan's sides. `large`: one pane fills the height of the window, the others are small beside it until they are clicked.

const INITIAL_VIEW = { zoom: 1, x: 0, y: 0, brightness: 0, contrast: 1, inverted: false, evidence: true, opacity: 0.8,
  threshold: 0, contour: false, outline: true, mask: true, main: 0, isLarge: true };
const KEPT_BETWEEN_SCANS = ["opacity", "evidence", "threshold", "contour", "outline", "mask", "main", "isLarge"];
const LINES = { outline: { colour: "#009e73", dash: [] }, mask: { colour: "#56b4e9", dash: [6, 4] } };
const RARE = ["Brightness", "Contrast", "Toggle overlay", "Zoom in", "Zoom out", "Full screen"]; // behind "More"
const BLINK_MILLISECONDS = 600;
const LARGEST_ZOOM = 16;
const BRIGHTNESS = [-0.5, 0.5];
const CONTRAST = [0.4, 4];

export default function ({ data, parentElement }) {
  const viewer = parentElement.viewer ?? (parentElement.viewer = new ScanViewer(parentElement));
  viewer.show(data);
  return () => viewer.leave();
}

class ScanViewer {
  constructor(parent) {
    this.view = { ...INITIAL_VIEW };
    this.panes = [];
    this.outlines = {};
    this.scan = this.windowed = this.palette = this.blinking = null;
    this.file = "";
    this.root = element("div", { className: "viewer" }, parent);
    this.bar = element("div", { className: "bar", role: "toolbar", ariaLabel: "Image" }, this.root);
    this.grid = element("div", { className: "panes" }, this.root);
    this.sliders = this.addSliders();
    this.toggles = this.addToggles();
    this.buttons = this.addButtons();
    this.onKey = (event) => this.press(event);
  }

  // --- What is shown

  async show(data) {
    document.addEventListener("keydown", this.onKey); // a listener that is added twice is called once
    if (this.panes.length !== data.panes.length) this.buildPanes(data.panes.length);
    data.panes.forEach((pane, index) => {
      this.panes[index].title.textContent = pane.title;
      this.panes[index].caption.textContent = pane.caption;
      this.panes[index].canvas.ariaLabel = pane.alt;
    });
    const images = await Promise.all([data.scan, ...data.panes.map((pane) => pane.evidence)].map(load));
    const isNewScan = data.name !== this.root.dataset.name;
    this.scan = images[0];
    Object.assign(this, { palette: data.palette, outlines: data.outlines, file: data.file, studying: data.study, canBeLarge: data.large });
    this.root.style.setProperty("--aspect", images[0].naturalWidth / images[0].naturalHeight);
    this.showControls();
    this.root.dataset.name = data.name;
    if (isNewScan) Object.assign(this.view, INITIAL_VIEW, pick(this.view, KEPT_BETWEEN_SCANS));
    this.panes.forEach((pane, index) => {
      pane.levels = images[index + 1] && pixelsOf(images[index + 1]);
      pane.full = data.panes[index].full;
    });
    this.colourEvidence();
    this.applyWindow();
    this.draw();
    this.root.dataset.ready = data.name;
  }

  leave() {
    this.stopBlinking();
    document.removeEventListener("keydown", this.onKey);
  }

  set(changes) {
    Object.assign(this.view, changes);
    if ("brightness" in changes || "contrast" in changes || "inverted" in changes) this.applyWindow();
    if ("threshold" in changes || "contour" in changes) this.colourEvidence();
    this.draw();
  }

  // --- Tool bar

  addSliders() {
    return [
      this.slider("Opacity", [0, 1], 0.05, "opacity", "[]"),
      this.slider("Brightness", BRIGHTNESS, 0.02, "brightness"),
      this.slider("Contrast", CONTRAST, 0.05, "contrast"),
      this.slider("Display threshold", [0, 1], 0.05, "threshold", ",."),
    ];
  }

  addToggles() {
    const flip = (name) => () => this.set({ [name]: !this.view[name] });
    const next = () => this.set({ main: (this.view.main + 1) % this.panes.length });
    const toggle = (title, key, name) => ({ button: this.button(title, key, flip(name)), isOn: () => this.view[name] });
    const blink = () => (this.blinking === null ? this.startBlinking() : this.stopBlinking());
    return {
      next: { button: this.button("Switch pane", "p", next), isOn: () => false },
      large: { button: this.button("Side by side", "l", flip("isLarge")), isOn: () => !this.view.isLarge },
      evidence: toggle("Saliency map", "e", "evidence"),
      blink: { button: this.button("Toggle overlay", "b", blink), isOn: () => this.blinking !== null },
      contour: toggle("Contour", "c", "contour"),
      outline: toggle("Outline", "o", "outline"),
      mask: toggle("Reference segmentation", "m", "mask"),
      invert: toggle("Invert", "i", "inverted"),
    };
  }

  addButtons() {
    const { root } = this;
    this.button("Zoom in", "+", () => this.zoomBy(1.25));
    this.button("Zoom out", "-", () => this.zoomBy(0.8));
    this.button("Full screen", "f", () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()));
    this.button("Reset", "0", () => { this.stopBlinking(); this.set({ ...INITIAL_VIEW, isLarge: this.view.isLarge }); });
    const more = this.button("More", "", () => this.root.classList.toggle("all"));
    return { more, save: this.button("Save PNG", "s", () => savePng(this.panes, this.file)) };
  }

  // keys: the key for less and the key for more
  slider(title, [min, max], step, name, keys) {
    const hint = keys ? `${title} (${keys[0]} and ${keys[1]})` : "";
    const label = element("label", { textContent: title, title: hint, className: RARE.includes(title) ? "rare" : "" }, this.bar);
    const input = element("input", { type: "range", min, max, step, ariaLabel: title }, label);
    input.oninput = () => this.set({ [name]: Number(input.value) });
    return { input, name, keys };
  }

  button(title, key, act) {
    const hint = key ? `${title} (${key.toUpperCase()})` : title;
    const properties = { type: "button", title: hint, textContent: title };
    const button = element("button", properties, this.bar);
    button.dataset.key = key;
    if (RARE.includes(title)) button.classList.add("rare");
    button.onclick = act;
    return button;
  }

  showControls() {
    const threshold = this.sliders.find(({ name }) => name === "threshold").input.parentElement;
    for (const control of [threshold, this.toggles.contour.button, this.buttons.save]) control.hidden = !this.studying;
    for (const kind of Object.keys(LINES)) this.toggles[kind].button.hidden = !this.outlines[kind];
    for (const control of [this.toggles.next.button, this.toggles.large.button, this.buttons.more]) {
      control.hidden = !this.canBeLarge;
    }
    for (const pane of this.panes) pane.pointed.hidden = !this.studying;
  }

  // --- Keyboard: the keys work wherever the focus is, except in a field that takes text

  press(event) {
    const target = event.composedPath()[0];
    if (event.ctrlKey || event.metaKey || event.altKey || target.isContentEditable) return;
    if (target.matches?.("textarea, select, input:not([type=range], [type=checkbox], [type=radio])")) return;
    const buttons = [...this.bar.querySelectorAll("button")];
    const pressed = buttons.find((button) => button.dataset.key === event.key.toLowerCase());
    if (pressed && !pressed.hidden) { event.preventDefault(); pressed.click(); }
    for (const { input, keys } of this.sliders) {
      const direction = keys?.indexOf(event.key) ?? -1;
      if (direction < 0 || input.parentElement.hidden) continue;
      if (direction) input.stepUp(2); else input.stepDown(2);
      input.oninput();
    }
  }

  // --- Blinking, zoom and pan

  startBlinking() {
    this.blinking = setInterval(() => this.set({ evidence: !this.view.evidence }), BLINK_MILLISECONDS);
    this.draw();
  }

  stopBlinking() {
    if (this.blinking === null) return;
    clearInterval(this.blinking);
    this.blinking = null;
    this.set({ evidence: true });
  }

  zoomBy(factor, x = 0.5, y = 0.5) {
    const { view } = this;
    const zoom = clamp(view.zoom * factor, [1, LARGEST_ZOOM]);
    const change = zoom / view.zoom - 1;
    const moved = [view.x + (view.x - (x - 0.5)) * change, view.y + (view.y - (y - 0.5)) * change];
    this.set({ zoom, ...offsetInside(...moved, zoom) });
  }

  applyWindow() {
    if (this.scan) this.windowed = windowed(this.scan, this.view);
  }

  colourEvidence() {
    for (const pane of this.panes) pane.drawn = pane.levels && coloured(pane.levels, this.palette, this.view);
  }

  // --- Drawing

  draw() {
    const isLarge = this.canBeLarge && this.view.isLarge;
    this.root.classList.toggle("large", isLarge);
    this.panes.forEach(({ figure }, index) => figure.classList.toggle("main", index === this.view.main));
    for (const { input, name } of this.sliders) input.value = this.view[name];
    for (const { button, isOn } of Object.values(this.toggles)) button.ariaPressed = String(isOn());
    if (this.windowed) this.panes.forEach((pane) => this.drawPane(pane));
  }

  drawPane({ canvas, drawn }) {
    const { view, windowed } = this;
    const width = Math.round(canvas.clientWidth * devicePixelRatio);
    const height = Math.round((width * windowed.height) / windowed.width);
    if (!width) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    const left = width * (0.5 + view.x - view.zoom / 2), top = height * (0.5 + view.y - view.zoom / 2);
    const place = [left, top, width * view.zoom, height * view.zoom];
    Object.assign(context, { imageSmoothingEnabled: true, imageSmoothingQuality: "high", globalAlpha: 1 });
    context.fillRect(0, 0, width, height);
    context.drawImage(windowed, ...place);
    const isOverlaid = drawn && view.evidence;
    if (isOverlaid) {
      context.globalAlpha = view.opacity;
      context.drawImage(drawn, ...place);
    }
    for (const kind of Object.keys(LINES)) if (view[kind]) drawOutline(context, LINES[kind], this.outlines[kind], place);
    canvas.dataset.shown = isOverlaid ? "evidence" : "scan";
  }

  // --- Panes and the pointer: drag pans, drag with the right button changes the window, ctrl-wheel zooms

  buildPanes(count) {
    this.grid.replaceChildren();
    this.panes = Array.from({ length: count }, () => {
      const figure = element("figure", {}, this.grid);
      const title = element("div", { className: "title" }, figure);
      const canvas = element("canvas", { role: "img", tabIndex: 0 }, figure);
      const pointed = element("div", { className: "pointed" }, figure);
      const caption = element("figcaption", {}, figure);
      const pane = { figure, title, canvas, caption, pointed, levels: null, drawn: null };
      this.handlePointer(pane);
      figure.onclick = () => this.isSmall(figure) && this.set({ main: this.panes.indexOf(pane) });
      canvas.onkeydown = (event) => { if (event.key === "Enter") figure.onclick(); };
      return pane;
    });
    new ResizeObserver(() => this.draw()).observe(this.grid);
  }

  isSmall(figure) {
    return this.root.classList.contains("large") && !figure.classList.contains("main");
  }

  handlePointer(pane) {
    const { canvas } = pane;
    let drag = null;
    canvas.onpointerdown = (event) => {
      if (this.isSmall(pane.figure)) return;
      drag = { x: event.clientX, y: event.clientY, button: event.button, view: { ...this.view } };
      canvas.setPointerCapture(event.pointerId);
    };
    canvas.onpointermove = (event) => {
      if (drag) this.drag(drag, event, canvas);
      else pane.pointed.textContent = this.strengthAt(pane, event);
    };
    canvas.onpointerleave = () => (pane.pointed.textContent = "");
    canvas.onpointerup = canvas.onpointercancel = () => (drag = null);
    canvas.oncontextmenu = (event) => event.preventDefault();
    canvas.ondblclick = (event) => this.zoomAt(event, canvas, 2);
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return; // a plain wheel scrolls the page
      event.preventDefault();
      this.zoomAt(event, canvas, Math.exp(-event.deltaY / 200));
    }, { passive: false });
  }

  zoomAt(event, canvas, factor) {
    this.zoomBy(factor, event.offsetX / canvas.clientWidth, event.offsetY / canvas.clientHeight);
  }

  drag(start, event, canvas) {
    const across = (event.clientX - start.x) / canvas.clientWidth, down = (event.clientY - start.y) / canvas.clientHeight;
    if (start.button === 2) {
      const contrast = clamp(start.view.contrast * Math.exp(2 * across), CONTRAST);
      this.set({ contrast, brightness: clamp(start.view.brightness - down, BRIGHTNESS) });
    } else this.set(offsetInside(start.view.x + across, start.view.y + down, this.view.zoom));
  }

  // The strength of the evidence under the pointer, as text
  strengthAt(pane, event) {
    if (!pane.levels || !this.studying) return "";
    const { width, height, data } = pane.levels;
    const { x, y, zoom } = this.view;
    const column = Math.floor(((event.offsetX / pane.canvas.clientWidth - 0.5 - x) / zoom + 0.5) * width);
    const row = Math.floor(((event.offsetY / pane.canvas.clientHeight - 0.5 - y) / zoom + 0.5) * height);
    if (column < 0 || row < 0 || column >= width || row >= height) return "";
    const strength = data[4 * (row * width + column)] / 255;
    const value = pane.full ? `${(strength * pane.full[0]).toPrecision(2)} ${pane.full[1]}, ` : "";
    return `${value}${Math.round(100 * strength)} % of full scale${strength === 1 ? " or more" : ""}`;
  }
}
