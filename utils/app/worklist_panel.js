// The worklist: a button per scan, and Previous and Next, which the arrow keys press. A step is taken at once: the viewer
// shows the scan if the browser has it (views_beside.js), and the server learns of it, of the last one where several
// follow quickly. A step names its scan, so none is lost while the server draws an earlier one. Until the server has drawn
// the findings of the marked scan, those of another are dimmed, and a key of the review waits: it must neither be lost nor
// count for the scan before. A key of the review clicks its button itself: Streamlit's listeners follow the drawn button
// some time later, and a key in between was lost.
// data: { rows: [{ key, name, status, title, answer, review, isRead }], selected, steps, isBar }. `steps`
// changes with each step that the server has taken. A bar shows a menu instead of the buttons. The thumbnails are kept by
// worklist_thumbnails.js.

const REST_MILLISECONDS = 120;
const REVIEW_KEYS = "adu123456789";
const POLL_MILLISECONDS = 40;
const ANSWER_MILLISECONDS = 5000; // in which the server begins to draw after a click

export default function ({ data, parentElement, setTriggerValue }) {
  const panel = parentElement.panel ?? (parentElement.panel = new WorklistPanel(parentElement));
  panel.send = (key) => setTriggerValue("select", key);
  panel.show(data);
  return () => panel.leave();
}

class WorklistPanel {
  constructor(parent) {
    this.timer = this.pending = null;
    this.frame = 0;
    this.clickedAt = -Infinity;
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
    this.onReviewKey = (event) => this.review(event);
    this.onThumbnails = () => this.drawThumbnails();
    this.waiting = []; // { key } of a review, or { by } of a step after it
  }

  show({ rows, selected, isBar }) {
    this.keys.bind();
    window.addEventListener("keydown", this.onReviewKey, true);
    window.addEventListener("brain-reader-thumbnails", this.onThumbnails);
    this.readable = rows.filter((row) => row.isRead).map((row) => row.key);
    if (this.pending === selected || !this.readable.includes(this.pending)) this.pending = null;
    this.list.hidden = isBar;
    this.menu.hidden = !isBar;
    this.root.classList.toggle("bar", isBar);
    const drawn = JSON.stringify(rows);
    if (drawn !== this.drawn) this.draw(rows, isBar);
    this.drawn = drawn;
    this.mark(this.pending ?? selected);
  }

  draw(rows, isBar) {
    if (isBar) this.menu.replaceChildren(...rows.map(({ key, name }) => new Option(name, key)));
    else this.list.replaceChildren(...rows.map((row) => this.rowOf(row)));
    this.drawThumbnails();
  }

  drawThumbnails() {
    for (const image of this.list.querySelectorAll("img")) {
      const address = window.brainReaderThumbnails?.[image.parentNode.dataset.key] ?? "";
      if (address && image.src !== address) image.src = address;
      image.hidden = !address;
    }
  }

  leave() {
    this.keys.unbind();
    window.removeEventListener("keydown", this.onReviewKey, true);
    window.removeEventListener("brain-reader-thumbnails", this.onThumbnails);
    delete window.brainReaderScan;
  }

  review(event) {
    if (!event.isTrusted || event.ctrlKey || event.metaKey || event.altKey || !REVIEW_KEYS.includes(event.key)) return;
    const path = event.composedPath();
    if (!this.list.isConnected || this.list.hidden || isText(path[0])) return;
    if (path.some((node) => node.matches?.("dialog, [role=dialog]"))) return; // the sheet of shortcuts, for instance
    if (!this.waiting.length && !this.buttonOf(event.key) && this.isAtRest()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.waiting.push({ key: event.key });
    if (this.waiting.length === 1) this.release();
  }

  // The marked scan's button with this key, never one that is left of the scan before
  buttonOf(key) {
    const signs = [...document.querySelectorAll(`[aria-label="Shortcut ${key.toUpperCase()}"]`)];
    const own = signs.find((sign) => sign.closest('[class*="st-key-"]').className.includes(`-${this.current} `));
    return own?.closest("button");
  }

  // Whether no button is to come
  isAtRest() {
    const isAnswered = performance.now() - this.clickedAt > ANSWER_MILLISECONDS;
    return isAnswered && !this.isBehind() && !!document.querySelector('[data-test-script-state="notRunning"]');
  }

  release() {
    if (!this.root.isConnected) this.waiting = [];
    while (this.waiting.length && this.take(this.waiting[0])) this.waiting.shift();
    if (this.waiting.length) setTimeout(() => this.release(), POLL_MILLISECONDS);
  }

  // Whether the first that waits is done, or has no button and will get none
  take({ key, by }) {
    if (by) {
      this.go(by);
      return true;
    }
    const button = this.buttonOf(key);
    if (!button) return this.isAtRest();
    this.clickedAt = performance.now();
    button.click();
    return true;
  }

  rowOf(row) {
    const button = element("button", { type: "button", className: "row", disabled: !row.isRead, title: row.answer });
    button.dataset.key = row.key;
    button.onclick = () => this.select(row.key);
    element("img", { alt: "" }, button);
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
    if (this.waiting.length) this.waiting.push({ by });
    else this.go(by);
  }

  go(by) {
    const key = this.readable[this.readable.indexOf(this.current) + by];
    if (key) this.select(key);
  }

  // The first step is sent at once; of those that follow quickly the last, when they rest
  select(key) {
    const isFirst = this.timer === null;
    this.pending = key;
    this.mark(key);
    if (isFirst) this.send(key);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = null;
      if (!isFirst) this.send(key);
    }, REST_MILLISECONDS);
  }

  mark(key) {
    this.current = this.root.dataset.selected = key;
    window.brainReaderScan = key;
    window.dispatchEvent(new Event("brain-reader-scan"));
    this.dim();
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

  // The findings of another scan than the marked one are dimmed, until those of the marked one are drawn
  dim() {
    const isBehind = this.root.isConnected && this.isBehind();
    document.querySelector(".st-key-room")?.toggleAttribute("data-behind", isBehind);
    cancelAnimationFrame(this.frame);
    this.frame = isBehind ? requestAnimationFrame(() => this.dim()) : 0;
  }

  isBehind() {
    const findings = document.querySelector(".st-key-room-findings");
    return !!findings && !findings.querySelector(`.st-key-findings-of-${CSS.escape(this.current)}`);
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
