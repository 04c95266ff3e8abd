// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Forms are sent without leaving the page; a link that asks something first opens as a dialog.
import { refresh } from "./live.js";

const SECONDS = 8;

/** A message at the edge of the page; errors stay until they are closed. */
export function toast(words, { kind = "", hint = "" } = {}) {
  const note = document.createElement("div");
  note.className = `toast ${kind}`;
  if (kind === "bad") note.setAttribute("role", "alert");
  const close = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: "×" });
  close.setAttribute("aria-label", "Close this message");
  close.onclick = () => note.remove();
  note.append(Object.assign(document.createElement("span"), { textContent: words }), close);
  if (hint) note.append(Object.assign(document.createElement("span"), { textContent: hint, className: "hint" }));
  document.getElementById("toasts").append(note);
  if (kind !== "bad") setTimeout(() => note.remove(), SECONDS * 1000);
}

/** Asks the server to do something, and says what it answers. Returns whether it will. */
export async function act(address, words) {
  let answer;
  let said = {};
  try {
    answer = await fetch(address, { method: "POST", body: new URLSearchParams(words), headers: { Accept: "application/json" } });
    said = await answer.json();
  } catch {
    said = { message: "The controller does not answer." };
  }
  const good = Boolean(answer?.ok);
  if (good && said.go) location.assign(said.go);
  toast(said.message ?? "Done.", { kind: good ? "" : "bad", hint: said.hint ?? "" });
  refresh();
  return good;
}

/** Opens the form of another page as a dialog. */
export async function ask(address, choose) {
  const answer = await fetch(address);
  const made = new DOMParser().parseFromString(await answer.text(), "text/html");
  const form = made.querySelector("main .ask");
  if (!form) return location.assign(address);
  const dialog = document.getElementById("dialog");
  dialog.replaceChildren(form);
  if (choose) [...form.querySelectorAll("input[type=radio]")].filter((one) => one.value === choose).forEach((one) => (one.checked = true));
  dialog.showModal();
  foretell(form);
  (form.querySelector("input:checked:not(:disabled), [autofocus]") ?? form.querySelector("button"))?.focus();
}

/** Says what a migration to the chosen node would take, as long as that is the choice. */
async function foretell(form) {
  const place = form.querySelector("[data-forecast]");
  const to = form.elements.to?.value;
  if (!place || !to) return;
  place.textContent = "asking both nodes…";
  let said = "";
  try {
    const answer = await fetch(`${place.dataset.forecast}?to=${encodeURIComponent(to)}`, { headers: { Accept: "application/json" } });
    said = (await answer.json()).message;
    place.classList.toggle("error", !answer.ok);
  } catch {
    // it is only a forecast
  }
  if (form.elements.to.value === to) place.textContent = said;
}

export function watchForms() {
  document.addEventListener("change", (event) => event.target.name === "to" && foretell(event.target.form));
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-action]");
    if (!form) return;
    event.preventDefault();
    const words = new FormData(form, event.submitter);
    const dialog = form.closest("dialog");
    if (form.hasAttribute("data-stays")) return act(form.getAttribute("action"), words).then((good) => good && dialog?.close());
    dialog?.close();
    act(form.getAttribute("action"), words);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-dialog]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      ask(link.href);
    }
    if (event.target.closest("[data-close]") && event.target.closest("dialog")) {
      event.preventDefault();
      event.target.closest("dialog").close();
    }
    if (event.target.closest("[data-help]")) document.getElementById("help").showModal();
    if (event.target instanceof HTMLDialogElement) event.target.close(); // beside it
  });
  document.addEventListener("task", ({ detail }) => toast(detail.message, { kind: detail.good ? "good" : "bad", hint: detail.hint ?? "" }));
  let pause;
  document.querySelector("[data-search]")?.addEventListener("input", (event) => {
    clearTimeout(pause);
    pause = setTimeout(() => search(event.target.form), 120);
  });
}

/** The list follows what is typed. */
function search(form) {
  const words = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...words]) if (!value) words.delete(name);
  history.replaceState(null, "", `${location.pathname}${words.size ? `?${words}` : ""}`);
  refresh();
}
