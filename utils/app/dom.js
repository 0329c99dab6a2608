// What several components use: elements and pixels. `components.component` puts it behind their code.

const PIXELS_PER_STEP = 40; // of a trackpad

function load(source) {
  if (!source) return null;
  const image = new Image();
  image.src = source;
  return image.decode().then(() => image);
}

// The addresses of the images of a view: the scan's, then those of its panes, null where a pane has none
function sourcesOf({ scan, panes }) {
  return [scan, ...panes.map((pane) => pane.evidence)];
}

function loadAll(view) {
  return Promise.all(sourcesOf(view).map(load));
}

function pixelsOf(image) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const context = element("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, width, height);
}

function element(tag, properties, parent) {
  const node = Object.assign(document.createElement(tag), properties);
  if (properties.role) node.setAttribute("role", properties.role);
  parent?.appendChild(node);
  return node;
}

function clamp(value, [low, high]) {
  return Math.min(Math.max(value, low), high);
}

// Whole steps of a mouse wheel: a notch is one, the many small events of a trackpad add up
class Wheel {
  distance = 0;

  steps({ deltaY }) {
    if (Math.abs(deltaY) >= PIXELS_PER_STEP) {
      this.distance = 0;
      return Math.sign(deltaY);
    }
    this.distance += deltaY;
    const steps = Math.trunc(this.distance / PIXELS_PER_STEP);
    this.distance -= steps * PIXELS_PER_STEP;
    return steps;
  }
}

// A key as people write it
function keyName(key) {
  const arrows = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };
  const names = { ...arrows, PageUp: "Page Up", PageDown: "Page Down", Escape: "Esc" };
  return key.split("+").filter(Boolean).map((part) => names[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join(" ") || key;
}
