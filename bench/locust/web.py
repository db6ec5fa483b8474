"""An additional tab in Locust's web page, with what its tables cannot show, and a checked form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, before_render_template, jsonify, request
from locust.web import WebUI

from bench.locust import live
from bench.locust.load_test import LoadTest
from bench.records import run_record

_TAB = {"title": "Queue", "key": "queue"}
_FOLDER = "queue-tab"
"""What our own addresses begin with."""
_ASSETS = {
    "tab.js": "text/javascript",
    "tab.css": "text/css",
    "uPlot.iife.min.js": "text/javascript",
    "uPlot.min.css": "text/css",
}
_HEAD = (
    f'<link rel="stylesheet" href="./{_FOLDER}/uPlot.min.css">'
    f'<link rel="stylesheet" href="./{_FOLDER}/tab.css">'
    f'<script defer src="./{_FOLDER}/uPlot.iife.min.js"></script>'
    f'<script defer src="./{_FOLDER}/tab.js"></script>'
)
_DOWNLOADS = [
    {"title": "Download Run Record", "href": f"./{_FOLDER}/record.json"},
    {"title": "Download Run Report", "href": f"./{_FOLDER}/report.html"},
]


@dataclass(frozen=True)
class Page:
    """What the page needs to know of the tests."""

    load_test: Callable[[], LoadTest | None]
    failure: Callable[[], str | None]
    """Why the last test could not begin, or has no record, as one line."""
    refusal: Callable[[Mapping[str, str]], str | None]
    """Why no test can be made of a form, as one line; None where one can."""
    arrange: Callable[[dict[str, dict[str, Any]]], None]
    """Gives the custom fields of the form their defaults and choices."""


def extend(web_ui: WebUI, page: Page) -> None:
    """Adds the tab, what it downloads, and the check of the form to Locust's page."""
    app = web_ui.app
    if app is None:
        return
    web_ui.template_args["extended_tabs"] = [_TAB]
    web_ui.template_args["extended_csv_files"] = _DOWNLOADS
    app.before_request(lambda: _refused(page))
    app.after_request(lambda response: _extended(page, response))

    def arrange(_sender: object, context: dict[str, Any], **_: object) -> None:
        arguments = context.get("template_args", {})
        if "extra_options" in arguments:
            page.arrange(arguments["extra_options"])

    # Not weakly: nothing else refers to it.
    before_render_template.connect(arrange, app, weak=False)
    options: Any = web_ui.environment.parsed_options
    app.register_blueprint(_addresses(web_ui, page), url_prefix=options.web_base_path or None)


def _refused(page: Page) -> Response | None:
    """The answer to a form of which no test can be made; Locust shows its message beside it."""
    if request.method != "POST" or not request.path.endswith("/swarm"):
        return None
    message = page.refusal(request.form)
    if message is None:
        return None
    return jsonify({"success": False, "message": message})


def _extended(page: Page, response: Response) -> Response:
    load_test = page.load_test()
    if request.path.endswith("/stats/requests") and load_test is not None and load_test.is_over:
        load_test.is_shown.set()
    if request.endpoint == "locust.index" and response.mimetype == "text/html":
        response.set_data(response.get_data(as_text=True).replace("</head>", f"{_HEAD}</head>"))
    return response


def _addresses(web_ui: WebUI, page: Page) -> Blueprint:
    """What the tab is made of, and what it shows. Everything is served from here."""
    ours = Blueprint("bench", __name__)
    guarded: Any = web_ui.auth_required_if_enabled

    def show_live() -> Response:
        return jsonify(live.view(page.load_test(), page.failure()))

    def download_record() -> Response:
        return _download(page, "json", run_record.encode)

    def download_report() -> Response:
        return _download(page, "html", _report)

    def show_asset(name: str) -> Response:
        if name not in _ASSETS:
            return Response("there is no such file\n", 404, mimetype="text/plain")
        data = (files("bench.locust") / "page" / name).read_bytes()
        return Response(data, mimetype=_ASSETS[name])

    ours.add_url_rule(f"/{_FOLDER}/live", view_func=guarded(show_live))
    ours.add_url_rule(f"/{_FOLDER}/record.json", view_func=guarded(download_record))
    ours.add_url_rule(f"/{_FOLDER}/report.html", view_func=guarded(download_report))
    ours.add_url_rule(f"/{_FOLDER}/<name>", view_func=show_asset)
    return ours


def _download(page: Page, kind: str, made: Callable[[run_record.RunRecord], bytes]) -> Response:
    load_test = page.load_test()
    if load_test is None or load_test.record is None:
        return Response("there is no record yet: it is made when a test is over\n", 404)
    record = load_test.record
    name = f"{record.scenario.name}-{record.id}.{kind}"
    response = Response(
        made(record), mimetype="text/html" if kind == "html" else "application/json"
    )
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _report(record: run_record.RunRecord) -> bytes:
    # Drawing takes a second to import, and no test needs it.
    from bench.reports.html.page import page as rendered  # noqa: PLC0415
    from bench.reports.html.run_page import section  # noqa: PLC0415

    return rendered([section(record)]).encode()
