// One scan in several panes that zoom, pan and change their window together: the original image and a saliency map per
// model. data: { key, volume, name, file, stack, position, jump, kind, size, spacing, sides, scan, palette, study, layout,
// outlines: { KIND: [[x, y, ...], ...] }, panes: [{ title, caption, alt, evidence, full }] }. `scan` and `evidence` are
// grayscale PNG data addresses; a level of evidence has the palette's colour, and its opacity grows with it. Outlines are
// closed polygons in fractions of the scan's sides. `size` is width and height of the scan in pixels, `spacing` their mm,
// `sides` the sides of the body. `layout`: how many panes stand side by side at first; 1: one fills the height of the
// window, the others are small beside it until they are clicked; 3: all. `key` is that of the scan on the worklist; a scan
// that was chosen there is shown before the server answers, if views_beside.js keeps its view. `stack` is the name of the
// slices that stack_images.js keeps, of which the one at `position` is in `data`; `volume` is equal for all stacks of a
// volume, and `kind` is that of slices that are counted. The server moves the viewer by another `jump`.

const INITIAL_VIEW = { zoom: 1, x: 0, y: 0, brightness: 0, contrast: 1, inverted: false, evidence: true, opacity: 0.8,
  threshold: 0, contour: false, outline: true, mask: true, window: "full", main: 0 };
const KEPT_BETWEEN_SCANS = ["opacity", "evidence", "threshold", "contour", "outline", "mask", "main"];
const LINES = { outline: { colour: "#009e73", dash: [] }, mask: { colour: "#56b4e9", dash: [6, 4] } };
const BLINK_MILLISECONDS = 600;
const REST_MILLISECONDS = 250; // without a step through the stack, before the server learns the position
const LARGEST_ZOOM = 16;
// Volume -> the position that the server has not confirmed. It stays when the page is left: the next viewer goes there.
const PENDING = (window.brainReaderPositions ??= new Map());
const BRIGHTNESS = [-0.5, 0.5];
const CONTRAST = [0.4, 16];

export default function ({ data, parentElement, setTriggerValue }) {
  const viewer = parentElement.viewer ?? (parentElement.viewer = new ScanViewer(parentElement, data));
  viewer.send = (place) => setTriggerValue("place", place);
  viewer.receive(data);
  return () => viewer.leave();
}

class ScanViewer {
  constructor(parent, { layout }) {
    this.view = { ...INITIAL_VIEW };
    this.layout = layout;
    this.panes = [];
    this.outlines = {};
    this.sides = [];
    this.scan = this.windowed = this.palette = this.blinking = this.timer = null;
    this.wheel = new Wheel();
    this.root = element("div", { className: "viewer" }, parent);
    this.ruler = new Ruler(() => this.draw(), (words) => this.bar.say(words));
    this.bar = new ViewerBar(this);
    this.grid = element("div", { className: "panes" }, this.root);
    this.place = element("div", { className: "place", role: "status" }, this.root);
    this.onStack = () => {
      if (this.goOn()) return;
      this.showPlace();
      this.draw();
    };
    this.onScan = () => this.follow();
    this.onLink = (event) => this.prepareToLeave(event);
  }

  // --- What is shown

  // What the server sends; where another scan was chosen meanwhile that the browser has or shows, that one stays
  receive(data) {
    for (const keys of this.bar.keys) keys.bind();
    window.addEventListener("brain-reader-stack", this.onStack); // once, however often
    window.addEventListener("brain-reader-scan", this.onScan);
    window.addEventListener("click", this.onLink, true);
    if (this.page !== location.pathname) Object.assign(this, { page: location.pathname, isLeaving: false });
    this.served = data;
    const marked = window.brainReaderScan;
    const isOutdated = marked && data.key !== marked && (this.key === marked || this.chosen);
    if (isOutdated) this.follow();
    else this.take(data);
  }

  // Shows the scan that the worklist marks, if the browser has it
  follow() {
    const { chosen } = this;
    if (chosen && chosen.data.key !== this.key) this.take(chosen.data, chosen.images);
  }

  get chosen() {
    const key = window.brainReaderScan;
    return this.served?.key === key ? { data: this.served } : window.brainReaderViews?.get(key);
  }

