"""HTTP routes of the server, and the responses that errors become."""

from __future__ import annotations

import contextlib
import importlib.resources
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import fastbert_tf

from . import metadata, open_inference, tensorflow_serving
from .errors import RequestError, brief, log_failure, overloaded, refuse
from .intake import BINARY, FORM, JSON, ClientGone, Intake, until_gone
from .metrics import CONTENT_TYPE
from .query import Query, check_known, read_json
from .service import Service

Endpoint = Callable[[Request, Service], Awaitable[Response]]

_CLIENT_GONE = 499  # nginx's; nobody reads it, but it is counted.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def create_app(
    service: Service,
    lifespan: Callable[[Starlette], Any] | None = None,
    is_crowded: Callable[[], bool] = lambda: False,
) -> ASGIApp:
    """The ASGI application.

    Args:
        service: `Service`.
        lifespan: asynchronous context manager around its life; by default one
            that does nothing.
        is_crowded: function that says whether more connections are open than
            are served; a request is then refused unread.
    """
    app = Starlette(
        routes=_routes(),
        lifespan=lifespan or _no_lifespan,
        exception_handlers={HTTPException: _http_error},
    )
    app.router.redirect_slashes = False
    app.state.service = service
    limits = service.limits
    app.state.intake = Intake(
        limits.max_body_bytes, limits.max_bodies, limits.body_seconds
    )
    return _unless_crowded(app, service, is_crowded)


def _routes() -> list[Route]:
    v1, v2 = "/v1/models/{name}", "/v2/models/{name}"
    routes = [
        ("GET", "/", _page),
        ("POST", "/explain", _explain),
        ("GET", "/metrics", _metrics),
        ("GET", "/v2", _server_metadata),
        ("GET", "/v2/health/live", _live),
        ("GET", "/v2/health/ready", _ready),
    ]
    for version in ("", "/versions/{version}"):
        routes += [
            ("GET", f"{v2}{version}", _model_metadata),
            ("GET", f"{v2}{version}/ready", _model_ready),
            ("POST", f"{v2}{version}/infer", _infer),
            ("GET", f"{v1}{version}", _model_status),
            ("GET", f"{v1}{version}/metadata", _signatures),
            ("POST", f"{v1}{version}:predict", _predict),
        ]
    return [
        Route(path, _guarded(endpoint), methods=[method])
        for method, path, endpoint in routes
    ]


async def _page(request: Request, service: Service) -> Response:
    page = importlib.resources.files(__package__).joinpath("page.html")
    text = page.read_text(encoding="utf-8")
    return Response(text, media_type="text/html", headers=_PAGE_HEADERS)


async def _explain(request: Request, service: Service) -> Response:
    service.check_warm()
    body = await request.app.state.intake.read(request, JSON)
    query = await service.workers.call(_read_text, body)
    content = await until_gone(request, service.explain(query))
    return JSONResponse(content)


def _read_text(body: bytes) -> Query:
    """The one text, or pair, that the page asks about."""
    content = read_json(body)
    check_known("field", content, ("text", "text_b"))
    if "text" not in content:
        refuse("The field `text` is missing.")
    pairs = [content["text_b"]] if "text_b" in content else None
    return Query([content["text"]], pairs)


async def _metrics(request: Request, service: Service) -> Response:
    return Response(service.metrics.render(), media_type=CONTENT_TYPE)


async def _live(request: Request, service: Service) -> Response:
    return JSONResponse({"live": True})


async def _ready(request: Request, service: Service) -> Response:
    status = 200 if service.is_ready else 503
    return JSONResponse({"ready": service.is_ready}, status)


async def _server_metadata(request: Request, service: Service) -> Response:
    content = {
        "name": "fastbert-tf",
        "version": fastbert_tf.__version__,
        "extensions": ["binary_tensor_data"],
    }
    return JSONResponse(content)


async def _model_metadata(request: Request, service: Service) -> Response:
    _check_model(request, service)
    return JSONResponse(metadata.model_metadata(service))


async def _model_ready(request: Request, service: Service) -> Response:
    _check_model(request, service)
    status = 200 if service.is_ready else 503
    name = service.name
    return JSONResponse({"name": name, "ready": service.is_ready}, status)


async def _model_status(request: Request, service: Service) -> Response:
    _check_model(request, service)
    content = metadata.version_status(service)
    return JSONResponse(content)


async def _signatures(request: Request, service: Service) -> Response:
    _check_model(request, service)
    return JSONResponse(metadata.signatures(service))


async def _infer(request: Request, service: Service) -> Response:
    header_length = request.headers.get(open_inference.HEADER_LENGTH)

    def read(body: bytes) -> tuple[Query, Any]:
        return open_inference.read_request(body, header_length)

    types = JSON if header_length is None else (*JSON, BINARY)
    return await _answer(request, service, types, read)


async def _predict(request: Request, service: Service) -> Response:
    return await _answer(
        request, service, (*JSON, FORM), tensorflow_serving.read_request
    )


async def _answer(
    request: Request,
    service: Service,
    types: tuple[str, ...],
    read: Callable[[bytes], tuple[Query, Any]],
) -> Response:
    """The answer to a body, in the form that `read` finds it asks for."""
    arrived = service.clock()
    _check_model(request, service)
    service.check_warm()
    body = await request.app.state.intake.read(request, types)
    query, form = await service.workers.call(read, body)
    reply = await until_gone(request, service.answer(query, arrived))
    content, headers = form.write(reply, service.name, service.version)
    return Response(content, headers=headers)


def _check_model(request: Request, service: Service) -> None:
    name = request.path_params["name"]
    version = request.path_params.get("version", service.version)
    if (name, version) != (service.name, service.version):
        raise RequestError(
            404,
            f"No model {brief(name)} of version {brief(version)}. Expected: "
            f"{service.name}, {service.version}.",
        )


def _guarded(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """`endpoint`, whose every failure becomes a response, and is counted."""

    async def answer(request: Request) -> Response:
        service = request.app.state.service
        try:
            response = await endpoint(request, service)
        except RequestError as error:
            response = _error(error.status, error.message, error.headers)
        except ClientGone:
            response = Response(status_code=_CLIENT_GONE)
        except Exception as error:
            log_failure(error)
            response = _error(500, "The server failed. It is in its log.")
        route = endpoint.__name__.lstrip("_")
        service.metrics.responded(route, response.status_code)
        return response

    return answer


async def _http_error(request: Request, error: Exception) -> Response:
    """Paths and methods that are not there."""
    service = request.app.state.service
    service.metrics.responded("unknown", error.status_code)
    return _error(error.status_code, error.detail, error.headers)


def _error(
    status: int, message: str, headers: dict[str, str] | None = None
) -> Response:
    body = json.dumps({"error": message}).encode("ascii")
    return Response(body, status, headers, "application/json")


def _unless_crowded(
    app: ASGIApp, service: Service, is_crowded: Callable[[], bool]
) -> ASGIApp:
    """The application, behind a door that closes when there are too many."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_crowded():
            await app(scope, receive, send)
            return
        error = overloaded("Too many connections are open.", 1)
        headers = error.headers | {"Connection": "close"}
        service.metrics.responded("unknown", error.status)
        response = _error(error.status, error.message, headers)
        await response(scope, receive, send)

    return answer


@contextlib.asynccontextmanager
async def _no_lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
