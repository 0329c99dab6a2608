// The sheet of shortcuts, at "?": it lists the keys that are bound now, those of the components (keyboard.js) and those of
// Streamlit's buttons (button_keys.js).

export default function ({ parentElement }) {
  const sheet = parentElement.sheet ?? (parentElement.sheet = new Sheet(parentElement));
  sheet.keys.bind();
  window.addEventListener("brain-reader-keys", sheet.onKeys);
  return () => {
    sheet.keys.unbind();
    window.removeEventListener("brain-reader-keys", sheet.onKeys);
  };
}

class Sheet {
  constructor(parent) {
    const words = { ariaLabel: "Keyboard shortcuts", title: "Keyboard shortcuts (?)", textContent: "?" };
    this.opener = element("button", { type: "button", className: "opener", ...words }, parent);
    this.dialog = element("dialog", {}, parent);
    this.dialog.setAttribute("aria-label", "Keyboard shortcuts");
    const head = element("div", { className: "head" }, this.dialog);
    element("h2", { textContent: "Keyboard shortcuts" }, head);
    const close = element("button", { type: "button", textContent: "Close" }, head);
    close.onclick = () => this.dialog.close();
    this.groups = element("div", { className: "groups" }, this.dialog);
    this.keys = new Keys("This sheet", [{ keys: ["?"], title: "Open and close", act: () => this.open() }]);
    this.opener.onclick = () => this.open();
    this.onKeys = () => this.list();
    this.dialog.onkeydown = (event) => {
      event.stopPropagation(); // no key acts on the page below
      if (event.key === "?") this.dialog.close();
    };
    this.dialog.onclick = (event) => { if (event.target === this.dialog) this.dialog.close(); };
  }

  open() {
    this.list();
    this.dialog.showModal();
  }

  // What is bound now; again when the page's buttons change while the sheet is open, which keeps the focus
  list() {
    this.groups.replaceChildren();
    const rank = (keys) => (keys.isOfButtons ? 0 : keys === this.keys ? 2 : 1); // itself last
    for (const { group, bindings } of [...boundKeys()].sort((a, b) => rank(a) - rank(b))) {
      const rows = bindings.filter(({ isOff }) => !isOff?.());
      if (rows.length) this.group(group, rows);
    }
  }

  group(title, rows) {
    const section = element("section", {}, this.groups);
    element("h3", { textContent: title }, section);
    const list = element("dl", {}, section);
    for (const row of rows) {
      const line = element("div", {}, list);
      const keys = element("dt", {}, line);
      for (const key of row.keys) element("kbd", { textContent: keyName(key) }, keys);
      element("dd", { textContent: row.title }, line);
    }
  }
}