  // Shows a view; where the browser has gone on to another slice of its stack meanwhile, that one stays
  take(data, images) {
    const { key, volume, stack, position, jump, kind, palette, file, study: isStudy } = data;
    if (volume !== this.volume) this.rest();
    const isJump = volume === this.volume && jump !== this.jump;
    Object.assign(this, { key, volume, stack, position, jump, kind, palette, file, isStudy });
    if (isJump || PENDING.get(volume) === position) PENDING.delete(volume);
    if (!this.goOn()) this.show(data, images);
  }

  async show(data, kept) {
    if (this.panes.length !== data.panes.length) this.buildPanes(data.panes.length);
    data.panes.forEach((pane, index) => {
      this.panes[index].title.textContent = pane.title.replace(/([<>]) (?=\d)|(\d) (?=%)/g, "$1$2\u00a0"); // never "99" alone
      if (pane.caption !== undefined) this.panes[index].caption.textContent = pane.caption;
      this.panes[index].canvas.ariaLabel = pane.alt;
    });
    this.showPlace();
    this.latest = data;
    const sources = sourcesOf(data), isDrawn = String(sources) === this.sources;
    const images = isDrawn ? this.images : await (kept ?? loadAll(data));
    if (this.latest !== data) return; // another slice has overtaken it
    Object.assign(this, { images, sources: String(sources) });
    const name = this.stack ? this.volume : data.name, isNewScan = name !== this.root.dataset.name;
    this.scan = images[0];
    Object.assign(this, { outlines: data.outlines, sides: data.sides });
    this.root.style.setProperty("--aspect", images[0].naturalWidth / images[0].naturalHeight);
    this.root.dataset.name = name;
    if (isNewScan) this.resetScan();
    if (data.name !== this.measured) this.ruler.clear();
    this.measured = data.name;
    this.ruler.measure(data.size, data.spacing);
    this.panes.forEach((pane, index) => {
      pane.levels = images[index + 1] && pixelsOf(images[index + 1]);
      pane.full = data.panes[index].full ?? pane.full;
    });
    this.bar.drawScale(this.palette);
    this.colourEvidence();
    this.applyWindow();
    this.draw();
    this.root.dataset.ready = data.name;
  }

  leave() {
    this.stopBlinking();
    clearTimeout(this.timer);
    for (const keys of this.bar.keys) keys.unbind();
    window.removeEventListener("brain-reader-stack", this.onStack);
    window.removeEventListener("brain-reader-scan", this.onScan);
    window.removeEventListener("click", this.onLink, true);
  }

