// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A part of a page becomes a newer one of itself: what is equal stays, and with it focus, selection and what is open.

/** Times in the reader's own zone. */
export function localise(where) {
  for (const time of where.querySelectorAll("time")) {
    const moment = new Date(time.dateTime);
    if (!isNaN(moment)) {
      const today = moment.toDateString() === new Date().toDateString();
      time.textContent = today ? moment.toLocaleTimeString() : moment.toLocaleString();
    }
  }
}

export function morph(old, made) {
  if (old.isEqualNode(made)) return;
  if (old.nodeName !== made.nodeName || old.id !== made.id) {
    old.replaceWith(made);
  } else if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = made.nodeValue;
  } else {
    attributes(old, made);
    children(old, made);
  }
}

/** Whether `details` is open is the reader's choice, as is what page.js has marked with classes. */
function attributes(old, made) {
  for (const { name } of [...old.attributes])
    if (!made.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of made.attributes)
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
}

function children(old, made) {
  const named = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let next = old.firstChild;
  for (const child of [...made.childNodes]) {
    const twin = child.id && named.get(child.id);
    if (twin && twin !== next) old.insertBefore(twin, next);
    else if (!next || (child.id && !twin) || (!twin && next.id)) {
      old.insertBefore(child, next);
      continue;
    }
    const place = twin || next;
    next = place.nextSibling;
    morph(place, child);
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}
