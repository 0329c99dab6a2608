// What several components use: elements and pixels. `components.component` puts it behind their code.

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
  const node = Object.assign(document.createElement(tag), properties);
  if (properties.role) node.setAttribute("role", properties.role);
  parent?.appendChild(node);
  return node;
}

function clamp(value, [low, high]) {
  return Math.min(Math.max(value, low), high);
}

// A key as people write it
function keyName(key) {
  const arrows = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };
  const names = { ...arrows, PageUp: "Page Up", PageDown: "Page Down", Escape: "Esc" };
  return key.split("+").filter(Boolean).map((part) => names[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join(" ") || key;
}
