// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Light or dark: what the system says, unless the switch was used. The server reads the cookie, so that no page flashes.
const root = document.documentElement;

document.querySelector("[data-theme-switch]").addEventListener("click", () => {
  const now = root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=strict`;
});
