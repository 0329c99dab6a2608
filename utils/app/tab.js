// What a tab knows of itself: the token of its session, over a reload, and files that are dropped anywhere on the page.
// data: { token }

const NAME = "brain-mri-reader";

export default function ({ data, setTriggerValue }) {
  const former = sessionStorage.getItem(NAME);
  if (former !== data.token) {
    if (former) setTriggerValue("former", former);
    sessionStorage.setItem(NAME, data.token);
  }
  const input = () => document.querySelector('[data-testid="stFileUploader"] input[type="file"]');
  const isElsewhere = (event) =>
    event.dataTransfer?.types.includes("Files") && input() && !event.target.closest?.('[data-testid="stFileUploader"]');
  const onDragOver = (event) => {
    if (isElsewhere(event)) event.preventDefault();
  };
  const onDrop = (event) => {
    if (!isElsewhere(event) || !event.dataTransfer.files.length) return;
    event.preventDefault();
    const field = input();
    field.files = event.dataTransfer.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  };
  document.addEventListener("dragover", onDragOver);
  document.addEventListener("drop", onDrop);
  return () => {
    document.removeEventListener("dragover", onDragOver);
    document.removeEventListener("drop", onDrop);
  };
}
