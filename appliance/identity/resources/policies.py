"""Policies, which are only kept, and what they are associated with."""

from collections.abc import Iterable

from appliance.db.identity import limits as rows
from appliance.db.identity.catalog import ENDPOINTS, REGIONS, Endpoint, tree
from appliance.db.identity.limits import POLICIES, Place, Policy
from appliance.db.records import ALL, Filter, Page, Record, delete, find, find_many, insert, select, update
from appliance.errors import Invalid, NotFound
from appliance.identity.catalog.entries import Endpoints, Regions, Services
from appliance.identity.store import IdentityStore, merged
from appliance.values import new_hex_id


class Policies:
    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def get(self, policy_id: str) -> Policy:
        policy = find(self._store.db, POLICIES, policy_id)
        if policy is None:
            raise NotFound(f"Could not find policy: {policy_id}.")
        return policy

    def search(self, filters: Iterable[Filter] = (), page: Page = ALL) -> list[Policy]:
        return select(self._store.db, POLICIES, filters, page)

    def create(self, policy: Record) -> Policy:
        created = POLICIES.made({**policy, "id": new_hex_id()})
        self._store.transact(lambda tx: insert(tx, POLICIES, created))
        return self.get(created.id)

    def update(self, policy_id: str, changes: Record) -> Policy:
        if changes.get("id", policy_id) != policy_id:
            raise Invalid("Cannot change policy ID.")
        changed = merged(POLICIES, self.get(policy_id), changes)
        self._store.transact(lambda tx: update(tx, POLICIES, changed))
        return self.get(policy_id)

    def delete(self, policy_id: str) -> None:
        self.get(policy_id)
        self._store.transact(lambda tx: delete(tx, POLICIES, policy_id))


class EndpointPolicies:
    """Which policy is for which endpoint: its own, that of its service in its region or one above, or the service's."""

    def __init__(
        self, store: IdentityStore, policies: Policies, services: Services, regions: Regions, endpoints: Endpoints
    ) -> None:
        self._store = store
        self._policies = policies
        self._services = services
        self._regions = regions
        self._endpoints = endpoints

    def check(self, policy_id: str, place: Place) -> None:
        """Raise `NotFound` unless the place has this policy."""
        self._check_known(policy_id, place)
        if rows.policy_at(self._store.db, place) != policy_id:
            raise NotFound("Could not find policy association.")

    def associate(self, policy_id: str, place: Place) -> None:
        self._check_known(policy_id, place)
        self._store.transact(lambda tx: rows.associate(tx, policy_id, place))

    def dissociate(self, policy_id: str, place: Place) -> None:
        """Nothing happens if the place has not this policy."""
        self._check_known(policy_id, place)
        self._store.transact(lambda tx: rows.dissociate(tx, policy_id, place))

    def endpoints(self, policy_id: str) -> list[Endpoint]:
        """The endpoints that a policy's associations name, those of regions below included."""
        self._policies.get(policy_id)
        found: list[Endpoint] = []
        for place in rows.places_of(self._store.db, policy_id):
            found += self._endpoints_at(place)
        return list({endpoint.id: endpoint for endpoint in found}.values())

    def policy_of(self, endpoint_id: str) -> Policy:
        """The policy that is for an endpoint. Raises `NotFound`."""
        endpoint = self._endpoints.get(endpoint_id)
        for place in self._places_of(endpoint):
            policy_id = rows.policy_at(self._store.db, place)
            if policy_id is not None:
                return self._policies.get(policy_id)
        raise NotFound(f"No policy is associated with endpoint {endpoint_id}.")

    def _places_of(self, endpoint: Endpoint) -> list[Place]:
        """From the most particular to the most general."""
        places = [Place(endpoint_id=endpoint.id)]
        region_id = endpoint.region_id
        while region_id is not None:
            places.append(Place(service_id=endpoint.service_id, region_id=region_id))
            region = find(self._store.db, REGIONS, region_id)
            region_id = region.parent_region_id if region is not None else None
        return [*places, Place(service_id=endpoint.service_id)]

    def _endpoints_at(self, place: Place) -> list[Endpoint]:
        db = self._store.db
        if place.endpoint_id is not None:
            return find_many(db, ENDPOINTS, [place.endpoint_id])
        found = select(db, ENDPOINTS, [Filter("service_id", place.service_id)])
        if place.region_id is None:
            return found
        regions = set(tree(db, place.region_id))
        return [endpoint for endpoint in found if endpoint.region_id in regions]

    def _check_known(self, policy_id: str, place: Place) -> None:
        self._policies.get(policy_id)
        if place.endpoint_id is not None:
            self._endpoints.get(place.endpoint_id)
        if place.service_id is not None:
            self._services.get(place.service_id)
        if place.region_id is not None:
            self._regions.get(place.region_id)