  // A message that follows the choice of another page would bring this one back: the position stays pending instead
  prepareToLeave(event) {
    const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement);
    const isHere = link?.origin === location.origin && !link.target && !link.download && !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (isHere && link.pathname !== location.pathname) this.isLeaving = true;
  }

  // The view of a scan that has just come: a window that was chosen stays, one that was drawn by hand does not
  resetScan() {
    const { window } = this.view;
    Object.assign(this.view, INITIAL_VIEW, pick(this.view, KEPT_BETWEEN_SCANS));
    if (window in WINDOWS) this.setWindow(window);
  }

  set(changes) {
    Object.assign(this.view, changes);
    if ("brightness" in changes || "contrast" in changes) this.view.window = changes.window ?? "custom";
    if ("brightness" in changes || "contrast" in changes || "inverted" in changes) this.applyWindow();
    if ("threshold" in changes || "contour" in changes) this.colourEvidence();
    this.draw();
  }

  setWindow(name) {
    if (this.scan) this.set({ ...windowOf(name, this.scan), window: name });
  }

  reset() {
    this.stopBlinking();
    this.ruler.clear();
    this.set(INITIAL_VIEW);
  }

  // --- The slices of a stack, which the browser has: it moves through them without the server

  get slices() {
    return (this.stack && window.brainReaderStacks?.get(this.stack)) || [];
  }

  go(position) {
    const inside = clamp(position, [0, this.slices.length - 1]);
    if (!this.slices.length || inside === this.position) return;
    PENDING.set(this.volume, inside);
    this.goOn();
  }

  // To the slice that the server does not know of, where there is such a slice
  goOn() {
    const position = PENDING.get(this.volume), slice = this.slices[position];
    if (!slice) return false;
    this.position = position;
    this.show(slice);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.rest(), REST_MILLISECONDS);
    return true;
  }

  // The server learns at which slice of which volume the viewer rests
  rest() {
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.timer = null;
    if (!this.isLeaving) this.send({ key: this.volume, position: this.position, jump: this.jump });
  }

  showPlace() {
    const { slices, position } = this;
    this.root.dataset.position = position ?? "";
    this.place.textContent = slices.length ? `Slice ${slices[position].number} (${position + 1} of ${slices.length} ${this.kind})` : "";
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

  pan(across, down) {
    this.set(offsetInside(this.view.x + across, this.view.y + down, this.view.zoom));
  }

  applyWindow() {
    if (this.scan) this.windowed = windowed(this.scan, this.view);
  }

  colourEvidence() {
    for (const pane of this.panes) pane.drawn = pane.levels && coloured(pane.levels, this.palette, this.view);
  }

  // --- Drawing

  // The panes that are shown at one size: all, or of two the first, which is the scan, and one map
  get large() {
    const { main } = this.view;
    if (this.layout === 1) return [Math.min(main, this.panes.length - 1)];
    return this.layout === 2 ? [0, main || Math.min(1, this.panes.length - 1)] : [...this.panes.keys()];
  }

  // Where the images begin on the page: they are as high as what is left of the window below
  measureTop() {
    const scrolled = document.querySelector("[data-testid=stMain]")?.scrollTop ?? 0;
    const { top } = (this.layout === 1 ? this.root : this.grid).getBoundingClientRect();
    this.root.style.setProperty("--top", `${Math.round(top + scrolled)}px`);
  }

  draw() {
    const { large } = this;
    for (const layout of [1, 2, 3]) this.root.classList.toggle(`layout-${layout}`, layout === this.layout);
    this.root.style.setProperty("--small", Math.max(this.panes.length - 1, 1));
    this.panes.forEach((pane, index) => pane.figure.classList.toggle("main", large.includes(index)));
    const parent = (this.layout === 1 && this.panes[large[0]]?.figure) || this.root;
    if (this.place.parentNode !== parent) parent.append(this.place);
    this.bar.update();
    this.measureTop();
    if (this.windowed) this.panes.forEach((pane) => this.drawPane(pane));
  }

  drawPane({ figure, canvas, drawn }) {
    const { view, windowed } = this;
    const width = Math.round(canvas.clientWidth * devicePixelRatio);
    const height = Math.round((width * windowed.height) / windowed.width);
    if (!width) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    const left = width * (0.5 + view.x - view.zoom / 2), top = height * (0.5 + view.y - view.zoom / 2);
    const place = [left, top, width * view.zoom, height * view.zoom];
    Object.assign(context, { imageSmoothingEnabled: true, imageSmoothingQuality: "high", globalAlpha: 1, fillStyle: "black" });
    context.fillRect(0, 0, width, height);
    context.drawImage(windowed, ...place);
    const isOverlaid = drawn && view.evidence;
    if (isOverlaid) {
      context.globalAlpha = view.opacity;
      context.drawImage(drawn, ...place);
    }
    for (const kind of Object.keys(LINES)) if (view[kind]) drawOutline(context, LINES[kind], this.outlines[kind], place);
    canvas.dataset.shown = isOverlaid ? "evidence" : "scan";
    if (this.isSmall(figure)) return;
    drawSides(context, this.sides, canvas);
    this.ruler.draw(context, place);
  }

  // --- Panes

  buildPanes(count) {
    this.grid.replaceChildren();
    this.panes = Array.from({ length: count }, () => {
      const figure = element("figure", {}, this.grid);
      const title = element("div", { className: "title" }, figure);
      const canvas = element("canvas", { role: "img", tabIndex: 0 }, figure);
      const pointed = element("div", { className: "pointed" }, figure);
      const caption = element("figcaption", {}, figure);
      const pane = { figure, title, canvas, caption, pointed, levels: null, drawn: null };
      handlePointer(this, pane);
      figure.onclick = () => this.isSmall(figure) && this.set({ main: this.panes.indexOf(pane) });
      canvas.onkeydown = (event) => { if (event.key === "Enter") figure.onclick(); };
      return pane;
    });
    this.observer?.disconnect();
    this.observer = new ResizeObserver(() => this.draw());
    for (const node of [this.grid, this.panes[0].figure]) this.observer.observe(node);
  }

  isSmall(figure) {
    return this.layout === 1 && !figure.classList.contains("main");
  }
}
