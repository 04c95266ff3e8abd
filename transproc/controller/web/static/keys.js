// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keys: those of the lists here; others are named by `data-key` of what they press or focus.

export function watchKeys() {
  let prefix = "";
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.matches("input:not([type=checkbox]), select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const key = prefix + event.key;
    prefix = event.key === "g" ? "g" : "";
    if (press(key)) event.preventDefault();
  });
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr[data-job]");
    if (row) choose(row, false);
  });
  document.addEventListener("refreshed", () => chosen && choose(document.getElementById(chosen), false));
}

let chosen = "";

function press(key) {
  const go = { gj: "/", gn: "/nodes", gm: "/migrations", gp: "/plans", gt: "/tasks" }[key];
  if (go) return void location.assign(go) ?? true;
  if (key === "?") return void document.getElementById("help").showModal() ?? true;
  if (key === "t") return void document.querySelector("[data-theme-switch]").click() ?? true;
  if (key === "j" || key === "k") return step(key === "j" ? 1 : -1);
  if (key === "m") return click(document.querySelector("tr.chosen [data-dialog]")) || click(named("m"));
  if (key === "[" || key === "]") return click(document.querySelector(`a[rel=${key === "[" ? "prev" : "next"}]`));
  const target = key.length === 1 ? named(key) : null;
  if (target?.matches("input[type=search]")) return void target.focus() ?? true;
  return click(target);
}

function named(key) {
  return document.querySelector(`[data-key="${CSS.escape(key)}"]`);
}

function click(target) {
  target?.click();
  return Boolean(target);
}

function step(by) {
  const rows = [...document.querySelectorAll("tr[data-job]")];
  if (!rows.length) return false;
  const now = rows.findIndex((row) => row.id === chosen);
  choose(rows[Math.min(Math.max(now + by, 0), rows.length - 1)], true);
  return true;
}

function choose(row, focus) {
  document.querySelectorAll("tr.chosen").forEach((other) => other.classList.remove("chosen"));
  if (!row) return;
  chosen = row.id;
  row.classList.add("chosen");
  if (focus) row.querySelector("td.name a").focus();
}
