// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The server says that something has changed; then this page is asked for again, and its live parts become what they are now.
import { localise, morph } from "./morph.js";

const REST = 150; // milliseconds between two updates
const watched = document.body.dataset.watch;
let running = false;
let again = false;

/** Brings the live parts up to date; while that is under way another wish is remembered, not more. */
export async function refresh() {
  if (running || document.hidden) {
    again = true;
    return;
  }
  running = true;
  again = false;
  try {
    const answer = await fetch(location.href, { headers: { "X-Live": "1" } });
    if (answer.redirected) return location.reload(); // signed out
    if (answer.ok) show(await answer.text());
  } catch {
    // the stream says so, and asks again when it is back
  } finally {
    setTimeout(() => {
      running = false;
      if (again) refresh();
    }, REST);
  }
}

function show(text) {
  const made = new DOMParser().parseFromString(text, "text/html");
  localise(made);
  for (const part of document.querySelectorAll("[data-live]")) {
    const newer = made.getElementById(part.id);
    if (newer) morph(part, newer);
  }
  document.dispatchEvent(new CustomEvent("refreshed"));
}

export function listen() {
  const address = document.body.dataset.events;
  if (!address) return;
  const sign = document.getElementById("connection");
  const say = (state, word) => {
    sign.dataset.state = state;
    sign.querySelector(".word").textContent = word;
  };
  const source = new EventSource(address);
  source.onopen = () => say("on", "live");
  source.onerror = () => say("off", "not live");
  source.addEventListener("change", (event) => {
    const { jobs, nodes } = JSON.parse(event.data);
    if (jobs === null || nodes || watched === "*" || jobs.includes(watched)) refresh();
  });
  source.addEventListener("task", (event) => document.dispatchEvent(new CustomEvent("task", { detail: JSON.parse(event.data) })));
  document.addEventListener("visibilitychange", () => again && refresh());
}
