"""What a browser has to say about the pages it shows: complaints, and what axe finds."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

# Says what the Content-Security-Policy has blocked, which the console may not show.
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`CSP: ${event.violatedDirective} blocked ${event.blockedURI}`))
"""
# The places that Tab must reach; of a group of radio buttons it reaches one.
STOPS = """() => {
    const all = document.querySelectorAll("a[href], button, input, select, textarea, summary, iframe, [tabindex='0']");
    const groups = new Set();
    window.stops = [...all].filter((place) => {
        if (place.type === "hidden" || place.disabled || !place.checkVisibility()) return false;
        if (place.type !== "radio") return true;
        return !groups.has(place.name) && groups.add(place.name);
    });
    document.activeElement.blur();
    return window.stops.length;
}"""
# Which of them has the focus, or null; a radio button stands for its group.
FOCUSED = """() => {
    const place = document.activeElement;
    const found = window.stops.findIndex(
        (stop) => stop === place || (place.type === "radio" && stop.name === place.name));
    const ring = [null, "::after"].some((part) => {
        const style = getComputedStyle(place, part);
        return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    });
    return found < 0 ? null : {number: found, seen: ring || place.tagName === "IFRAME"};
}"""
DESCRIBE = "(numbers) => numbers.map((number) => window.stops[number].outerHTML.slice(0, 120))"

AXE = Axe()


class Complaints:
    """What a browser complains about on any page of a context."""

    def __init__(self, context: BrowserContext) -> None:
        self.found: list[str] = []
        context.on("console", self._console)
        context.on("weberror", lambda error: self.found.append(str(error.error)))
        context.add_init_script(REPORT_VIOLATIONS)

    def _console(self, message: ConsoleMessage) -> None:
        # A page that is an error on purpose is no complaint; a missing file of a page is.
        is_the_page = message.page is not None and message.location.get("url") == message.page.url
        if message.type in ("error", "warning") and not (is_the_page and message.text.startswith("Failed to load")):
            self.found.append(f"{message.type} on {message.location.get('url')}: {message.text}")

    def take(self) -> list[str]:
        """The complaints since the last time."""
        found, self.found = self.found, []
        return found


def axe_findings(page: Page, *tags: str) -> list[str]:
    """What axe finds on a page as it is now, a line for each place: all its rules, or those with one of the tags."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE.axe_script)
    options = {"resultTypes": ["violations"]} | ({"runOnly": tags} if tags else {})
    found = page.evaluate("(options) => axe.run(document, options)", options)["violations"]
    return [f"{rule['id']}: {node['html']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


def overflow(page: Page) -> int:
    """By how many pixels the page can be scrolled sideways."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def keyboard_troubles(page: Page) -> list[str]:
    """The places that Tab does not reach, and those where nobody sees that they have the focus."""
    count = page.evaluate(STOPS)
    met: dict[int, bool] = {}
    for _ in range(2 * count + 3):  # it may begin in the middle, and pass the frame of the window
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        if found is not None:
            met[found["number"]] = found["seen"]
        if len(met) == count:
            break
    missed = page.evaluate(DESCRIBE, [number for number in range(count) if number not in met])
    unseen = page.evaluate(DESCRIBE, [number for number, seen in met.items() if not seen])
    return [f"not reached: {place}" for place in missed] + [f"no ring: {place}" for place in unseen]
