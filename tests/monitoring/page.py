"""The page in a real browser: page.py PROGRAM AXE DIRECTORY (.ci/page)

AXE is the file of axe-core. Screenshots go into the directory.
"""

import json
import re
import sys
from pathlib import Path

from browser import ENTER, TAB, Browser
from lab import Demo, until

SIZES = [(360, 780), (1280, 800)]
SCHEMES = ["light", "dark"]
# What peers may say of themselves; each is XML already.
NAMES = [
    "fabrikan.example",
    "rooms.fabrikam.example",
    "xn--80ak6aa92e.example",
    "a-very-long-name-that-somebody-has-thought-of-to-see-what-becomes-of-a-narrow-screen.and-another-label.example",
    "&lt;script&gt;document.title=1&lt;/script&gt;.example",
    "&quot;onload=&quot;document.title=1.example",
]


def fail(text: str) -> None:
    raise SystemExit(f"FAILED: {text}")


def judge(browser: Browser, axe: str, what: str) -> None:
    """axe-core looks for what keeps people out."""
    browser.run(axe)
    found = browser.wait_for(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document, {resultTypes: ['violations', 'incomplete']})"
        "   .then(it => done({violations: it.violations, incomplete: it.incomplete, passes: it.passes.length}),"
        "         error => done({error: String(error)}));"
    )
    if "error" in found:
        fail(f"{what}: axe: {found['error']}")
    for kind in ("violations", "incomplete"):
        for rule in found[kind]:
            nodes = "\n".join(f"   {node['html'][:200]}\n      {node.get('failureSummary')}" for node in rule["nodes"][:5])
            print(f"{what}: {kind}: {rule['id']}: {rule['help']}\n{nodes}")
    if found["violations"] or found["incomplete"]:
        fail(f"{what}: axe has findings")
    if found["passes"] < 15:
        fail(f"{what}: axe has looked at little: {found['passes']} rules")


def fits(browser: Browser, what: str, width: int) -> None:
    wide = browser.run("return document.documentElement.scrollWidth")
    if wide > width:
        culprits = browser.run(
            "return [...document.querySelectorAll('*')].filter(it => it.getBoundingClientRect().right > arguments[0])"
            ".slice(0, 5).map(it => it.outerHTML.slice(0, 120))",
            width,
        )
        fail(f"{what}: {wide} pixels wide: {culprits}")


def looks(browser: Browser, demo: Demo, axe: str, out: Path) -> None:
    """Every page, in every size and scheme: it fits, nothing is found, and it is there to be looked at."""
    pages = {"overview": "", "good": "partner/fabrikam.example", "bad": "partner/lucerne.example", "none": "partner/stranger.example"}
    known = {partner["partner"]: partner["state"] for partner in demo.status()["partners"]}
    for name, state in (("good", "connected"), ("bad", "failing")):
        pages[name] = "partner/" + next(domain for domain, its in known.items() if its == state)
    for width, height in SIZES:
        for scheme in SCHEMES:
            browser.size(width, height)
            browser.scheme(scheme)
            for name, path in pages.items():
                what = f"{name} {width} {scheme}"
                browser.open(demo.url + path)
                fits(browser, what, width)
                judge(browser, axe, what)
                browser.picture(out / f"{name}-{width}-{scheme}.png")
    print(f"{len(pages) * len(SIZES) * len(SCHEMES)} pictures are in {out}")


def keeps_to_itself(browser: Browser, demo: Demo) -> None:
    """Nothing is loaded from elsewhere, nothing is refused by the policy, nothing that peers sent runs."""
    browser.log("performance")
    browser.log("browser")
    browser.open(demo.url)
    asked = set()
    for entry in browser.log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.add(message["params"]["request"]["url"])
    if not asked or not all(url.startswith(demo.url) for url in asked):
        fail(f"it asks elsewhere: {asked}")
    said = [entry["message"] for entry in browser.log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    if said:
        fail(f"the browser complains: {said}")
    if browser.run("return document.title") != "How the edge is – xmpp-edge":
        fail("something has changed the title")
    if browser.run("return document.querySelectorAll('[style], [onload], [onclick], script:not([src])').length"):
        fail("there is a script or a style in the page")


def by_keyboard(browser: Browser, demo: Demo) -> None:
    """Without a mouse: the first stop leads past the head, and a partner's page is one key away."""
    browser.size(1280, 800)
    browser.open(demo.url)
    focused = "return document.activeElement.textContent"
    browser.press(TAB)
    if browser.run(focused) != "Skip to the content":
        fail(f"the first stop is {browser.run(focused)}")
    if browser.run("return document.activeElement.getBoundingClientRect().left") < 0:
        fail("what has the focus cannot be seen")
    browser.press(ENTER)
    browser.press(TAB)
    partner = browser.run(focused)
    browser.press(ENTER)
    until("the partner's page", lambda: browser.run("return location.pathname") == f"/partner/{partner}")
    browser.press(TAB, TAB)
    if browser.run("return document.activeElement.getAttribute('href')") != "/":
        fail("the second stop of a partner's page does not lead back")


def anew(browser: Browser, demo: Demo) -> None:
    """It is shown anew in place: the focus stays, and it stops when it is told to."""
    browser.open(demo.url)
    browser.run("document.querySelector('#content a').focus(); window.same = true;")
    focused = "return document.activeElement.getAttribute('href')"
    before, time = browser.run(focused), browser.run("return document.getElementById('time').textContent")
    demo.knock("one-more.example")
    until("the new knock", lambda: "one-more.example" in browser.run("return document.body.textContent"))
    if browser.run(focused) != before or not browser.run("return window.same === true"):
        fail("the page was loaded, or lost the focus")
    if browser.run("return document.getElementById('time').textContent") == time:
        fail("it does not say when it is of")
    press = "document.getElementById('pause').click(); return document.getElementById('pause').textContent"
    if (browser.run(press), browser.run(press)) != ("Go on", "Pause"):
        fail("it cannot be stopped")


def without_script(demo: Demo) -> None:
    """All of it can be read where no script runs."""
    browser = Browser(script=False)
    try:
        browser.open(demo.url)
        text = browser.send("POST", "/element", {"using": "css selector", "value": "body"})
        text = browser.send("GET", f"/element/{next(iter(text.values()))}/text")
        for partner in demo.status()["partners"]:
            if partner["partner"] not in text:
                fail(f"without a script {partner['partner']} is not there")
        if "Load the page again" not in text or "Pause" in text:
            fail("without a script it does not say how to see more")
    finally:
        browser.end()


def main(program: str, axe: str, out: str) -> None:
    axe = Path(axe).read_text()
    demo = Demo(program)
    browser = None
    try:
        for name in NAMES:
            demo.knock(name)
        demo.knock("lucerne.example", "contosso.example")
        until("a failing partner", lambda: any(it["state"] == "failing" for it in demo.status()["partners"]))
        # Two steps of the trends: a line has two ends.
        until("lines", lambda: re.search("<polyline", demo.get("/")))
        browser = Browser()
        looks(browser, demo, axe, Path(out))
        keeps_to_itself(browser, demo)
        by_keyboard(browser, demo)
        anew(browser, demo)
        without_script(demo)
        print("the page can be used by everybody")
    finally:
        if browser:
            browser.end()
        demo.end()


main(*sys.argv[1:])
