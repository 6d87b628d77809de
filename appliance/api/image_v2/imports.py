"""/v2/images/{id}/import and /v2/tasks: work that goes on after the response."""

from appliance.api.http.error_responses import image_error
from appliance.api.http.messages import Request, Response
from appliance.api.http.service import Route
from appliance.api.image_v2.dialect import json_object
from appliance.api.image_v2.views import image_task, listed_task, page, task
from appliance.image.imports.task_imports import TaskImports
from appliance.image.service import Images
from appliance.values import Caller


class ImportRoutes:
    """Handlers of imports."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/v2/images/<image_id>/import", self.begin, ("modify_image", "copy_image")),
            Route("GET", "/v2/images/<image_id>/tasks", self.tasks, "get_image", bodiless=True),
            Route(
                "DELETE",
                "/v2/stores/<store_id>/<image_id>",
                self.delete_from_store,
                ("get_image_location", "delete_image_location"),
                bodiless=True,
            ),
        ]

    def begin(self, request: Request[Caller], image_id: str) -> Response:
        body = json_object(request)
        store = request.header("x-image-meta-store")
        self._images.imports.begin(request.caller, image_id, body, store, request.id)
        return Response(202)

    def tasks(self, request: Request[Caller], image_id: str) -> Response:
        image = self._images.finder.get(request.caller, image_id)
        tasks = self._images.tasks.of_image(request.caller, image.id)
        return Response(200, {"tasks": [image_task(task) for task in tasks]})

    def delete_from_store(self, request: Request[Caller], store_id: str, image_id: str) -> Response:
        self._images.delete_from_store(request.caller, store_id, image_id)
        return Response(204)


class TaskRoutes:
    """Handlers of tasks."""

    def __init__(self, images: Images) -> None:
        self._tasks = images.tasks
        self._policies = images.policies
        self._imports = TaskImports(images)

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v2/tasks", self.list, "tasks_api_access"),
            Route("POST", "/v2/tasks", self.create, "tasks_api_access"),
            Route("GET", "/v2/tasks/<task_id>", self.show, "tasks_api_access"),
            Route("DELETE", "/v2/tasks/<task_id>", self.delete, "tasks_api_access"),
        ]

    def create(self, request: Request[Caller]) -> Response:
        self._policies.enforce_service(request.caller, "tasks_api_access")
        made = self._imports.begin(request.caller, json_object(request), request.id)
        return Response(201, task(made), [("Location", f"{request.base_url}/v2/tasks/{made.id}")])

    def list(self, request: Request[Caller]) -> Response:
        tasks, more = self._tasks.page(request.caller, dict(request.query))
        shown = [listed_task(one) for one in tasks]
        return Response(200, page("tasks", shown, "/v2/tasks", request.query, tasks[-1].id if more else None))

    def show(self, request: Request[Caller], task_id: str) -> Response:
        return Response(200, task(self._tasks.get(request.caller, task_id)))

    def delete(self, request: Request[Caller], task_id: str) -> Response:
        self._policies.enforce_service(request.caller, "tasks_api_access")
        sentence = "Tasks can't be deleted: they go by themselves when they expire."
        response = image_error(405, sentence, request.header("accept"))
        response.headers.append(("Allow", "GET"))
        return response
