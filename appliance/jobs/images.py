"""Background jobs on images: the end of those whose delete was delayed, and the cache."""

from appliance.image.service import Images
from appliance.jobs.scheduler import Job
from appliance.jobs.upkeep import spending
from appliance.settings import Settings


def image_jobs(images: Images, settings: Settings) -> list[Job]:
    """The jobs of the image package."""
    # With the setting off there may still be images from when it was on.
    jobs = [Job("scrub-images", spending(images.stores, images.pending.scrub), settings.wakeup_time)]
    if settings.image_cache_dir:
        jobs.append(Job("cache", images.cache.step, settings.cache_prefetcher_interval))
    return jobs
