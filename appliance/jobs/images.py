"""Background jobs on images: the end of those whose delete was delayed."""

from appliance.image.service import Images
from appliance.jobs.scheduler import Job
from appliance.settings import Settings


def image_jobs(images: Images, settings: Settings) -> list[Job]:
    """The jobs of the image rooms."""
    # With the setting off there may still be images from when it was on.
    return [Job("scrub-images", images.pending.scrub, settings.wakeup_time)]
