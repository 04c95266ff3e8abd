// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the job prints: its end first, then what comes, as long as the box is ticked.

const PAUSE = 1000; // milliseconds between two looks
const KEPT = 200_000; // characters that stay on the page

export function watchLog() {
  const part = document.querySelector("[data-log]");
  if (!part) return;
  const output = part.querySelector("[data-output]");
  const follow = part.querySelector("[data-follow]");
  const download = part.querySelector("[data-download]");
  let stream = part.querySelector("[data-stream][aria-current]").dataset.stream;
  let offset = -1; // of the next byte; negative: the end of what there is
  let round = 0;

  async function look(mine) {
    if (mine !== round) return;
    if (!document.hidden && (follow.checked || offset < 0)) {
      try {
        const answer = await fetch(`${part.dataset.log}/${stream}?offset=${offset}`);
        if (answer.ok && mine === round) {
          const data = await answer.text();
          offset = Number(answer.headers.get("X-Offset"));
          part.removeAttribute("data-problem");
          if (data) add(data);
        }
      } catch {
        // asked again
      }
    }
    setTimeout(() => look(mine), PAUSE);
  }

  function add(data) {
    const atEnd = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
    output.append(data);
    if (output.textContent.length > KEPT) output.textContent = output.textContent.slice(-KEPT / 2);
    if (atEnd) output.scrollTop = output.scrollHeight;
  }

  part.addEventListener("click", (event) => {
    const link = event.target.closest("[data-stream]");
    if (!link) return;
    event.preventDefault();
    part.querySelectorAll("[data-stream]").forEach((one) => one.toggleAttribute("aria-current", one === link));
    stream = link.dataset.stream;
    download.href = download.href.replace(/stream=.*$/, `stream=${stream}`);
    download.download = download.download.replace(/[^.]*$/, stream);
    output.textContent = "";
    offset = -1;
    look(++round);
  });
  look(round);
}
