// A ruler on the scan: two clicks, a drag, or the arrow keys and Enter. Points are fractions of the scan's sides.

const CLICK = 4; // pixels that a pointer may move within a click
const RULER_COLOUR = "#ffd54a";

class Ruler {
  // onChange: draw; say: announce a sentence
  constructor(onChange, say) {
    Object.assign(this, { onChange, say, isOn: false, size: [1, 1], spacing: null });
    Object.assign(this, { lines: [], start: null, cursor: null, pressed: null, isDragged: false });
  }

  // size: width and height of the scan in its own pixels; spacing: mm of a pixel, null where it is not known
  measure(size, spacing) {
    Object.assign(this, { size, spacing });
  }

  get isEmpty() {
    return !this.lines.length && !this.start;
  }

  clear() {
    if (this.lines.length) this.say("");
    Object.assign(this, { lines: [], start: null, cursor: this.isOn ? [0.5, 0.5] : null });
    this.onChange();
  }

  toggle() {
    this.isOn = !this.isOn;
    if (this.isOn) this.cursor = [0.5, 0.5];
    else this.cursor = this.start = null;
    this.say(this.isOn ? "Ruler: click two points, or move with the arrow keys and set points with Enter" : "");
    this.onChange();
  }

  // --- Pointer: `point` is where it is on the scan, `place` where it is on the screen

  down(point, place) {
    this.pressed = place;
    this.isDragged = false;
    if (this.start) this.finish(point);
    else this.start = this.cursor = point;
    this.onChange();
  }

  move(point, place) {
    if (this.pressed && Math.hypot(place[0] - this.pressed[0], place[1] - this.pressed[1]) > CLICK) this.isDragged = true;
    this.cursor = point;
    if (this.start) this.onChange();
  }

  up(point) {
    if (this.isDragged && this.start) this.finish(point);
    this.pressed = null;
    this.isDragged = false;
  }

  // --- Keyboard: by = steps of a pixel of the scan

  step(across, down) {
    const [x, y] = this.cursor ?? [0.5, 0.5];
    this.cursor = [clamp(x + across / this.size[0], [0, 1]), clamp(y + down / this.size[1], [0, 1])];
    this.onChange();
  }

  set() {
    if (this.start) this.finish(this.cursor);
    else this.start = this.cursor;
    this.onChange();
  }

  finish(point) {
    const line = [this.start, point];
    this.start = null;
    if (line[0][0] === point[0] && line[0][1] === point[1]) return this.onChange();
    this.lines.push(line);
    const number = this.lines.length > 1 ? ` ${this.lines.length}` : "";
    const unknown = this.spacing ? "" : " (pixel spacing not known)";
    this.say(`Ruler${number}: ${this.length(line)}${unknown}`);
    this.onChange();
  }

  length([from, to]) {
    const pixels = Math.hypot((to[0] - from[0]) * this.size[0], (to[1] - from[1]) * this.size[1]);
    return this.spacing ? `${(pixels * this.spacing).toFixed(1)} mm` : `${Math.round(pixels)} pixels`;
  }

  // place: left, top, width and height of the scan on the canvas
  draw(context, [left, top, width, height]) {
    const at = ([x, y]) => [left + x * width, top + y * height];
    const lines = this.start ? [...this.lines, [this.start, this.cursor]] : this.lines;
    Object.assign(context, { globalAlpha: 1, lineCap: "round" });
    context.setLineDash([]);
    for (const line of lines) {
      const [from, to] = line.map(at);
      stroked(context, () => { context.moveTo(...from); context.lineTo(...to); });
      for (const end of [from, to]) cross(context, end, 5);
      written(context, this.length(line), [to[0] + 8 * devicePixelRatio, to[1]], "left", RULER_COLOUR);
    }
    if (this.isOn && this.cursor) cross(context, at(this.cursor), 9);
  }
}

function cross(context, [x, y], arm) {
  const length = arm * devicePixelRatio;
  stroked(context, () => {
    context.moveTo(x - length, y); context.lineTo(x + length, y);
    context.moveTo(x, y - length); context.lineTo(x, y + length);
  });
}

// A line that is seen on bright and dark ground
function stroked(context, path) {
  for (const [style, width] of [["black", 4], [RULER_COLOUR, 1.8]]) {
    Object.assign(context, { strokeStyle: style, lineWidth: width * devicePixelRatio });
    context.beginPath();
    path();
    context.stroke();
  }
}
