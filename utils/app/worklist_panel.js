// The worklist: a button per scan, and Previous and Next, which the arrow keys press. A step is taken at once and sent
// to the server when the keys rest, so that none is lost while the server draws an earlier one. A key of the review waits
// until the buttons of the marked scan are drawn: it must neither be lost nor count for the scan before.
// data: { rows: [{ key, name, status, title, thumbnail, answer, review, isRead }], selected, isBar }. A bar shows a
// menu instead of the buttons.

const REST_MILLISECONDS = 120;
const REVIEW_KEYS = "adu123456789";
const POLL_MILLISECONDS = 40;

export default function ({ data, parentElement, setTriggerValue }) {
  const panel = parentElement.panel ?? (parentElement.panel = new WorklistPanel(parentElement));
  panel.send = (key) => setTriggerValue("select", key);
  panel.show(data);
  return () => panel.leave();
}

class WorklistPanel {
  constructor(parent) {
    this.timer = this.pending = null;
    this.rows = [];
    this.root = element("div", { className: "worklist" }, parent);
    const bar = element("div", { className: "steps" }, this.root);
    this.back = this.stepper(bar, "Previous", "←", -1);
    this.menu = element("select", { ariaLabel: "Scan" }, bar);
    this.menu.onchange = () => this.select(this.menu.value);
    this.place = element("span", { className: "place" }, bar);
    this.onward = this.stepper(bar, "Next", "→", 1);
    this.list = element("div", { className: "rows", role: "group", ariaLabel: "Worklist" }, this.root);
    this.keys = new Keys("Worklist", [{
      keys: ["ArrowLeft", "ArrowRight"],
      title: "Previous, next scan",
      act: (onward) => this.step(onward ? 1 : -1),
      isOff: () => this.readable.length < 2,
    }]);
    this.onReviewKey = (event) => this.delay(event);
    this.waiting = [];
  }

  show({ rows, selected, isBar }) {
    this.keys.bind();
    window.addEventListener("keydown", this.onReviewKey, true);
    this.rows = rows;
    this.readable = rows.filter((row) => row.isRead).map((row) => row.key);
    if (this.pending === selected || !this.readable.includes(this.pending)) this.pending = null;
    this.list.hidden = isBar;
    this.menu.hidden = !isBar;
    this.root.classList.toggle("bar", isBar);
    if (isBar) this.menu.replaceChildren(...rows.map(({ key, name }) => new Option(name, key)));
    else this.list.replaceChildren(...rows.map((row) => this.rowOf(row)));
    this.mark(this.pending ?? selected);
  }

  leave() {
    this.keys.unbind();
    window.removeEventListener("keydown", this.onReviewKey, true);
  }

  delay(event) {
    if (!event.isTrusted || event.ctrlKey || event.metaKey || event.altKey || !REVIEW_KEYS.includes(event.key)) return;
    if (!this.list.isConnected || this.list.hidden || isText(event.composedPath()[0])) return;
    if (!this.waiting.length && this.hasButtons()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.waiting.push({ key: event.key, code: event.code });
    if (this.waiting.length === 1) this.release();
  }

  hasButtons() {
    return !!document.querySelector(`.st-key-unsure-${this.current} button`);
  }

  release() {
    setTimeout(() => {
      if (!this.root.isConnected) this.waiting = [];
      if (this.waiting.length && this.hasButtons() && this.wasReady) {
        this.replay(this.waiting.shift());
      }
      this.wasReady = this.hasButtons(); // drawn a moment ago, they listen now
      if (this.waiting.length) this.release();
    }, POLL_MILLISECONDS);
  }

  replay({ by, ...key }) {
    if (by) {
      const rest = this.waiting.splice(0);
      this.step(by);
      this.waiting.push(...rest);
    } else {
      for (const kind of ["keydown", "keyup"]) {
        document.body.dispatchEvent(new KeyboardEvent(kind, { ...key, bubbles: true, cancelable: true }));
      }
    }
  }

  rowOf(row) {
    const button = element("button", { type: "button", className: "row", disabled: !row.isRead, title: row.answer });
    button.dataset.key = row.key;
    button.onclick = () => this.select(row.key);
    if (row.thumbnail) element("img", { src: row.thumbnail, alt: "" }, button);
    const words = element("span", { className: "words" }, button);
    element("span", { className: "name", textContent: row.name }, words);
    element("span", { className: `status ${row.status}`, textContent: row.title }, words);
    if (row.review) element("span", { className: "review", textContent: `✓ ${row.review}` }, words);
    return button;
  }

  stepper(parent, title, sign, by) {
    const button = element("button", { type: "button", ariaLabel: title, title: `${title} (arrow key)`, textContent: sign }, parent);
    button.onclick = () => this.step(by);
    return button;
  }

  step(by) {
    if (this.waiting.length) return void this.waiting.push({ by }); // after the review that waits
    const key = this.readable[this.readable.indexOf(this.current) + by];
    if (key) this.select(key);
  }

  select(key) {
    this.pending = key;
    this.mark(key);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(key), REST_MILLISECONDS);
  }

  mark(key) {
    this.current = this.root.dataset.selected = key;
    const position = this.readable.indexOf(key);
    this.place.textContent = `${position + 1} of ${this.readable.length}`;
    this.back.disabled = position <= 0;
    this.onward.disabled = position === this.readable.length - 1;
    this.menu.value = key;
    for (const button of this.list.children) {
      const isCurrent = button.dataset.key === key;
      button.setAttribute("aria-current", String(isCurrent));
      if (isCurrent) this.reveal(button);
    }
  }

  // Scrolls the list alone, never the page
  reveal(button) {
    const { list } = this, top = button.offsetTop - list.offsetTop;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + button.offsetHeight > list.scrollTop + list.clientHeight) {
      list.scrollTop = top + button.offsetHeight - list.clientHeight;
    }
    const left = button.offsetLeft - list.offsetLeft;
    if (left < list.scrollLeft || left + button.offsetWidth > list.scrollLeft + list.clientWidth) list.scrollLeft = left;
  }
}
