"""The page, in a browser where there is one."""

from __future__ import annotations

import html
import pathlib
import re
import shutil
import subprocess

import httpx
import pytest

from fastbert_tf.export.server.explaining import explain
from fastbert_tf.export.server.query import Query
from fastbert_tf.export.server.service import Service

_NAMES = ("chromium-headless-shell", "chromium", "google-chrome")
_BROWSER = next(filter(None, map(shutil.which, _NAMES)), None)
needs_browser = pytest.mark.skipif(
    _BROWSER is None, reason=f"needs one of {', '.join(_NAMES)}"
)


def browse(url: str, *flags: str) -> str:
    """What a browser shows, scripts run, as HTML."""
    finished = subprocess.run(
        [
            _BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=8000",
            *(flags or ["--dump-dom"]),
            url,
        ],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert finished.returncode == 0, finished.stderr
    return html.unescape(re.sub(r"<script.*?</script>", "", finished.stdout))


def test_the_page_needs_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert not re.search(r"https?://|@import|src=", page.text)
    assert 'name="viewport"' in page.text


def test_explain_answers_for_every_exit(
    client: httpx.Client, service: Service
) -> None:
    reply = client.post("/explain", json={"text": "a good film"})
    assert reply.json() == explain(service.classifier, Query(["a good film"]))


@needs_browser
def test_a_text_in_the_address_is_shown_with_its_exits(
    client: httpx.Client, service: Service
) -> None:
    exits = explain(service.classifier, Query(["a good <b>film</b>"]))["exits"]
    url = f"{client.base_url}#text=a%20good%20<b>film</b>&speed=0"
    seen = browse(url)
    assert "Leaves at M1, after 2 of 2 blocks: 1.0x fewer FLOPs" in seen
    for said in exits:
        assert f"{said['uncertainty']:.3f}" in seen
        assert f"{100 * said['probabilities'][4]:.1f}" in seen
    assert "fünf" in seen


@needs_browser
def test_a_higher_speed_leaves_at_the_first_exit(client: httpx.Client) -> None:
    seen = browse(f"{client.base_url}#text=a%20good%20film&speed=1")
    assert "Leaves at M0, after 1 of 2 blocks" in seen


@needs_browser
def test_an_error_is_shown(client: httpx.Client) -> None:
    seen = browse(f"{client.base_url}#text=good&text_b=film")
    assert "The model was trained on texts. Leave out `text_b`." in seen


@needs_browser
def test_the_page_can_be_pictured(
    client: httpx.Client, tmp_path: pathlib.Path
) -> None:
    url = f"{client.base_url}#text=a%20good%20film"
    path = tmp_path / "page.png"
    browse(url, f"--screenshot={path}", "--window-size=390,1400")
    assert path.read_bytes().startswith(b"\x89PNG")
