"""The explorer's HTTP: the page's files, and its questions in JSON."""

import json
import logging
import mimetypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from tfrec.data.people import People
from tfrec.errors import InputError
from tfrec.explorer.catalogue import Catalogue
from tfrec.explorer.engines import Engine, describe
from tfrec.serving.origins import elsewhere, is_from_elsewhere, is_loopback

_STATIC = Path(__file__).with_name("static")
# Nothing from elsewhere, nothing inline, in no frame.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_MOST_ITEMS = 100
_MOST_HISTORY = 500


class Explorer:
    """Answers the page: the WSGI application.

    Args:
        engines: What recommends, at least one.
        catalogue: The items.
        people: The users; None where no dataset is known.
        host: The address that it listens at. At a loopback address it answers
            only requests that name one: a page from elsewhere that has its
            own name lead here gets nothing.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        catalogue: Catalogue,
        people: People | None,
        host: str = "127.0.0.1",
    ):
        self._engines = engines
        self._catalogue = catalogue
        self._people = people
        self._only_loopback = is_loopback(host)
        self._files = {
            "/" if path.name == "index.html" else f"/{path.name}": path
            for path in _STATIC.iterdir()
            if path.is_file()
        }
        self._answers: dict[str, Callable[[Request], dict[str, Any]]] = {
            "/api/about": self._about,
            "/api/search": self._search,
            "/api/items": self._items,
            "/api/recommend": self._recommend,
            "/api/spread": self._spread,
            "/api/why": self._why,
            "/api/person": self._person,
            "/api/map": self._map,
        }

    def __call__(self, environ, start_response):
        """Answers one request: the WSGI interface."""
        request = Request(environ)
        response = self._answer(request)
        response.headers.update(_HEADERS)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if self._only_loopback and is_from_elsewhere(request):
            return _json({"error": elsewhere(request)}, 403)
        if request.method not in ("GET", "HEAD"):
            return _json({"error": "Only GET is answered."}, 405)
        if request.path in self._files:
            path = self._files[request.path]
            kind = mimetypes.guess_type(path.name)[0]
            if path.suffix == ".js":  # Some systems say otherwise.
                kind = "text/javascript"
            return Response(
                path.read_bytes(), content_type=f"{kind}; charset=utf-8"
            )
        answer = self._answers.get(request.path)
        if answer is None:
            return _json({"error": f"Not found: {request.path}"}, 404)
        try:
            return _json(answer(request))
        except InputError as error:
            return _json({"error": str(error)}, 400)
        except Exception:
            logging.exception("The explorer could not answer %s", request.url)
            return _json(
                {"error": "The explorer failed; its terminal says how."}, 500
            )

    def _about(self, request: Request) -> dict[str, Any]:
        people = self._people
        return {
            "engines": [describe(engine) for engine in self._engines],
            "items": len(self._catalogue.ids),
            "titles": any(self._catalogue.titles),
            "people": len(people) if people else 0,
            "split": people.split if people else "",
            "columns": list(self._catalogue.columns),
        }

    def _search(self, request: Request) -> dict[str, Any]:
        limit = _number(request, "limit", 20, _MOST_ITEMS)
        return self._catalogue.search(request.args.get("q", ""), limit)

    def _items(self, request: Request) -> dict[str, Any]:
        ids = request.args.getlist("item")
        return {"items": [self._catalogue.named(item) for item in ids]}

    def _recommend(self, request: Request) -> dict[str, Any]:
        wanted = request.args.getlist("next")
        answer = self._engine(request).recommend(
            _history(request),
            request.args.get("user", ""),
            _number(request, "k", 10, _MOST_ITEMS),
            wanted,
        )
        return {
            "items": [
                {**self._catalogue.named(item), "score": score}
                for item, score in zip(answer.items, answer.scores, strict=True)
            ],
            "next": [
                {**self._catalogue.named(item), "rank": rank}
                for item, rank in zip(wanted, answer.ranks, strict=True)
            ],
        }

    def _spread(self, request: Request) -> dict[str, Any]:
        engine = self._engine(request)
        if not engine.has_latent:
            raise InputError(f"{engine.name} has no latent, so no spread.")
        intervals = engine.spread(
            _history(request),
            request.args.get("user", ""),
            request.args.getlist("item"),
        )
        return {"intervals": intervals}

    def _why(self, request: Request) -> dict[str, Any]:
        return {
            "without": self._engine(request).without(
                _history(request),
                request.args.get("user", ""),
                request.args.getlist("item"),
            )
        }

    def _person(self, request: Request) -> dict[str, Any]:
        if self._people is None:
            raise InputError("There are no users here: no dataset is known.")
        name = request.args.get("name", "")
        person = self._people.named(name) if name else self._people.anyone()
        ids = self._catalogue.ids
        known = [item for item in person.targets if item <= len(ids)]
        return {
            "name": person.name,
            # The newest, as many as may be asked with.
            "history": [
                self._catalogue.describe(i - 1)
                for i in person.history[-_MOST_HISTORY:]
            ],
            "older": max(0, len(person.history) - _MOST_HISTORY),
            "skipped": person.skipped,
            "next": [self._catalogue.describe(i - 1) for i in known],
            "unseen": len(person.targets) - len(known),
        }

    def _map(self, request: Request) -> dict[str, Any]:
        engine = self._engine(request)
        if not engine.has_map:
            raise InputError(f"{engine.name} has no map: a server gives lists.")
        layout = engine.layout(self._catalogue)
        answer = {
            "method": layout.method,
            "of": len(self._catalogue.ids),
            "points": layout.points.round(4).tolist(),
            "items": [self._catalogue.describe(p) for p in layout.places],
        }
        column = request.args.get("column", "")
        if column in self._catalogue.columns:
            answer["groups"] = self._catalogue.groups(column, layout.places)
        return answer

    def _engine(self, request: Request) -> Engine:
        return self._engines[_number(request, "run", 0, len(self._engines) - 1)]


def _history(request: Request) -> list[str]:
    history = request.args.getlist("history")
    if len(history) > _MOST_HISTORY:
        raise InputError(
            f"A history has {_MOST_HISTORY} items at most here. Received: "
            f"{len(history)}."
        )
    return history


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isascii() or not text.isdigit() or int(text) > most:
        raise InputError(
            f"`{name}` must be an integer from 0 to {most}. Received: {text!r}."
        )
    return int(text)


def _json(value: Any, status: int = 200) -> Response:
    # Scores are finite; NaN would be no JSON.
    return Response(
        json.dumps(value, allow_nan=False),
        status=status,
        content_type="application/json",
    )
