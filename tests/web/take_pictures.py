"""Take the pictures of the page that the documentation shows, from a server that runs: demo, and a collection `notes`.

python tests/web/take_pictures.py http://127.0.0.1:11434
"""

import re
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parents[2] / "docs" / "images"
DESK, PHONE = {"width": 1100, "height": 720}, {"width": 390, "height": 760}
QUESTION = "When is the meeting in Oslo?"


def take(page: Page, name: str) -> None:
    page.wait_for_timeout(700)
    page.screenshot(path=str(PICTURES / f"{name}.png"))


def converse(page: Page) -> None:
    page.get_by_label("Model").click()
    page.get_by_role("option", name=re.compile(r"^demo\+notes$")).click()
    page.get_by_label("Your question").fill(QUESTION)
    page.get_by_label("Your question").press("Enter")
    page.get_by_text(re.compile(r"\d+ tokens, ")).wait_for()


def main(url: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport=DESK)
        page.goto(url)
        converse(page)
        page.locator(".words a").first.click()
        take(page, "page-source")
        page.keyboard.press("Escape")
        page.get_by_role("tab", name="Documents").click()
        take(page, "page-documents")
        page.get_by_role("tab", name="Workflow").click()
        page.locator(".request").first.click()
        page.locator(".drawing svg").first.wait_for()
        take(page, "page-workflow")
        phone = browser.new_page(viewport=PHONE, color_scheme="dark")
        phone.goto(url)
        converse(phone)
        take(phone, "page-phone")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
