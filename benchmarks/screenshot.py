"""Make the README's picture from the running app: `python -m benchmarks.screenshot`.

Needs the development requirements and a Chromium (`make setup`), and the MNIST files.
"""

from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import BROWSER_ARGS, ROOT, find_chromium, running_app

ADDRESS = "prune?model=mnist-lenet-5&recipe=prune:sparsity=0.9;quantize:bits=5"


def main() -> None:
    with running_app() as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=BROWSER_ARGS)
        take(browser.new_page(viewport={"width": 1440, "height": 900}), app.origin)
        browser.close()


def take(page: Page, origin: str) -> None:
    page.goto(f"{origin}/{ADDRESS}")
    page.locator(".live .stage canvas").wait_for()
    page.get_by_text("exact, n = 10,000").wait_for()
    page.wait_for_timeout(2000)  # fonts and charts settle
    page.screenshot(path=ROOT / "assets" / "screenshot.png")


if __name__ == "__main__":
    main()
