// Keeps the view of a scan beside the one in view, with its images decoded: a step through the worklist shows it at once.
// data: what the scan viewer gets of that scan. It goes when the server no longer sends it.

export default function ({ data, parentElement }) {
  const views = (window.brainReaderViews ??= new Map());
  const view = { data, images: loadAll(data) };
  parentElement.forget?.(); // the scan that this component kept before
  views.set(data.key, view);
  return (parentElement.forget = () => {
    if (views.get(data.key) === view) views.delete(data.key);
  });
}
