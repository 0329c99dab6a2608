// The keys of Streamlit's buttons, for the sheet of shortcuts. data: { groups: [{ title, rows: [{ keys, title }] }] }

export default function ({ data, parentElement }) {
  const forget = () => parentElement.groups?.forEach((group) => boundKeys().delete(group));
  forget(); // those of the page before
  parentElement.groups = data.groups.map(({ title, rows }) => ({ group: title, bindings: rows, isOfButtons: true }));
  parentElement.groups.forEach((group) => boundKeys().add(group));
  window.dispatchEvent(new Event("brain-reader-keys"));
  return forget;
}
