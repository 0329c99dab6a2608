// The tool bar of the scan viewer. Its tables make the buttons and sliders, bind the keys, and fill the sheet of shortcuts.

const SCALE = "Support for the class: one scale for all models and classes";
const SCALE_ALT = "Colour scale of saliency maps from none (original image) to strong (yellow)";
const PAN = 0.1; // of a pane
const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
const RARE = ["Brightness", "Contrast", "Toggle overlay", "Zoom in", "Zoom out", "Full screen"]; // behind "More" on a phone

class ViewerBar {
  constructor(viewer) {
    this.viewer = viewer;
    this.root = element("div", { className: "bar", role: "toolbar", ariaLabel: "Image" }, viewer.root);
    this.sliders = this.sliderTable().map((row) => this.slider(row));
    this.buttons = this.buttonTable().map((row) => this.button(row));
    this.words = element("output", { className: "measured" }, this.root); // a live region
    this.legend = this.colourScale();
    const ofButtons = this.buttons.filter(({ key }) => key)
      .map((row) => ({ keys: [row.key], title: row.hint ?? row.title, act: row.act, isOff: () => row.button.hidden }));
    const ofSliders = this.sliders.filter(({ keys }) => keys).map(({ keys, title, input, label }) =>
      ({ keys, title: `${title}: less, more`, act: (isMore) => step(input, isMore), isOff: () => label.hidden }));
    this.keys = [
      new Keys("Image", [...ofButtons, ...ofSliders, ...this.otherKeys()]),
      new Keys("Ruler", this.rulerKeys(), true),
      new Keys("Image, with the mouse", this.mouseRows()),
    ];
  }

  sliderTable() {
    const { viewer } = this;
    return [
      { title: "Slice", range: [0, 0], step: 1, act: (position) => viewer.go(position), value: () => viewer.position, most: () => viewer.slices.length - 1,
        text: () => viewer.place.textContent, isOff: () => viewer.slices.length < 2 },
      { title: "Opacity", range: [0, 1], step: 0.05, name: "opacity", keys: ["[", "]"], isOff: () => !this.hasMaps },
      { title: "Brightness", range: BRIGHTNESS, step: 0.02, name: "brightness" },
      { title: "Contrast", range: [CONTRAST[0], 4], step: 0.05, name: "contrast" },
      { title: "Display threshold", range: [0, 1], step: 0.05, name: "threshold", keys: [",", "."], isOff: () => !viewer.isStudy },
    ];
  }

