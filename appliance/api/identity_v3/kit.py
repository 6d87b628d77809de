"""The resource kit: one declaration of a resource makes its routes, their handlers, and its names in JSON Home.

A resource is a subclass of `Resource` that says what it is called, where it is, what may be sent and filtered, and what
its policies look at. What it does differently from others it overrides.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.identity_v3.presentation import Listing, Presenter, QueryParser, done
from appliance.api.identity_v3.schemas import Schema, member, members
from appliance.api.identity_v3.targets import Resolver
from appliance.db.records import Filter, Page, Record, attributes
from appliance.identity.service import Identity
from appliance.identity.tokens.token import Token

Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Api:
    """What the handlers of the API work with."""

    identity: Identity
    presenter: Presenter
    queries: QueryParser


class Handlers(ABC):
    """Handlers that belong together, and their routes."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._identity = api.identity
        self._presenter = api.presenter

    @abstractmethod
    def routes(self) -> list[Route]: ...


class Rules(Protocol[Row_co]):
    """What the identity package knows of a resource."""

    def get(self, record_id: str, /) -> Row_co: ...

    def search(self, filters: Iterable[Filter] = (), page: Page = ..., /) -> Sequence[Row_co]: ...

    def create(self, sent: Any, /) -> Any: ...

    def update(self, record_id: str, changes: Record, /) -> Row_co: ...

    def delete(self, record_id: str, /) -> None: ...


class Resource(Handlers, Generic[Row]):
    """The five routes of a resource: list, create, get, update, delete."""

    name: ClassVar[str]
    """Of one, as bodies and policies have it."""
    plural: ClassVar[str] = ""
    """Of all; the name with an s, unless said otherwise."""
    key: ClassVar[str] = ""
    """What the path calls its id; the name and `_id`, unless said otherwise."""
    extension: ClassVar[str] = ""
    """The extension that it belongs to, in whose folder it is."""
    new: ClassVar[Schema]
    changes: ClassVar[Schema]
    filters: ClassVar[tuple[str, ...]] = ()
    switches: ClassVar[tuple[str, ...]] = ()
    """Filters that are on or off."""
    domain_filter: ClassVar[str] = ""
    """The attribute by which a list is narrowed to the domain of the token's scope."""
    none_is_all: ClassVar[bool] = False
    """Whether a list with the limit 0 is one without a limit."""
    policies: ClassVar[Mapping[str, str | tuple[str, ...]]] = {}
    """Policies with other names than `identity:get_thing` and `identity:list_things`, by what is done."""
    targets: ClassVar[Mapping[str, Resolver]] = {}
    """What the policies look at, by what is done."""
    reads_early: ClassVar[frozenset[str]] = frozenset({"create", "update"})
    """What is read of the request before the policy has its say."""
    frees: ClassVar[bool] = False
    """Whether a change goes on while the disk is full, because it can take somebody's way in."""

    def __init_subclass__(cls) -> None:
        if "name" in vars(cls):
            cls.plural = vars(cls).get("plural", f"{cls.name}s")
            cls.key = vars(cls).get("key", f"{cls.name}_id")

    @property
    @abstractmethod
    def rules(self) -> Rules[Row]: ...

    @property
    def path(self) -> str:
        """Of the collection, below `/v3`."""
        return f"{self.extension}/{self.plural}" if self.extension else self.plural

    def routes(self) -> list[Route]:
        prefix = f"{self.extension}:" if self.extension else ""
        every, one = f"/v3/{self.path}", f"/v3/{self.path}/<{self.key}>"
        return [
            self._route("list", "GET", every, self.list, self.listing, f"{prefix}{self.plural}"),
            self.creation(every, one),
            self._route("get", "GET", one, self.show, None, f"{prefix}{self.name}"),
            self._route("update", "PATCH", one, self.update, self.read_changes),
            self._route("delete", "DELETE", one, self.delete, None),
        ]

    def creation(self, every: str, one: str) -> Route:
        return self._route("create", "POST", every, self.create, self.read_new)

    def _route(self, doing: str, method: str, path: str, handler: Any, reads: Any, relation: str = "") -> Route:
        return Route(
            method,
            path,
            handler,
            self.policies.get(doing, f"identity:{doing}_{self.plural if doing == 'list' else self.name}"),
            self.targets.get(doing),
            reads=reads,
            late=reads is not None and doing not in self.reads_early,
            frees=self.frees and doing == "update",
            relation=relation or (),
        )

    # -- what resources may do in their own way

    def read_new(self, request: Request[Token]) -> Any:
        return member(request, self.name, self.new)

    def read_changes(self, request: Request[Token]) -> Any:
        return member(request, self.name, self.changes)

    def listing(self, request: Request[Token]) -> Listing:
        """What the query asks for, narrowed to what the caller may ask for."""
        listing = self._api.queries.read(request, self.filters, self.switches, none_is_all=self.none_is_all)
        domain_id = request.caller.domain_id if self.domain_filter else None
        return listing if domain_id is None else listing.narrowed(self.domain_filter, domain_id)

    def search(self, request: Request[Token], listing: Listing) -> Sequence[Row]:
        return self.rules.search(listing.filters, listing.page)

    def make(self, request: Request[Token]) -> Row:
        made: Row = self.rules.create(request.sent)
        return made

    def change(self, request: Request[Token], record_id: str) -> Row:
        return self.rules.update(record_id, request.sent)

    def present(self, request: Request[Token], row: Row) -> Record:
        """As clients see one, without links."""
        return attributes(row)

    # -- handlers

    def list(self, request: Request[Token]) -> Response:
        listing: Listing = request.sent
        shown = [self.present(request, row) for row in self.search(request, listing)]
        return self._presenter.collection(request, self.plural, shown, listing, self.path)

    def create(self, request: Request[Token]) -> Response:
        return self.member(request, self.present(request, self.make(request)), 201)

    def show(self, request: Request[Token], **parts: str) -> Response:
        return self.member(request, self.present(request, self.rules.get(self._id(parts))))

    def update(self, request: Request[Token], **parts: str) -> Response:
        return self.member(request, self.present(request, self.change(request, self._id(parts))))

    def delete(self, request: Request[Token], **parts: str) -> Response:
        self.rules.delete(self._id(parts))
        return done()

    def member(self, request: Request[Token], shown: Record, status: int = 200) -> Response:
        return self._presenter.member(request, self.name, self.path, shown, status)

    def _id(self, parts: Mapping[str, str]) -> str:
        return parts[self.key]


class BulkResource(Resource[Row]):
    """A resource of which several are made at once, all of them or none."""

    def read_new(self, request: Request[Token]) -> Any:
        return members(request, self.plural, self.new)

    def create(self, request: Request[Token]) -> Response:
        made: Sequence[Row] = self.rules.create(request.sent)
        shown = [self._presenter.linked(request, self.path, self.present(request, row)) for row in made]
        return Response(201, {self.plural: shown})


class ChosenIdResource(Resource[Row]):
    """A resource that is made by a PUT under an id of the client's choice."""

    def creation(self, every: str, one: str) -> Route:
        return self._route("create", "PUT", one, self.put, self.read_new)

    def put(self, request: Request[Token], **parts: str) -> Response:
        request.sent = {**request.sent, "id": self._id(parts)}
        return self.create(request)
