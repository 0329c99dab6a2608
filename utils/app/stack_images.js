// Keeps the slices of a stack in the browser for the scan viewer. It is a component of its own, with nothing else in its
// data, so that the slices travel once: Streamlit sends a message that the browser has only by its hash.
// data: { name, slices }; a slice is what the viewer shows: { number, name, size, spacing, sides, scan, outlines, panes }

export default function ({ data }) {
  const stacks = (window.brainReaderStacks ??= new Map());
  stacks.clear(); // they are large
  stacks.set(data.name, data.slices);
  window.dispatchEvent(new Event("brain-reader-stack"));
}
