# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The controller's web page: pages made on the server, and a little JavaScript that keeps them up to date.

    records → views, timeline, plots (pure functions: what is shown) → templates → pages

Each page is complete by itself and works without JavaScript. `static/live.js` hears of changes (`live.py`), asks for the
same page again and exchanges what differs, so that nothing is rendered in two ways.
"""
