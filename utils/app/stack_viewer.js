// The slices of a volume, all in the browser: wheel, keys and slider move through them without the server, which learns
// the position when they rest.
// data: { name, slices: [{ number, text, alt, scan, evidence, outlines }], palette, position, jump, kind, colour }. `scan`
// and `evidence` are grayscale PNG data addresses, evidence may be null; `outlines` are lists of x, y as shares of width
// and height. The server moves the view by another `jump`.

const REST_MILLISECONDS = 250;

export default function ({ data, parentElement, setTriggerValue }) {
  const viewer = parentElement.viewer ?? (parentElement.viewer = new StackViewer(parentElement));
  viewer.send = (position) => setTriggerValue("position", position);
  viewer.show(data);
  return () => viewer.leave();
}

class StackViewer {
  constructor(parent) {
    this.root = element("div", { className: "stack" }, parent);
    const bar = element("div", { className: "steps" }, this.root);
    this.up = this.stepper(bar, "Previous slice", "↑", -1);
    this.slider = element("input", { type: "range", min: 0, step: 1, ariaLabel: "Slice" }, bar);
    this.slider.oninput = () => this.go(Number(this.slider.value));
    this.down = this.stepper(bar, "Next slice", "↓", 1);
    this.place = element("div", { className: "place", role: "status" }, this.root);
    this.canvas = element("canvas", { role: "img", tabIndex: 0 }, this.root);
    this.text = element("p", {}, this.root);
    this.canvas.addEventListener("wheel", (event) => this.turn(event), { passive: false });
    this.keys = new Keys("Slices", [
      { keys: ["ArrowUp", "ArrowDown"], title: "Previous, next slice", act: (onward) => this.go(this.position + (onward ? 1 : -1)) },
      { keys: ["PageUp", "PageDown"], title: "Ten slices back, forward", act: (onward) => this.go(this.position + (onward ? 10 : -10)) },
    ]);
    this.wheel = new Wheel();
    this.images = new Map();
    this.stack = "";
  }

  show(data) {
    this.keys.bind();
    const isOther = data.name !== this.stack;
    if (isOther || data.jump !== this.jump) this.position = data.position;
    if (isOther) this.images.clear();
    Object.assign(this, { slices: data.slices, palette: data.palette, stack: data.name, jump: data.jump, kind: data.kind, colour: data.colour });
    this.slider.max = this.slices.length - 1;
    this.draw();
  }

  leave() {
    this.keys.unbind();
  }

  stepper(parent, title, sign, by) {
    const button = element("button", { type: "button", ariaLabel: title, title: `${title} (arrow key)`, textContent: sign }, parent);
    button.onclick = () => this.go(this.position + by);
    return button;
  }

  turn(event) {
    event.preventDefault();
    this.go(this.position + this.wheel.steps(event));
  }

  go(position) {
    const inside = Math.min(Math.max(position, 0), this.slices.length - 1);
    if (inside === this.position) return;
    this.position = inside;
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(this.position), REST_MILLISECONDS);
  }

  async draw() {
    const { position } = this, slice = this.slices[position];
    const last = this.slices.length - 1;
    this.slider.value = position;
    this.slider.setAttribute("aria-valuetext", `slice ${slice.number}`);
    this.up.disabled = position === 0;
    this.down.disabled = position === last;
    this.place.textContent = `Slice ${slice.number} (${position + 1} of ${last + 1} ${this.kind})`;
    this.text.textContent = slice.text;
    this.canvas.ariaLabel = slice.alt;
    this.root.dataset.position = position;
    const [scan, evidence] = await Promise.all([this.image(slice.scan), this.image(slice.evidence, true)]);
    if (this.position !== position || this.slices[position] !== slice) return;
    const { canvas } = this, { width, height } = scan;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.globalAlpha = 1;
    context.drawImage(scan, 0, 0);
    context.globalAlpha = 0.8;
    if (evidence) context.drawImage(evidence, 0, 0, width, height);
    context.globalAlpha = 1;
    for (const line of slice.outlines) this.trace(context, line, width, height);
    this.root.dataset.drawn = position;
  }

  trace(context, line, width, height) {
    context.beginPath();
    for (let at = 0; at < line.length; at += 2) context.lineTo(line[at] * width, line[at + 1] * height);
    context.closePath();
    Object.assign(context, { strokeStyle: this.colour, lineWidth: Math.max(1, width / 300) });
    context.stroke();
  }

  // A decoded image; evidence in its colours. Each is decoded once.
  image(source, isEvidence = false) {
    if (!source) return null;
    if (!this.images.has(source)) {
      this.images.set(source, load(source).then((image) => (isEvidence ? this.coloured(image) : image)));
    }
    return this.images.get(source);
  }

  coloured(image) {
    const canvas = element("canvas", { width: image.width, height: image.height });
    const pixels = pixelsOf(image);
    for (let at = 0; at < pixels.data.length; at += 4) {
      const level = pixels.data[at];
      pixels.data.set(this.palette[level], at);
      pixels.data[at + 3] = level;
    }
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    return canvas;
  }
}
