// What the viewer draws with: the window of a scan, the colours of evidence, letters, a PNG of all panes.

// The windows to choose from, each a function from the histogram (256) of a scan to its lowest and highest level
const WINDOWS = {
  full: () => [0, 255],
  brain: (histogram) => {
    const head = histogram.map((count, level) => (level > 0.1 * percentile(histogram, 0.995) ? count : 0));
    return [percentile(head, 0.05), percentile(head, 0.995)];
  },
  percentiles: (histogram) => [percentile(histogram, 0.01), percentile(histogram, 0.99)],
};

// Brightness and contrast that show the levels of a window from black to white
function windowOf(name, scan) {
  if (!scan.histogram) {
    scan.histogram = new Array(256).fill(0);
    const { data } = pixelsOf(scan);
    for (let at = 0; at < data.length; at += 4) scan.histogram[data[at]]++;
  }
  const [low, high] = WINDOWS[name](scan.histogram);
  return { brightness: 0.5 - (low + high) / 510, contrast: 255 / Math.max(high - low, 16) };
}

// The lowest level that reaches this share of the pixels
function percentile(histogram, share) {
  let left = share * histogram.reduce((sum, count) => sum + count, 0);
  return Math.max(histogram.findIndex((count) => count && (left -= count) <= 0), 0);
}

// The scan's grays through a straight line
function windowed(scan, { brightness, contrast, inverted }) {
  const canvas = element("canvas", { width: scan.naturalWidth, height: scan.naturalHeight });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(scan, 0, 0);
  if (brightness === 0 && contrast === 1 && !inverted) return canvas;
  const pixels = context.getImageData(0, 0, scan.naturalWidth, scan.naturalHeight);
  const table = new Uint8ClampedArray(256);
  for (let level = 0; level < 256; level++) {
    const shown = 255 * ((level / 255 - 0.5 + brightness) * contrast + 0.5);
    table[level] = inverted ? 255 - clamp(shown, [0, 255]) : shown;
  }
  for (let at = 0; at < pixels.data.length; at += 4) {
    pixels.data[at] = pixels.data[at + 1] = pixels.data[at + 2] = table[pixels.data[at]];
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

// Evidence in its colours, or the contour of what reaches the display threshold
function coloured({ width, height, data }, palette, { contour, threshold }) {
  const image = new ImageData(width, height);
  const least = Math.max(threshold * 255, contour ? 1 : 0);
  const isShown = (at) => data[4 * at] >= least;
  for (let at = 0; at < width * height; at++) {
    if (!isShown(at) || (contour && !isEdge(at, width, height, isShown))) continue;
    image.data.set(palette[contour ? 255 : data[4 * at]], 4 * at);
    image.data[4 * at + 3] = contour ? 255 : data[4 * at];
  }
  const canvas = element("canvas", { width, height });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// Closed lines, of the same width at every zoom
function drawOutline(context, { colour, dash }, outline, [left, top, width, height]) {
  context.globalAlpha = 1;
  context.lineWidth = 2 * devicePixelRatio;
  context.strokeStyle = colour;
  context.setLineDash(dash.map((length) => length * devicePixelRatio));
  for (const points of outline ?? []) {
    context.beginPath();
    for (let at = 0; at < points.length; at += 2) context.lineTo(left + points[at] * width, top + points[at + 1] * height);
    context.closePath();
    context.stroke();
  }
}

// The sides of the body at the left, right, top and bottom of a canvas
function drawSides(context, sides, { width, height }) {
  const margin = 8 * devicePixelRatio, below = 34 * devicePixelRatio; // the title of the pane is at the top
  const places = [[margin, height / 2, "left"], [width - margin, height / 2, "right"], [width / 2, below, "center"],
    [width / 2, height - 2 * margin, "center"]];
  sides.forEach((letters, side) => written(context, letters, places[side].slice(0, 2), places[side][2], "white"));
}

// Words that are read on bright and dark ground
function written(context, text, [x, y], align, colour) {
  Object.assign(context, { globalAlpha: 1, textAlign: align, textBaseline: "middle", lineJoin: "round", strokeStyle: "black" });
  Object.assign(context, { font: `600 ${14 * devicePixelRatio}px sans-serif`, lineWidth: 4 * devicePixelRatio, fillStyle: colour });
  context.setLineDash([]);
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}

// All panes as they look now, side by side below their titles, as a PNG file
function savePng(panes, file) {
  const gap = 16, head = 40;
  const canvases = panes.map(({ canvas }) => canvas);
  const width = canvases.reduce((sum, canvas) => sum + canvas.width + gap, -gap);
  const height = Math.max(...canvases.map((canvas) => canvas.height)) + head;
  const whole = element("canvas", { width, height });
  const context = whole.getContext("2d");
  context.fillRect(0, 0, width, height);
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

// Where a scan that is `zoom` times as large as its pane may lie without leaving the pane
function offsetInside(x, y, zoom) {
  const most = (zoom - 1) / 2;
  return { x: clamp(x, [-most, most]), y: clamp(y, [-most, most]) };
}

function isEdge(at, width, height, isShown) {
  const column = at % width;
  const atBorder = column === 0 || column === width - 1 || at < width || at >= width * (height - 1);
  return atBorder || !(isShown(at - 1) && isShown(at + 1) && isShown(at - width) && isShown(at + width));
}

function pick(object, names) {
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}
