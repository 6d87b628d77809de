"""`/v2/tasks`: the record of background work, for admins."""

from appliance.api.exchange import Reply, Request
from appliance.api.faults import image_error
from appliance.api.image_v2.bodies import json_object
from appliance.api.image_v2.views import listed_task, page, task
from appliance.api.service import Route
from appliance.image.rules import enforce_admin
from appliance.image.service import Images
from appliance.values import Caller


class TaskRoutes:
    """Handlers of tasks."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v2/tasks", self.list, "tasks_api_access"),
            Route("POST", "/v2/tasks", self.create, "tasks_api_access"),
            Route("GET", "/v2/tasks/<task_id>", self.show, "tasks_api_access"),
            Route("DELETE", "/v2/tasks/<task_id>", self.delete, "tasks_api_access"),
        ]

    def create(self, request: Request[Caller]) -> Reply:
        enforce_admin(request.caller, "tasks_api_access")
        made = self._images.task_imports.begin(request.caller, json_object(request), request.id)
        return Reply(201, task(made), [("Location", f"{request.base_url}/v2/tasks/{made.id}")])

    def list(self, request: Request[Caller]) -> Reply:
        tasks, more = self._images.tasks.page(request.caller, dict(request.query))
        shown = [listed_task(one) for one in tasks]
        return Reply(200, page("tasks", shown, "/v2/tasks", request.query, tasks[-1].id if more else None))

    def show(self, request: Request[Caller], task_id: str) -> Reply:
        return Reply(200, task(self._images.tasks.get(request.caller, task_id)))

    def delete(self, request: Request[Caller], task_id: str) -> Reply:
        enforce_admin(request.caller, "tasks_api_access")
        sentence = "Tasks can't be deleted: they go by themselves when they expire."
        reply = image_error(405, sentence, request.header("accept"))
        reply.headers.append(("Allow", "GET"))
        return reply
