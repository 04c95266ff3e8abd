// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A job is dragged by its handle onto a node. The list of targets (key m) does the same without a pointer.
import { act } from "./actions.js";

export function watchDrags() {
  let job = null;
  const over = (event) => (job && event.target.closest?.("[data-drop]:not(.here)")) || null;
  const leave = () => document.querySelectorAll(".over").forEach((node) => node.classList.remove("over"));

  document.addEventListener("dragstart", (event) => {
    if (!event.target.closest?.(".grip[draggable]")) return;
    job = { ...event.target.closest("[data-job]").dataset };
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", job.job);
    const image = Object.assign(document.createElement("div"), { className: "drag-image", textContent: job.job });
    document.body.append(image);
    event.dataTransfer.setDragImage(image, 10, 10);
    setTimeout(() => image.remove());
    document.body.classList.add("dragging");
    document.querySelectorAll("[data-drop]").forEach((node) => node.classList.toggle("here", node.dataset.drop === job.node));
  });
  document.addEventListener("dragover", (event) => {
    const node = over(event);
    leave();
    if (!node) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "move";
    node.classList.add("over");
  });
  document.addEventListener("drop", (event) => {
    const node = over(event);
    if (!node) return;
    event.preventDefault();
    act(`/jobs/${encodeURIComponent(job.job)}/migrate`, { to: node.dataset.drop });
  });
  document.addEventListener("dragend", () => {
    job = null;
    leave();
    document.body.classList.remove("dragging");
    document.querySelectorAll(".here").forEach((node) => node.classList.remove("here"));
  });
}
