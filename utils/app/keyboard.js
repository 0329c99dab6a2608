// Keys that work wherever the focus is. Every component binds its own with this class, and the sheet of shortcuts
// (shortcuts.js) lists what is bound now: it reads the tables that bind. `components.component` puts this behind a
// component's code; what the components share is on `window`.

const WIDGETS = "input, select, textarea, [contenteditable], [role=slider], [role=radio], [role=tab], [role=combobox]";
const TEXT = "textarea, select, [contenteditable], input:not([type=range], [type=checkbox], [type=radio])";

class Keys {
  // bindings: [{ keys, title, act, isOff }]. `keys` are names of KeyboardEvent.key, letters in lower case, with "Shift+"
  // before that of a key without sign; act gets the key's place in `keys`. What is off is not on the sheet either.
  // isFirst: before the keys of other components, where the focus is on an image or nowhere.
  constructor(group, bindings, isFirst = false) {
    Object.assign(this, { group, bindings, isFirst });
    this.onKey = (event) => this.press(event);
  }

  bind() {
    document.addEventListener("keydown", this.onKey, this.isFirst); // a listener that is added twice is called once
    boundKeys().add(this);
  }

  unbind() {
    document.removeEventListener("keydown", this.onKey, this.isFirst);
    boundKeys().delete(this);
  }

  press(event) {
    const target = event.composedPath()[0], isNamed = event.key.length > 1;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isText(target)) return;
    if (isNamed && event.key !== "Escape" && target.matches?.(WIDGETS) && target.type !== "checkbox") return;
    if (this.isFirst && target !== document.body && !target.matches?.("canvas")) return;
    const key = isNamed ? `${event.shiftKey ? "Shift+" : ""}${event.key}` : event.key.toLowerCase();
    const binding = this.bindings.find(({ keys, isOff }) => keys.includes(key) && !isOff?.());
    if (!binding) return;
    event.preventDefault();
    binding.act(binding.keys.indexOf(key));
  }
}

function boundKeys() {
  return (window.brainReaderKeys ??= new Set());
}

function isText(target) {
  return !!target.isContentEditable || !!target.matches?.(TEXT);
}
