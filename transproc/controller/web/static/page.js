// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a page does beside showing itself. Everything here can be done without it, by links and forms.
import "./theme.js";
import { listen } from "./live.js";
import { watchForms } from "./actions.js";
import { watchDrags } from "./drag.js";
import { watchKeys } from "./keys.js";
import { watchLog } from "./log.js";
import { localise } from "./morph.js";

localise(document);
openTarget();
window.addEventListener("hashchange", openTarget);
watchForms();
watchDrags();
watchKeys();
watchLog();
listen();

/** What a link from elsewhere is about is open. */
function openTarget() {
  const aim = document.getElementById(location.hash.slice(1));
  if (aim instanceof HTMLDetailsElement) aim.open = true;
}
