"""The page in a browser, at the widths of a phone and of a desk: nothing sticks out, fails, or is run."""

import json
import shutil
import subprocess
from html import escape, unescape

import numpy as np
import pandas as pd
import pytest

from lambdahat import GradientSearch, Lasso, MultinomialLogistic, WeightedLasso

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed, nor google-chrome")

QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars",
]  # fmt: skip

# What goes wrong is told before anything else of the page is read; what there is to see, when all is loaded.
WATCH = """<script>
window.wrong = [];
addEventListener("error", event => wrong.push(event.message || "not loaded: " + event.target.outerHTML), true);
addEventListener("unhandledrejection", event => wrong.push(String(event.reason)));
addEventListener("securitypolicyviolation", event => wrong.push("wants to load " + event.blockedURI));
for (const kind of ["error", "warn"]) console[kind] = (...words) => wrong.push(words.join(" "));
window.alert = text => wrong.push("alert " + text);
addEventListener("load", () => {
  document.querySelectorAll("details").forEach(details => details.open = true);
  const out = document.createElement("pre"), root = document.documentElement;
  const wide = [...document.querySelectorAll("body *")].filter(part =>
    !part.closest(".scroll *") && part.getBoundingClientRect().right > innerWidth + 1);
  out.id = "seen";
  out.textContent = JSON.stringify({
    wrong, width: innerWidth, scrollWidth: root.scrollWidth, wide: wide.map(part => part.outerHTML.slice(0, 80)),
    images: [...document.images].map(image => image.complete ? image.naturalWidth : 0),
    shown: [...document.images].map(image => image.clientWidth),
    loaded: performance.getEntriesByType("resource").map(entry => entry.name.slice(0, 30)),
    scripts: document.scripts.length, title: document.title, text: document.body.innerText,
    columns: getComputedStyle(document.querySelector(".pictures")).gridTemplateColumns.split(" ").length,
    fontSize: parseFloat(getComputedStyle(document.body).fontSize),
    evilImages: document.querySelectorAll("img:not([alt])").length,
  });
  parent.document.body.append(out);
});
</script>"""

EVIL = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style></td></table><b>", "{{ 7 * 7 }}",
    "wide" * 60, "体重 (kg)",
]  # fmt: skip
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6))
Y = X @ [3.0, -2.0, 1.5, 1.2, 1.0, 0.8] + 0.3 * RNG.normal(size=60)
FRAME = pd.DataFrame(X, columns=EVIL)
PAGES = {
    "a number": (Lasso(), FRAME, Y),
    "three classes": (MultinomialLogistic(), FRAME, np.array(EVIL)[np.digitize(Y, [-2.0, 2.0])]),
    "a strength a feature": (WeightedLasso(), FRAME, Y),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder, paths = tmp_path_factory.mktemp("pages"), {}
    for name, (model, A, y) in PAGES.items():
        paths[name] = folder / f"{name}.html"
        GradientSearch(model, cv=3, max_evals=10).fit(A, y).report(paths[name], A, y)
    return paths


def look(path, width, folder):
    """What the watching script saw in the page at this width."""
    source = path.read_text("utf-8")
    # A policy that lets the page have what it holds, and the script that watches; whatever else it wants is told.
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    guard = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    watched = escape(source.replace("<head>", "<head>" + guard + WATCH, 1))
    # In a frame, as a window of chromium's is at least 500 pixels wide.
    frame = f'<iframe srcdoc="{watched}" style="border: 0; width: {width}px; height: 800px"></iframe>'
    outer = folder / "outer.html"
    outer.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{frame}</body>", "utf-8")
    command = [CHROMIUM, *QUIET, f"--user-data-dir={folder}/profile", "--window-size=1400,900", "--dump-dom"]
    done = subprocess.run([*command, outer.as_uri()], capture_output=True, timeout=120, check=True)
    found = done.stdout.decode("utf-8").partition('<pre id="seen"')[2].partition(">")[2].partition("</pre>")[0]
    assert found, done.stderr.decode("utf-8", "replace")[-2000:]
    return json.loads(unescape(found))


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_holds_all_that_it_shows(name, width, pages, tmp_path):
    seen = look(pages[name], width, tmp_path)
    assert seen["width"] == width
    assert seen["scrollWidth"] <= width
    assert seen["wide"] == []
    assert seen["wrong"] == []
    assert seen["loaded"] == []
    assert len(seen["images"]) >= 6
    assert min(seen["images"]) > 0
    assert min(seen["shown"]) > 0.7 * width / seen["columns"]
    assert seen["columns"] == (1 if width == 390 else 2)
    assert seen["fontSize"] >= 16.0
    assert seen["scripts"] == 1  # the one that watches
    assert seen["evilImages"] == 0
    assert seen["title"].endswith("tuned by lambdahat")
    for evil in EVIL[:4]:
        assert evil in seen["text"]


def test_what_would_be_wrong_is_seen(pages, tmp_path):
    """The watching script itself: a page with every fault that the test above is about."""
    faults = (
        '<div style="width: 3000px">wide</div><img src="data:image/png;base64,AAAA">'
        '<img src="https://example.invalid/x.png" alt="x"><script>alert(1)</script>'
    )
    broken = tmp_path / "broken.html"
    broken.write_text(pages["a number"].read_text("utf-8").replace("<main>", "<main>" + faults, 1), "utf-8")
    seen = look(broken, 390, tmp_path)
    assert seen["scrollWidth"] > 390
    assert any("3000px" in part for part in seen["wide"])
    assert min(seen["images"]) == 0
    assert {"alert 1"} < set(seen["wrong"])
    assert any("wants to load https://example.invalid" in text for text in seen["wrong"])
    assert (seen["evilImages"], seen["scripts"]) == (1, 2)
