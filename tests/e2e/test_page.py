"""The page in a real browser, against a live worker on a real Kafka: every view, as people use it.

``PAGE_PICTURES`` names a folder for pictures of every view, wide and narrow, light and dark.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser import NARROW, TOKEN, WIDE, Site, chromium, live_site, prefix_proxy, visit

VIEWS = {
    "overview": "overview?dimension=lifecycle&within=30d&feed=all",
    "customer": "customer?id=c3&dimension=lifecycle",
    "segments": "segments?dimension=lifecycle&segment=active",
    "clusters": "clusters",
    "health": "health",
}
#: What a view must show for its data to have come.
SHOWS = {
    "overview": ".bars li",
    "customer": ".tiles li",
    "segments": ".segment-table tbody tr",
    "clusters": ".heat tbody tr",
    "health": "section.card table tbody tr",
}


@pytest.fixture(scope="module")
def site(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One live application for all tests of the page."""
    with live_site(broker, f"t{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("page")) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all of them."""
    with chromium() as found:
        yield found


def order(customer: str, time: str) -> bytes:
    """An order."""
    event = {"type": "track", "userId": customer, "event": "Order Completed", "timestamp": time}
    return json.dumps({**event, "properties": {"order_id": f"o-{customer}", "total": 20, "currency": "EUR"}}).encode()


@pytest.mark.parametrize(("size", "theme"), [(WIDE, "light"), (NARROW, "dark"), (WIDE, "dark"), (NARROW, "light")])
def test_every_view_shows_what_there_is(browser: Browser, site: Site, size: dict[str, int], theme: str) -> None:
    """Clicked through by the bar: data in each view, no mistake in the console, nothing beside the window, no serious
    finding of axe's."""
    with visit(browser, site, size=size, theme=theme) as seen:
        page = seen.go("overview")
        for name, address in VIEWS.items():
            page.get_by_role("navigation", name="Views").get_by_role("link", name=name.capitalize()).click()
            expect(page.locator(".tabs a[aria-current=page]")).to_have_text(name.capitalize())
            seen.go(address)
            expect(page.locator(SHOWS[name]).first).to_be_visible()
            expect(page.locator(".failed")).to_have_count(0)
            assert seen.too_wide() == 0, name
            assert seen.findings() == [], name
            folder = os.environ.get("PAGE_PICTURES")
            if folder:
                page.screenshot(path=Path(folder) / f"{name}-{size['width']}-{theme}.png", full_page=True)
        assert seen.mistakes == []


def test_filters_of_the_overview_live_in_the_address(browser: Browser, site: Site) -> None:
    """What is chosen is in the address, comes back with it and with the way back, and the pictures have tables."""
    with visit(browser, site) as seen:
        page = seen.go("overview")
        page.get_by_label("Dimension", exact=True).select_option("cart")
        expect(page).to_have_url(re.compile("dimension=cart"))
        expect(page.get_by_role("heading", level=1)).to_have_text("Cart")
        page.get_by_role("button", name="30 days").click()
        page.get_by_label("Cause").select_option("deadline")
        expect(page).to_have_url(re.compile("within=30d.*cause=deadline|cause=deadline.*within=30d"))
        page.reload()
        seen.settled()
        expect(page.get_by_role("heading", level=1)).to_have_text("Cart")
        expect(page.get_by_label("Cause")).to_have_value("deadline")
        expect(page.get_by_role("button", name="30 days")).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".changes .cause").first).to_have_text("deadline")
        assert set(page.locator(".changes .cause").all_inner_texts()) == {"deadline"}

        flows = page.locator("section", has=page.get_by_role("heading", name="Who moved where"))
        expect(flows.get_by_role("img")).to_have_attribute("aria-label", re.compile("Moves from segment to segment"))
        flows.get_by_text("Show as a table").click()
        answer = site.ask("flows?dimension=cart&within=30d")["flows"]
        assert flows.locator("tbody tr").count() == len(answer)

        page.get_by_role("button", name="24 hours").click()
        page.go_back()
        expect(page.get_by_role("button", name="30 days")).to_have_attribute("aria-pressed", "true")
        assert seen.mistakes == []


