// Keeps the thumbnails of the worklist in the browser. It is a component of its own, so that they travel once and not at
// every step. data: { KEY: address }

export default function ({ data }) {
  window.brainReaderThumbnails = data;
  window.dispatchEvent(new Event("brain-reader-thumbnails"));
}