  buttonTable() {
    const { viewer } = this, { root } = viewer, isOn = (name) => () => viewer.view[name];
    const flip = (name) => () => viewer.set({ [name]: !viewer.view[name] });
    const isAlone = () => viewer.panes.length < 2;
    const columns = () => (viewer.layout === 3 && viewer.panes.length > 3 ? "all" : Math.min(viewer.layout, viewer.panes.length));
    const blink = () => (viewer.blinking === null ? viewer.startBlinking() : viewer.stopBlinking());
    const screen = () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen());
    return [
      { title: "Layout", hint: "Layout: 1, 2 or all panes", key: "l", act: () => this.nextLayout(), text: () => `Layout: ${columns()}`, isOff: isAlone },
      { title: "Switch pane", key: "p", act: () => this.nextPane(), isOff: () => isAlone() || viewer.layout === 3 },
      { title: "Saliency map", key: "e", act: flip("evidence"), isOn: isOn("evidence"), isOff: () => !this.hasMaps },
      { title: "Toggle overlay", key: "b", act: blink, isOn: () => viewer.blinking !== null, isOff: () => !this.hasMaps },
      { title: "Contour", key: "c", act: flip("contour"), isOn: isOn("contour"), isOff: () => !viewer.isStudy },
      { title: "Outline", key: "o", act: flip("outline"), isOn: isOn("outline"), isOff: () => !viewer.outlines.outline },
      { title: "Reference segmentation", key: "m", act: flip("mask"), isOn: isOn("mask"), isOff: () => !viewer.outlines.mask },
      { title: "Window", hint: "Window: full, brain, percentiles", key: "w", act: () => this.nextWindow(), text: () => `Window: ${viewer.view.window}` },
      { title: "Invert", key: "i", act: flip("inverted"), isOn: isOn("inverted") },
      { title: "Ruler", key: "r", act: () => this.toggleRuler(), isOn: () => viewer.ruler.isOn },
      { title: "Zoom in", sign: "+", key: "+", act: () => viewer.zoomBy(1.25) },
      { title: "Zoom out", sign: "−", key: "-", act: () => viewer.zoomBy(0.8) },
      { title: "Full screen", key: "f", act: screen, isOn: () => document.fullscreenElement === root },
      { title: "Reset", key: "0", act: () => viewer.reset() },
      { title: "Save PNG", key: "s", act: () => savePng(viewer.panes.filter(({ figure }) => figure.offsetWidth), viewer.file), isOff: () => !viewer.isStudy },
      { title: "More", key: "", act: () => root.classList.toggle("all") },
    ];
  }

  otherKeys() {
    const { viewer } = this;
    const pan = (way) => viewer.pan(...[[PAN, 0], [-PAN, 0], [0, PAN], [0, -PAN]][way]);
    const by = (slices) => (onward) => viewer.go(viewer.position + (onward ? slices : -slices));
    const isOff = () => !viewer.slices.length, hasNoRuler = () => !viewer.ruler.isOn && viewer.ruler.isEmpty;
    return [
      { keys: ["ArrowUp", "ArrowDown"], title: "Previous, next slice", act: by(1), isOff },
      { keys: ["PageUp", "PageDown"], title: "Ten slices back, forward", act: by(10), isOff },
      { keys: ARROWS.map((key) => `Shift+${key}`), title: "Move the zoomed image", act: pan },
      { keys: ["Escape"], title: "Remove the ruler", act: () => this.removeRuler(), isOff: hasNoRuler },
    ];
  }

  rulerKeys() {
    const { ruler } = this.viewer, isOff = () => !ruler.isOn;
    const by = (pixels) => (way) => ruler.step(...[[-pixels, 0], [pixels, 0], [0, -pixels], [0, pixels]][way]);
    return [
      { keys: ARROWS, title: "Move by one pixel", act: by(1), isOff },
      { keys: ARROWS.map((key) => `Shift+${key}`), title: "Move by ten pixels", act: by(10), isOff },
      { keys: ["Enter"], title: "Set a point", act: () => ruler.set(), isOff },
    ];
  }

  // Texts for the sheet alone: the pointer is handled by the viewer
  mouseRows() {
    const { viewer } = this, isNoStack = () => !viewer.slices.length;
    return [
      { keys: ["Wheel"], title: "Previous, next slice", isOff: isNoStack },
      { keys: ["Ctrl+Wheel"], title: "Zoom" },
      { keys: ["Drag"], title: "Move the zoomed image; measure with the ruler" },
      { keys: ["Right drag"], title: "Window: level up and down, width across" },
      { keys: ["Double click"], title: "Zoom in" },
    ];
  }

  // --- What the controls do

  nextLayout() {
    const { viewer } = this, most = Math.min(viewer.panes.length, 3);
    viewer.layout = viewer.layout < most ? viewer.layout + 1 : 1;
    viewer.draw();
  }

  nextPane() {
    const { viewer } = this, { length } = viewer.panes, first = viewer.layout === 2 ? 1 : 0; // of two, the first is the scan
    viewer.set({ main: Math.max((viewer.large.at(-1) + 1) % length, first) });
  }

  nextWindow() {
    const names = Object.keys(WINDOWS);
    this.viewer.setWindow(names[(names.indexOf(this.viewer.view.window) + 1) % names.length]);
  }

  toggleRuler() {
    const { viewer } = this;
    viewer.ruler.toggle();
    if (viewer.ruler.isOn) viewer.panes[viewer.large[0]].canvas.focus({ preventScroll: true });
  }

  removeRuler() {
    const { ruler } = this.viewer;
    if (ruler.isOn) ruler.toggle();
    ruler.clear();
    this.say("");
  }

  say(words) {
    this.words.textContent = words;
  }

  // --- How they look

  slider(row) {
    const hint = row.keys ? `${row.title} (${row.keys.join(" and ")})` : "";
    const kind = row.value ? "slice" : RARE.includes(row.title) ? "rare" : "";
    const label = element("label", { textContent: row.title, title: hint, className: kind }, this.root);
    const [min, max] = row.range;
    const input = element("input", { type: "range", min, max, step: row.step, ariaLabel: row.title }, label);
    input.oninput = () => (row.act ? row.act(Number(input.value)) : this.viewer.set({ [row.name]: Number(input.value) }));
    return { ...row, label, input };
  }

  button(row) {
    const hint = row.key ? `${row.hint ?? row.title} (${row.key.toUpperCase()})` : row.title;
    const button = element("button", { type: "button", title: hint, textContent: row.sign ?? row.title, onclick: row.act }, this.root);
    if (row.sign) button.ariaLabel = row.title;
    if (RARE.includes(row.title)) button.classList.add("rare");
    if (row.title === "More") button.classList.add("more");
    return { ...row, button };
  }

  colourScale() {
    const figure = element("div", { className: "legend", role: "img", ariaLabel: SCALE_ALT, title: SCALE }, this.root);
    element("span", { textContent: "none" }, figure);
    const ramp = element("canvas", { width: 256, height: 1 }, figure);
    element("span", { textContent: "strong" }, figure);
    return { figure, ramp };
  }

  drawScale(palette) {
    const context = this.legend.ramp.getContext("2d"), colours = new ImageData(256, 1);
    const overGray = (value, level) => (value * level + 64 * (255 - level)) / 255; // as on a dark scan
    palette.forEach((colour, level) => colours.data.set([...colour.map((value) => overGray(value, level)), 255], 4 * level));
    context.putImageData(colours, 0, 0);
  }

  // Not of an image alone, such as a reformat
  get hasMaps() {
    return this.viewer.isStudy || this.viewer.panes.length > 1;
  }

  // Which controls there are for what is shown
  arrange() {
    for (const { button, isOff } of this.buttons) button.hidden = !!isOff?.();
    for (const { label, isOff } of this.sliders) label.hidden = !!isOff?.();
    const { viewer } = this;
    this.legend.figure.hidden = !this.hasMaps;
    for (const pane of viewer.panes) pane.pointed.hidden = !viewer.isStudy;
  }

  update() {
    this.arrange();
    for (const { input, name, value, most, text } of this.sliders) {
      if (most) input.max = most();
      input.value = value ? value() : this.viewer.view[name];
      if (text) input.ariaValueText = text();
    }
    for (const { button, isOn, text } of this.buttons) {
      if (isOn) button.ariaPressed = String(!!isOn());
      if (text && button.textContent !== text()) button.textContent = text();
    }
  }
}

function step(input, isMore) {
  if (isMore) input.stepUp(2); else input.stepDown(2);
  input.oninput();
}