def test_a_change_appears_while_one_looks(browser: Browser, site: Site) -> None:
    """The live feed tells it with customer, move, cause and evidence; the customer is one click away."""
    with visit(browser, site) as seen:
        page = seen.go("overview?dimension=lifecycle&customer=fresh&within=30d")
        expect(page.locator(".feed .state")).to_have_text("Live")
        newest = max(one["as_of"] for one in (site.ask("segments"),))
        site.send("purchases", [order("fresh", newest)])
        site.send("control", [json.dumps({"type": "clock", "timestamp": newest}).encode()])
        line = page.locator(".changes .change", has_text="fresh").first
        expect(line).to_contain_text("New")
        expect(line).to_contain_text("event")
        expect(line).to_contain_text("Order Completed")
        line.get_by_role("link", name="fresh").click()
        expect(page.locator(".id")).to_have_text("fresh")
        expect(page.locator(".history .change").first).to_contain_text("Order Completed")
        assert seen.mistakes == []


def test_a_customer_is_looked_up_explained_and_foreseen(browser: Browser, site: Site) -> None:
    """From the bar of any view: segments, conditions with their values, history with evidence, what comes, features."""
    with visit(browser, site) as seen:
        page = seen.go("health")
        page.get_by_role("searchbox", name="Customer id").fill("c3")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"#/customer\?id=c3"))
        seen.settled()
        told = site.ask("customers/c3")
        expect(page.locator(".tiles li")).to_have_count(len(told["segments"]))
        page.locator(".tiles a", has_text="Lifecycle").click()
        rules = page.locator(".rules > li")
        expect(rules).to_have_count(6)
        expect(page.locator(".rules > li[aria-current]")).to_have_count(1)
        expect(rules.first).to_contain_text("since_order >= 4 * usual_gap")
        expect(page.locator(".history .change").first).to_be_visible()
        changes = site.ask("customers/c3/changes?limit=200")["changes"]
        assert page.locator(".history .change").count() == min(20, len(changes))
        page.get_by_label("Filter features").fill("usual_gap")
        expect(page.locator(".features dt")).to_have_text(["usual_gap"])

        page.get_by_role("searchbox", name="Customer id").first.fill("nobody-of-this-name")
        page.keyboard.press("Enter")
        expect(page.locator(".failed")).to_contain_text("no such customer", ignore_case=True)


def test_members_of_a_segment_and_the_way_to_them(browser: Browser, site: Site) -> None:
    """A segment's conditions and sizes as the API has them, and its customers, each a link."""
    with visit(browser, site) as seen:
        page = seen.go("segments")
        page.get_by_label("Filter dimensions").fill("life")
        page.get_by_role("navigation", name="Dimensions").get_by_role("link", name=re.compile("Lifecycle")).click()
        known = next(one for one in site.ask("segments")["dimensions"] if one["dimension"] == "lifecycle")
        for row, segment in zip(page.locator(".segment-table tbody tr").all(), known["segments"], strict=True):
            expect(row).to_contain_text(segment["words"])
        page.locator(".segment-table").get_by_role("link", name="Active", exact=True).click()
        expect(page).to_have_url(re.compile("segment=active"))
        expect(page.locator(".people li").first).to_be_visible()
        expect(page.locator(".command code")).to_have_text("segstream members lifecycle active --out active.csv")
        first = page.locator(".people a").first
        name = first.inner_text()
        first.click()
        expect(page.locator(".id")).to_have_text(name)
        assert seen.mistakes == []


def test_clusters_by_version(browser: Browser, site: Site) -> None:
    """Every cluster with its part of the vector; an older version is one choice away, and in the address."""
    with visit(browser, site) as seen:
        page = seen.go("clusters")
        latest = site.ask("clusters")["versions"][0]
        expect(page.locator(".heat tbody tr")).to_have_count(len(latest["clusters"]))
        expect(page.locator(".heat .cell")).to_have_count(len(latest["clusters"]) * len(latest["features"]))
        page.get_by_role("combobox", name="Version").select_option("1")
        expect(page).to_have_url(re.compile("version=1"))
        expect(page.get_by_text(re.compile(r"Version 1, in force since"))).to_be_visible()
        assert seen.mistakes == []


