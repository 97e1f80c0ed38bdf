"""A browser without a window, for tests of pages: a file opened, and what a script says of it."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

AXE = "VERTEBROMICS_AXE"
"""Variable with the path of axe-core's `axe.min.js` (npm package axe-core, MPL-2.0)."""

_PROBE = """<script>
window.addEventListener("load", async () => {
  const act = async () => { ACT };
  const result = JSON.stringify(await act().catch((error) => ({ failed: String(error) })));
  const probe = document.createElement("pre");
  probe.id = "probe";
  probe.textContent = result;
  document.body.replaceChildren(probe);
});
</script></body>"""


def in_browser(page: Path, act: str, folder: Path, scripts: str = "") -> object:
    """Open a page from a file and return what `act` returns.

    Parameters
    ----------
    page : path
        The page.
    act : str
        Body of an asynchronous function in JavaScript.
    folder : path
        Where the browser keeps its own files.
    scripts : str
        Scripts to put into the page before that.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("needs a Chromium to open the page in")
    text = page.read_text(encoding="utf-8")
    # What a page may do is its own claim; the probe needs scripts on pages that forbid them.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    added = f"<script>{scripts}</script>" + _PROBE.replace("ACT", act)
    place = text.rindex("</body>")
    changed = page.with_name(f"probed-{page.name}")
    changed.write_text(text[:place] + added + text[place + 7 :], encoding="utf-8")
    done = subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--window-size=1300,900", "--virtual-time-budget=60000"),
            *(f"--user-data-dir={folder / 'browser'}", "--dump-dom", changed.as_uri()),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-500:] + done.stderr[-500:]
    return json.loads(html.unescape(found[1]))


def violations(page: Path, folder: Path) -> list[str]:
    """Return what axe-core finds wrong with a page, one line a rule and element.

    Skips where axe-core is not at hand: it is no part of the project.
    """
    axe = os.environ.get(AXE)
    if not axe or not Path(axe).is_file():
        pytest.skip(f"needs axe-core: set {AXE} to its axe.min.js (npm package axe-core)")
    act = """
      document.querySelectorAll("details").forEach((each) => { each.open = true; });
      const found = await axe.run(document, { resultTypes: ["violations"] });
      return found.violations.flatMap((rule) => rule.nodes.map((node) =>
        `${rule.id} (${rule.impact}): ${node.target.join(" ")} ${node.html.slice(0, 150)}`));
    """
    found = in_browser(page, act, folder, Path(axe).read_text(encoding="utf-8"))
    assert isinstance(found, list), found
    return found
