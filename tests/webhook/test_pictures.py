"""The map and the charts: what they show of which facts, in both languages, at both widths."""

import xml.etree.ElementTree as ET

import pytest

from webhook.api import places
from webhook.pages import showing
from webhook.pages import words
from webhook.pictures import chart
from webhook.pictures import map as map_
from webhook.pictures.shapes import fitted
from webhook.planner import atlas

NAT = {"address": "203.0.113.20", "port": 443, "behind": [{"address": "10.66.0.11", "port": 6820}]}


def endpoint(**changes):
    return {
        "id": "slurm", "platform": "slurm", "zone": "ai", "via": "internet", "protocol": "https", "state": "live",
        "address": "10.10.0.1", "port": 6820, **changes,
    }  # fmt: skip


def site(name, **changes):
    return {
        "id": name, "name": {"zh": f"{name}算力中心", "en": f"Centre {name}"}, "lab": True, "state": "live",
        "age_s": 30, "endpoints": [endpoint()], "accelerators": 16, "free_accelerators": 4, **changes,
    }  # fmt: skip


FOUND = places.Map(
    sites=[
        site("a", endpoints=[endpoint(**NAT), endpoint(id="cloud", zone="general")]),
        site("b", state="lost", age_s=None, free_accelerators=None, alarms={"critical": 1, "minor": 2}),
        site("c <script>", accelerators=None, cpu=64, free_cpu=64),
        site("d"),
    ],
    links=[
        {"source": "controller", "target": "a", "rate_gbps": 10, "rtt_ms": 0.5, "committed_pct": 90, "age_s": 60,
         "measured_at": "2026-11-25T03:00:00Z"},
        {"source": "controller", "target": "b", "rate_gbps": 0.3},
        {"source": "a", "target": "b", "rate_gbps": 1},
    ],
)  # fmt: skip


@pytest.fixture
def drawn(app):
    def draw(language):
        with app.test_request_context(headers={"Accept-Language": language}):
            says = map_.Words(words.translate, showing.length, words.language())
            return ET.fromstring(f"<both>{map_.draw(FOUND, says)}</both>")

    return draw


def texts(drawing):
    return [one.text or "" for one in drawing.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("zh-CN", ["控制端", "a算力中心", "已用 12 张卡，空闲 4 张", "已承诺 90 %", "60 秒前测得",
                   "紧急 1 · 次要 2", "失联", "没有链路"]),
        ("en", ["Controller", "Centre a", "12 cards used, 4 free", "90 % promised", "measured 60 s ago",
                "critical 1 · minor 2", "lost", "no link", "– / 16 cards", "0 cores used, 64 free"]),
    ],
)  # fmt: skip
def test_the_map_shows_every_site_with_its_link_cards_and_alarms(drawn, language, shown):
    wide, narrow = drawn(language)
    for drawing in (wide, narrow):
        there = texts(drawing)
        whole = " ".join(there)
        assert [one for one in shown if one not in whole] == []
        assert "203.0.113.20:443 ⇄ NAT ⇄ 10.66.0.11:6820" in there
        assert drawing.get("role") == "img"
        ids = [one.get("id") for one in drawing if one.get("id")]
        assert drawing.get("aria-labelledby").split() == ids
        assert all(site.name["zh" if language == "zh-CN" else "en"] in drawing[1].text for site in FOUND.sites)
    assert any(one.startswith("10 Gbit/s") for one in texts(wide))


def test_nothing_of_the_map_lies_outside_or_over_another_site(drawn):
    for drawing in drawn("en"):
        left, top, width, height = map(float, drawing.get("viewBox").split())
        boxes = [
            tuple(float(one.get(name)) for name in ("x", "y", "width", "height"))
            for one in drawing.iter("{http://www.w3.org/2000/svg}rect")
            if (one.get("class") or "").startswith("site")
        ]
        assert len(boxes) == len(FOUND.sites)
        for x, y, wide, high in boxes:
            assert left <= x and x + wide <= left + width and top <= y and y + high <= top + height
        for number, (x, y, wide, high) in enumerate(boxes):
            for other in boxes[:number]:
                apart = x >= other[0] + other[2] or other[0] >= x + wide
                assert apart or y >= other[1] + other[3] or other[1] >= y + high


def test_machines_that_pools_share_are_counted_once():
    from ansible_collections.suanwang.brain.plugins.module_utils.resources import Capacity
    from ansible_collections.suanwang.brain.plugins.module_utils.resources import Pool

    def pool(name, domain, cards):
        return Pool(
            id=name, name=name, site="a", platform="slurm", endpoint="slurm", domains=domain,
            capacity=Capacity(accelerators=cards, cpu=8),
        )  # fmt: skip

    found = atlas._machines([pool("long", ("d1",), 8), pool("short", ("d1",), 8), pool("other", ("d2",), 4)])
    assert atlas._sum(found, "capacity", "accelerators") == 12
    assert atlas._sum(found, "free", "accelerators") is None


def test_a_chart_has_a_gap_where_nobody_looked():
    figures = [10.0, 20.0, None, None, 100.0]
    points = [places.Point(at_s=n, used_pct=one, measured_pct=None) for n, one in enumerate(figures)]
    drawing = ET.fromstring(chart.use(points, "use <of> a pool"))
    areas = [one.get("d") for one in drawing if one.get("class") == "area"]
    assert len(areas) == 2 and areas[1].startswith("M4 100L4 0") and areas[1].endswith("L5 100Z")
    assert drawing.get("aria-label") == "use <of> a pool"


def test_a_text_is_cut_to_its_place():
    assert fitted("short", 200) == "short"
    assert fitted("湖南工商大学算力中心", 60).endswith("…") and len(fitted("湖南工商大学算力中心", 60)) < 7