def test_the_feed_calls_clusters_by_their_names(browser: Browser, site: Site) -> None:
    """As every other part of the page does; the number is in the tip."""
    with visit(browser, site) as seen:
        page = seen.go("overview?dimension=cluster&within=30d")
        segments = page.locator(".feed .change .segment")
        expect(segments.first).to_be_visible()
        assert not [text for text in segments.all_inner_texts() if re.fullmatch(r"Cluster \d+", text.strip())]
        assert re.fullmatch(r"cluster-\d+", segments.first.locator("span").get_attribute("title") or "")
        assert seen.mistakes == []


def test_health_tells_partitions_and_what_was_rejected(browser: Browser, site: Site) -> None:
    """All partitions ready, and the record that was no JSON with its place."""
    with visit(browser, site) as seen:
        page = seen.go("health")
        expect(page.get_by_text("All is well")).to_be_visible()
        expect(page.locator("section.card").first.locator("tbody tr")).to_have_count(2)
        rejected = page.locator(".reasons details", has_text="not-json")
        expect(rejected).to_contain_text(f"{site.live.topic('clickstream')}/0/")
        assert seen.mistakes == []


def test_the_token_is_asked_for_once(browser: Browser, site: Site) -> None:
    """Without one nothing is shown; a wrong one is told; the right one lasts for the tab."""
    with visit(browser, site, token=None) as seen:
        page = seen.page
        page.goto(site.url)
        dialog = page.get_by_role("dialog", name="This worker asks for a token")
        dialog.get_by_label("Token").fill("guess")
        dialog.get_by_role("button", name="Go on").click()
        expect(dialog.get_by_role("alert")).to_have_text("The worker does not know this token.")
        assert seen.findings() == []
        dialog.get_by_label("Token").fill(TOKEN)
        dialog.get_by_role("button", name="Go on").click()
        expect(page.locator(".bars li").first).to_be_visible()
        page.reload()
        expect(page.locator(".bars li").first).to_be_visible()
        expect(dialog).not_to_be_visible()


def test_behind_a_path_prefix(browser: Browser, site: Site) -> None:
    """Every file and every question goes below the prefix."""
    with prefix_proxy(site.url, "/tools/segstream") as address, visit(browser, site) as seen:
        page = seen.page
        page.goto(f"{address}/")
        seen.settled()
        expect(page.locator(".bars li").first).to_be_visible()
        expect(page.locator(".changes .change").first).to_be_visible()
        assert seen.mistakes == []


def test_by_keyboard_alone(browser: Browser, site: Site) -> None:
    """The first stop skips the bar; a view is opened and a theme switched without a mouse, and kept."""
    with visit(browser, site) as seen:
        page = seen.go("overview")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.get_by_role("link", name="Segments").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Segments")
        expect(page.locator("main")).to_be_focused()
        page.get_by_role("button", name="Use dark colours").focus()
        page.keyboard.press("Enter")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_text_of_customers_is_never_read_as_html(browser: Browser, site: Site) -> None:
    """An id made of markup is shown as it is."""
    name = "<img src=x onerror=alert(1)>"
    newest = site.ask("segments")["as_of"]
    site.send("purchases", [order(name, newest)])
    with visit(browser, site) as seen:
        page = seen.go("overview?dimension=lifecycle")
        line = page.locator(".changes .change", has_text="onerror").first
        expect(line).to_be_visible()
        assert page.locator("main img[src]").count() == 0
        line.get_by_role("link").click()
        expect(page.locator(".id")).to_have_text(name)
        assert seen.mistakes == []


def test_a_worker_that_is_gone_is_told(browser: Browser, site: Site) -> None:
    """In a sentence with what to do, and the page goes on by itself when the worker is reached again."""
    with visit(browser, site) as seen:
        page = seen.go("health")
        seen.context.set_offline(True)
        expect(page.locator(".failed").first).to_contain_text("The worker does not answer.Is it running?")
        seen.context.set_offline(False)
        expect(page.get_by_text("All is well")).to_be_visible()
        expect(page.locator(".failed")).to_have_count(0)
