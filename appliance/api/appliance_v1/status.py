"""/appliance/v1: how the appliance is, what it works on, and how its stores have grown."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from appliance import __version__
from appliance.activity.history import History
from appliance.activity.running import DOWNLOAD, UPLOAD, Jobs, JobState, Transfer, Transfers
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.datadir import DataDir
from appliance.errors import Forbidden, Invalid, NotFound
from appliance.image.service import Images
from appliance.nodes.membership import Nodes
from appliance.settings import Settings
from appliance.values import Caller, Clock, Micros, seconds_text, whole_number

_DAY = 86_400_000_000
_JOBS = ("collect", "scrub")
_DAYS = 400


class StatusRoutes:
    """Handlers of what is to be seen of the whole appliance."""

    def __init__(
        self,
        images: Images,
        settings: Settings,
        clock: Clock,
        history: History,
        transfers: Transfers,
        jobs: Jobs,
        nodes: Nodes,
    ) -> None:
        self._images = images
        self._settings = settings
        self._clock = clock
        self._history = history
        self._transfers = transfers
        self._jobs = jobs
        self._nodes = nodes
        self._started = clock()

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/appliance/v1/status", self.status, "get_status", bodiless=True),
            Route("GET", "/appliance/v1/jobs", self.jobs, "manage_jobs", bodiless=True),
            Route("POST", "/appliance/v1/jobs/<job>", self.run, "manage_jobs"),
            Route("GET", "/appliance/v1/uploads", self.uploads, "get_uploads", bodiless=True),
            Route("GET", "/appliance/v1/projects/<project_id>/usage", self.usage, "manage_stores", bodiless=True),
            Route("GET", "/appliance/v1/history", self.history, "manage_stores", bodiless=True),
        ]

    def status(self, request: Request[Caller]) -> Response:
        """Everybody sees whether it is well and what their project has; admins see the disk and the stores, too."""
        caller = request.caller
        self._images.policies.enforce_service(caller, "get_status")
        body: dict[str, Any] = {
            "version": __version__,
            "started_at": seconds_text(self._started),
            "mode": self._settings.identity_mode,
            "health": self._health(),
        }
        if caller.project_id is not None:
            images, logical = self._history.figures.of_project(caller.project_id)
            body["project"] = {"images": images, "logical": logical}
        body["transfers"] = {kind: len(self._running(caller, kind)) for kind in (UPLOAD, DOWNLOAD)}
        if caller.is_admin:
            body |= self._for_admins()
        tag = f'"{hashlib.sha256(json.dumps(body).encode()).hexdigest()[:32]}"'
        if request.header("if-none-match") == tag:
            return Response(304, headers=[("ETag", tag)])
        return Response(200, body, [("ETag", tag), ("Cache-Control", "no-cache")])

    def _health(self) -> dict[str, str]:
        return {name: trouble or "OK" for name, trouble in self._images.stores.trouble().items()}

    def _for_admins(self) -> dict[str, Any]:
        directory = DataDir(self._settings.data_dir)
        size, free = directory.room()
        nodes = self._nodes.by_state()
        scrub = next((state for state in self._jobs.states() if state.name == "scrub"), None)
        return {
            # In steps, so that what others write on the disk is no news each time.
            "disk": {"size": size, "free": free - free % max(1, size // 1000)},
            "stores": asdict(self._history.held()),
            "images": self._history.figures.images_by_status(),
            "last_backup": _time_text(directory.backed_up_at()),
            "scrub": None if scrub is None else _shown_job(scrub),
            **({"nodes": nodes} if nodes else {}),
        }

    def jobs(self, request: Request[Caller]) -> Response:
        self._images.policies.enforce_service(request.caller, "manage_jobs")
        shown = [_shown_job(state) for state in self._jobs.states()]
        tasks = self._history.figures.tasks_by_status()
        imports = {"name": "imports", "state": "running" if tasks.get("processing") else "waiting", "tasks": tasks}
        return Response(200, {"jobs": [*shown, imports]})

    def run(self, request: Request[Caller], job: str) -> Response:
        """Have a job run now."""
        self._images.policies.enforce_service(request.caller, "manage_jobs")
        if job not in _JOBS:
            raise NotFound(f"There is no job {job} to be run: say collect or scrub.")
        if not self._jobs.wake(job):
            raise Invalid(f"The job {job} is switched off.")
        return Response(202)

    def uploads(self, request: Request[Caller]) -> Response:
        """The uploads that run: of everybody for admins, else of one's own project."""
        caller = request.caller
        self._images.policies.enforce_service(caller, "get_uploads")
        running = self._running(caller, UPLOAD)
        return Response(200, {"uploads": [_shown_upload(one) | self._names(caller, one) for one in running]})

    def _names(self, caller: Caller, transfer: Transfer) -> dict[str, Any]:
        """Its image's name, and the image that it is the same as so far: for who may read these."""
        same = transfer.follows and self._images.data.image_of(caller, *transfer.follows)
        try:
            name = self._images.finder.get(caller, transfer.image_id).name
        except (NotFound, Forbidden):
            name = None
        return {"image_name": name, "same_as": {"id": same.id, "name": same.name} if same else None}

    def _running(self, caller: Caller, kind: str) -> list[Transfer]:
        running = self._transfers.running(kind)
        return [one for one in running if caller.is_admin or one.caller.project_id == caller.project_id]

    def usage(self, request: Request[Caller], project_id: str) -> Response:
        """What a project has; that of one's own is in the status."""
        self._images.policies.enforce_service(request.caller, "manage_stores")
        images, logical = self._history.figures.of_project(project_id)
        return Response(200, {"project_id": project_id, "images": images, "logical": logical})

    def history(self, request: Request[Caller]) -> Response:
        """The stores' figures of each hour."""
        self._images.policies.enforce_service(request.caller, "manage_stores")
        days = whole_number(request.arg("days") or "30")
        if days is None or not 0 < days <= _DAYS:
            raise Invalid(f"days must be a whole number from 1 to {_DAYS}.")
        hours = self._history.hours(self._clock() - days * _DAY)
        return Response(200, {"history": [{**asdict(hour), "at": seconds_text(hour.at)} for hour in hours]})


def _shown_job(state: JobState) -> dict[str, Any]:
    done, total = state.progress() or (None, None)
    return {
        "name": state.name,
        "state": "running" if state.running else "waiting",
        "started_at": _time_text(state.started_at),
        "ended_at": _time_text(state.ended_at),
        "next_at": _time_text(state.next_at),
        "done": done,
        "total": total,
        "error": state.error,
    }


def _shown_upload(transfer: Transfer) -> dict[str, Any]:
    return {
        "image_id": transfer.image_id,
        "user_id": transfer.caller.user_id,
        "user_name": transfer.caller.user_name,
        "project_id": transfer.caller.project_id,
        "bytes": transfer.moved,
        "size": transfer.size,
        "rate": round(transfer.rate),
        "since": seconds_text(transfer.since),
    }


def _time_text(at: Micros | None) -> str | None:
    return None if at is None else seconds_text(at)
